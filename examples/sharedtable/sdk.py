# A program that uses the Zoho CRM SDK for Python (pip install zohocrmsdk8_0
# mysql-connector-python), beside main.go. For every line on its standard input it prints the
# company of a user. Its client is of the EU's data centre.
#
# The environment, besides main.go's TOKEN_STORE and MYSQL_PWD:
#
#   ZOHO_USER            mail:orgid
#   ZOHO_REFRESH_TOKEN   with ZOHO_CLIENT_ID and ZOHO_CLIENT_SECRET, if the table does not
#                        have the user's token yet
import os
import sys
from urllib.parse import parse_qs, urlsplit

from sqlite_store import SQLiteStore
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store import DBStore
from zohocrmsdk.src.com.zoho.crm.api import Initializer
from zohocrmsdk.src.com.zoho.crm.api.dc import EUDataCenter
from zohocrmsdk.src.com.zoho.crm.api.org import OrgOperations, ResponseWrapper
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature


def open_store(url):
    if url.startswith("sqlite:"):
        return SQLiteStore(url.removeprefix("sqlite:"))
    url = urlsplit(url)
    return DBStore(host=url.hostname, port_number=str(url.port or 3306), database_name=url.path[1:],
                   user_name=parse_qs(url.query)["user"][0], password=os.environ["MYSQL_PWD"])


Initializer.initialize(
    environment=EUDataCenter.PRODUCTION(),
    token=OAuthToken(user_signature=UserSignature(os.environ["ZOHO_USER"]), client_id=os.environ.get("ZOHO_CLIENT_ID"),
                     client_secret=os.environ.get("ZOHO_CLIENT_SECRET"),
                     refresh_token=os.environ.get("ZOHO_REFRESH_TOKEN")),
    store=open_store(os.environ.get("TOKEN_STORE", "sqlite:zohooauth.db")))

for _ in sys.stdin:
    reply = OrgOperations().get_organization()
    if isinstance(reply.get_object(), ResponseWrapper):
        print(reply.get_object().get_org()[0].get_company_name(), flush=True)
    else:
        print("status", reply.get_status_code(), flush=True)

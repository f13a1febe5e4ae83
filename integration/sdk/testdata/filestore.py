# Calls the Python SDK's own FileStore, or its DBStore for a MySQL URL: one JSON request a line on standard
# input, one JSON reply a line on standard output.
import json
import os
import sys
from urllib.parse import parse_qs, urlsplit

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store import DBStore, FileStore
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

FIELDS = ["id", "client_id", "client_secret", "refresh_token", "access_token", "grant_token", "redirect_url", "api_domain"]


def to_token(fields):
    token = object.__new__(OAuthToken)
    FileStore.set_oauth_token(token)
    for name in FIELDS:
        if fields.get(name):
            getattr(token, "set_" + name)(fields[name])
    if fields.get("user_name"):
        token.set_user_signature(UserSignature(fields["user_name"]))
    if fields.get("expiry_time"):
        token.set_expires_in(fields["expiry_time"])
    return token


def from_token(token):
    if token is None:
        return None
    fields = {name: getattr(token, "get_" + name)() for name in FIELDS}
    user = token.get_user_signature()
    fields["user_name"] = user.get_name() if user is not None else None
    fields["expiry_time"] = token.get_expires_in()
    return {name: value for name, value in fields.items() if value}


def open_store(path):
    if not path.startswith("mysql:"):
        return FileStore(path)
    url = urlsplit(path)
    return DBStore(host=url.hostname, port_number=str(url.port), database_name=url.path[1:],
                   user_name=parse_qs(url.query)["user"][0], password=os.environ["MYSQL_PWD"], table_name="oauthtoken")


def call(request):
    store = open_store(request["path"])
    op = request["op"]
    if op == "list":
        return {"tokens": [from_token(t) for t in store.get_tokens()]}
    if op == "find":
        return {"token": from_token(store.find_token(to_token(request["token"])))}
    if op == "by id":
        return {"token": from_token(store.find_token_by_id(request["id"]))}
    if op == "save":
        token = to_token(request["token"])
        store.save_token(token)
        return {"token": from_token(token)}
    if op == "delete":
        store.delete_token(request["id"])
    elif op == "delete all":
        store.delete_tokens()
    elif op != "open":
        raise ValueError(op)
    return {}


for line in sys.stdin:
    try:
        reply = call(json.loads(line))
    except BaseException as e:
        reply = {"error": repr(e) + " " + str(e)}
    print(json.dumps(reply), flush=True)

# A custom store for the Zoho CRM SDK for Python: the table of the SDK's DBStore, in SQLite.
import sqlite3
from contextlib import closing

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store import DBStore, TokenStore

FIELDS = ["client_id", "client_secret", "refresh_token", "access_token", "grant_token", "redirect_url", "api_domain"]
COLUMNS = ("id, user_name, client_id, client_secret, refresh_token, access_token, grant_token, expiry_time, "
           "redirect_url, api_domain")  # The order that set_merge_data expects.


def fields_of(token):
    user = token.get_user_signature()
    fields = {name: getattr(token, "get_" + name)() for name in FIELDS}
    fields.update(user_name=user.get_name() if user else None, expiry_time=token.get_expires_in())
    return {name: value for name, value in fields.items() if value}


def key_of(fields):
    """Returns the column and the value by which the SDK chooses a token's row."""
    client = "client_id" in fields or "client_secret" in fields
    for name in ["user_name"] + ([] if client else ["access_token"]) + ["grant_token", "refresh_token"]:
        if name in fields:
            return name, fields[name]
    raise ValueError("the token has no key")


def token_of(row):
    token = object.__new__(OAuthToken)
    DBStore.set_oauth_token(token)
    DBStore.set_merge_data(token, row)
    return token


class SQLiteStore(TokenStore):
    def __init__(self, path):
        self.path = path
        self.run("create table if not exists oauthtoken (id varchar(10) not null primary key, user_name varchar(255), "
                 "client_id varchar(255), client_secret varchar(255), refresh_token varchar(255), "
                 "access_token varchar(255), grant_token varchar(255), expiry_time varchar(20), "
                 "redirect_url varchar(255), api_domain varchar(255))")

    def connect(self):
        return closing(sqlite3.connect(self.path, timeout=30, isolation_level=None))

    def run(self, statement, *values):
        with self.connect() as db:
            return db.execute(statement, values).fetchall()

    def find_token(self, token):
        name, value = key_of(fields_of(token))
        rows = self.run(f"select {COLUMNS} from oauthtoken where {name} = ? limit 1", value)
        if not rows:
            return None
        DBStore.set_merge_data(token, rows[0])
        return token

    def find_token_by_id(self, id):
        rows = self.run(f"select {COLUMNS} from oauthtoken where id = ?", id)
        if not rows:
            raise KeyError("no token has this ID")
        return token_of(rows[0])

    def save_token(self, token):
        fields = fields_of(token)
        name, value = key_of(fields)
        changes = ", ".join(f"{field} = ?" for field in fields)
        with self.connect() as db:
            db.execute("begin immediate")  # Nobody writes until the connection ends or commits.
            row = db.execute(f"select id from oauthtoken where {name} = ? limit 1", [value]).fetchone()
            if row:
                db.execute(f"update oauthtoken set {changes} where id = ?", [*fields.values(), row[0]])
            else:
                if token.get_id() is None:
                    highest = db.execute("select coalesce(max(cast(id as integer)), 0) from oauthtoken").fetchone()[0]
                    token.set_id(str(highest + 1))
                db.execute(f"insert into oauthtoken (id, {', '.join(fields)}) values (?{', ?' * len(fields)})",
                           [token.get_id(), *fields.values()])
            db.execute("commit")

    def get_tokens(self):
        return [token_of(row) for row in self.run(f"select {COLUMNS} from oauthtoken")]

    def delete_token(self, id):
        self.run("delete from oauthtoken where id = ?", id)

    def delete_tokens(self):
        self.run("delete from oauthtoken")

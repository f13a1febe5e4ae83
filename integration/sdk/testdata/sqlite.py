# Runs, with Python's own sqlite3, the statements that the sample store of the
# Zoho SDK for Python runs: values pasted into the text, rows read by position,
# one connection a call. One JSON request a line on standard input, one JSON
# reply a line on standard output.
import json
import sqlite3
import sys

COLUMNS = ["id", "user_name", "client_id", "client_secret", "refresh_token", "access_token", "grant_token", "expiry_time",
           "redirect_url", "api_domain"]

# Not every SQLite is built with a limit for updates.
LIMITED = ("ENABLE_UPDATE_DELETE_LIMIT",) in sqlite3.connect(":memory:").execute("pragma compile_options").fetchall()


def create(cursor):
    cursor.execute("select name from sqlite_master where type = 'table' and name = 'oauthtoken'")
    if cursor.fetchone() is None:
        cursor.execute("create table oauthtoken (id varchar(10) NOT NULL,user_name varchar(255), client_id varchar(255), "
                       "client_secret varchar(255), refresh_token varchar(255), access_token varchar(255), "
                       "grant_token varchar(255), expiry_time varchar(20), redirect_url varchar(255), "
                       "api_domain varchar(255), primary key (id))")


def where(token):
    client = token.get("client_id") and token.get("client_secret")
    if token.get("user_name"):
        return "user_name='" + token["user_name"] + "'"
    if token.get("access_token") and not client:
        return "access_token='" + token["access_token"] + "'"
    if token.get("grant_token"):
        return "grant_token='" + token["grant_token"] + "'"
    return "refresh_token='" + token["refresh_token"] + "'"


def token_of(row):
    if row is None:
        return None
    if len(row) != len(COLUMNS):
        raise ValueError("a row has %d columns" % len(row))
    return {name: value for name, value in zip(COLUMNS, row) if value}


def find(cursor, token):
    cursor.execute("select * from oauthtoken where " + where(token) + " limit 1")
    return token_of(cursor.fetchone())


def save(cursor, token):
    changes = ", ".join("%s='%s'" % (name, token[name]) for name in COLUMNS[1:] if token.get(name))
    cursor.execute("update oauthtoken set " + changes + " where " + where(token) + (" limit 1" if LIMITED else ""))
    if cursor.rowcount < 1:
        if not token.get("id"):
            cursor.execute("select max(id) from oauthtoken")
            highest = cursor.fetchone()[0]
            token["id"] = "1" if highest is None else str(int(highest) + 1)
        cursor.execute("insert into oauthtoken(" + ",".join(COLUMNS) + ") values (" + ",".join("?" * len(COLUMNS)) + ")",
                       [token.get(name) for name in COLUMNS])
    return find(cursor, token)


def call(request):
    connection = sqlite3.connect(request["path"], timeout=60)
    try:
        cursor = connection.cursor()
        create(cursor)
        op = request["op"]
        reply = {}
        if op == "list":
            cursor.execute("select * from oauthtoken")
            reply = {"tokens": [token_of(row) for row in cursor.fetchall()]}
        elif op == "find":
            reply = {"token": find(cursor, request["token"])}
        elif op == "by id":
            cursor.execute("select * from oauthtoken where id='" + request["id"] + "'")
            reply = {"token": token_of(cursor.fetchone())}
        elif op == "save":
            reply = {"token": save(cursor, request["token"])}
        elif op == "delete":
            cursor.execute("delete from oauthtoken where id='" + request["id"] + "'")
        elif op == "delete all":
            cursor.execute("delete from oauthtoken")
        else:
            raise ValueError("unknown op " + op)
        connection.commit()
        return reply
    finally:
        connection.close()


for line in sys.stdin:
    try:
        answer = call(json.loads(line))
    except Exception as error:
        answer = {"error": "%s: %s" % (type(error).__name__, error)}
    print(json.dumps(answer), flush=True)

# Measures the stores of the Zoho CRM SDK for Python, as bench/python.go asks: the SDK's own FileStore, and the SDK's
# sample of a store in SQLite, with Python's sqlite3: values pasted into the text, one connection a call. It reads
# one JSON request from standard input, and prints the CPU time and the time of one operation, in seconds.
import json
import sqlite3
import sys
import time

request = json.load(sys.stdin)
path, users = request["path"], request["users"]


def sqlite(operation):
    connection = sqlite3.connect(path)
    try:
        result = operation(connection.cursor())
        connection.commit()
        return result
    finally:
        connection.close()


def sample_find(i):
    def run(cursor):
        cursor.execute("select * from oauthtoken where user_name='" + users[i % len(users)] + "' limit 1")
        return cursor.fetchone()
    return sqlite(run)


def sample_save(i):
    def run(cursor):
        cursor.execute("update oauthtoken set access_token='1000.fresh." + str(i) + "', expiry_time='1763900000000' "
                       "where user_name='" + users[i % len(users)] + "'")
        return cursor.rowcount
    return sqlite(run)


def file_actions():
    from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
    from zohocrmsdk.src.com.zoho.api.authenticator.store import FileStore
    from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature
    store = FileStore(path)

    def token(i):
        t = object.__new__(OAuthToken)
        FileStore.set_oauth_token(t)
        t.set_user_signature(UserSignature(users[i % len(users)]))
        return t

    def save(i):
        t = token(i)
        t.set_access_token("1000.fresh." + str(i))
        t.set_expires_in("1763900000000")
        store.save_token(t)
        return t

    return {"find": lambda i: store.find_token(token(i)), "save": save, "list": lambda i: store.get_tokens()}


if request["store"] == "sqlite":
    actions = {"find": sample_find, "save": sample_save}
else:
    actions = file_actions()

action, n, done = actions[request["op"]], 1, 0
while True:
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(n):
        if not action(done):
            raise ValueError("nothing was found")
        done += 1
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    if wall >= request["seconds"]:
        break
    n *= 2
print(json.dumps({"cpu": cpu / n, "wall": wall / n}))

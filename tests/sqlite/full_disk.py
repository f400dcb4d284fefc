"""Writes to a store on a disk of 4 MB until that is full, makes room, and goes on. Runs where it may mount.

Usage: full_disk.py DIRECTORY JOURNAL_MODE
"""

import json
import os
import sqlite3
import subprocess
import sys

from host import connect, failure, value, write

directory, journal = sys.argv[1:]
mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", directory], capture_output=True, text=True)
if mounted.returncode:
    print(f"LEFT OUT {mounted.stderr.strip()}")
    sys.exit(0)
path, ballast = os.path.join(directory, "store.db"), os.path.join(directory, "ballast")


def fill():
    """Leaves no page free."""
    with open(ballast, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


def is_full(connection, sql, *arguments):
    message, code = failure(connection, sql, *arguments)
    assert (message, code) == ("database or disk is full", "SQLITE_FULL"), (sql, message, code)


connection = connect(path)
connection.execute(f"PRAGMA journal_mode = {journal}")
value(connection, "SELECT message_store_init()")
value(connection, "SELECT create_namespace('tenant')")
count = {None: 1, "tenant": 1}
for namespace in count:
    # With WAL the first use makes files.
    write(connection, "a-1", namespace=namespace)
big = '"' + "x" * 5000 + '"'
batch = json.dumps([{"type": "T", "data": "x" * 5000}] * 20)
full = 0
for namespace in (None, "tenant"):
    for round_ in range(3):
        fill()
        while True:
            try:
                assert write(connection, "a-1", data=big, namespace=namespace) == count[namespace]
                count[namespace] += 1
            except sqlite3.Error as error:
                assert (str(error), error.sqlite_errorname) == ("database or disk is full", "SQLITE_FULL"), error
                assert not connection.in_transaction
                full += 1
                break
        # Everything else is refused likewise, and reads go on.
        is_full(connection, "SELECT write_messages('a-2', ?, -1, ?)", batch, namespace)
        message, code = failure(connection, "SELECT create_namespace('another')")
        assert code == "SQLITE_FULL", (message, code)
        left = [name for name in os.listdir(f"{path}-namespaces") if not name.startswith("tenant.db")]
        assert left == [], left
        assert not connection.in_transaction
        connection.execute("BEGIN IMMEDIATE")
        try:
            for stream in ("a-2", "a-3"):
                value(connection, "SELECT write_messages(?, ?, -1, ?)", stream, batch, namespace)
        except sqlite3.Error as error:
            assert error.sqlite_errorname == "SQLITE_FULL", error
        else:
            # In WAL mode nothing is written before the commit.
            is_full(connection, "COMMIT")
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        versions = [value(connection, f"SELECT stream_version('a-{n}', ?)", namespace) for n in (1, 2, 3)]
        assert versions == [count[namespace] - 1, None, None], (versions, count)
        os.remove(ballast)
        for _ in range(10):
            assert write(connection, "a-1", namespace=namespace, expected=count[namespace] - 1) == count[namespace]
            count[namespace] += 1
for namespace in (None, "tenant"):
    positions = connection.execute("SELECT position FROM get_stream_messages('a-1', 0, -1, NULL, ?)", (namespace,))
    assert [row[0] for row in positions] == list(range(count[namespace]))
    schema = "main" if namespace is None else f'"message_store:{namespace}"'
    assert value(connection, f"PRAGMA {schema}.integrity_check") == "ok"
value(connection, "SELECT create_namespace('another')")
connection.close()
print(f"{full} times full, {sum(count.values())} messages, every one there")

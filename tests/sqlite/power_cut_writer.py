"""A process that writes to the default store and to a namespace until it is killed, and notes what is acknowledged."""

import json
import os
import sys

from disk_log import note
from host import connect, value


def is_of_both(within):
    """Whether the transaction of that name writes to both stores."""
    return int(within.rpartition("-")[2]) % 4 == 0


def size(of, namespace):
    """How many messages the transaction of that number writes to a store."""
    if of % 4 == 0:
        return 1 if namespace is None else 2
    return [1, 1, 3][of % 3]


def write_until_killed(path, name, journal, synchronous):
    log = os.environ["DISK_LOG"]
    connection = connect(path, timeout=20)
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    if journal != "delete":
        connection.execute(f"PRAGMA journal_mode = {journal}")
    if name == "first":
        value(connection, "SELECT message_store_init()")
        value(connection, "SELECT create_namespace('tenant')")
        note(log, json.dumps({"namespace": "tenant"}))
    # Checkpoints, too, are to be cut off.
    connection.execute("PRAGMA wal_autocheckpoint = 25")
    # Attached outside of a transaction, the namespace is as durable as the main file.
    value(connection, "SELECT stream_version('a-1', 'tenant')")
    if journal == "truncate":
        connection.execute('PRAGMA "message_store:tenant".journal_mode = truncate')

    def write(of, namespace):
        message = {"type": "T", "data": {"filler": "x" * (100 * (of % 30))}, "metadata": {"within": f"{name}-{of}"}}
        stream, batch = f"{name}-{of % 3}", json.dumps([message] * size(of, namespace))
        written = value(connection, "SELECT write_messages(?, ?, NULL, ?)", stream, batch, namespace)
        return [[namespace, stream, message["position"], message["id"]] for message in json.loads(written)]

    of = 0
    while True:
        of += 1
        if of % 4 == 0:
            connection.execute("BEGIN IMMEDIATE")
            written = write(of, None) + write(of, "tenant")
            connection.execute("COMMIT")
        else:
            written = write(of, ["tenant", None][of % 2])
        note(log, json.dumps({"written": written}))


if __name__ == "__main__":
    write_until_killed(*sys.argv[1:])

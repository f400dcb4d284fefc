"""A process that writes to the default store and to a namespace, removes, redacts and imports until it is killed, and notes
what is acknowledged."""

import json
import os
import sqlite3
import sys
import uuid

from disk_log import note
from host import connect, value

# How many messages an import has.
IMPORTED = 3


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
    load = Load(connection, name, journal, log)
    load.attach("tenant")
    of = 0
    while True:
        of += 1
        if of % 4 == 0:
            connection.execute("BEGIN IMMEDIATE")
            written = load.write(of, None) + load.write(of, "tenant")
            connection.execute("COMMIT")
        else:
            written = load.write(of, ["tenant", None][of % 2])
        load.tell(written=written)
        if of % 5 == 0:
            load.remove(of // 5)
        if of % 7 == 0:
            load.bring(of // 7)
        if of % 9 == 0 and name == "first":
            load.make_and_delete()
        elif of % 9 == 0:
            load.look()


class Load:
    """What one writer does, by the number that it has come to."""

    def __init__(self, connection, name, journal, log):
        self.connection, self.name, self.journal, self.log = connection, name, journal, log

    def attach(self, namespace):
        """Outside of a transaction, with which it is as durable as the main file."""
        value(self.connection, "SELECT stream_version('a-1', ?)", namespace)
        if self.journal == "truncate":
            self.connection.execute(f'PRAGMA "message_store:{namespace}".journal_mode = truncate')

    def tell(self, **what):
        note(self.log, json.dumps(what))

    def write_to(self, stream, namespace, messages):
        batch = json.dumps([{"type": "T", **message} for message in messages])
        written = value(self.connection, "SELECT write_messages(?, ?, NULL, ?)", stream, batch, namespace)
        return [[namespace, stream, message["position"], message["id"]] for message in json.loads(written)]

    def write(self, of, namespace):
        message = {"data": {"filler": "x" * (100 * (of % 30))}, "metadata": {"within": f"{self.name}-{of}"}}
        return self.write_to(f"{self.name}-{of % 3}", namespace, [message] * size(of, namespace))

    def remove(self, of):
        """Writes to a stream of its own, and removes or redacts some of it. Told is also what is to go, before it goes."""
        namespace, stream = ["tenant", None][of % 2], f"{self.name}-removed"
        written = self.write_to(stream, namespace, [{"metadata": {}}] * 3)
        self.tell(written=written)
        last, message_id = written[-1][2:]
        if of % 3 == 0:
            assert value(self.connection, "SELECT redact_message(?, ?)", message_id, namespace) == 1
            self.tell(redacted=message_id)
            return
        before = last if of % 3 == 1 else last + 1
        self.tell(going=[namespace, stream, before])
        if before == last:
            removed = value(self.connection, "SELECT truncate_stream(?, ?, ?)", stream, before, namespace)
        else:
            removed = value(self.connection, "SELECT delete_stream(?, ?)", stream, namespace)
        assert removed > 0
        self.tell(gone=[namespace, stream, before])

    def bring(self, of):
        """Imports messages behind all that are there."""
        namespace, stream = ["tenant", None][of % 2], f"{self.name}-imported-{of}"
        self.connection.execute("BEGIN IMMEDIATE")
        behind = value(self.connection, "SELECT coalesce(last_global_position, 0) FROM stats(?)", namespace) + 1000
        imported = [{"id": str(uuid.uuid4()), "stream_name": stream, "type": "T", "position": position, "global_position": behind + position,
                     "metadata": {"imported": IMPORTED}, "time": "2026-01-31 12:00:00"} for position in range(IMPORTED)]
        value(self.connection, "SELECT import_messages(?, ?)", json.dumps(imported), namespace)
        self.connection.execute("COMMIT")
        self.tell(written=[[namespace, stream, message["position"], message["id"]] for message in imported])

    def make_and_delete(self):
        """Told is first that it is not sure whether the namespace is there, then whether."""
        self.tell(passing="unsure")
        value(self.connection, "SELECT create_namespace('passing')")
        self.tell(passing="there")
        self.attach("passing")
        self.write_to("passing-1", "passing", [{}])
        self.tell(passing="written")
        self.tell(passing="unsure")
        value(self.connection, "SELECT delete_namespace('passing')")
        self.tell(passing="gone")

    def look(self):
        """Has the file of the namespace open that comes and goes."""
        try:
            value(self.connection, "SELECT stream_version('passing-1', 'passing')")
        except sqlite3.OperationalError as error:
            assert str(error) == "Namespace does not exist: passing", error


if __name__ == "__main__":
    write_until_killed(*sys.argv[1:])

"""The store in an SQLite file: everything on one connection, so that what a handler writes is in its transaction."""

import json
import sqlite3
from contextlib import contextmanager

from account import WrongVersion

COLUMNS = ("position", "type", "data", "metadata")


class SqliteStore:
    def __init__(self, path, load):
        """`load` makes the functions known to the connection, as message_store_sqlite.load does."""
        self.connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        load(self.connection)
        self.connection.execute("PRAGMA journal_mode = wal")

    def execute(self, sql, *parameters):
        return self.connection.execute(sql, parameters).fetchall()

    def write(self, stream, event, data, metadata, expected_version):
        call = "SELECT write_message(NULL, ?, ?, ?, ?, ?)"
        metadata = metadata and json.dumps(metadata)
        try:
            return self.execute(call, stream, event, json.dumps(data), metadata, expected_version)[0][0]
        except sqlite3.OperationalError as error:
            if "Wrong expected version" in str(error):
                raise WrongVersion from error
            raise

    def read_stream(self, stream, position=0):
        rows = self.execute(f"SELECT {', '.join(COLUMNS)} FROM get_stream_messages(?, ?)", stream, position)
        messages = [dict(zip(COLUMNS, row)) for row in rows]
        for message in messages:
            message["data"] = json.loads(message["data"])
            message["metadata"] = json.loads(message["metadata"] or "{}")
        return messages

    @contextmanager
    def transaction(self):
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def close(self):
        self.connection.close()

"""What writers were told, and what of it is there after a power cut."""

import json
import sqlite3

import power_cut_writer
from host import connect, value, write


class Acknowledged:
    """What `power_cut_writer.py` was told, so far."""

    def __init__(self):
        self.has_namespace, self.passing = False, "gone"
        # As (namespace, stream, position, id); last positions, by namespace and stream.
        self.messages, self.versions = set(), {}
        # The position that removals went up to, by namespace and stream; and ids.
        self.removed, self.redacted = {}, set()

    def add(self, told):
        self.has_namespace = self.has_namespace or "namespace" in told
        self.passing = told.get("passing", self.passing)
        for message in map(tuple, told.get("written", [])):
            self.messages.add(message)
            self.versions[message[:2]] = message[2]
        if "going" in told:
            *of, before = told["going"]
            self.messages = {m for m in self.messages if m[:2] != tuple(of) or m[2] >= before}
        if "gone" in told:
            *of, before = told["gone"]
            self.removed[tuple(of)] = before
        if "redacted" in told:
            self.redacted.add(told["redacted"])

    def missing(self, found):
        """How much of it a store does not have, or has again."""
        lost = {message for message in self.messages if message[0] == found.namespace} - found.messages
        back = [m for m in found.messages if m[2] < self.removed.get(m[:2], 0)]
        went_back = [of for of, version in self.versions.items() if of in found.versions and found.versions[of] < version]
        readable = {message[3] for message in found.messages if message[3] in self.redacted} - found.redacted
        return len(lost) + len(back) + len(went_back) + len(readable)


class Found:
    """What a store has. It is whole, without half of a batch or of an import, and can be written to."""

    def __init__(self, path, namespace, acknowledged):
        connection = connect(path)
        self.namespace, self.messages, self.redacted = namespace, set(), set()
        # How many messages of each transaction.
        self.counts = {}
        last, imported = {}, {}
        rows = connection.execute("SELECT stream_name, position, id, metadata FROM get_all_messages(1, -1, ?)", (namespace,))
        for stream, position, message_id, metadata in rows:
            # What was removed is at a stream's beginning.
            first = position if stream.endswith("-removed") else 0
            assert position == (last[stream] + 1 if stream in last else first), (stream, position)
            last[stream] = position
            self.messages.add((namespace, stream, position, message_id))
            metadata = json.loads(metadata)
            if metadata == {"redacted": True}:
                self.redacted.add(message_id)
            elif "within" in metadata:
                self.counts[metadata["within"]] = self.counts.get(metadata["within"], 0) + 1
            elif "imported" in metadata:
                imported[stream] = imported.get(stream, 0) + 1
        for within, count in self.counts.items():
            assert count == power_cut_writer.size(int(within.rpartition("-")[2]), namespace), ("a part of a batch", within)
        assert set(imported.values()) <= {power_cut_writer.IMPORTED}, ("a part of an import", imported)
        streams = [of for of in acknowledged.versions if of[0] == namespace]
        versions = {of: value(connection, "SELECT stream_version(?, ?)", of[1], namespace) for of in streams}
        self.versions = {of: -1 if version is None else version for of, version in versions.items()}
        schema = "main" if namespace is None else f'"message_store:{namespace}"'
        assert value(connection, f"PRAGMA {schema}.integrity_check") == "ok"
        assert write(connection, "after-1", namespace=namespace) == 0
        connection.close()


def passing_lost(path, acknowledged, is_atomic):
    """Whether the namespace that comes and goes is not as was told. Whatever it is, it can be made anew."""
    connection = connect(path)
    is_registered = ("passing",) in connection.execute("SELECT name FROM list_namespaces()").fetchall()
    lost = {"unsure": False, "gone": is_registered}.get(acknowledged.passing, not is_registered)
    if is_registered:
        try:
            is_empty = write(connection, "passing-1", namespace="passing") == 0
            lost = lost or (is_empty and acknowledged.passing == "written")
        except sqlite3.OperationalError as error:
            # Its deletion has come to its own file and not to the main one.
            assert str(error) in ("Not a message store: passing", "Namespace file is missing: passing"), error
            assert not is_atomic
            lost = lost or acknowledged.passing != "unsure"
        value(connection, "SELECT delete_namespace('passing')")
    try:
        value(connection, "SELECT create_namespace('passing')")
    except sqlite3.OperationalError as error:
        # Its deletion has come to the main file and not to its own.
        assert str(error).startswith("Not a registered namespace: passing"), error
        assert not is_atomic
        lost = lost or acknowledged.passing != "unsure"
        for function in ("register_namespace", "delete_namespace", "create_namespace"):
            value(connection, f"SELECT {function}('passing')")
    assert write(connection, "passing-1", namespace="passing") == 0
    connection.close()
    return lost

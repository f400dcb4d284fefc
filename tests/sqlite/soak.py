"""A mixed load for a time in one host process, and what it leaves: memory, files, locks.

Usage: soak.py SECONDS NAMESPACES. Three connections write, read, remove, import, fail and roll back, one after the other; a
fourth creates, uses and deletes namespaces, and others are opened and closed. Ends with 1 when something grew or was left.
"""

import gc
import json
import os
import resource
import sqlite3
import sys
import time

from host import Directory, connect, failure, value, write

# What may grow after the first half, beside a tenth of what there was: an allocator's slack.
SLACK = 4 << 20
BEHIND = 5
# Beside the default one.
STORES = ["imports", "work"]


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def files():
    return len(os.listdir("/proc/self/fd"))


def work(connection, number):
    stream = f"account-{number % 50}"
    write(connection, stream, data='{"amount": 1.50}', metadata='{"correlationStreamName": "order-1"}')
    write(connection, stream, namespace="work")
    value(connection, "SELECT write_messages(?, ?)", "order-1", '[{"type": "T", "data": {"a": [1, null]}}, {"type": "T"}]')
    for source in (
        "get_stream_messages('account-1', 0, 20)", "get_category_messages('account', 1, 20)", "get_all_messages(1, 20)",
        "get_category_messages('account', 1, 20, NULL, 1, 4)", "get_category_messages('account', 1, 20, 'order')",
        "get_last_stream_message('account-1')", "list_streams('account', NULL, 20)", "list_namespaces()",
        "get_stream_messages('account-1', 0, 20, NULL, 'work')",
    ):
        connection.execute(f"SELECT count(*) FROM {source}").fetchall()
    failure(connection, "SELECT write_message(NULL, 'account-1', 'T', '{}', NULL, 999999)")
    failure(connection, "SELECT write_message(NULL, 'account-1', 'T', '{')")
    failure(connection, "SELECT create_namespace('Bad Name')")
    failure(connection, "SELECT * FROM get_stream_messages('account')")
    connection.execute("BEGIN IMMEDIATE")
    write(connection, stream)
    connection.execute("SAVEPOINT s")
    write(connection, stream, namespace="work")
    connection.execute("ROLLBACK TO s")
    connection.execute("ROLLBACK" if number % 2 else "COMMIT")


def remove(connection, number):
    """Redacts, truncates and deletes; in a transaction, on a stream of two stores."""
    stream = f"gone-{number % 20}"
    connection.execute("BEGIN IMMEDIATE")
    for store, namespace in enumerate((None, "work")):
        message_id = f"00000000-0000-4000-8000-{2 * number + store:012x}"
        write(connection, stream, data='{"name": "x"}', namespace=namespace, message_id=message_id)
        last = write(connection, stream, namespace=namespace)
        assert value(connection, "SELECT redact_message(?, ?)", message_id, namespace) == 1
        assert value(connection, "SELECT truncate_stream(?, ?, ?)", stream, last, namespace) >= 1
        if number % 4 < 2:
            assert value(connection, "SELECT delete_stream(?, ?)", stream, namespace) == 1
    connection.execute("ROLLBACK" if number % 8 == 0 else "COMMIT")


def keep_count(connection, number):
    """How far consumers are, how much there is, and an option that has no effect."""
    for namespace in (None, "work"):
        call = "SELECT record_consumer_position('account', ?, ?, ?, ?)"
        value(connection, call, f"consumer-{number % 4}", number, number % 5 == 0, namespace)
        connection.execute("SELECT count(*) FROM consumer_positions('account', ?)", (namespace,)).fetchall()
        connection.execute("SELECT * FROM stats(?)", (namespace,)).fetchall()
    option = "on" if number % 2 else "off"
    assert value(connection, "SELECT set_namespace_option('work', 'notify', ?)", option) == option


def import_some(connection, number):
    """Into a namespace that nobody else writes to. It stays small."""
    if number % 100 == 0:
        value(connection, "SELECT clear_namespace('imports')")
    last = value(connection, "SELECT last_global_position FROM stats('imports')") or 0
    messages = [
        {
            "id": f"00000000-0000-4000-9000-{10 * number + n:012x}", "stream_name": f"account-{number}", "type": "T", "position": n,
            "global_position": last + 2 * n + 1, "data": {"n": n}, "time": "2026-01-01 00:00:00",
        }
        for n in range(5)
    ]
    assert value(connection, "SELECT import_messages(?, 'imports')", json.dumps(messages)) == 5


def use(connection, namespace):
    write(connection, "account-1", namespace=namespace)
    value(connection, "SELECT write_messages('account-2', '[{\"type\": \"T\"}]', NULL, ?)", namespace)
    for source in ("get_stream_messages('account-1', 0, 10, NULL, ?)", "get_all_messages(1, 10, ?)", "list_streams(NULL, NULL, 10, ?)"):
        assert connection.execute(f"SELECT count(*) FROM {source}", (namespace,)).fetchone()[0] > 0


def main():
    seconds, namespaces = float(sys.argv[1]), int(sys.argv[2])
    with Directory() as directory:
        path = directory.path()
        connections = [connect(path) for _ in range(4)]
        for connection in connections:
            connection.execute("PRAGMA journal_mode = wal")
            connection.execute("PRAGMA synchronous = off")
        value(connections[0], "SELECT message_store_init()")
        for name in STORES:
            value(connections[0], "SELECT create_namespace(?)", name)
        started = time.monotonic()
        warm, after, number = [0, 0], [0, 0], 0
        sweeps = 0
        while time.monotonic() - started < seconds or number < namespaces:
            for task in (work, remove, keep_count, import_some):
                task(connections[number % 3], number)
            value(connections[3], "SELECT create_namespace(?, ?)", f"soak-{number}", f"hash {number}")
            use(connections[3], f"soak-{number}")
            use(connections[number % 3], f"soak-{number}")
            if number >= BEHIND:
                old = f"soak-{number - BEHIND}"
                value(connections[3], "SELECT delete_namespace(?)", old)
                message, _ = failure(connections[3], "SELECT stream_version('account-1', ?)", old)
                assert message == f"Namespace does not exist: {old}", message
            if number % 20 == 0:
                other = connect(path)
                work(other, number)
                other.close()
            if (time.monotonic() - started) * 20 > sweeps * seconds:
                sweeps += 1
                for name in ("message_store", "work"):
                    value(connections[0], "SELECT clear_namespace(?)", name)
            if number % 10 == 0:
                gc.collect()
                half = warm if time.monotonic() - started < seconds / 2 else after
                half[:] = max(half[0], resident()), max(half[1], files())
            number += 1
        for old in range(max(0, number - BEHIND), number):
            value(connections[3], "SELECT delete_namespace(?)", f"soak-{old}")
        left = [row[0] for row in connections[0].execute("SELECT name FROM list_namespaces()")]
        for connection in connections:
            connection.execute("PRAGMA wal_checkpoint(truncate)").fetchall()
            connection.close()
        # Nothing is locked, and nothing is broken.
        plain = sqlite3.connect(path, timeout=0, isolation_level=None)
        plain.execute("BEGIN EXCLUSIVE")
        assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        plain.close()
        beside = [name for name in os.listdir(f"{path}-namespaces") if name.split(".")[0] not in STORES]
        print(
            f"SQLite       {number:>9} rounds; resident {warm[0] >> 10} -> {after[0] >> 10} kB, files {warm[1]} -> {after[1]}, "
            f"{len(beside)} files of deleted namespaces",
            flush=True,
        )
        wrong = []
        if after[0] - warm[0] > SLACK + warm[0] // 10:
            wrong.append(f"resident memory grew from {warm[0]} to {after[0]}")
        if after[1] > warm[1] + 8:
            wrong.append(f"open files grew from {warm[1]} to {after[1]}")
        if sorted(left) != sorted(["message_store", *STORES]):
            wrong.append(f"namespaces at the end: {left}")
        if files() > 8:
            wrong.append(f"{files()} files are open at the end")
        print(*wrong, sep="\n", flush=True)
        sys.exit(bool(wrong))


main()

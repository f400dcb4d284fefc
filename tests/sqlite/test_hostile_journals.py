"""A broken write-ahead log or rollback journal beside a good file: our functions answer with what SQLite's own recovery
leaves, or with its error. None takes the host along.

`MESSAGE_STORE_BROKEN_FILES` is ten times as many as are broken by chance, of each kind.
"""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys

import every_row
import host
from host import Directory, connect, value, write
from test_hostile_files import BROKEN, every_call, store

FILES = {None: "{}", "tenant": "{}-namespaces/tenant.db"}
SCHEMAS = {None: "main", "tenant": '"message_store:tenant"'}


def all_rows(connection, schema="main"):
    return every_row.rows(connection, f"SELECT {every_row.COLUMNS.format('')} FROM {schema}.messages ORDER BY 1")


def in_plain_sqlite(path, namespace):
    """Whether a store's file is whole for a plain SQLite, and its messages or the error."""
    connection = sqlite3.connect(FILES[namespace].format(path))
    is_whole = every_row.rows(connection, "PRAGMA integrity_check") == [["ok"]]
    found = all_rows(connection)
    connection.close()
    return is_whole, found


def copy(path, target):
    for file in FILES.values():
        os.makedirs(os.path.dirname(file.format(target)), exist_ok=True)
        for suffix in ("", "-wal", "-journal"):
            source, copied = file.format(path) + suffix, file.format(target) + suffix
            if os.path.isdir(source):
                os.mkdir(copied)
            elif os.path.exists(source):
                shutil.copy(source, copied)
    return target


def with_a_log(directory):
    """A store whose last commits are in the log alone, and its messages after each of them, by namespace."""
    path, after = directory.path(), {}
    store(path, 40)
    connection = connect(path)
    for namespace, schema in SCHEMAS.items():
        value(connection, "SELECT stream_version('account-1', ?)", namespace)
        assert value(connection, f"PRAGMA {schema}.journal_mode = wal") == "wal"
        connection.execute(f"PRAGMA {schema}.wal_autocheckpoint = 0")
        after[namespace] = [all_rows(connection, schema)]
        for number in range(12):
            if number % 3 == 0:
                batch = json.dumps([{"type": "T", "data": {"filler": "x" * 900}}] * 3)
                value(connection, "SELECT write_messages('account-1', ?, NULL, ?)", batch, namespace)
            else:
                write(connection, f"order-{number}", namespace=namespace)
            after[namespace].append(all_rows(connection, schema))
    left = copy(path, directory.path("left.db"))
    connection.close()
    return left, after


def with_a_hot_journal(directory):
    """A store that is in the middle of a transaction, part of which is in the files, and its messages before it."""
    path = directory.path()
    store(path, 40)
    connection = connect(path)
    value(connection, "SELECT stream_version('account-1', 'tenant')")
    before = {namespace: [all_rows(connection, schema)] for namespace, schema in SCHEMAS.items()}
    for schema in SCHEMAS.values():
        connection.execute(f"PRAGMA {schema}.cache_size = 10")
    connection.execute("BEGIN IMMEDIATE")
    for namespace in FILES:
        value(connection, "SELECT delete_stream('account-0', ?)", namespace)
        for number in range(60):
            write(connection, f"order-{number}", data='{"filler": "%s"}' % ("x" * 500), namespace=namespace)
    left = copy(path, directory.path("left.db"))
    connection.execute("ROLLBACK")
    connection.close()
    return left, before


def spoil(file, another, chance):
    """Breaks a journal in some way, which it returns. `another` is a file's of the same kind."""
    with open(file, "rb") as opened:
        content = bytearray(opened.read())
    way = chance.choice(["bytes", "head", "cut", "cut", "part", "more", "zeros", "chance", "empty", "another", "folder"])
    place = chance.randrange(len(content))
    if way == "bytes":
        for _ in range(chance.choice([1, 3, 20, 200])):
            content[chance.randrange(len(content))] = chance.randrange(256)
    elif way == "head":
        content[chance.randrange(32)] ^= 1 << chance.randrange(8)
    elif way == "cut":
        del content[place:]
    elif way == "part":
        content[place : place + 3000] = chance.randbytes(3000)
    elif way == "more":
        content += chance.randbytes(chance.randrange(5000))
    elif way == "zeros":
        count = chance.choice([4, 28, 512, 2000])
        content[:count] = bytes(count)
    elif way == "chance":
        content = chance.randbytes(len(content))
    elif way == "empty":
        content = b""
    elif way == "another":
        with open(another, "rb") as opened:
            content = opened.read()
    os.remove(file)
    if way == "folder":
        os.mkdir(file)
    else:
        with open(file, "wb") as opened:
            opened.write(content)
    return way


def read_by_us(paths):
    """By path and namespace, what our functions read, each way."""
    command = [sys.executable, "-B", os.path.join(host.HERE, "every_row.py"), *paths]
    run = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, (run.returncode, run.stderr[-2000:])
    return {(path, namespace): found for path, namespace, found in map(json.loads, run.stdout.splitlines())}


def compare(ours, is_whole, plain, note):
    """Our rows with those of a plain SQLite; what they are."""
    for way, found in ours.items():
        said = isinstance(found, str) and found.partition(": ")[0]
        assert not said or (said.startswith("SQLITE_") and said not in ("SQLITE_INTERNAL", "SQLITE_MISUSE")), (*note, way, found)
        if is_whole:
            assert found == plain, (*note, way, found)
        elif way == "all" and not said:
            # What else is broken is of an index.
            assert found == plain, (*note, way, found)
    return ours["all"].partition(": ")[0] if isinstance(ours["all"], str) else "rows"


def check(directory, left, suffix, committed, are_checked):
    """Breaks copies of a store's journals, and compares what our functions read with what a plain SQLite reads.

    What is read must have been committed, in so far as the journal's own checksums see to it.
    """
    seed = int(os.environ.get("MESSAGE_STORE_SEED", random.randrange(10**6)))
    chance, broken, counts = random.Random(seed), {}, {}
    for number in range(max(2, BROKEN // 10)):
        path = copy(left, directory.path(f"{number}.db"))
        ways = {}
        # The first one is as it was left.
        for namespace in chance.choice([[None], ["tenant"], [None, "tenant"]]) if number else []:
            another = FILES["tenant" if namespace is None else None].format(left) + suffix
            ways[namespace] = spoil(FILES[namespace].format(path) + suffix, another, chance)
        # Reading recovers a file, so each reader has its own.
        broken[path] = ways, copy(path, f"{path}-plain.db"), copy(path, f"{path}-called.db")
    for (path, namespace), ours in read_by_us(list(broken)).items():
        ways, plain, _ = broken[path]
        is_whole, found = in_plain_sqlite(plain, namespace)
        is_main_whole, _ = in_plain_sqlite(plain, None)
        note = (seed, ways, namespace, found)
        kind = compare(ours, is_whole and is_main_whole, found, note)
        counts[kind] = counts.get(kind, 0) + 1
        if not ways:
            assert found == committed[namespace][-1], note
        elif is_whole and are_checked and ways.get(namespace) != "another":
            assert found in committed[namespace], note
    every_call(*[called for _, _, called in broken.values()])
    print(f"   seed {seed}: {len(broken)} stores, {counts}")


def test_a_broken_write_ahead_log():
    with Directory() as directory:
        left, after = with_a_log(directory)
        check(directory, left, "-wal", after, are_checked=True)


def test_a_broken_hot_journal():
    with Directory() as directory:
        left, before = with_a_hot_journal(directory)
        # What is in the files without it.
        for file in FILES.values():
            shutil.copy(file.format(left), directory.path("spilled.db"))
            spilled = all_rows(sqlite3.connect(directory.path("spilled.db")))
            assert spilled not in before.values(), "nothing to roll back"
        check(directory, left, "-journal", before, are_checked=False)

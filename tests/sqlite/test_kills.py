"""Processes that are killed while they write to namespaces, write batches, import, remove, and create and delete a
namespace: what was acknowledged is there, a batch wholly or not at all, and every file can be used."""

import json
import os
import random
import sqlite3
import time

import disk_log
from host import Directory, connect, value, write
from power_cut_state import Acknowledged
from test_power_cut import WRITERS, kill, lost, start
from test_processes import KILLS


def killed(directory, journal, synchronous, chance):
    """What writers were told until they were killed, one soon after the other."""
    # Each has a log of its own: a kill may leave a part of a record at its end.
    logs = {name: directory.path(f"{name}.log") for name in WRITERS}
    writers = start(directory.name, logs, journal, synchronous, os.environ)
    time.sleep(0.1 + chance.random() * 0.4)
    chance.shuffle(writers)
    kill(writers, pause=chance.random() * 0.02)
    acknowledged = Acknowledged()
    for log in logs.values():
        for *_, told in disk_log.read(log):
            acknowledged.add(json.loads(told))
    return acknowledged


def check_files(path):
    """Every file that there is is whole, and every namespace that is registered can be written to."""
    directory = f"{path}-namespaces"
    for name in os.listdir(directory):
        if name.endswith((".db", ".new")):
            plain = sqlite3.connect(os.path.join(directory, name))
            assert value(plain, "PRAGMA integrity_check") == "ok", name
            plain.close()
    connection = connect(path)
    for (name,) in connection.execute("SELECT name FROM list_namespaces()").fetchall():
        write(connection, "afterwards-1", namespace=name)
        schema = "main" if name == "message_store" else f'"message_store:{name}"'
        assert value(connection, f"PRAGMA {schema}.integrity_check") == "ok", name
    connection.close()


def test_killed_writers_to_namespaces_lose_nothing_and_leave_nothing_half_done():
    seed = int(os.environ.get("MESSAGE_STORE_SEED", random.randrange(10**6)))
    chance, count, passing = random.Random(seed), 0, {}
    for number in range(KILLS):
        # A kill takes nothing that has come to the system. But only a rollback journal, and only one that is synced, makes a
        # commit atomic over all files.
        journal, synchronous = [("wal", "off"), ("delete", "normal"), ("delete", "off")][number % 3]
        with Directory() as directory:
            acknowledged = killed(directory, journal, synchronous, chance)
            path = directory.path()
            missing = lost(path, acknowledged, is_atomic=(journal, synchronous) == ("delete", "normal"))
            assert missing == 0, (seed, number, journal, synchronous, acknowledged.passing, missing)
            check_files(path)
            count += len(acknowledged.messages)
            passing[acknowledged.passing] = passing.get(acknowledged.passing, 0) + 1
    print(f"   seed {seed}: {KILLS} times 3 writers killed, {count} messages acknowledged, all there; the passing namespace {passing}")

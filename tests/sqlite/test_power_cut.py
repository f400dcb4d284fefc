"""A power cut at any moment: what was acknowledged is there, as far as `PRAGMA synchronous` promises it, and the files are whole.

The cuts are simulated, as disk_log.py says: writers run, and are killed, and the log of what they did to the disk is cut off
at moments by chance.
"""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

import disk_log
import host
import power_cut_writer
from host import Directory, connect
from power_cut_state import Acknowledged, Found, passing_lost

WRITERS = ("first", "second", "third")
# For each kind of load and luck.
CUTS = int(os.environ.get("MESSAGE_STORE_CUTS", "6"))


def start(base, logs, journal, synchronous, environment):
    """Writers, by their names and logs, to a store in the directory `base`; the first one makes a namespace first."""
    writers = []
    for name, log in logs.items():
        open(log, "a").close()
        command = [sys.executable, "-B", os.path.join(host.HERE, "power_cut_writer.py"), os.path.join(base, "store.db")]
        environment = {**environment, "DISK_LOG": log}
        writers.append(subprocess.Popen([*command, name, journal, synchronous], env=environment, cwd=host.HERE))
        first, until = next(iter(logs.values())), time.monotonic() + 20
        while b'"namespace"' not in open(first, "rb").read() and time.monotonic() < until:
            time.sleep(0.01)
    return writers


def kill(writers, pause=0):
    for writer in writers:
        assert writer.poll() is None, "a writer has ended by itself"
        writer.send_signal(signal.SIGKILL)
        time.sleep(pause)
    for writer in writers:
        writer.wait()


def record(directory, base, names, journal, synchronous, seconds=0.5):
    """What writers do to the disk until they are killed."""
    os.mkdir(base)
    log = directory.path("log")
    environment = disk_log.environment(disk_log.build(directory.name), log, base)
    writers = start(base, dict.fromkeys(names, log), journal, synchronous, environment)
    time.sleep(seconds)
    # Or else one that is killed might leave a part of a record in the log, with another one's behind it.
    for writer in writers:
        writer.send_signal(signal.SIGSTOP)
    kill(writers)
    return disk_log.read(log)


def lost(path, acknowledged, is_atomic):
    """How much of what was acknowledged is not there, the namespaces included."""
    if not os.path.exists(path):
        return len(acknowledged.messages) + acknowledged.has_namespace
    default = Found(path, None, acknowledged)
    missing = acknowledged.missing(default)
    if acknowledged.has_namespace:
        connection = connect(path)
        registered = connection.execute("SELECT name FROM list_namespaces() WHERE name = 'tenant'").fetchall()
        connection.close()
        if registered and os.path.exists(f"{path}-namespaces/tenant.db"):
            tenant = Found(path, "tenant", acknowledged)
            missing += acknowledged.missing(tenant)
            if is_atomic:
                both = power_cut_writer.is_of_both
                assert {w for w in default.counts if both(w)} == {w for w in tenant.counts if both(w)}, "half of a transaction"
        else:
            missing += 1
    return missing + passing_lost(path, acknowledged, is_atomic)


def cut(journal, synchronous, names_at_once=False, may_break=False, is_atomic=False, writers=WRITERS):
    """Cuts the power at moments by chance. How much of what was acknowledged was lost, by all cuts."""
    seed = int(os.environ.get("MESSAGE_STORE_SEED", random.randrange(10**6)))
    chance = random.Random(seed)
    disk, done, acknowledged = disk_log.Disk(names_at_once), 0, Acknowledged()
    losses, broken = [], 0
    with Directory() as directory:
        base = directory.path("disk")
        records = record(directory, base, writers, journal, synchronous)
        for moment in sorted(chance.randrange(len(records)) for _ in range(CUTS - 1)) + [len(records)]:
            for kind, *operation in records[done:moment]:
                if kind == "n":
                    acknowledged.add(json.loads(operation[-1]))
                else:
                    disk.do(kind, *operation)
            done = moment
            for luck in ("none", "some", "all"):
                disk.cut(base, luck, chance)
                try:
                    losses.append(lost(os.path.join(base, "store.db"), acknowledged, is_atomic))
                except (AssertionError, sqlite3.Error) as error:
                    if not may_break:
                        raise AssertionError(f"seed {seed}, record {moment}, {luck}: {error!r}") from error
                    broken += 1
    print(f"   {journal}, {synchronous}{', names at once' * names_at_once}: seed {seed}, {len(losses) + broken} cuts in "
          f"{len(records)} operations, {len(acknowledged.messages)} messages acknowledged; {sum(map(bool, losses))} cuts lost "
          f"{sum(losses)}, {broken} broke a file")
    return sum(losses) + broken


def test_wal_with_synchronous_full_loses_nothing():
    assert cut("wal", "full") == 0


def test_a_namespace_is_on_the_disk_when_it_was_created():
    # Another connection's first commit would sync the directory.
    assert cut("wal", "full", writers=("first",)) == 0


def test_a_rollback_journal_with_synchronous_extra_loses_nothing_and_keeps_transactions_over_files_whole():
    assert cut("delete", "extra", is_atomic=True) == 0


def test_a_rollback_journal_that_is_truncated_with_synchronous_full_loses_nothing():
    assert cut("truncate", "full", is_atomic=True) == 0


def test_a_rollback_journal_with_synchronous_full_loses_nothing_where_a_deleted_file_is_gone_at_once():
    assert cut("delete", "full", names_at_once=True, is_atomic=True) == 0


def test_less_loses_the_last_messages_and_breaks_nothing():
    """What the syncs prevent, or else the tests above prove nothing. Whether one of the moments is right behind an answer is
    chance, so there are more of them where none is."""
    assert any(cut("delete", "full") for _ in range(10))
    assert any(cut("wal", "normal") for _ in range(10))


def test_no_sync_loses_messages():
    assert cut("wal", "off", may_break=True) > 0
    assert cut("delete", "off", may_break=True) > 0

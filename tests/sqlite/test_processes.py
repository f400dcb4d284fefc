"""Several processes on one file, and processes that are killed."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import host
from host import Directory, connect, value

SECONDS = float(os.environ.get("MESSAGE_STORE_WRITER_SECONDS", "10"))
KILLS = int(os.environ.get("MESSAGE_STORE_KILLS", "5"))


class Writer:
    """A writing process, and what it was told is written."""

    def __init__(self, path, name, seconds, script="writer.py"):
        command = [sys.executable, os.path.join(host.HERE, script), path, name, str(seconds)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=host.HERE)
        self.acknowledged, self.last, self.name = [], None, name
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            if not line.endswith("\n"):
                continue
            self.last = line.strip()
            stream, _, position = self.last.partition(" ")
            if stream not in ("ready", "done", "failed", "removed"):
                self.acknowledged.append((stream, int(position)))

    def wait(self):
        self.process.wait()
        self.thread.join()


def check(path, writers):
    """Every acknowledged message is there, no stream has a gap or a position twice."""
    connection = connect(path)
    there = set()
    for stream, version, count in connection.execute("SELECT * FROM list_streams(NULL, NULL, -1)").fetchall():
        positions = [row[0] for row in connection.execute("SELECT position FROM get_stream_messages(?, 0, -1)", (stream,))]
        assert positions == list(range(version + 1)) and count == version + 1, stream
        there.update((stream, position) for position in positions)
    acknowledged = [message for writer in writers for message in writer.acknowledged]
    assert len(set(acknowledged)) == len(acknowledged), "a position was given out twice"
    missing = set(acknowledged) - there
    assert not missing, (len(missing), sorted(missing)[:5])
    assert value(connection, "PRAGMA integrity_check") == "ok"
    connection.close()
    return len(acknowledged)


def test_four_writers_while_a_fifth_process_polls():
    with Directory() as directory:
        path = directory.path()
        connection = connect(path)
        connection.execute("PRAGMA journal_mode = wal")
        # The file is created by whoever comes first.
        writers = [Writer(path, str(number), SECONDS) for number in range(4)]
        # A consumer of everything, and one of a category, that poll by position.
        seen, category, position, category_position = [], [], 1, 1
        while any(writer.process.poll() is None for writer in writers):
            rows = connection.execute("SELECT global_position, stream_name, position FROM get_all_messages(?)", (position,)).fetchall()
            seen += [row[1:] for row in rows]
            position = rows[-1][0] + 1 if rows else position
            rows = connection.execute(
                "SELECT global_position, stream_name, position FROM get_category_messages('shared', ?)", (category_position,)
            ).fetchall()
            category += [row[1:] for row in rows]
            category_position = rows[-1][0] + 1 if rows else category_position
        for writer in writers:
            writer.wait()
            assert writer.last.startswith("done "), (writer.name, writer.last)
        rows = connection.execute("SELECT stream_name, position FROM get_all_messages(?, -1)", (position,)).fetchall()
        seen += rows
        rows = connection.execute("SELECT stream_name, position FROM get_category_messages('shared', ?, -1)", (category_position,)).fetchall()
        category += rows
        connection.close()
        count = check(path, writers)
        conflicts = sum(int(writer.last.split()[2]) for writer in writers)
        assert len(seen) == len(set(seen)) == count, (len(seen), count)
        assert len(category) == sum(1 for writer in writers for stream, _ in writer.acknowledged if stream == "shared-1")
        assert [p for _, p in category] == sorted(p for _, p in category)
        print(f"   {count} messages in {SECONDS:.0f} s, {conflicts} version conflicts, 0 busy, the poller missed none")


def test_killed_writers_lose_nothing_that_was_acknowledged():
    seed = int(os.environ.get("MESSAGE_STORE_SEED", random.randrange(10**6)))
    chance = random.Random(seed)
    total = 0
    for kill in range(KILLS):
        with Directory() as directory:
            path = directory.path()
            if kill % 2 == 0:
                connect(path).execute("PRAGMA journal_mode = wal")
            writers = [Writer(path, str(number), 60) for number in range(3)]
            time.sleep(0.3 + chance.random() * 0.7)
            for writer in writers:
                writer.process.send_signal(signal.SIGKILL)
                time.sleep(chance.random() * 0.02)
            for writer in writers:
                writer.wait()
            total += check(path, writers)
            assert host.write(connect(path), "after-1") == 0
    print(f"   seed {seed}: {KILLS} times 3 writers killed, {total} acknowledged messages, every one there")


def test_first_writers_of_a_new_file_do_not_disturb_each_other():
    for journal in ("delete", "wal"):
        with Directory() as directory:
            path = directory.path()
            connect(path).execute(f"PRAGMA journal_mode = {journal}")
            writers = [Writer(path, str(number), 0.3) for number in range(4)]
            for writer in writers:
                writer.wait()
                assert writer.last.startswith("done "), (journal, writer.last)
            check(path, writers)

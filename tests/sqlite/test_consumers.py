"""A consumer whose sums and position are written in one transaction is exact, however often it is killed."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import host
from host import Directory, connect, value, write

KILLS = min(int(os.environ.get("MESSAGE_STORE_KILLS", "5")), 20)
STREAMS = 20


class Producer(threading.Thread):
    """Writes amounts until it is told to stop, and knows their sums."""

    def __init__(self, path):
        super().__init__()
        self.path, self.sums, self.is_over = path, {}, False
        self.start()

    def run(self):
        connection = connect(self.path, timeout=20)
        number = 0
        while not self.is_over:
            number += 1
            stream = f"account-{number % STREAMS}"
            write(connection, stream, data=f'{{"amount": {number}}}')
            write(connection, "order-1", data='{"amount": 1}')
            amount, messages = self.sums.get(stream, (0, 0))
            self.sums[stream] = (amount + number, messages + 1)
            time.sleep(0.0005)
        connection.close()


IN_PYTHON = [sys.executable, "-B", os.path.join(host.HERE, "consumer.py")]
# The example of the crate, which docs/consumers.md shows; run.sh builds it.
IN_RUST = [os.environ.get("MESSAGE_STORE_CONSUMER", os.path.join(host.REPOSITORY, "target", "debug", "examples", "consumer"))]


def consumer(program, path, member, size, *once):
    command = [*program, path, f"totals-{member}", str(member), str(size), *once]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def run_to_the_end(program, path, member, size):
    process = consumer(program, path, member, size, "once")
    process.communicate(timeout=120)
    assert process.returncode == 0, process.returncode


def killed(program, size, journal):
    seed = int(os.environ.get("MESSAGE_STORE_SEED", random.randrange(10**6)))
    chance = random.Random(seed)
    with Directory() as directory:
        path = directory.path()
        connection = connect(path, timeout=20)
        connection.execute(f"PRAGMA journal_mode = {journal}")
        connection.execute("CREATE TABLE sums (stream_name TEXT PRIMARY KEY, amount INTEGER, messages INTEGER)")
        producer = Producer(path)
        processes = [consumer(program, path, member, size) for member in range(size)]
        try:
            for _ in range(KILLS):
                member = chance.randrange(size)
                victim = processes[member]
                # It has processed something since it was started, and is not at the end of it.
                assert victim.stdout.readline(), "the consumer ended by itself"
                time.sleep(chance.random() * 0.1)
                assert victim.poll() is None
                victim.send_signal(signal.SIGKILL)
                victim.communicate()
                assert victim.returncode == -signal.SIGKILL
                processes[member] = consumer(program, path, member, size)
            # However slow the machine is.
            while len(producer.sums) < STREAMS:
                assert producer.is_alive(), "the producer failed"
                time.sleep(0.01)
        finally:
            producer.is_over = True
            producer.join()
            for process in processes:
                process.kill()
                process.communicate()
        for member in range(size):
            run_to_the_end(program, path, member, size)
        sums = {stream: (amount, messages) for stream, amount, messages in connection.execute("SELECT * FROM sums")}
        assert sums == producer.sums
        assert len(sums) == STREAMS
        lags = [row[0] for row in connection.execute("SELECT lag FROM consumer_positions('account') ORDER BY position DESC")]
        assert len(lags) == size and lags[0] == 0, lags
        assert value(connection, "PRAGMA integrity_check") == "ok"
        connection.close()
    count = sum(messages for _, messages in sums.values())
    print(f"   {os.path.basename(program[-1])}, {journal}, seed {seed}: {KILLS} kills, {size} consumers, {count} messages, each counted once")


def test_a_consumer_alone():
    killed(IN_PYTHON, 1, "wal")
    killed(IN_PYTHON, 1, "delete")
    killed(IN_RUST, 1, "wal")


def test_a_group_of_four():
    killed(IN_PYTHON, 4, "wal")
    killed(IN_RUST, 4, "wal")

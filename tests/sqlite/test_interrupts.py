"""A host that interrupts a call gets an error, or the message; never a transaction that it has not begun, or half a batch."""

import itertools
import sqlite3
import threading

from host import Directory, connect, value, write

BATCH = "SELECT write_messages('a-1', '[" + ", ".join(['{"type": "T"}'] * 25) + "]')"
IMPORT = (
    "SELECT import_messages('[" + ", ".join(
        f'{{"id": "00000000-0000-4000-8000-0000000000{number:02}", "stream_name": "b-1", "type": "T", "position": {number},'
        f' "global_position": {number + 1}, "time": "2026-01-31 12:00:00"}}' for number in range(12)
    ) + "]')"
)
# Each with what it stores, in messages, namespaces and consumers.
CALLS = {
    "SELECT write_message(NULL, 'a-1', 'T', '{}')": (1, 0, 0),
    BATCH: (25, 0, 0),
    IMPORT: (12, 0, 0),
    "SELECT record_consumer_position('a', 'totals', 1)": (0, 0, 1),
    "SELECT create_namespace('tenant-b')": (0, 1, 0),
}


def stored(connection):
    return tuple(value(connection, f"SELECT count(*) FROM {source}") for source in (
        "messages", "message_store_namespaces", "consumer_positions()",
    ))


def interrupted(connection, sql, steps, often):
    """Runs the statement, stopped after so many of SQLite's steps: once, or from then on."""
    calls = itertools.count()

    def stop():
        return next(calls) == 0 or often

    connection.set_progress_handler(stop, steps)
    try:
        connection.execute(sql).fetchall()
    except sqlite3.OperationalError as error:
        assert str(error) == "interrupted", error
        return True
    finally:
        connection.set_progress_handler(None, 0)
    return False


def sweep(often):
    """Places in the call at which it is stopped: every one at first, then fewer."""
    steps = 1
    while steps < 3000:
        yield steps, often
        steps += 1 + steps // 5


def test_an_interrupted_call_is_done_or_undone():
    for call, wanted in CALLS.items():
        stopped = 0
        with Directory() as directory:
            for number, (steps, often) in enumerate(itertools.chain(sweep(True), sweep(False))):
                connection = connect(directory.path(f"{number}.db"))
                connection.execute("PRAGMA synchronous = off")
                value(connection, "SELECT message_store_init()")
                before = stored(connection)
                was_stopped = interrupted(connection, call, steps, often)
                stopped += was_stopped
                assert not connection.in_transaction, (call, steps, often)
                found = stored(connection)
                # An interrupt behind the commit is too late.
                assert found == wanted or (was_stopped and found == before), (call, steps, often, found)
                write(connection, "c-1", expected=-1)
                connection.close()
                again = sqlite3.connect(directory.path(f"{number}.db"))
                assert again.execute("SELECT count(*) FROM messages WHERE stream_name = 'c-1'").fetchone() == (1,)
                again.close()
        assert stopped > 10, (call, stopped)


def test_an_interrupted_call_in_the_hosts_transaction_is_done_or_undone():
    for call, (messages, _, consumers) in list(CALLS.items())[:4]:
        for steps, often in itertools.chain(sweep(True), sweep(False)):
            connection = connect()
            connection.execute("CREATE TABLE orders (n)")
            value(connection, "SELECT message_store_init()")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO orders VALUES (1)")
            was_stopped = interrupted(connection, call, steps, often)
            # As with any statement that writes, SQLite may have rolled the transaction back.
            lives = connection.in_transaction
            if lives:
                connection.execute("COMMIT")
            orders = value(connection, "SELECT count(*) FROM orders")
            found = value(connection, "SELECT count(*) FROM messages") + value(connection, "SELECT count(*) FROM consumer_positions()")
            assert orders == int(lives), (call, steps, often)
            assert found == messages + consumers if not was_stopped else found in (0, messages + consumers), (call, steps, often, found)


def test_an_interrupt_of_a_call_that_waits_leaves_no_transaction():
    with Directory() as directory:
        waiting, locking = connect(directory.path(), timeout=2, check_same_thread=False), connect(directory.path())
        write(waiting, "a-1")
        locking.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.3, waiting.interrupt)
        timer.start()
        try:
            write(waiting, "a-1")
            raise AssertionError("the lock was not held")
        except sqlite3.OperationalError:
            pass
        timer.join()
        assert not waiting.in_transaction
        locking.execute("ROLLBACK")
        assert write(waiting, "a-1") == 1
        waiting.close()
        assert value(locking, "SELECT stream_version('a-1')") == 1

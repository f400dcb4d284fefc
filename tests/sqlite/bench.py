"""Speed through Python: beside plain SQL on the same tables, and beside the package eventsourcing where it is installed.

Run in turn, round by round; the medians are compared. Usage: bench.py [rounds]
"""

import os
import statistics
import sys
import time
import uuid

from host import Directory, connect

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
COLUMNS = "id, stream_name, type, position, global_position, data, metadata, time"
DATA, METADATA = '{"amount": 10, "name": "Ada"}', '{"correlationStreamName": "order-1"}'
PLAIN = "INSERT INTO messages (position, time, stream_name, type, data, metadata, id) VALUES (?, '2026-01-31 12:00:00.000000', ?, 'T', ?, ?, ?)"
OURS = "SELECT write_message(?, ?, 'T', ?, ?)"
STREAMS = [f"account-{number}" for number in range(100)]


def fresh(directory, name="fresh.db"):
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(directory.path(name + suffix)):
            os.unlink(directory.path(name + suffix))
    connection = connect(directory.path(name))
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("PRAGMA synchronous = normal")
    connection.execute("SELECT message_store_init()").fetchall()
    return connection


def rate(count, work):
    started = time.perf_counter()
    work()
    return count / (time.perf_counter() - started)


def compare(name, wanted, ours, plain):
    found = [(ours(), plain()) for _ in range(ROUNDS)]
    a, b = (statistics.median(side) for side in zip(*found))
    verdict = "" if a / b >= wanted else "  BELOW"
    print(f"{name:<36} {a:>9.0f}/s  plain {b:>9.0f}/s  {a / b:.2f} (wanted {wanted}){verdict}", flush=True)


def writes(directory, sql, count, transaction):
    connection = fresh(directory)
    given = []
    for number in range(count):
        row = (STREAMS[number % 100], DATA, METADATA)
        one = str(uuid.uuid4())
        given.append((one, *row) if sql == OURS else (number // 100, *row, one))

    def work():
        for number, parameters in enumerate(given):
            if transaction and number % 1000 == 0:
                connection.execute("BEGIN IMMEDIATE")
            connection.execute(sql, parameters).fetchone()
            if transaction and number % 1000 == 999:
                connection.execute("COMMIT")

    return rate(count, work)


def batches(directory, plain):
    connection = fresh(directory)
    ids = [[str(uuid.uuid4()) for _ in range(100)] for _ in range(50)]
    texts = [
        "[" + ", ".join(f'{{"id": "{one}", "type": "T", "data": {DATA}, "metadata": {METADATA}}}' for one in batch) + "]"
        for batch in ids
    ]

    def ours():
        for stream, text in zip(STREAMS, texts):
            connection.execute("SELECT write_messages(?, ?)", (stream, text)).fetchone()

    def inserts():
        for stream, batch in zip(STREAMS, ids):
            connection.execute("BEGIN IMMEDIATE")
            for position, one in enumerate(batch):
                connection.execute(PLAIN, (position, stream, DATA, METADATA, one))
            connection.execute("COMMIT")

    return rate(5000, inserts if plain else ours)


def reads(connection, sql, count, rows, by_stream):
    def work():
        for number in range(count):
            given = (STREAMS[number % 100], number % 50) if by_stream else (number % 100 + 1,)
            assert len(connection.execute(sql, given).fetchall()) == rows

    return rate(count, work)


def eventsourcing():
    try:
        import eventsourcing.sqlite as es
        from eventsourcing.persistence import StoredEvent
    except ImportError:
        print("eventsourcing is not installed: no comparison with it")
        return

    def events(count, size):
        for _ in range(count // size):
            originator = uuid.uuid4()
            yield [StoredEvent(originator, position, "T", DATA.encode()) for position in range(size)]

    def beside(name, ours, theirs):
        found = [(ours(), theirs()) for _ in range(ROUNDS)]
        a, b = (statistics.median(side) for side in zip(*found))
        verdict = "" if a > b else "  BEHIND"
        print(f"{name:<24} {a:>9.0f}/s  eventsourcing {b:>9.0f}/s  {a / b:.2f}{verdict}", flush=True)

    with Directory() as directory:

        def recorder():
            made = es.SQLiteApplicationRecorder(es.SQLiteDatastore(directory.path(f"es-{uuid.uuid4()}.db")))
            made.create_table()
            return made

        for size in (1, 10, 100):
            count = 2000 if size == 1 else 10_000

            def theirs():
                made, batches = recorder(), list(events(count, size))
                return rate(count, lambda: [made.insert_events(batch) for batch in batches])

            def ours():
                connection = fresh(directory)
                # As eventsourcing has it.
                connection.execute("PRAGMA synchronous = full")
                one = "SELECT write_message(NULL, ?, 'T', ?, NULL, -1)"
                many = "SELECT write_messages(?, ?, -1)"
                text = "[" + ", ".join([f'{{"type": "T", "data": {DATA}}}'] * size) + "]"
                names = [f"account-{uuid.uuid4()}" for _ in range(count // size)]
                sql, data = (one, DATA) if size == 1 else (many, text)
                return rate(count, lambda: [connection.execute(sql, (name, data)).fetchone() for name in names])

            beside(f"{size} a transaction", ours, theirs)

        made, batches, connection = recorder(), list(events(10_000, 100)), fresh(directory)
        for batch in batches:
            made.insert_events(batch)
            text = "[" + ", ".join([f'{{"type": "T", "data": {DATA}}}'] * 100) + "]"
            connection.execute("SELECT write_messages(?, ?)", (f"account-{batch[0].originator_id}", text)).fetchone()
        names = [batch[0].originator_id for batch in batches]

        def stream(name, number):
            sql = f"SELECT {COLUMNS} FROM get_stream_messages(?, ?, 10)"
            return connection.execute(sql, (f"account-{name}", number)).fetchall()

        def everything(position):
            return connection.execute(f"SELECT {COLUMNS} FROM get_all_messages(?, 100)", (position,)).fetchall()

        def reads(count, rows, work):
            def all_of_them():
                for number in range(count):
                    assert len(work(names[number % 100], number % 50)) == rows

            return rate(count, all_of_them)

        beside(
            "stream read of 10",
            lambda: reads(2000, 10, stream),
            lambda: reads(2000, 10, lambda name, number: made.select_events(name, gt=number - 1, limit=10)),
        )
        beside(
            "read of 100 of all",
            lambda: reads(500, 100, lambda _, number: everything(number * 100 + 1)),
            lambda: reads(500, 100, lambda _, number: made.select_notifications(number * 100 + 1, 100)),
        )


def main():
    with Directory() as directory:
        compare("write, autocommit", 0.85, lambda: writes(directory, OURS, 4000, False), lambda: writes(directory, PLAIN, 4000, False))
        compare("write, 1,000 a transaction", 0.85, lambda: writes(directory, OURS, 20_000, True), lambda: writes(directory, PLAIN, 20_000, True))
        compare("write_messages of 100", 0.8, lambda: batches(directory, False), lambda: batches(directory, True))
        writes(directory, OURS, 20_000, True)
        connection = connect(directory.path("fresh.db"))
        ours = f"SELECT {COLUMNS} FROM get_stream_messages(?, ?, 10)"
        plain = f"SELECT {COLUMNS} FROM messages WHERE stream_name = ? AND position >= ? ORDER BY position LIMIT 10"
        compare("get_stream_messages of 10", 0.75, lambda: reads(connection, ours, 5000, 10, True), lambda: reads(connection, plain, 5000, 10, True))
        group = f"SELECT {COLUMNS} FROM get_category_messages('account', ?, 100, NULL, 1, 4)"
        category = f"SELECT {COLUMNS} FROM get_category_messages('account', ?, 400)"
        compare("consumer group read of 100 of 4", 0.6, lambda: reads(connection, group, 500, 100, False), lambda: reads(connection, category, 500, 400, False))
        connection.close()
    eventsourcing()


main()

"""Batches of every size around the ten and fifty messages that one statement stores, and what may go wrong in them."""

import json
import sqlite3
import uuid

from host import connect, failure, value, write

THERE = "01900000-0000-4000-8000-000000000001"
SIZES = (1, 2, 9, 10, 11, 19, 20, 21, 35, 49, 50, 51, 61, 100, 111)


def ids(count):
    """New ids, which begin alike: only such ones are stored several at a time."""
    return [str(uuid.UUID(int=0x0190_0000 << 96 | uuid.uuid4().int & (1 << 96) - 1)) for _ in range(count)]


def batch(messages):
    return json.dumps([{"id": one, "type": "T", "data": {"n": n}} for n, one in enumerate(messages)])


def imported(messages, first):
    return json.dumps([
        {"id": one, "stream_name": "b-1", "type": "T", "position": n, "global_position": first + 2 * n,
         "time": "2026-01-31 12:00:00.000000", "data": {"n": n}}
        for n, one in enumerate(messages)
    ])


def stored(connection, stream_name):
    query = "SELECT id, position, global_position, data FROM messages WHERE stream_name = ? ORDER BY position"
    return connection.execute(query, (stream_name,)).fetchall()


def check(connection, stream_name, messages):
    """Writes a batch; what it answers is what is stored, in order."""
    first = value(connection, "SELECT coalesce(stream_version(?), -1) + 1", stream_name)
    answer = json.loads(value(connection, "SELECT write_messages(?, ?)", stream_name, batch(messages)))
    rows = stored(connection, stream_name)[first:]
    assert [(row["id"], row["position"], row["global_position"]) for row in answer] == [row[:3] for row in rows]
    assert [row[:2] for row in rows] == list(zip(messages, range(first, first + len(messages))))
    assert [row[3] for row in rows] == [f'{{"n": {n}}}' for n in range(len(messages))]
    positions = [row[2] for row in rows]
    assert positions == sorted(set(positions))


def test_the_answer_is_what_is_stored():
    connection = connect()
    for size in SIZES:
        check(connection, "a-1", ids(size))
        check(connection, "a-1", [str(uuid.uuid4()) for _ in range(size)])
        check(connection, "a-1", [one for pair in zip(ids(size), ids(12), strict=False) for one in pair])
        check(connection, "a-1", [*ids(12), *(str(uuid.uuid4()) for _ in range(size)), *ids(60)])
    rows = connection.execute("SELECT global_position FROM messages ORDER BY 1").fetchall()
    assert rows == [(n,) for n in range(1, len(rows) + 1)]
    assert len(rows) > 5 * sum(SIZES)


def test_few_parameters_may_be_allowed():
    for allowed in (10, 100):
        connection = connect()
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, allowed)
        for size in SIZES:
            check(connection, "a-1", ids(size))
    value(connection, "SELECT import_messages(?)", imported(ids(25), 1000))
    assert len(stored(connection, "b-1")) == 25


def test_a_duplicate_id_is_refused_wherever_it_is():
    connection = connect()
    write(connection, "a-1", message_id=THERE)
    for size in (1, 10, 11, 25):
        for at in sorted({0, size // 2, min(9, size - 1), size - 1}):
            for hosted in ("autocommit", "transaction", "statement"):
                messages = ids(size)
                messages[at] = THERE
                if size > 1 and at % 2:
                    # Or one of the batch's own.
                    messages[at] = messages[0]
                for sql, given in (
                    ("SELECT write_messages('a-1', ?)", batch(messages)),
                    ("SELECT import_messages(?)", imported(messages, 1000)),
                ):
                    if hosted == "transaction":
                        connection.execute("BEGIN")
                    if hosted == "statement":
                        connection.execute("CREATE TABLE IF NOT EXISTS answers (a)")
                        sql = f"INSERT INTO answers {sql}"
                    message, code = failure(connection, sql, given)
                    assert "messages_id" in message and code == "SQLITE_CONSTRAINT_UNIQUE", (size, at, hosted, message)
                    if hosted == "transaction":
                        assert connection.in_transaction
                        connection.execute("COMMIT")
                    assert value(connection, "SELECT count(*) FROM messages") == 1, (size, at, hosted)
    check(connection, "a-1", ids(25))


def test_a_trigger_that_stores_messages_itself():
    connection = connect()
    write(connection, "a-1")
    connection.execute("CREATE TABLE log (n)")
    connection.execute(
        "CREATE TRIGGER copies AFTER INSERT ON messages WHEN new.stream_name = 'a-1' AND new.position % 3 = 0 BEGIN "
        "INSERT INTO messages (position, stream_name, type) VALUES (new.position, 'copy-1', 'T'); "
        "INSERT INTO log VALUES (new.position); END"
    )
    for size in SIZES:
        check(connection, "a-1", ids(size))
    copies = value(connection, "SELECT count(*) FROM messages WHERE stream_name = 'copy-1'")
    assert copies == value(connection, "SELECT count(*) FROM log") == sum(SIZES) // 3


def test_a_trigger_that_keeps_messages_back():
    for action, words in (("IGNORE", "Message was not stored: a trigger prevents it"), ("ABORT, 'not this one'", "not this one")):
        for at in (0, 5, 9, 10, 24):
            connection = connect()
            write(connection, "a-1")
            connection.execute(
                f"CREATE TRIGGER keeps BEFORE INSERT ON messages WHEN new.stream_name LIKE '%-2' AND new.position = {at} "
                f"BEGIN SELECT RAISE({action}); END"
            )
            message, code = failure(connection, "SELECT write_messages('a-2', ?)", batch(ids(25)))
            assert message == words and code == "SQLITE_CONSTRAINT_TRIGGER", (at, message, code)
            assert value(connection, "SELECT count(*) FROM messages") == 1
            check(connection, "a-1", ids(25))


def test_an_import_of_every_size():
    for size in SIZES:
        connection = connect()
        messages = ids(size)
        assert value(connection, "SELECT import_messages(?)", imported(messages, 7)) == size
        rows = stored(connection, "b-1")
        assert [row[:3] for row in rows] == [(one, n, 7 + 2 * n) for n, one in enumerate(messages)]
        check(connection, "a-1", ids(1))
        assert stored(connection, "a-1")[0][2] == 7 + 2 * (size - 1) + 1


def test_ids_that_are_generated():
    connection = connect()
    value(connection, "SELECT message_store_init()")
    for size in SIZES:
        first = value(connection, "SELECT count(*) FROM messages")
        answer = json.loads(value(connection, "SELECT write_messages('a-1', ?)", json.dumps([{"type": "T"}] * size)))
        rows = stored(connection, "a-1")[first:]
        assert [(row["id"], row["position"], row["global_position"]) for row in answer] == [row[:3] for row in rows]
        assert [row[1:3] for row in rows] == [(n, n + 1) for n in range(first, first + size)]


def test_an_answer_that_the_host_does_not_take_is_not_committed():
    connection = connect()
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1000)
    batch = json.dumps([{"type": "T"}] * 20)
    assert failure(connection, "SELECT write_messages('a-1', ?)", batch) == ("string or blob too big", "SQLITE_TOOBIG")
    assert not connection.in_transaction and value(connection, "SELECT stream_version('a-1')") is None

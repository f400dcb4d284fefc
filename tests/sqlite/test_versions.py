"""Whatever happens between two writes, the next one takes the position behind the stream's last one, and a version is
expected as it is. That forbids to keep a version from one write to the next: SQLite does not tell of all that may change it,
such as a statement that has not ended yet, or a table that is made anew."""

import json
import os
import random

from host import Directory, connect, failure, value, write

STREAMS = ["a-1", "a-2", "b-1", "c-" + 300 * "x"]
NAMESPACE = "orders"
TRIGGER = (
    "CREATE TRIGGER doubled AFTER INSERT ON messages WHEN new.stream_name = 'a-1' AND new.type = 'Doubled' "
    "BEGIN INSERT INTO messages (stream_name, type, position) VALUES ('a-1', 'T', new.position + 1); END"
)


def tables(connection, namespace):
    """What the names of the namespace's tables begin with."""
    if namespace is None:
        return "main.", ""
    schemas = {row[1] for row in connection.execute("PRAGMA database_list")}
    schema = f"message_store:{namespace}"
    return (f'"{schema}".', "") if schema in schemas else ("main.", f"{namespace}:")


def version(connection, stream, namespace=None):
    """The stream's version, as plain SQL has it."""
    schema, prefix = tables(connection, namespace)
    found = value(connection, f'SELECT max(position) FROM {schema}"{prefix}messages" WHERE stream_name = ?', stream)
    if found is None:
        heads = f'{schema}"{prefix}message_store_stream_heads"'
        found = value(connection, f"SELECT max(position) FROM {heads} WHERE stream_name = ?", stream)
    return -1 if found is None else found


def checked_write(connection, stream, namespace=None):
    before = version(connection, stream, namespace)
    sql = "SELECT write_message(NULL, ?, 'T', '{}', NULL, ?, ?)"
    wrong = f"Wrong expected version: {before + 1} (Stream: {stream}, Stream Version: {before})"
    assert failure(connection, sql, stream, before + 1, namespace)[0] == wrong
    assert value(connection, sql, stream, before, namespace) == before + 1


def checked_batch(connection, stream, size, namespace=None):
    before = version(connection, stream, namespace)
    answer = value(connection, "SELECT write_messages(?, ?, NULL, ?)", stream, json.dumps([{"type": "T"}] * size), namespace)
    assert [each["position"] for each in json.loads(answer)] == list(range(before + 1, before + 1 + size))


def test_rollback():
    for connection in stores():
        checked_write(connection, "a-1")
        for end in ("ROLLBACK", "ROLLBACK", "COMMIT", "ROLLBACK", "COMMIT", "COMMIT"):
            connection.execute("BEGIN")
            for _ in range(3):
                checked_write(connection, "a-1")
            connection.execute(end)
        checked_write(connection, "a-1")


def test_what_others_commit():
    for mode in ("wal", "delete"):
        with Directory() as directory:
            connection, other = connect(directory.path()), connect(directory.path())
            connection.execute(f"PRAGMA journal_mode = {mode}")
            for begin, end in (("BEGIN", "COMMIT"), ("SELECT 1", "SELECT 1"), ("BEGIN", "COMMIT"), ("BEGIN", "ROLLBACK")):
                connection.execute(begin)
                value(connection, "SELECT message_store_init()")
                for _ in range(2):
                    checked_write(connection, "a-1")
                connection.execute(end)
                checked_write(other, "a-1")
            checked_write(connection, "a-1")
            connection.close()
            other.close()


def test_savepoints():
    for connection in stores():
        connection.execute("SAVEPOINT outermost")
        checked_write(connection, "a-1")
        connection.execute("SAVEPOINT outer")
        connection.execute("SAVEPOINT inner")
        for _ in range(3):
            checked_write(connection, "a-1")
        connection.execute("ROLLBACK TO inner")
        checked_write(connection, "a-1")
        checked_batch(connection, "a-1", 12)
        connection.execute("RELEASE inner")
        checked_write(connection, "a-1")
        connection.execute("ROLLBACK TO outer")
        checked_write(connection, "a-1")
        connection.execute("ROLLBACK TO outermost")
        checked_write(connection, "a-1")
        connection.execute("ROLLBACK TO outermost")
        connection.execute("RELEASE outermost")
        checked_write(connection, "a-1")
        assert version(connection, "a-1") == 0


def test_savepoints_from_before_the_first_write():
    for connection in stores():
        checked_write(connection, "a-1")
        connection.execute("BEGIN")
        connection.execute("SAVEPOINT first")
        checked_write(connection, "a-1")
        checked_write(connection, "a-1")
        connection.execute("ROLLBACK TO first")
        checked_write(connection, "a-1")
        connection.execute("COMMIT")


def test_statements_that_fail():
    for connection in stores():
        connection.execute("CREATE TABLE positions (p CHECK (p < 5))")
        for begin in ("BEGIN", "BEGIN IMMEDIATE", "SELECT 1"):
            connection.execute(begin)
            checked_write(connection, "a-1")
            checked_write(connection, "a-1")
            many = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 9) "
            failure(connection, f"{many} INSERT INTO positions SELECT write_message(NULL, 'a-1', 'T', '{{}}') FROM n")
            checked_write(connection, "a-1")
            failure(connection, """SELECT write_messages('a-1', '[{"type": "T"}, {"type": "T", "id": "x"}]')""")
            failure(connection, """SELECT write_message('x', 'a-1', 'T', '{}')""")
            checked_write(connection, "a-1")
            if connection.in_transaction:
                connection.execute("ROLLBACK")


def test_plain_sql_in_between():
    last = "(SELECT max(global_position) FROM messages WHERE stream_name = 'a-1')"
    changes = (
        f"INSERT INTO messages (stream_name, type, position) SELECT 'a-1', 'T', position + 1 FROM messages WHERE global_position = {last}",
        f"DELETE FROM messages WHERE global_position = {last}",
        f"UPDATE messages SET position = position + 7 WHERE global_position = {last}",
        f"UPDATE messages SET stream_name = 'b-1', position = global_position WHERE global_position = {last}",
        f"REPLACE INTO messages (global_position, stream_name, type, position) VALUES ({last}, 'b-1', 'T', 1000 * {last})",
        "DELETE FROM messages",
        "SELECT truncate_stream('a-1', 1)",
        "SELECT delete_stream('a-1')",
    )
    for change in changes:
        for connection in stores():
            for end in ("COMMIT", "ROLLBACK"):
                connection.execute("BEGIN")
                checked_batch(connection, "a-1", 3)
                connection.execute(change).fetchall()
                checked_write(connection, "a-1")
                connection.execute(change).fetchall()
                connection.execute(end)
                checked_write(connection, "a-1")
                connection.execute(change).fetchall()
                checked_write(connection, "a-1")


def test_triggers():
    for connection in stores():
        write(connection, "a-1")
        connection.execute(TRIGGER)
        for begin in ("BEGIN", "SELECT 1"):
            connection.execute(begin)
            checked_write(connection, "a-1")
            for _ in range(2):
                value(connection, "SELECT write_message(NULL, 'a-1', 'Doubled', '{}')")
                checked_write(connection, "a-1")
            if connection.in_transaction:
                connection.execute("COMMIT")
            checked_write(connection, "a-1")


def test_statements_that_have_not_ended():
    for connection in stores():
        for begin in ("BEGIN", "SELECT 1"):
            connection.execute(begin)
            checked_batch(connection, "a-1", 3)
            last = version(connection, "a-1")
            for sql in (
                f"DELETE FROM messages WHERE stream_name = 'a-1' AND position = {last} RETURNING id",
                f"INSERT INTO messages (stream_name, type, position) VALUES ('a-1', 'T', {last + 1}) RETURNING id",
            ):
                unfinished = connection.execute(sql)
                before = version(connection, "a-1")
                assert value(connection, "SELECT write_message(NULL, 'a-1', 'T', '{}', NULL, ?)", before) == before + 1
                unfinished.fetchall()
                connection.execute("DELETE FROM messages WHERE stream_name = 'a-1' AND position > ?", (last,))
            connection.execute(
                "INSERT INTO messages (stream_name, type, position) SELECT 'b-1', 'T', write_message(NULL, 'b-1', 'T', '{}') + 1 "
                "FROM (SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3)"
            )
            positions = connection.execute("SELECT position FROM messages WHERE stream_name = 'b-1' ORDER BY 1").fetchall()
            assert positions == [(position,) for position in range(len(positions))] and len(positions) % 6 == 0
            if connection.in_transaction:
                connection.execute("COMMIT")


def test_tables_that_are_made_again():
    for connection in stores():
        (sql,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'messages'").fetchone()
        for gone in ("DROP TABLE messages", "ALTER TABLE messages RENAME TO before"):
            for again in (sql, "SELECT message_store_init()", "SELECT 1"):
                connection.execute("BEGIN")
                checked_batch(connection, "a-1", 3)
                connection.execute(gone)
                connection.execute(again).fetchall()
                assert write(connection, "a-1") == 0
                assert write(connection, "a-1", expected=0) == 1
                connection.execute("ROLLBACK")


def test_a_namespace_that_the_program_attaches_anew():
    with Directory() as directory:
        connection, other = connect(directory.path()), connect(directory.path())
        value(connection, "SELECT create_namespace('orders')")
        value(connection, "SELECT stream_version('a-1', 'orders')")
        checked_write(connection, "a-1", "orders")
        for change in ("SELECT write_message(NULL, 'a-1', 'T', '{}', NULL, NULL, 'orders')", "SELECT delete_stream('a-1', 'orders')"):
            connection.execute('DETACH "message_store:orders"')
            connection.execute('ATTACH ? AS "message_store:orders"', (directory.path("store.db-namespaces/orders.db"),))
            value(other, change)
            checked_write(connection, "a-1", "orders")
        connection.close()
        other.close()


def test_a_read_of_a_namespace_that_the_program_attaches_anew():
    with Directory() as directory:
        connection, other = connect(directory.path()), connect(directory.path())
        value(connection, "SELECT create_namespace('orders')")
        write(connection, "a-1", namespace="orders")
        read = "SELECT position FROM get_stream_messages('a-1', 0, 1000, NULL, 'orders')"
        for count in range(1, 5):
            assert len(connection.execute(read).fetchall()) == count
            connection.execute('DETACH "message_store:orders"')
            write(other, "a-1", namespace="orders")
            connection.execute('ATTACH ? AS "message_store:orders"', (directory.path("store.db-namespaces/orders.db"),))
            assert len(connection.execute(read).fetchall()) == count + 1
        connection.close()
        other.close()


def stores():
    """Connections to a store in memory, and to files."""
    for mode in ("memory", "wal", "delete"):
        with Directory() as directory:
            connection = connect(":memory:" if mode == "memory" else directory.path())
            connection.execute(f"PRAGMA journal_mode = {mode}")
            value(connection, "SELECT message_store_init()")
            yield connection
            connection.close()


def test_whatever_comes_in_between():
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    print(f"SEED={seed}")
    chance = random.Random(seed)
    for _ in range(25):
        with Directory() as directory:
            path = directory.path()
            connection = connect(path)
            connection.execute(f"PRAGMA journal_mode = {chance.choice(['wal', 'delete', 'truncate'])}")
            value(connection, "SELECT create_namespace(?)", NAMESPACE)
            if chance.random() < 0.3:
                connection.execute(TRIGGER)
            other = connect(path)
            at_random(chance, connection, other)
            for each in (connection, other):
                each.close()
            mended = connect(path)
            assert value(mended, "PRAGMA integrity_check") == "ok"
            mended.close()


def at_random(chance, connection, other):
    savepoints = []
    for _ in range(400):
        stream, namespace = chance.choice(STREAMS), chance.choice([None, None, NAMESPACE])
        kind = chance.random()
        if kind < 0.45:
            value(connection, "SELECT stream_version('a-1', ?)", namespace)
            checked_write(connection, stream, namespace)
        elif kind < 0.52:
            value(connection, "SELECT stream_version('a-1', ?)", namespace)
            checked_batch(connection, stream, chance.choice([1, 2, 12]), namespace)
        elif kind < 0.55:
            kind = chance.choice(["T", "Doubled"])
            value(connection, "SELECT write_message(NULL, ?, ?, '{}')", stream, kind)
        elif kind < 0.58:
            schema, prefix = tables(connection, namespace)
            if namespace is None or schema != "main.":
                condition = chance.choice(["", f" WHERE stream_name = '{stream}'", " WHERE position % 2 = 1"])
                connection.execute(f'DELETE FROM {schema}"{prefix}messages"{condition}')
        elif kind < 0.61:
            value(connection, f"SELECT {chance.choice(['delete_stream(?)', 'truncate_stream(?, 1)'])}", stream)
        elif kind < 0.64:
            sql = "INSERT INTO messages (stream_name, type, position) VALUES (?, 'T', ?)"
            connection.execute(sql, (stream, version(connection, stream) + 1))
        elif kind < 0.74:
            if not connection.in_transaction:
                connection.execute(chance.choice(["BEGIN", "BEGIN IMMEDIATE", "SAVEPOINT first"]))
                savepoints.clear()
        elif kind < 0.80:
            if connection.in_transaction:
                connection.execute(chance.choice(["COMMIT", "ROLLBACK"]))
        elif kind < 0.86:
            if connection.in_transaction:
                savepoints.append(f"s{len(savepoints)}")
                connection.execute(f"SAVEPOINT {savepoints[-1]}")
        elif kind < 0.93:
            if connection.in_transaction and savepoints:
                at = chance.randrange(len(savepoints))
                connection.execute(f"ROLLBACK TO {savepoints[at]}")
                del savepoints[at + 1 :]
        elif kind < 0.95:
            if connection.in_transaction and savepoints:
                at = chance.randrange(len(savepoints))
                connection.execute(f"RELEASE {savepoints[at]}")
                del savepoints[at:]
        elif not connection.in_transaction:
            value(other, "SELECT stream_version('a-1', ?)", namespace)
            checked_write(other, stream, namespace)

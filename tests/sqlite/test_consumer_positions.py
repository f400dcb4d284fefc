"""What a consumer has processed: recorded, never backwards, read with what is left; and being told of new messages."""

import os
import re
import subprocess
import sys

import host
from host import Directory, connect, failure, value, write
from test_retention import NAMESPACES, stores

COLUMNS = "category, consumer, position, lag"


def record(connection, position, force=None, namespace=None, consumer="totals", category="account"):
    return value(connection, "SELECT record_consumer_position(?, ?, ?, ?, ?)", category, consumer, position, force, namespace)


def recorded(connection, category=None, namespace=None):
    return connection.execute(f"SELECT {COLUMNS} FROM consumer_positions(?, ?)", (category, namespace)).fetchall()


def test_a_position_goes_back_only_by_force():
    for connection in stores():
        for namespace in NAMESPACES:
            assert recorded(connection, namespace=namespace) == []
            for position, force, stored in ((5, None, 5), (3, None, 5), (3, False, 5), (7, False, 7), (7, False, 7), (2, True, 2), (0, "on", 0)):
                assert record(connection, position, force, namespace) == stored, position
                assert recorded(connection, "account", namespace) == [("account", "totals", stored, 0)]


def test_the_time_is_that_of_the_last_recording():
    connection = connect()
    record(connection, 5)
    connection.execute("UPDATE message_store_consumer_positions SET time = '2026-01-31 12:00:00.000000'")
    time = "SELECT time FROM consumer_positions()"
    record(connection, 4)
    assert value(connection, time) == "2026-01-31 12:00:00.000000"
    record(connection, 5)
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", value(connection, time)), value(connection, time)
    assert value(connection, time) != "2026-01-31 12:00:00.000000"


def test_lag_is_what_the_category_has_after_the_position():
    for connection in stores():
        for namespace in NAMESPACES:
            for stream in ("account-1", "order-1", "account-2", "account-1", "accounting-1", "account"):
                write(connection, stream, namespace=namespace)
            for consumer, category, position in (("b", "account", 1), ("a", "account", 0), ("a", "order", 2), ("é", "account", 6), ("a", "void", 0)):
                record(connection, position, None, namespace, consumer, category)
            wanted = [("account", "a", 0, 4), ("account", "b", 1, 3), ("account", "é", 6, 0), ("order", "a", 2, 0), ("void", "a", 0, 0)]
            assert recorded(connection, namespace=namespace) == wanted
            assert recorded(connection, "account", namespace) == wanted[:3]
            assert recorded(connection, "nothing", namespace) == []
            value(connection, "SELECT delete_stream('account-1', ?)", namespace)
            assert recorded(connection, "account", namespace) == [("account", "a", 0, 2), ("account", "b", 1, 2), ("account", "é", 6, 0)]


def test_lag_is_counted_through_the_category_index():
    with open(os.path.join(host.REPOSITORY, "sql/sqlite/statements/consumer_positions.sql"), encoding="ascii") as file:
        query = file.read().replace("{schema}", "").replace("{prefix}", "")
    connection = connect()
    value(connection, "SELECT message_store_init()")
    plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", (None,)))
    assert "messages_category (<expr>=? AND global_position>?)" in plan, plan


def test_a_namespace_by_its_name():
    connection = connect()
    value(connection, "SELECT create_namespace('tenant-a')")
    record(connection, 4, namespace="tenant-a")
    rows = connection.execute(f"SELECT {COLUMNS} FROM consumer_positions() WHERE namespace = 'tenant-a' AND arg_category = 'account'")
    assert rows.fetchall() == [("account", "totals", 4, 0)]


def test_what_is_refused():
    for connection in stores():
        no_category, no_consumer = "Must be a category: ", "Consumer must not be empty"
        null = 'null value in column "position" of relation "consumer_positions" violates not-null constraint'
        for sql, wanted, code in (
            ("SELECT record_consumer_position('account-1', '', NULL)", no_category + "account-1", "SQLITE_ERROR"),
            ("SELECT record_consumer_position(NULL, 'totals', 1)", no_category + "<NULL>", "SQLITE_ERROR"),
            ("SELECT record_consumer_position('account', '', NULL)", no_consumer, "SQLITE_ERROR"),
            ("SELECT record_consumer_position('account', NULL, 1)", no_consumer, "SQLITE_ERROR"),
            ("SELECT record_consumer_position('account', 'totals', NULL)", null, "SQLITE_CONSTRAINT_NOTNULL"),
            ("SELECT record_consumer_position('account', 'totals', 1, 'maybe')", 'invalid input syntax for type boolean: "maybe"', "SQLITE_ERROR"),
            ("SELECT record_consumer_position('a-1', 'totals', 1, NULL, 'nope')", "Namespace does not exist: nope", "SQLITE_ERROR"),
            ("SELECT * FROM consumer_positions('account-1')", no_category + "account-1", "SQLITE_ERROR"),
            ("SELECT * FROM consumer_positions('account-1', 'nope')", "Namespace does not exist: nope", "SQLITE_ERROR"),
        ):
            assert failure(connection, sql) == (wanted, code), sql
        assert recorded(connection) == []


def test_a_position_follows_the_hosts_transaction():
    connection = connect()
    connection.execute("CREATE TABLE totals (amount)")
    write(connection, "account-1", data='{"amount": 10}')
    for end, left in (("ROLLBACK", []), ("COMMIT", [("account", "totals", 1, 0)])):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO totals SELECT data ->> 'amount' FROM get_category_messages('account')")
        assert record(connection, 1) == 1
        connection.execute(end)
        assert recorded(connection) == left
        assert value(connection, "SELECT count(*) FROM totals") == len(left)


def test_before_anything_is_written():
    with Directory() as directory:
        connection = connect(directory.path())
        assert recorded(connection) == []
        assert record(connection, 3) == 3
        assert recorded(connection) == [("account", "totals", 3, 0)]


def test_the_option_notify_is_kept():
    for connection in stores():
        for namespace in ("message_store", "tenant-a"):
            for given in ("on", "off", "on"):
                assert value(connection, "SELECT set_namespace_option(?, 'notify', ?)", namespace, given) == given
            assert value(connection, "SELECT set_namespace_option(?, 'append_lock', 'stream')", namespace) == "stream"
            message, _ = failure(connection, "SELECT set_namespace_option(?, 'notify', 'ON')", namespace)
            assert message == "Invalid value for notify: ON (on or off)", message
        kept = connection.execute("SELECT notify, append_lock FROM message_store_schema").fetchall()
        assert kept == [("on", "stream")], kept


def by_another_process(path, *given):
    script = "import sys; sys.path.insert(0, sys.argv[1]); from host import *; write(connect(sys.argv[2]), 'account-1', namespace=sys.argv[3] or None)"
    subprocess.run([sys.executable, "-B", "-c", script, host.HERE, path, *given], check=True)


def test_data_version_tells_of_what_other_processes_write():
    for journal in ("wal", "delete"):
        with Directory() as directory:
            path = directory.path()
            connection = connect(path)
            connection.execute(f"PRAGMA journal_mode = {journal}")
            write(connection, "account-1")
            value(connection, "SELECT create_namespace('tenant-a')")
            write(connection, "account-1", namespace="tenant-a")
            for namespace, schema in ((None, "main"), ("tenant-a", '"message_store:tenant-a"')):
                poll = f"PRAGMA {schema}.data_version"
                read = "SELECT position FROM get_category_messages('account', 2, NULL, NULL, NULL, NULL, NULL, ?)"
                seen = value(connection, poll)
                # Neither time passing, nor reading, nor its own writing changes it.
                assert connection.execute(read, (namespace,)).fetchall() == []
                connection.execute("SELECT set_namespace_option('tenant-a', 'notify', 'on')").fetchall()
                assert value(connection, poll) == seen
                by_another_process(path, namespace or "")
                assert value(connection, poll) != seen
                assert connection.execute(read, (namespace,)).fetchall() == [(1,)]
                seen = value(connection, poll)
                assert value(connection, poll) == seen

"""In a host's transaction a message follows the host's commit or rollback; alone, a call is a transaction."""

import sqlite3

from host import Directory, connect, failure, value, write


def test_a_message_follows_the_hosts_transaction():
    connection = connect()
    connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    write(connection, "a-1")
    connection.execute("BEGIN")
    connection.execute("INSERT INTO orders VALUES (1)")
    assert write(connection, "order-1", expected=-1) == 0
    connection.execute("ROLLBACK")
    assert value(connection, "SELECT stream_version('order-1')") is None
    connection.execute("BEGIN")
    connection.execute("INSERT INTO orders VALUES (1)")
    write(connection, "order-1", expected=-1)
    connection.execute("COMMIT")
    assert value(connection, "SELECT stream_version('order-1')") == 0
    assert value(connection, "SELECT count(*) FROM orders") == 1


def test_savepoints():
    connection = connect()
    connection.execute("BEGIN")
    write(connection, "a-1")
    connection.execute("SAVEPOINT s")
    write(connection, "a-1")
    connection.execute("ROLLBACK TO s")
    assert write(connection, "a-1", expected=0) == 1
    connection.execute("COMMIT")
    assert value(connection, "SELECT count(*) FROM messages") == 2


def test_a_failed_call_leaves_the_hosts_transaction_as_it_was():
    connection = connect()
    connection.execute("BEGIN")
    write(connection, "a-1", message_id="00000000-0000-4000-8000-000000000001")
    batch = '[{"type": "T"}, {"type": "T", "id": "00000000-0000-4000-8000-000000000001"}]'
    for sql in (
        "SELECT write_message(NULL, 'a-1', 'T', '{}', NULL, 7)",
        "SELECT write_message('00000000-0000-4000-8000-000000000001', 'a-1', 'T', '{}')",
        f"SELECT write_messages('a-1', '{batch}')",
    ):
        failure(connection, sql)
        assert connection.in_transaction
    assert write(connection, "a-1", expected=0) == 1
    connection.execute("COMMIT")
    assert value(connection, "SELECT count(*) FROM messages") == 2


def test_a_call_in_a_statement_that_writes_belongs_to_it():
    connection = connect()
    connection.execute("CREATE TABLE positions (p)")
    write(connection, "a-1")
    connection.execute("INSERT INTO positions SELECT write_message(NULL, 'a-1', 'T', '{}') FROM (SELECT 1 UNION ALL SELECT 2)")
    assert connection.execute("SELECT p FROM positions").fetchall() == [(1,), (2,)]
    batch = '[{"type": "T"}, {"type": "T", "id": "00000000-0000-4000-8000-000000000001"}]'
    connection.execute("INSERT INTO positions SELECT write_messages('b-1', ?)", (batch,))
    failure(connection, "INSERT INTO positions SELECT write_messages('b-1', ?)", batch)
    assert value(connection, "SELECT stream_version('b-1')") == 1


def test_several_writes_in_one_statement_see_each_other():
    connection = connect()
    rows = connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) "
        "SELECT write_message(NULL, 'a-1', 'T', '{}') FROM n"
    ).fetchall()
    assert [row[0] for row in rows] == list(range(100))


def test_a_cursor_does_not_see_what_its_own_loop_appends():
    connection = connect()
    for _ in range(5):
        write(connection, "a-1")
    for source in (
        "get_stream_messages('a-1', 0, -1)",
        "get_category_messages('a', 1, -1)",
        "get_category_messages('a', 1, -1, NULL, 0, 1)",
        "get_all_messages(1, -1)",
    ):
        before = value(connection, "SELECT count(*) FROM messages")
        seen = 0
        for _ in connection.execute(f"SELECT position FROM {source}"):
            seen += 1
            write(connection, "a-1")
            assert seen <= before
        assert seen == before


def test_writers_are_not_to_be_had_in_views_and_triggers():
    connection = connect()
    write(connection, "a-1")
    connection.execute("CREATE VIEW v AS SELECT write_message(NULL, 'a-1', 'T', '{}') AS p")
    message, _ = failure(connection, "SELECT * FROM v")
    assert "unsafe use of write_message" in message, message
    connection.execute("CREATE VIEW r AS SELECT * FROM get_stream_messages('a-1')")
    message, _ = failure(connection, "SELECT * FROM r")
    assert "unsafe use" in message, message
    connection.execute("CREATE TABLE c (s TEXT)")
    connection.execute("CREATE INDEX c_category ON c (category(s))")


def test_a_users_trigger_may_not_break_a_write():
    connection = connect()
    write(connection, "a-1")
    connection.execute("CREATE TRIGGER t BEFORE INSERT ON messages WHEN new.type = 'bad' "
                       "BEGIN SELECT raise(ABORT, 'refused by the user'); END")
    message, code = failure(connection, "SELECT write_message(NULL, 'a-1', 'bad', '{}')")
    assert (message, code) == ("refused by the user", "SQLITE_CONSTRAINT_TRIGGER"), (message, code)
    assert write(connection, "a-1", expected=0) == 1


def test_numbers_as_other_hosts_bind_them():
    connection = connect()
    assert write(connection, "a-1", expected=-1.0) == 0
    assert write(connection, "a-1", expected="0") == 1
    assert len(connection.execute("SELECT * FROM get_stream_messages('a-1', ?, ?)", (0.0, 1.0)).fetchall()) == 1
    message, _ = failure(connection, "SELECT * FROM get_stream_messages('a-1', 0.5)")
    assert message == 'invalid input syntax for type bigint: "0.5"', message
    message, _ = failure(connection, "SELECT * FROM get_stream_messages('a-1', 'x')")
    assert message == 'invalid input syntax for type bigint: "x"', message


def test_hostile_arguments():
    connection = connect()
    for junk in (None, 0, -1, 2**63 - 1, -(2**63), 1.5, float("inf"), "", "'", '"', "\0", "a\0b", "-", b"", b"\xff\xfe", "x" * 100_000):
        for sql in (
            "SELECT write_message(?1, ?1, ?1, ?1, ?1, ?1, NULL)",
            "SELECT write_message(NULL, ?1, 'T', NULL)",
            "SELECT write_messages(?1, ?1, ?1)",
            "SELECT import_messages(?1)",
            "SELECT count(*) FROM get_stream_messages(?1, ?1, ?1, ?1)",
            "SELECT count(*) FROM get_category_messages(?1, ?1, ?1, ?1, ?1, ?1, ?1)",
            "SELECT count(*) FROM get_category_messages(?1, NULL, NULL, ?1)",
            "SELECT count(*) FROM get_all_messages(?1, ?1)",
            "SELECT count(*) FROM list_streams(?1, ?1, ?1)",
            "SELECT hash_64(?1), category(?1), id(?1), cardinal_id(?1), is_category(?1)",
            "SELECT create_namespace(?1, ?1, ?1, ?1)",
            "SELECT stream_version(?1, ?1)",
            "SELECT delete_stream(?1, ?1)",
            "SELECT truncate_stream(?1, ?1)",
            "SELECT redact_message(?1)",
            "SELECT record_consumer_position(?1, ?1, ?1, ?1)",
            "SELECT count(*) FROM consumer_positions(?1)",
            "SELECT count(*) FROM stats(?1)",
            "SELECT set_config(?1, ?1, ?1)",
            "SELECT current_setting(?1, ?1)",
        ):
            try:
                connection.execute(sql, (junk,)).fetchall()
            except (sqlite3.Error, UnicodeDecodeError):
                pass
    assert value(connection, "PRAGMA integrity_check") == "ok"
    assert write(connection, "fine-1") == 0
    with Directory() as directory:
        text = "a\0b"
        connection = connect(directory.path())
        write(connection, f"{text}-1", kind=text)
        assert connection.execute("SELECT stream_name, type FROM get_all_messages()").fetchall() == [(f"{text}-1", text)]


def test_local_settings_end_with_the_transaction():
    connection = connect()
    connection.execute("BEGIN")
    value(connection, "SELECT set_config('message_store.sql_condition', 'on', true)")
    assert value(connection, "SELECT current_setting('message_store.sql_condition')") == "on"
    connection.execute("COMMIT")
    # As in Postgres: empty, which lets conditions through.
    assert value(connection, "SELECT current_setting('message_store.sql_condition', true)") == ""


def test_a_condition_is_one_expression():
    connection = connect()
    write(connection, "a-1")
    value(connection, "SELECT set_config('message_store.sql_condition', 'on', false)")
    for condition in ("", "1=1); DROP TABLE messages; --", "nothing = 1", "\0"):
        failure(connection, "SELECT * FROM get_stream_messages('a-1', NULL, NULL, ?)", condition)
    assert value(connection, "SELECT count(*) FROM messages") == 1

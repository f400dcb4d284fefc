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


APPENDS = (
    "SELECT write_message(NULL, 'a-1', 'T', '{}')",
    "SELECT write_messages('a-1', '[{\"type\": \"T\"}, {\"type\": \"T\"}]')",
    "INSERT INTO messages (position, stream_name, type) SELECT max(position) + 1, 'a-1', 'T' FROM messages",
)
READS = (
    "get_stream_messages('a-1', 0, -1)",
    "get_category_messages('a', 1, -1)",
    "get_category_messages('a', 1, -1, NULL, 0, 1)",
    "get_all_messages(1, -1)",
)


def stores():
    """Connections with five messages in a-1: in memory, to a file, and to a file of each journal mode."""
    for journal_mode in (None, "delete", "wal"):
        with Directory() as directory:
            connection = connect(directory.path() if journal_mode else ":memory:")
            connection.execute(f"PRAGMA journal_mode = {journal_mode or 'memory'}")
            value(connection, "SELECT write_messages('a-1', ?)", "[" + ", ".join(['{"type": "T"}'] * 5) + "]")
            yield connection
            connection.close()


def test_a_cursor_does_not_see_what_its_own_loop_appends():
    for connection in stores():
        for transaction in (False, True):
            for append in APPENDS:
                for source in READS:
                    if transaction:
                        connection.execute("BEGIN")
                    before = value(connection, "SELECT count(*) FROM messages")
                    seen = 0
                    for _ in connection.execute(f"SELECT position FROM {source}"):
                        seen += 1
                        connection.execute(append).fetchall()
                        assert seen <= before, (append, source)
                    assert seen == before, (append, source)
                    after = value(connection, "SELECT count(*) FROM messages")
                    if transaction:
                        connection.execute("ROLLBACK")
                        after = before
                    assert value(connection, f"SELECT count(*) FROM {source}") == after
                    connection.execute("DELETE FROM messages WHERE position > 4")


def test_a_statement_does_not_see_what_it_appends_itself():
    for connection in stores():
        for source in READS:
            before = value(connection, "SELECT count(*) FROM messages")
            rows = connection.execute(f"SELECT write_message(NULL, 'a-1', 'T', '{{}}') FROM {source}").fetchall()
            assert [row[0] for row in rows] == list(range(before, 2 * before)), source
            connection.execute(
                "INSERT INTO messages (position, stream_name, type) "
                f"SELECT position + {2 * before}, 'a-1', 'T' FROM {source}"
            )
            assert value(connection, "SELECT count(*) FROM messages") == 4 * before
            connection.execute("DELETE FROM messages WHERE position > 4")


def test_a_read_sees_what_a_statement_has_written_that_has_not_ended():
    for connection in stores():
        for transaction in (False, True):
            for source in READS:
                before = value(connection, f"SELECT count(*) FROM {source}")
                if transaction:
                    connection.execute("BEGIN")
                unfinished = connection.execute(
                    "INSERT INTO messages (position, stream_name, type) VALUES (?, 'a-1', 'T') RETURNING 1", (before,)
                )
                assert value(connection, f"SELECT count(*) FROM {source}") == before + 1, (transaction, source)
                assert len(unfinished.fetchall()) == 1
                if transaction:
                    connection.execute("COMMIT")


def test_a_read_sees_what_anybody_committed_before_it():
    for journal_mode in ("delete", "wal"):
        with Directory() as directory:
            ours, other = connect(directory.path()), connect(directory.path())
            ours.execute(f"PRAGMA journal_mode = {journal_mode}")
            expected = 0
            for round in range(12):
                # By this connection, by another one with the functions, by one without them, and rolled back.
                for writer, append in ((ours, APPENDS[0]), (other, APPENDS[0]), (other, APPENDS[2]), (ours, None)):
                    if append:
                        writer.execute(append).fetchall()
                        expected += 1
                    else:
                        ours.execute("BEGIN")
                        write(ours, "a-1")
                        assert value(ours, f"SELECT count(*) FROM {READS[0]}") == expected + 1
                        ours.execute("ROLLBACK")
                    for source in READS:
                        for reader in (ours, other):
                            assert value(reader, f"SELECT count(*) FROM {source}") == expected, (round, source)
            # A read under way stays at what it saw first, whoever writes; one that starts meanwhile sees it all.
            if journal_mode == "wal":
                for source in READS:
                    rows = ours.execute(f"SELECT position FROM {source}")
                    rows.fetchone()
                    write(other, "a-1")
                    assert value(other, f"SELECT count(*) FROM {source}") == expected + 1
                    assert len(rows.fetchall()) == expected - 1, source
                    expected += 1
                    assert value(ours, f"SELECT count(*) FROM {source}") == expected, source
            other.close()
            ours.close()


def test_a_database_put_in_anothers_place_is_read_to_its_end():
    images = []
    for count in (5, 50):
        connection = connect()
        value(connection, "SELECT write_messages('a-1', ?)", "[" + ", ".join(['{"type": "T"}'] * count) + "]")
        images.append((count, connection.serialize()))
    with Directory() as directory:
        for connection in (connect(), connect(directory.path())):
            for count, image in images * 2:
                connection.deserialize(image)
                for source in READS:
                    assert value(connection, f"SELECT count(*) FROM {source}") == count, source
                    seen = 0
                    for _ in connection.execute(f"SELECT position FROM {source}"):
                        seen += 1
                    assert seen == count
            connection.close()


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


def test_texts_that_postgres_does_not_let_in():
    # SQLite's own functions see such a text end in different places, and its stream would be of two categories.
    for given, named in (("'a' || char(0) || 'b'", "0x00"), ("CAST(x'612dff' AS TEXT)", "0xff"), ("x'612de282'", "0xe2 0x82")):
        connection = connect()
        for call in (
            f"SELECT write_message(NULL, {given}, 'T', '{{}}')",
            f"SELECT write_message(NULL, 'a-1', {given}, '{{}}')",
            f"SELECT write_messages({given}, '[]')",
            f"SELECT create_namespace('tenant-a', {given})",
            f"SELECT record_consumer_position('a', {given}, 1)",
            f"SELECT * FROM get_stream_messages({given})",
            f"SELECT * FROM get_category_messages({given})",
            f"SELECT * FROM list_streams({given})",
        ):
            wanted = (f'invalid byte sequence for encoding "UTF8": {named}', "SQLITE_ERROR")
            assert failure(connection, call) == wanted, (call, failure(connection, call))
        assert connection.execute("SELECT * FROM list_namespaces()").fetchone()[0] == "message_store"
        # The functions that only read their argument stay usable in an index over what a plain SQLite has stored.
        assert value(connection, f"SELECT hash_64({given}) IS NOT NULL") == 1


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

"""Removed messages are gone, and neither their positions nor what they said come back."""

import os
import random
import signal
import sqlite3
import time

from host import Directory, connect, failure, value, write
from test_processes import KILLS, Writer

SECONDS = float(os.environ.get("MESSAGE_STORE_WRITER_SECONDS", "10")) / 2
NAMESPACES = (None, "tenant-a")


def stores():
    """A file and a database in memory, each with a namespace."""
    with Directory() as directory:
        for path in (directory.path(), ":memory:"):
            connection = connect(path)
            value(connection, "SELECT create_namespace('tenant-a')")
            yield connection
            connection.close()


def version(connection, stream, namespace=None):
    return value(connection, "SELECT stream_version(?, ?)", stream, namespace)


def positions(connection, stream, namespace=None):
    rows = connection.execute("SELECT position FROM get_stream_messages(?, 0, -1, NULL, ?)", (stream, namespace))
    return [row[0] for row in rows]


def test_a_deleted_stream_goes_on_counting():
    for connection in stores():
        for namespace in NAMESPACES:
            for _ in range(3):
                write(connection, "account-1", namespace=namespace)
            write(connection, "account-2", namespace=namespace)
            assert value(connection, "SELECT delete_stream('account-1', ?)", namespace) == 3
            assert positions(connection, "account-1", namespace) == []
            assert version(connection, "account-1", namespace) == 2
            assert value(connection, "SELECT delete_stream('account-1', ?)", namespace) == 0
            message, _ = failure(
                connection, "SELECT write_message(NULL, 'account-1', 'T', '{}', NULL, -1, ?)", namespace
            )
            assert message == "Wrong expected version: -1 (Stream: account-1, Stream Version: 2)", message
            assert write(connection, "account-1", expected=2, namespace=namespace) == 3
            assert value(connection, "SELECT delete_stream('account-1', ?)", namespace) == 1
            batch = value(connection, """SELECT write_messages('account-1', '[{"type": "A"}, {"type": "B"}]', 3, ?)""", namespace)
            assert '"position": 4' in batch and '"position": 5' in batch, batch
            assert positions(connection, "account-1", namespace) == [4, 5]
            assert positions(connection, "account-2", namespace) == [0]
            streams = connection.execute("SELECT * FROM list_streams(NULL, NULL, NULL, ?)", (namespace,)).fetchall()
            assert streams == [("account-1", 5, 2), ("account-2", 0, 1)], streams


def test_a_truncated_stream_keeps_its_end():
    for connection in stores():
        for namespace in NAMESPACES:
            for _ in range(5):
                write(connection, "account-1", namespace=namespace)
            truncate = "SELECT truncate_stream('account-1', ?, ?)"
            for before, removed in ((0, 0), (-1, 0), (-(2**63), 0), (None, 0), (2, 2), (2, 0), (4, 2)):
                assert value(connection, truncate, before, namespace) == removed, before
            assert positions(connection, "account-1", namespace) == [4]
            assert version(connection, "account-1", namespace) == 4
            # One that goes as a whole goes on counting, too.
            assert value(connection, truncate, 2**63 - 1, namespace) == 1
            assert version(connection, "account-1", namespace) == 4
            assert write(connection, "account-1", expected=4, namespace=namespace) == 5


def test_global_positions_are_not_given_out_again():
    for connection in stores():
        for _ in range(3):
            write(connection, "account-1")
        value(connection, "SELECT delete_stream('account-1')")
        write(connection, "account-2")
        assert value(connection, "SELECT global_position FROM get_all_messages()") == 4
        value(connection, "SELECT delete_stream('account-2')")
        imported = ('[{"id": "00000000-0000-4000-8000-000000000001", "stream_name": "account-3", "type": "T", "position": 0,'
                    ' "global_position": %d, "time": "2026-01-31 12:00:00"}]')
        message, _ = failure(connection, "SELECT import_messages(?)", imported % 4)
        assert message == "Global position is taken: 4", message
        assert value(connection, "SELECT import_messages(?)", imported % 5) == 1


def test_an_import_goes_on_where_the_stream_was():
    connection = connect()
    write(connection, "account-1")
    value(connection, "SELECT delete_stream('account-1')")
    imported = ('[{"id": "00000000-0000-4000-8000-000000000001", "stream_name": "account-1", "type": "T", "position": %d,'
                ' "global_position": 9, "time": "2026-01-31 12:00:00"}]')
    message, _ = failure(connection, "SELECT import_messages(?)", imported % 0)
    assert message == "Position does not fit: 0 (Stream: account-1, Stream Version: 0)", message
    assert value(connection, "SELECT import_messages(?)", imported % 1) == 1


def test_what_is_refused():
    for connection in stores():
        write(connection, "account-1", message_id="00000000-0000-4000-8000-000000000001")
        no_stream, no_message = "Must be a stream name: ", "Message does not exist: "
        unknown = "00000000-0000-4000-8000-0000000000ff"
        for sql, wanted in (
            ("SELECT delete_stream('account')", no_stream + "account"),
            ("SELECT delete_stream('')", no_stream),
            ("SELECT delete_stream(NULL)", no_stream + "<NULL>"),
            ("SELECT truncate_stream('account', 1)", no_stream + "account"),
            ("SELECT truncate_stream(NULL, NULL)", no_stream + "<NULL>"),
            ("SELECT truncate_stream('account-1', 'x')", 'invalid input syntax for type bigint: "x"'),
            (f"SELECT redact_message('{unknown}')", no_message + unknown),
            (f"SELECT redact_message('{unknown.upper()}')", no_message + unknown),
            ("SELECT redact_message(NULL)", no_message + "<NULL>"),
            ("SELECT redact_message('x')", 'invalid input syntax for type uuid: "x"'),
            ("SELECT redact_message('00000000-0000-4000-8000-000000000001', 'tenant-a')", no_message + "00000000-0000-4000-8000-000000000001"),
            ("SELECT delete_stream('account', 'nope')", "Namespace does not exist: nope"),
            ("SELECT truncate_stream('account', 1, 'nope')", "Namespace does not exist: nope"),
            ("SELECT redact_message('x', 'nope')", "Namespace does not exist: nope"),
            ("SELECT redact_message('x', 'No')", "Invalid namespace name: No (1 to 63 bytes of a-z, 0-9, _ and -, starting with a letter or digit, not reserved)"),
        ):
            assert failure(connection, sql) == (wanted, "SQLITE_ERROR"), sql
        for sql in ("SELECT delete_stream('unknown-1')", "SELECT truncate_stream('unknown-1', 5)"):
            assert value(connection, sql) == 0
        assert value(connection, "SELECT stream_version('unknown-1')") is None
        assert positions(connection, "account-1") == [0]


def test_a_removal_follows_the_hosts_transaction():
    for connection in stores():
        one = "00000000-0000-4000-8000-000000000001"
        for namespace in NAMESPACES:
            for number in range(3):
                write(connection, "account-1", data='{"n": 1}', namespace=namespace, message_id=one if number == 2 else None)
            for end, left in (("ROLLBACK", [0, 1, 2]), ("COMMIT", [])):
                connection.execute("BEGIN IMMEDIATE")
                assert value(connection, "SELECT redact_message(?, ?)", one, namespace) == 1
                assert value(connection, "SELECT truncate_stream('account-1', 1, ?)", namespace) == 1
                assert value(connection, "SELECT delete_stream('account-1', ?)", namespace) == 2
                assert version(connection, "account-1", namespace) == 2
                connection.execute(end)
                assert positions(connection, "account-1", namespace) == left
            assert version(connection, "account-1", namespace) == 2
            # A savepoint takes a removal back, and what came after it.
            write(connection, "account-1", namespace=namespace)
            connection.execute("BEGIN")
            connection.execute("SAVEPOINT s")
            value(connection, "SELECT delete_stream('account-1', ?)", namespace)
            assert write(connection, "account-1", namespace=namespace) == 4
            connection.execute("ROLLBACK TO s")
            connection.execute("COMMIT")
            assert positions(connection, "account-1", namespace) == [3]


def test_a_failed_removal_leaves_the_transaction_as_it_was():
    connection = connect()
    for _ in range(3):
        write(connection, "account-1")
    connection.execute("CREATE TRIGGER keep BEFORE DELETE ON messages WHEN old.position = 1 "
                       "BEGIN SELECT raise(ABORT, 'kept by the user'); END")
    connection.execute("BEGIN")
    write(connection, "account-2")
    for sql in ("SELECT delete_stream('account-1')", "SELECT truncate_stream('account-1', 2)", "SELECT redact_message(NULL)"):
        failure(connection, sql)
        assert connection.in_transaction
    connection.execute("COMMIT")
    assert positions(connection, "account-1") == [0, 1, 2] and positions(connection, "account-2") == [0]
    assert write(connection, "account-1", expected=2) == 3
    connection.execute("DROP TRIGGER keep")
    assert value(connection, "SELECT delete_stream('account-1')") == 4
    assert version(connection, "account-1") == 3


def test_a_version_does_not_go_back_where_a_trigger_keeps_messages():
    kept = "Messages of the stream were kept back, and its version would go back: account-1 (Stream Version: 3)"
    for in_transaction in (False, True):
        connection = connect()
        for _ in range(4):
            write(connection, "account-1")
        connection.execute("CREATE TRIGGER keep BEFORE DELETE ON messages WHEN old.position = 0 BEGIN SELECT raise(IGNORE); END")
        if in_transaction:
            connection.execute("BEGIN")
            write(connection, "account-2")
        assert failure(connection, "SELECT delete_stream('account-1')") == (kept, "SQLITE_ERROR")
        assert positions(connection, "account-1") == [0, 1, 2, 3]
        # The last one is still there.
        assert value(connection, "SELECT truncate_stream('account-1', 2)") == 1
        if in_transaction:
            connection.execute("COMMIT")
        assert positions(connection, "account-1") == [0, 2, 3]
        assert write(connection, "account-1", expected=3) == 4


def test_in_a_statement_that_writes():
    connection = connect()
    connection.execute("CREATE TABLE removed (n)")
    for stream in ("account-1", "account-2"):
        write(connection, stream)
        write(connection, stream)
    connection.execute("INSERT INTO removed SELECT delete_stream('account-' || value) FROM json_each('[1, 2, 3]')")
    assert connection.execute("SELECT n FROM removed").fetchall() == [(2,), (2,), (0,)]
    assert write(connection, "account-2") == 2


def test_a_cleared_namespace_starts_again():
    for connection in stores():
        for namespace in NAMESPACES:
            write(connection, "account-1", namespace=namespace)
            value(connection, "SELECT delete_stream('account-1', ?)", namespace)
            write(connection, "account-2", namespace=namespace)
            value(connection, "SELECT record_consumer_position('account', 'totals', 2, NULL, ?)", namespace)
            assert value(connection, "SELECT clear_namespace(?)", namespace or "message_store") == 1
            assert version(connection, "account-1", namespace) is None
            assert connection.execute("SELECT * FROM consumer_positions(NULL, ?)", (namespace,)).fetchall() == []
            assert write(connection, "account-1", namespace=namespace, expected=-1) == 0


def test_a_deleted_namespace_starts_again():
    for connection in stores():
        write(connection, "account-1", namespace="tenant-a")
        value(connection, "SELECT delete_stream('account-1', 'tenant-a')")
        value(connection, "SELECT record_consumer_position('account', 'totals', 1, NULL, 'tenant-a')")
        assert value(connection, "SELECT delete_namespace('tenant-a')") == "tenant-a"
        value(connection, "SELECT create_namespace('tenant-a')")
        assert version(connection, "account-1", "tenant-a") is None
        assert connection.execute("SELECT * FROM consumer_positions(NULL, 'tenant-a')").fetchall() == []
        tables = connection.execute("SELECT name FROM main.sqlite_master WHERE name LIKE 'tenant-a:%'").fetchall()
        assert len(tables) in (0, 13), tables


def test_a_plain_sqlite_reads_and_appends():
    with Directory() as directory:
        path = directory.path()
        connection = connect(path)
        write(connection, "account-1")
        write(connection, "account-2")
        value(connection, "SELECT delete_stream('account-1')")
        value(connection, "SELECT record_consumer_position('account', 'totals', 2)")
        connection.close()
        plain = sqlite3.connect(path, isolation_level=None)
        head = "SELECT position FROM message_store_stream_heads WHERE stream_name = 'account-1'"
        assert plain.execute(head).fetchall() == [(0,)]
        plain.execute("INSERT INTO messages (stream_name, position, type, data) VALUES ('account-1', 1, 'Plain', '{}')")
        assert plain.execute("SELECT consumer, position FROM message_store_consumer_positions").fetchall() == [("totals", 2)]
        plain.execute("VACUUM")
        plain.close()
        connection = connect(path)
        assert version(connection, "account-1") == 1
        assert value(connection, "SELECT lag FROM consumer_positions('account')") == 1
        assert value(connection, "SELECT delete_stream('account-1')") == 1
        assert version(connection, "account-1") == 1


SECRET = "Hedwig-Eva-Maria-Kiesler"


def everything(connection):
    """All that a query can find: the functions, the tables, the views."""
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")]
    assert len(names) == 12, names
    sources = names + ["get_stream_messages('account-1', 0, -1)", "get_category_messages('account', 1, -1)",
                       "get_all_messages(1, -1)", "get_last_stream_message('account-1')", "list_streams()", "list_categories()",
                       "stats()", "consumer_positions()"]
    return repr([connection.execute(f"SELECT * FROM {source}").fetchall() for source in sources])


def test_a_redacted_message_says_nothing():
    for connection in stores():
        for namespace in NAMESPACES:
            for number, metadata in ((1, None), (2, '{"correlationStreamName": "order-7"}')):
                write(connection, "account-1", data=f'{{"name": "{SECRET}"}}', metadata=metadata, namespace=namespace,
                      message_id=f"00000000-0000-4000-8000-{number:012}")
            correlated = "SELECT count(*) FROM get_category_messages('account', 1, -1, 'order', NULL, NULL, NULL, ?)"
            assert value(connection, correlated, namespace) == 1
            for number in (1, 2):
                spelled = f"{{00000000-0000-4000-8000-00000000000{number}}}"
                assert value(connection, "SELECT redact_message(?, ?)", spelled, namespace) == 1
                assert value(connection, "SELECT redact_message(?, ?)", spelled, namespace) == 1
            rows = connection.execute(
                "SELECT type, position, global_position, data, metadata FROM get_all_messages(1, -1, ?)", (namespace,)
            )
            redacted = '{"redacted": true}'
            assert rows.fetchall() == [("T", 0, 1, redacted, redacted), ("T", 1, 2, redacted, redacted)]
            assert value(connection, correlated, namespace) == 0
        assert value(connection, "PRAGMA integrity_check") == "ok"


def test_erased_texts_are_not_in_the_file():
    """Before a checkpoint the log has them; the docs say what else keeps them."""
    for journal in ("wal", "delete"):
        for method in ("secure_delete", "vacuum"):
            for erase in ("SELECT redact_message('00000000-0000-4000-8000-000000000001'), redact_message('00000000-0000-4000-8000-000000000002')",
                          "SELECT delete_stream('account-1')", "SELECT truncate_stream('account-1', 100)"):
                with Directory() as directory:
                    path = directory.path()
                    connection = connect(path)
                    connection.execute(f"PRAGMA journal_mode = {journal}")
                    connection.execute(f"PRAGMA secure_delete = {'on' if method == 'secure_delete' else 'off'}")
                    for number in range(60):
                        big = number == 40
                        text = SECRET * 400 if big else SECRET if number == 20 else "x" * 100
                        message_id = {20: 1, 40: 2}.get(number)
                        write(connection, "account-1", data=f'{{"name": "{text}"}}', metadata=f'{{"name": "{text}"}}',
                              message_id=message_id and f"00000000-0000-4000-8000-{message_id:012}")
                    assert SECRET in everything(connection)
                    connection.execute(erase).fetchall()
                    assert SECRET not in everything(connection)
                    if method == "vacuum":
                        connection.execute("VACUUM")
                    connection.execute("PRAGMA wal_checkpoint(truncate)").fetchall()
                    assert value(connection, "PRAGMA integrity_check") == "ok"
                    for name in os.listdir(directory.name):
                        with open(directory.path(name), "rb") as file:
                            assert SECRET.encode() not in file.read(), (journal, method, erase, name)
                    connection.close()


def check(path, processes):
    """No position was given out twice, and every stream goes on after the last one that was."""
    connection = connect(path)
    acknowledged = [message for process in processes for message in process.acknowledged]
    assert len(set(acknowledged)) == len(acknowledged), "a position was given out twice"
    last = {}
    for stream, position in acknowledged:
        last[stream] = max(position, last.get(stream, -1))
    for stream, position in last.items():
        version = value(connection, "SELECT stream_version(?)", stream)
        # A killed process may not have said that its last message is written.
        assert position <= version <= position + len(processes), (stream, position, version)
        assert write(connection, stream, expected=version) == version + 1
    assert value(connection, "PRAGMA integrity_check") == "ok"
    connection.close()
    return len(acknowledged)


def test_several_processes_write_and_remove():
    for journal in ("wal", "delete"):
        with Directory() as directory:
            path = directory.path()
            connect(path).execute(f"PRAGMA journal_mode = {journal}")
            processes = [Writer(path, str(number), SECONDS / 2, "remover.py") for number in range(4)]
            for process in processes:
                process.wait()
                assert process.last.startswith("done "), (process.name, process.last)
            count = check(path, processes)
            removed = sum(int(process.last.split()[2]) for process in processes)
            assert removed > 0
            print(f"   {journal}: {count} messages written and {removed} removed by 4 processes, no position twice, 0 busy")


def test_killed_removers_leave_a_whole_store():
    seed = int(os.environ.get("MESSAGE_STORE_SEED", random.randrange(10**6)))
    chance = random.Random(seed)
    total = 0
    for kill in range(KILLS):
        with Directory() as directory:
            path = directory.path()
            if kill % 2 == 0:
                connect(path).execute("PRAGMA journal_mode = wal")
            processes = [Writer(path, str(number), 60, "remover.py") for number in range(3)]
            time.sleep(0.3 + chance.random() * 0.7)
            for process in processes:
                process.process.send_signal(signal.SIGKILL)
                time.sleep(chance.random() * 0.02)
            for process in processes:
                process.wait()
            total += check(path, processes)
    assert total > 0
    print(f"   seed {seed}: {KILLS} times 3 processes killed, {total} positions given out, none twice, every file whole")

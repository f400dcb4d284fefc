"""A file of version 1 is read as it is, and upgraded by the first function that writes."""

import os
import sqlite3
import subprocess
import sys

import host
from host import Directory, connect, failure, value, write
from test_processes import Writer

VERSION_1 = os.path.join(host.HERE, "version_1")
NEW = {"message_store_stream_heads", "message_store_consumer_positions"}


class OldStore(Directory):
    """A store that version 1 has made, with the namespace tenant-a; its files are kept as SQL."""

    def __enter__(self):
        super().__enter__()
        os.mkdir(f"{self.path()}-namespaces")
        for source, path in (("store.sql", self.path()), ("tenant-a.sql", self.tenant())):
            with open(os.path.join(VERSION_1, source), encoding="utf-8") as file:
                connection = sqlite3.connect(path)
                connection.executescript(file.read())
                connection.close()
        return self

    def tenant(self):
        return f"{self.path()}-namespaces/tenant-a.db"


def state(path):
    """The version of a file, and which of the new tables it has."""
    connection = sqlite3.connect(path)
    (version,) = connection.execute("SELECT version FROM message_store_schema").fetchone()
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")} & NEW
    columns = {row[1] for row in connection.execute("PRAGMA table_info(message_store_schema)")}
    connection.close()
    assert (version, tables, "notify" in columns) in ((1, set(), False), (2, NEW, True)), (version, tables, columns)
    return version


def contents(path):
    with open(path, "rb") as file:
        return file.read()


READS = (
    ("SELECT position FROM get_stream_messages('account-1')", [(0,), (1,), (2,)], [(0,), (1,)]),
    ("SELECT type FROM get_category_messages('account', 1, 2)", [("Opened",), ("Deposited",)], [("Opened",), ("Closed",)]),
    ("SELECT type FROM get_last_stream_message('account-1')", [("Withdrawn",)], [("Closed",)]),
    ("SELECT count(*) FROM get_all_messages()", [(5,)], [(2,)]),
    ("SELECT * FROM list_streams()", [("account-1", 2, 3), ("account-2", 0, 1), ("order-7", 0, 1)], [("account-1", 1, 2)]),
    ("SELECT * FROM list_categories()", [("account", 2, 4), ("order", 1, 1)], [("account", 1, 2)]),
    ("SELECT * FROM consumer_positions()", [], []),
)


def check_reads(connection):
    for sql, main, tenant in READS:
        assert connection.execute(sql).fetchall() == main, sql
        assert connection.execute(f"{sql} WHERE namespace = 'tenant-a'").fetchall() == tenant, sql
    for namespace, version, messages in ((None, 2, 5), ("tenant-a", 1, 2)):
        assert value(connection, "SELECT stream_version('account-1', ?)", namespace) == version
        assert value(connection, "SELECT stream_version('unknown-1', ?)", namespace) is None
        assert value(connection, "SELECT message_count FROM stats(?)", namespace) == messages
    assert value(connection, "SELECT count(*) FROM list_namespaces()") == 2


def test_an_old_file_is_read_as_it_is():
    with OldStore() as store:
        before = contents(store.path()), contents(store.tenant())
        connection = connect(store.path())
        check_reads(connection)
        connection.execute("BEGIN")
        check_reads(connection)
        connection.execute("COMMIT")
        connection.close()
        connection = connect(f"file:{store.path()}?mode=ro", uri=True)
        check_reads(connection)
        message, code = failure(connection, "SELECT write_message(NULL, 'a-1', 'T', '{}')")
        assert (message, code) == ("attempt to write a readonly database", "SQLITE_READONLY"), (message, code)
        check_reads(connection)
        connection.close()
        assert (contents(store.path()), contents(store.tenant())) == before
        assert state(store.path()) == state(store.tenant()) == 1


WRITES = (
    "SELECT write_message(NULL, 'new-1', 'T', '{}', NULL, NULL, NS)",
    "SELECT write_messages('new-1', '[{\"type\": \"T\"}]', NULL, NS)",
    "SELECT import_messages('[{\"id\": \"00000000-0000-4000-8000-0000000000ff\", \"stream_name\": \"new-1\", \"type\": \"T\","
    " \"position\": 0, \"global_position\": 9, \"time\": \"2026-01-31 12:00:00\"}]', NS)",
    "SELECT delete_stream('account-1', NS)",
    "SELECT delete_stream('unknown-1', NS)",
    "SELECT truncate_stream('account-1', 1, NS)",
    "SELECT redact_message('00000000-0000-4000-8000-00000000000' || iif(NS IS NULL, 1, 6), NS)",
    "SELECT record_consumer_position('account', 'totals', 1, NULL, NS)",
    "SELECT clear_namespace(ifnull(NS, 'message_store'))",
    "SELECT set_namespace_option(ifnull(NS, 'message_store'), 'notify', 'on')",
)


def test_every_function_that_writes_upgrades_its_own_file():
    for sql in WRITES:
        for namespace, path, other in (("NULL", "path", "tenant"), ("'tenant-a'", "tenant", "path")):
            with OldStore() as store:
                connection = connect(store.path())
                connection.execute(sql.replace("NS", namespace)).fetchall()
                assert state(getattr(store, path)()) == 2, sql
                assert state(getattr(store, other)()) == 1, sql
                assert value(connection, "PRAGMA integrity_check") == "ok"
                connection.close()
    for sql in ("SELECT message_store_init()", "SELECT create_namespace('tenant-b')"):
        with OldStore() as store:
            connect(store.path()).execute(sql).fetchall()
            assert state(store.path()) == 2, sql


def test_what_was_there_stays():
    with OldStore() as store:
        connection = connect(store.path())
        everything = "SELECT * FROM get_all_messages(1, -1, ?)"
        for namespace, version, last in ((None, 2, 5), ("tenant-a", 1, 2)):
            before = connection.execute(everything, (namespace,)).fetchall()
            assert value(connection, "SELECT record_consumer_position('account', 'totals', 0, NULL, ?)", namespace) == 0
            assert len(before) == last and connection.execute(everything, (namespace,)).fetchall() == before
            assert write(connection, "account-1", expected=version, namespace=namespace) == version + 1
            assert value(connection, "SELECT last_global_position FROM stats(?)", namespace) == last + 1
        plain = sqlite3.connect(store.tenant())
        row = plain.execute("SELECT store_id, append_lock, notify FROM message_store_schema").fetchone()
        assert row == ("01a207a9-13b6-7736-9dce-99e2ea469e37", "stream", "off"), row
        assert value(connection, "SELECT delete_stream('account-1', 'tenant-a')") == 3
        assert write(connection, "account-1", expected=2, namespace="tenant-a") == 3
        assert value(connection, "SELECT delete_namespace('tenant-a')") == "tenant-a"
        assert os.listdir(f"{store.path()}-namespaces") == []


def test_an_old_namespace_is_deleted():
    with OldStore() as store:
        connection = connect(store.path())
        assert value(connection, "SELECT delete_namespace('tenant-a')") == "tenant-a"
        assert os.listdir(f"{store.path()}-namespaces") == []


def test_an_upgrade_follows_the_transaction():
    for namespace, path in ((None, "path"), ("tenant-a", "tenant")):
        with OldStore() as store:
            connection = connect(store.path())
            path = getattr(store, path)()
            # A call that is refused upgrades nothing when the transaction is its own.
            failure(connection, "SELECT write_message(NULL, 'account-1', 'T', '{}', NULL, 9, ?)", namespace)
            failure(connection, "SELECT redact_message(NULL, ?)", namespace)
            assert state(path) == 1
            for _ in range(2):
                connection.execute("BEGIN IMMEDIATE")
                write(connection, "account-1", namespace=namespace)
                connection.execute("ROLLBACK")
                assert state(path) == 1
                assert value(connection, "SELECT stream_version('unknown-1', ?)", namespace) is None
                assert connection.execute("SELECT * FROM consumer_positions(NULL, ?)", (namespace,)).fetchall() == []
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("SAVEPOINT s")
                value(connection, "SELECT delete_stream('account-1', ?)", namespace)
                connection.execute("ROLLBACK TO s")
                connection.execute("ROLLBACK")
            check_reads(connection)
            assert write(connection, "new-1", namespace=namespace, expected=-1) == 0
            assert state(path) == 2
            connection.execute("BEGIN IMMEDIATE")
            failure(connection, "SELECT write_message(NULL, 'account-1', 'T', '{}', NULL, 9, ?)", namespace)
            connection.execute("COMMIT")
            assert state(path) == 2


def test_an_upgrade_in_a_statement_that_writes():
    with OldStore() as store:
        connection = connect(store.path())
        connection.execute("CREATE TABLE positions (p)")
        connection.execute("INSERT INTO positions SELECT write_message(NULL, stream_name, 'T', '{}') FROM list_streams()")
        assert connection.execute("SELECT p FROM positions").fetchall() == [(3,), (1,), (1,)]
        assert state(store.path()) == 2
    with OldStore() as store:
        connection = connect(store.path())
        # A cursor of the host's is open meanwhile.
        positions = [write(connection, row[0]) for row in connection.execute("SELECT stream_name FROM get_all_messages()")]
        assert positions == [3, 4, 1, 1, 5] and state(store.path()) == 2


def test_an_upgrade_that_was_cut_off_is_finished():
    with OldStore() as store:
        plain = sqlite3.connect(store.path(), isolation_level=None)
        plain.execute("ALTER TABLE message_store_schema ADD COLUMN notify TEXT NOT NULL DEFAULT 'off'")
        plain.execute("CREATE TABLE message_store_stream_heads (stream_name TEXT PRIMARY KEY NOT NULL, position INTEGER NOT NULL) WITHOUT ROWID")
        connection = connect(store.path())
        assert write(connection, "account-1") == 3
        assert state(store.path()) == 2


def test_a_reader_notices_what_another_connection_upgrades_and_removes():
    with OldStore() as store:
        for namespace in (None, "tenant-a"):
            reader, writer = connect(store.path()), connect(store.path())
            stream = "SELECT stream_version('account-1', ?)"
            before = value(reader, stream, namespace)
            assert reader.execute("SELECT * FROM consumer_positions(NULL, ?)", (namespace,)).fetchall() == []
            value(writer, "SELECT delete_stream('account-1', ?)", namespace)
            value(writer, "SELECT record_consumer_position('account', 'totals', 7, NULL, ?)", namespace)
            assert value(reader, stream, namespace) == before
            rows = reader.execute("SELECT consumer, position FROM consumer_positions(NULL, ?)", (namespace,)).fetchall()
            assert rows == [("totals", 7)]
            assert write(reader, "account-1", namespace=namespace) == before + 1


def test_a_locked_old_file():
    with OldStore() as store:
        first, second = connect(store.path()), connect(store.path(), timeout=0.1)
        first.execute("BEGIN IMMEDIATE")
        message, code = failure(second, "SELECT write_message(NULL, 'a-1', 'T', '{}')")
        assert (message, code) == ("database is locked", "SQLITE_BUSY"), (message, code)
        first.execute("ROLLBACK")
        assert state(store.path()) == 1
        assert write(second, "account-1") == 3


def test_several_processes_upgrade_at_once():
    for journal in ("wal", "delete"):
        for _ in range(5):
            with OldStore() as store:
                sqlite3.connect(store.path()).execute(f"PRAGMA journal_mode = {journal}")
                processes = [Writer(store.path(), str(number), 0.2) for number in range(4)]
                for process in processes:
                    process.wait()
                    assert process.last.startswith("done "), (journal, process.last)
                assert state(store.path()) == 2
                connection = connect(store.path())
                acknowledged = sum(len(process.acknowledged) for process in processes)
                assert value(connection, "SELECT count(*) FROM messages") == 5 + acknowledged
                assert value(connection, "PRAGMA integrity_check") == "ok"


def test_a_killed_upgrade_leaves_one_version_or_the_other():
    script = "import sys; sys.path.insert(0, sys.argv[1]); from host import *; c = connect(sys.argv[2]); print(flush=True); write(c, 'account-1')"
    for number in range(10):
        with OldStore() as store:
            process = subprocess.Popen([sys.executable, "-B", "-c", script, host.HERE, store.path()], stdout=subprocess.PIPE)
            process.stdout.readline()
            for _ in range(number * 300):
                pass
            process.kill()
            process.communicate()
            connection = connect(store.path())
            position = value(connection, "SELECT stream_version('account-1')")
            # With what was being written, or without it.
            assert position == state(store.path()) + 1, position
            assert write(connection, "account-1") == position + 1
            assert value(connection, "PRAGMA integrity_check") == "ok"

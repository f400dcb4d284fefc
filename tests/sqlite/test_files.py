"""What a bad file, a bad disk and a bad moment get: a clear error, the right code, nothing lost, the connection usable."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys

import host
from host import Directory, connect, failure, load, value, write


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_loading_changes_no_file():
    with Directory() as directory:
        path = directory.path()
        connection = connect(path)
        assert connection.execute("SELECT * FROM get_all_messages()").fetchall() == []
        assert value(connection, "SELECT stream_version('a-1')") is None
        connection.close()
        assert os.path.getsize(path) == 0
        connection = connect(path)
        assert value(connection, "SELECT message_store_init()") == "message_store"
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert {"messages", "message_store_schema", "message_store_namespaces"} <= tables


def test_a_new_file_is_its_owners_only():
    with Directory() as directory:
        old = os.umask(0o022)
        try:
            for journal in ("delete", "wal"):
                path = directory.path(f"{journal}.db")
                connection = connect(path)
                connection.execute(f"PRAGMA journal_mode = {journal}")
                write(connection, "a-1")
                value(connection, "SELECT create_namespace('tenant')")
                write(connection, "a-1", namespace="tenant")
                files = [path, f"{path}-namespaces/tenant.db"]
                files += [f + s for f in files for s in ("-wal", "-shm") if os.path.exists(f + s)]
                assert len(files) == (2 if journal == "delete" else 6), files
                for file in files:
                    assert mode(file) == 0o600, (file, oct(mode(file)))
                assert mode(f"{path}-namespaces") == 0o700
                connection.close()
            # One that the user has put something into keeps its mode.
            path = directory.path("used.db")
            connection = connect(path)
            connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
            write(connection, "a-1")
            assert mode(path) == 0o644
        finally:
            os.umask(old)


def test_a_file_that_is_no_database():
    with Directory() as directory:
        path = directory.path()
        with open(path, "wb") as file:
            file.write(b"this is no database at all " * 100)
        connection = sqlite3.connect(path, isolation_level=None)
        load(connection)
        for sql in (
            "SELECT write_message(NULL, 'a-1', 'T', '{}')",
            "SELECT * FROM get_stream_messages('a-1')",
            "SELECT stream_version('a-1')",
            "SELECT create_namespace('t')",
            "SELECT write_messages('a-1', '[]')",
        ):
            message, code = failure(connection, sql)
            assert (message, code) == ("file is not a database", "SQLITE_NOTADB"), (sql, message, code)
        assert value(connection, "SELECT category('a-1')") == "a"
        connection.close()


def test_a_read_only_file():
    with Directory() as directory:
        path = directory.path()
        connection = connect(path)
        write(connection, "a-1")
        connection.close()
        connection = connect(f"file:{path}?mode=ro", uri=True)
        message, code = failure(connection, "SELECT write_message(NULL, 'a-1', 'T', '{}')")
        assert (message, code) == ("attempt to write a readonly database", "SQLITE_READONLY"), (message, code)
        assert value(connection, "SELECT stream_version('a-1')") == 0
        assert value(connection, "SELECT count(*) FROM get_stream_messages('a-1')") == 1
        message, code = failure(connection, "SELECT create_namespace('t')")
        assert code == "SQLITE_READONLY", (message, code)


def test_a_full_disk():
    with Directory() as directory:
        for transaction in (False, True):
            connection = connect(directory.path(f"{transaction}.db"))
            write(connection, "a-1")
            pages = value(connection, "PRAGMA page_count")
            connection.execute(f"PRAGMA max_page_count = {pages + 1}")
            if transaction:
                connection.execute("BEGIN IMMEDIATE")
            written = 1
            big = '"' + "x" * 3000 + '"'
            while True:
                try:
                    write(connection, "a-1", data=big)
                    written += 1
                except sqlite3.Error as error:
                    assert error.sqlite_errorname == "SQLITE_FULL", error
                    assert str(error) == "database or disk is full", error
                    break
            if transaction:
                # Whether SQLite has ended the host's transaction is up to SQLite.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                written = 1
            else:
                batch = f"[{', '.join(['{' + chr(34) + 'type' + chr(34) + ': ' + big + '}'] * 3)}]"
                message, code = failure(connection, "SELECT write_messages('a-1', ?)", batch)
                assert code == "SQLITE_FULL", (message, code)
            connection.execute("PRAGMA max_page_count = 1000000")
            assert value(connection, "SELECT count(*) FROM get_stream_messages('a-1')") == written
            assert write(connection, "a-1", expected=written - 1) == written
            assert value(connection, "PRAGMA integrity_check") == "ok"
            connection.close()


def test_a_disk_that_is_really_full():
    with Directory() as directory:
        for journal in ("delete", "wal"):
            disk = directory.path(journal)
            os.mkdir(disk)
            # The mount is gone with the process.
            for unshare in (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"]):
                command = [*unshare, sys.executable, "-B", os.path.join(host.HERE, "full_disk.py"), disk, journal]
                run = subprocess.run(command, capture_output=True, text=True)
                if run.returncode == 0 or "Traceback" in run.stderr:
                    break
            if "Traceback" not in run.stderr and (run.returncode or run.stdout.startswith("LEFT OUT")):
                host.leave_out(f"a full disk, for nothing may be mounted here: {run.stdout}{run.stderr}".rstrip())
                return
            assert run.returncode == 0, run.stderr
            print(f"   {journal}: {run.stdout.strip()}")


def test_a_newer_schema():
    with Directory() as directory:
        path = directory.path()
        connection = connect(path)
        write(connection, "a-1")
        value(connection, "SELECT create_namespace('t')")
        connection.execute("UPDATE message_store_schema SET version = 99")
        connection.close()
        connection = connect(path)
        wanted = "Message store is newer than this extension: message_store (schema version 99, the extension knows 2)"
        for sql in (
            "SELECT write_message(NULL, 'a-1', 'T', '{}')",
            "SELECT * FROM get_stream_messages('a-1')",
            "SELECT stream_version('a-1')",
            "SELECT * FROM list_streams()",
            "SELECT * FROM stats()",
            "SELECT * FROM consumer_positions()",
            "SELECT record_consumer_position('a', 'c', 1)",
            "SELECT delete_stream('a-1')",
            "SELECT truncate_stream('a-1', 1)",
            "SELECT redact_message(NULL)",
            "SELECT message_store_init()",
        ):
            assert failure(connection, sql) == (wanted, "SQLITE_ERROR"), sql
        connection.execute("UPDATE message_store_schema SET version = 2")
        assert write(connection, "a-1") == 1
        other = sqlite3.connect(f"{path}-namespaces/t.db")
        other.execute("UPDATE message_store_schema SET version = 7")
        other.commit()
        other.close()
        message, code = failure(connection, "SELECT write_message(NULL, 'a-1', 'T', '{}', NULL, NULL, 't')")
        assert message == wanted.replace("message_store (", "t (").replace("99", "7"), message


def test_a_table_messages_that_is_not_ours():
    with Directory() as directory:
        connection = connect(directory.path())
        connection.execute("CREATE TABLE messages (body TEXT)")
        for sql in (
            "SELECT write_message(NULL, 'a-1', 'T', '{}')",
            "SELECT * FROM get_stream_messages('a-1')",
            "SELECT message_store_init()",
        ):
            assert failure(connection, sql) == ("Not a message store: message_store", "SQLITE_ERROR"), sql
        assert value(connection, "SELECT count(*) FROM sqlite_master") == 1


def test_a_locked_file():
    with Directory() as directory:
        path = directory.path()
        first, second = connect(path), connect(path, timeout=0.2)
        write(first, "a-1")
        first.execute("BEGIN IMMEDIATE")
        write(first, "a-1")
        message, code = failure(second, "SELECT write_message(NULL, 'a-1', 'T', '{}')")
        assert (message, code) == ("database is locked", "SQLITE_BUSY"), (message, code)
        assert not second.in_transaction
        first.execute("COMMIT")
        assert write(second, "a-1", expected=1) == 2
        # A first write to a locked file that has no tables yet.
        path = directory.path("new.db")
        first, second = connect(path), connect(path, timeout=0.2)
        first.execute("CREATE TABLE t (x)")
        first.execute("BEGIN EXCLUSIVE")
        message, code = failure(second, "SELECT write_message(NULL, 'a-1', 'T', '{}')")
        assert code == "SQLITE_BUSY", (message, code)
        first.execute("ROLLBACK")
        assert write(second, "a-1") == 0


def test_a_host_without_a_timeout_waits_all_the_same():
    with Directory() as directory:
        path = directory.path()
        first, second = connect(path), connect(path, timeout=0)
        write(first, "a-1")
        first.execute("BEGIN IMMEDIATE")
        value(second, "SELECT set_config('message_store.busy_timeout', '300', false)")
        message, code = failure(second, "SELECT write_message(NULL, 'a-1', 'T', '{}')")
        assert code == "SQLITE_BUSY", (message, code)
        value(second, "SELECT set_config('message_store.busy_timeout', '5000', false)")
        import threading

        def commit():
            releaser.wait(0.3)
            first_thread.execute("COMMIT")

        first.execute("ROLLBACK")
        first_thread = connect(path, check_same_thread=False)
        first_thread.execute("BEGIN IMMEDIATE")
        releaser = threading.Event()
        thread = threading.Thread(target=commit)
        thread.start()
        assert write(second, "a-1") == 1
        thread.join()


def test_a_file_written_by_us_belongs_to_a_plain_sqlite_too():
    with Directory() as directory:
        path = directory.path()
        connection = connect(path)
        for stream in ("account-1", "account-2", "order-1"):
            write(connection, stream, metadata='{"correlationStreamName": "saga-1"}')
        connection.close()
        plain = sqlite3.connect(path, isolation_level=None)
        category = "substr(stream_name, 1, instr(stream_name || '-', '-') - 1)"
        query = f"SELECT stream_name FROM messages WHERE {category} = 'account' AND global_position >= 1"
        assert plain.execute(query).fetchall() == [("account-1",), ("account-2",)]
        plan = " ".join(row[3] for row in plain.execute(f"EXPLAIN QUERY PLAN {query}"))
        assert "messages_category" in plan, plan
        plain.execute("INSERT INTO messages (stream_name, position, type, data) VALUES ('account-1', 1, 'Plain', '{}')")
        plain.execute("UPDATE messages SET data = '{\"x\": 1}' WHERE type = 'Plain'")
        assert len(plain.execute("SELECT * FROM category_type_summary").fetchall()) == 3
        assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        plain.execute("VACUUM")
        plain.close()
        connection = connect(path)
        assert write(connection, "account-1", expected=1) == 2
        row = connection.execute(
            "SELECT id, type, position, data, time FROM get_stream_messages('account-1', 1, 1)"
        ).fetchone()
        assert row[1:4] == ("Plain", 1, '{"x": 1}') and len(row[0]) == 36 and len(row[4]) == 26, row
        assert value(connection, "PRAGMA integrity_check") == "ok"
        shell = subprocess.run(
            ["/usr/bin/sqlite3", path, "SELECT count(*) FROM messages; PRAGMA integrity_check;"],
            capture_output=True, text=True, check=True,
        )
        assert shell.stdout.split() == ["5", "ok"], shell


def test_a_copied_file_is_a_store():
    with Directory() as directory:
        connection = connect(directory.path())
        write(connection, "a-1")
        connection.close()
        shutil.copy(directory.path(), directory.path("copy.db"))
        assert write(connect(directory.path("copy.db")), "a-1") == 1


def test_a_database_in_utf_16():
    with Directory() as directory:
        connection = connect(directory.path())
        connection.execute("PRAGMA encoding = 'UTF-16'")
        assert write(connection, "straße-é日", kind="🙂", data='{"é": "日本"}', metadata='{"correlationStreamName": "é-1"}') == 0
        assert value(connection, "PRAGMA encoding").startswith("UTF-16")
        wanted = [("straße-é日", "🙂", '{"é": "日本"}')]
        columns = "SELECT stream_name, type, data FROM"
        for source in ("get_stream_messages('straße-é日')", "get_category_messages('straße', NULL, NULL, 'é')",
                       "get_category_messages('straße', NULL, NULL, NULL, 0, 1)", "get_all_messages()"):
            assert connection.execute(f"{columns} {source}").fetchall() == wanted, source
        assert connection.execute("SELECT * FROM list_streams('stra')").fetchall() == [("straße-é日", 0, 1)]
        assert connection.execute("SELECT * FROM list_categories()").fetchall() == [("straße", 1, 1)]


def test_a_text_with_a_nul_inside_is_read_whole():
    with Directory() as directory:
        connection = connect(directory.path())
        write(connection, "a-1", data='{"a": 1}')
        connection.execute("UPDATE messages SET type = CAST(x'610062' AS TEXT)")
        for source in ("get_stream_messages('a-1')", "get_category_messages('a')", "get_all_messages()"):
            found = value(connection, f"SELECT hex(type) || ' ' || length(CAST(type AS BLOB)) FROM {source}")
            assert found == "610062 3", found

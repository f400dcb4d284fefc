"""Namespaces as files: made, attached, deleted, broken."""

import os
import sqlite3
import subprocess
import sys
import threading
import time

from host import Directory, connect, failure, value, write


def file(directory, name, main="store.db"):
    return directory.path(f"{main}-namespaces/{name}.db")


def test_two_hundred_namespaces_in_turn():
    with Directory() as directory:
        for path in (directory.path(), ":memory:"):
            connection = connect(path)
            for number in range(200):
                value(connection, "SELECT create_namespace(?)", f"tenant-{number}")
            for turn in range(2):
                for number in range(200):
                    assert write(connection, "account-1", namespace=f"tenant-{number}") == turn
            for number in range(200):
                assert value(connection, "SELECT stream_version('account-1', ?)", f"tenant-{number}") == 1
            assert value(connection, "SELECT count(*) FROM list_namespaces()") == 201
            assert value(connection, "SELECT count(*) FROM messages") == 0
            connection.close()


def test_too_many_namespaces_in_one_transaction_are_refused_in_words():
    with Directory() as directory:
        connection = connect(directory.path())
        for number in range(12):
            value(connection, "SELECT create_namespace(?)", f"tenant-{number}")
        connection.execute("BEGIN")
        for number in range(10):
            write(connection, "account-1", namespace=f"tenant-{number}")
        message, code = failure(connection, "SELECT write_message(NULL, 'a-1', 'T', '{}', NULL, NULL, 'tenant-11')")
        assert message.startswith("too many attached databases"), message
        connection.execute("COMMIT")
        assert write(connection, "account-1", namespace="tenant-11") == 0
        assert value(connection, "SELECT stream_version('account-1', 'tenant-0')") == 0


def test_the_users_own_attached_databases_stay():
    with Directory() as directory:
        connection = connect(directory.path())
        for number in range(8):
            connection.execute(f"ATTACH ':memory:' AS own_{number}")
        for number in range(6):
            value(connection, "SELECT create_namespace(?)", f"tenant-{number}")
        for number in range(6):
            write(connection, "account-1", namespace=f"tenant-{number}")
        names = {row[1] for row in connection.execute("PRAGMA database_list")}
        assert {f"own_{number}" for number in range(8)} <= names


def test_a_namespace_is_as_durable_as_the_main_file():
    with Directory() as directory:
        path = directory.path()
        value(connect(path), "SELECT create_namespace('tenant-a')")
        for level in range(4):
            connection = connect(path)
            connection.execute(f"PRAGMA synchronous = {level}")
            write(connection, "a-1", namespace="tenant-a")
            assert value(connection, 'PRAGMA "message_store:tenant-a".synchronous') == level
            connection.close()


def test_a_file_deleted_underneath():
    with Directory() as directory:
        connection = connect(directory.path())
        value(connection, "SELECT create_namespace('tenant-a')")
        write(connection, "a-1", namespace="tenant-a")
        os.unlink(file(directory, "tenant-a"))
        for sql in (
            "SELECT write_message(NULL, 'a-1', 'T', '{}', NULL, NULL, 'tenant-a')",
            "SELECT stream_version('a-1', 'tenant-a')",
            "SELECT * FROM get_stream_messages('a-1', NULL, NULL, NULL, 'tenant-a')",
            "SELECT * FROM list_streams(NULL, NULL, NULL, 'tenant-a')",
        ):
            assert failure(connection, sql) == ("Namespace file is missing: tenant-a", "SQLITE_CANTOPEN"), sql
        assert not os.path.exists(file(directory, "tenant-a"))
        assert write(connection, "a-1") == 0
        assert value(connection, "SELECT delete_namespace('tenant-a')") == "tenant-a"
        assert value(connection, "SELECT create_namespace('tenant-a')") == "tenant-a"
        assert write(connection, "a-1", namespace="tenant-a") == 0


def test_deleted_and_made_again_by_another_connection():
    with Directory() as directory:
        for journal in ("delete", "wal"):
            path = directory.path(f"{journal}.db")
            first, second = connect(path), connect(path)
            first.execute(f"PRAGMA journal_mode = {journal}")
            value(first, "SELECT create_namespace('tenant-a')")
            write(first, "a-1", namespace="tenant-a")
            assert write(second, "a-1", namespace="tenant-a") == 1
            value(first, "SELECT delete_namespace('tenant-a')")
            for sql in (
                "SELECT write_message(NULL, 'a-1', 'T', '{}', NULL, NULL, 'tenant-a')",
                "SELECT stream_version('a-1', 'tenant-a')",
                "SELECT * FROM get_category_messages('a', NULL, NULL, NULL, NULL, NULL, NULL, 'tenant-a')",
            ):
                assert failure(second, sql) == ("Namespace does not exist: tenant-a", "SQLITE_ERROR"), sql
            value(first, "SELECT create_namespace('tenant-a')")
            write(first, "b-1", namespace="tenant-a")
            assert value(second, "SELECT stream_version('a-1', 'tenant-a')") is None
            assert write(second, "b-1", namespace="tenant-a", expected=0) == 1


def test_a_foreign_file_is_neither_adopted_nor_dropped():
    with Directory() as directory:
        connection = connect(directory.path())
        value(connection, "SELECT create_namespace('first')")
        with open(file(directory, "junk"), "wb") as junk:
            junk.write(b"not a database, but somebody's" * 50)
        other = sqlite3.connect(file(directory, "other"))
        other.execute("CREATE TABLE precious (x)")
        other.commit()
        other.close()
        words = "Not a registered namespace: {} (a schema or file of that name exists)"
        for name in ("junk", "other"):
            assert failure(connection, f"SELECT create_namespace('{name}')")[0] == words.format(name)
            assert failure(connection, f"SELECT register_namespace('{name}')")[0] == f"Not a message store: {name}"
            assert failure(connection, f"SELECT delete_namespace('{name}')")[0] == f"Namespace does not exist: {name}"
            assert os.path.getsize(file(directory, name)) > 0


def test_a_file_brought_from_elsewhere_is_registered():
    with Directory() as directory:
        one = connect(directory.path("one.db"))
        value(one, "SELECT create_namespace('tenant-a')")
        write(one, "a-1", namespace="tenant-a")
        one.close()
        two = connect(directory.path("two.db"))
        value(two, "SELECT create_namespace('x')")
        os.rename(file(directory, "tenant-a", "one.db"), file(directory, "tenant-a", "two.db"))
        assert failure(two, "SELECT create_namespace('tenant-a')")[0].startswith("Not a registered namespace")
        assert value(two, "SELECT register_namespace('tenant-a', 'hash')") == "tenant-a"
        assert write(two, "a-1", namespace="tenant-a", expected=0) == 1
        assert failure(two, "SELECT register_namespace('tenant-a')")[0] == "Namespace already exists: tenant-a"


def test_other_objects_stop_a_deletion():
    with Directory() as directory:
        connection = connect(directory.path())
        value(connection, "SELECT create_namespace('tenant-a')")
        other = sqlite3.connect(file(directory, "tenant-a"))
        other.execute("CREATE TABLE notes (x REFERENCES messages)")
        other.execute("CREATE VIEW \"odd \"\"view\" AS SELECT * FROM notes")
        other.execute("CREATE INDEX messages_time ON messages (time)")
        other.commit()
        other.close()
        message, _ = failure(connection, "SELECT delete_namespace('tenant-a')")
        assert message == "Namespace contains other objects: tenant-a (messages_time, notes, odd \"view)", message
        write(connection, "a-1", namespace="tenant-a")
        assert value(connection, "SELECT delete_namespace('tenant-a', true)") == "tenant-a"
        assert os.listdir(f"{directory.path()}-namespaces") == []


def test_in_a_transaction_of_the_hosts():
    with Directory() as directory:
        connection = connect(directory.path())
        write(connection, "a-1")
        for end in ("ROLLBACK", "COMMIT"):
            connection.execute("BEGIN IMMEDIATE")
            value(connection, "SELECT create_namespace('tenant-a')")
            write(connection, "a-1", namespace="tenant-a")
            connection.execute(end)
        assert value(connection, "SELECT stream_version('a-1', 'tenant-a')") == 0
        connection.execute("BEGIN IMMEDIATE")
        value(connection, "SELECT delete_namespace('tenant-a')")
        connection.execute("ROLLBACK")
        assert write(connection, "a-1", namespace="tenant-a", expected=0) == 1
        connection.execute("BEGIN IMMEDIATE")
        value(connection, "SELECT delete_namespace('tenant-a')")
        connection.execute("COMMIT")
        assert failure(connection, "SELECT stream_version('a-1', 'tenant-a')")[0] == "Namespace does not exist: tenant-a"
        value(connection, "SELECT create_namespace('tenant-a')")
        assert write(connection, "a-1", namespace="tenant-a") == 0


def test_names_never_become_paths():
    with Directory() as directory:
        connection = connect(directory.path())
        before = set(os.listdir(directory.name))
        for name in ("../x", "a/b", "x.db", ".", "..", "A", "a b", "é", "-a", "x" * 64):
            message, _ = failure(connection, "SELECT create_namespace(?)", name)
            assert message.startswith("Invalid namespace name: "), message
        assert set(os.listdir(directory.name)) == before


def test_a_directory_that_cannot_be_written():
    with Directory() as directory:
        connection = connect(directory.path())
        with open(f"{directory.path()}-namespaces", "w") as blocker:
            blocker.write("a file where the directory should be")
        message, code = failure(connection, "SELECT create_namespace('tenant-a')")
        assert code == "SQLITE_CANTOPEN" and message.startswith("tenant-a.db cannot be created"), (message, code)
        assert value(connection, "SELECT count(*) FROM list_namespaces()") == 1
        assert write(connection, "a-1") == 0


def test_racing_creators_and_deleters():
    with Directory() as directory:
        path = directory.path()
        connect(path).execute("PRAGMA journal_mode = wal")
        problems = []
        allowed = ("Namespace already exists", "Namespace does not exist")

        def work(number):
            connection = connect(path, timeout=20)
            for turn in range(25):
                sql = ("SELECT create_namespace('t')", "SELECT delete_namespace('t')",
                       "SELECT write_message(NULL, 'a-1', 'T', '{}', NULL, NULL, 't')")[(turn + number) % 3]
                try:
                    connection.execute(sql).fetchall()
                except sqlite3.Error as error:
                    if not str(error).startswith(allowed):
                        problems.append((sql, str(error), getattr(error, "sqlite_errorname", None)))
            connection.close()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not problems, problems
        connection = connect(path)
        try:
            value(connection, "SELECT create_namespace('t')")
        except sqlite3.Error as error:
            assert str(error) == "Namespace already exists: t"
        write(connection, "a-1", namespace="t")
        assert value(connection, "PRAGMA integrity_check") == "ok"


def test_a_namespace_deleted_and_created_in_one_transaction():
    for mode in ("delete", "wal"):
        with Directory() as directory:
            connection = connect(directory.path(), timeout=0.5)
            connection.execute(f"PRAGMA journal_mode = {mode}")
            value(connection, "SELECT create_namespace('tenant-a')")
            write(connection, "a-1", namespace="tenant-a")
            started = time.monotonic()
            for end, version in (("ROLLBACK", 0), ("COMMIT", None)):
                connection.execute("BEGIN IMMEDIATE")
                for _ in range(2):
                    assert value(connection, "SELECT delete_namespace('tenant-a')") == "tenant-a"
                    assert value(connection, "SELECT create_namespace('tenant-a')") == "tenant-a"
                    assert write(connection, "a-1", namespace="tenant-a", expected=-1) == 0
                value(connection, "SELECT delete_stream('a-1', 'tenant-a')")
                value(connection, "SELECT delete_namespace('tenant-a')")
                value(connection, "SELECT create_namespace('tenant-a')")
                connection.execute(end)
                assert value(connection, "SELECT stream_version('a-1', 'tenant-a')") == version, (mode, end)
            assert time.monotonic() - started < 2
            # A file of somebody else's in the same place is left alone.
            value(connection, "SELECT delete_namespace('tenant-a')")
            sqlite3.connect(f"{directory.path()}-namespaces/tenant-b.db").execute("CREATE TABLE t (n)")
            message, _ = failure(connection, "SELECT create_namespace('tenant-b')")
            assert message == "Not a registered namespace: tenant-b (a schema or file of that name exists)"


def test_what_a_killed_process_left_beside_a_removed_file_is_not_the_new_ones():
    with Directory() as directory:
        child = f"""
import os, sys
sys.path.insert(0, {os.path.dirname(os.path.abspath(__file__))!r})
from host import connect, value, write
connection = connect({directory.path()!r})
connection.execute("PRAGMA journal_mode = wal")
value(connection, "SELECT create_namespace('tenant-a')")
for number in range(20):
    write(connection, f"a-{{number}}", namespace="tenant-a")
os._exit(0)
"""
        subprocess.run([sys.executable, "-c", child], check=True)
        file = f"{directory.path()}-namespaces/tenant-a.db"
        assert os.path.getsize(f"{file}-wal") > 0
        os.unlink(file)
        connection = connect(directory.path())
        value(connection, "SELECT delete_namespace('tenant-a')")
        value(connection, "SELECT create_namespace('tenant-a')")
        assert connection.execute("SELECT * FROM get_all_messages(1, -1, 'tenant-a')").fetchall() == []
        assert write(connection, "a-1", namespace="tenant-a") == 0
        assert value(connection, 'PRAGMA "message_store:tenant-a".integrity_check') == "ok"


def test_a_main_file_in_utf_16():
    with Directory() as directory:
        connection = connect(directory.path())
        connection.execute("PRAGMA encoding = 'UTF-16le'")
        value(connection, "SELECT create_namespace('tenant-a')")
        for namespace in (None, "tenant-a"):
            write(connection, "straße-1", kind="Geöffnet", data='{"name": "Ada"}', namespace=namespace)
            rows = connection.execute("SELECT stream_name, type, data FROM get_category_messages('straße', NULL, NULL, NULL, NULL, NULL, NULL, ?)", (namespace,))
            assert rows.fetchall() == [("straße-1", "Geöffnet", '{"name": "Ada"}')]


def test_a_database_in_memory_that_has_the_name_of_a_file():
    with Directory() as directory:
        connection = connect(f"file:{directory.path()}?vfs=memdb", uri=True)
        value(connection, "SELECT create_namespace('tenant-a')")
        assert write(connection, "a-1", namespace="tenant-a") == 0
        assert os.listdir(directory.name) == []
        other = connect(directory.path("other.db"))
        write(other, "a-1")
        connection = connect(directory.path("third.db"))
        os.chdir(directory.name)
        try:
            connection.deserialize(other.serialize())
            value(connection, "SELECT create_namespace('tenant-a')")
            assert write(connection, "a-1", namespace="tenant-a") == 0 and write(connection, "a-1") == 1
            assert [name for name in os.listdir(".") if name.endswith("-namespaces")] == []
        finally:
            os.chdir("/")


def test_a_namespace_that_the_host_has_detached():
    with Directory() as directory:
        connection = connect(directory.path())
        value(connection, "SELECT create_namespace('tenant-a')")
        write(connection, "a-1", namespace="tenant-a")
        for call in ("SELECT stream_version('a-1', 'tenant-a')", "SELECT count(*) FROM get_stream_messages('a-1', 0, 10, NULL, 'tenant-a')"):
            connection.execute('DETACH "message_store:tenant-a"')
            assert value(connection, call) in (0, 1)
        connection.execute('DETACH "message_store:tenant-a"')
        assert value(connection, "SELECT delete_namespace('tenant-a')") == "tenant-a"


def test_tables_of_somebody_elses_in_memory_are_left_alone():
    connection = connect()
    connection.execute('CREATE TABLE "tenant-a:messages" (n)')
    message, _ = failure(connection, "SELECT create_namespace('tenant-a')")
    assert message == "Not a registered namespace: tenant-a (a schema or file of that name exists)"

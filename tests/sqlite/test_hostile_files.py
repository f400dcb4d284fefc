"""Files that are broken, or made by somebody who means no good: each function answers, or has SQLite's own error; none
takes the host along, and none writes a message that is not there.

`MESSAGE_STORE_BROKEN_FILES` says how many files are broken by chance.
"""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys

import every_function
import host
from host import Directory, connect, failure, value, write

BROKEN = int(os.environ.get("MESSAGE_STORE_BROKEN_FILES", "60"))


def store(path, messages=200):
    """A store of many pages, with everything in it that a store has."""
    connection = connect(path)
    connection.execute("PRAGMA page_size = 1024")
    connection.execute("BEGIN")
    value(connection, "SELECT message_store_init()")
    connection.execute("COMMIT")
    value(connection, "SELECT create_namespace('tenant', 'hash')")
    for namespace in (None, "tenant"):
        connection.execute("BEGIN")
        for number in range(messages):
            message_id = f"00000000-0000-4000-8000-{number:012x}"
            stream = f"{['account', 'order', 'delivery'][number % 3]}-{number % 7}"
            write(connection, stream, data='{"filler": "%s"}' % ("x" * (number % 50)), metadata='{"correlationStreamName": "order-1"}',
                  namespace=namespace, message_id=message_id)
        for stream in ("gone-1", "gone-2"):
            write(connection, stream, namespace=namespace)
            value(connection, "SELECT delete_stream(?, ?)", stream, namespace)
        value(connection, "SELECT record_consumer_position('account', 'totals', 5, 0, ?)", namespace)
        connection.execute("COMMIT")
    connection.close()


def copy(path, target):
    shutil.copy(path, target)
    shutil.copytree(f"{path}-namespaces", f"{target}-namespaces")
    return target


def every_call(*paths):
    """How every function does on the files: (path, label, error's name or `ok`, message)."""
    command = [sys.executable, "-B", os.path.join(host.HERE, "every_function.py"), *paths]
    run = subprocess.run(command, capture_output=True, text=True, timeout=600)
    results = [json.loads(line) for line in run.stdout.splitlines()]
    assert run.returncode == 0, (run.returncode, results[-1:], run.stderr[-2000:])
    for path, label, name, message in results:
        assert name not in ("LOST", "STILL IN A TRANSACTION", "SQLITE_INTERNAL", "SQLITE_MISUSE"), (path, label, name, message)
        for word in ("internal error", "panick", "src/", ".rs"):
            assert word not in message, (label, message)
    return results


def test_every_function_is_called():
    with Directory() as directory:
        store(directory.path())
        results = every_call(directory.path())
        failed = {label: message for _, label, name, message in results if name != "ok"}
        assert failed == {}, failed
        connection = connect()
        functions = {row[0] for row in connection.execute("SELECT name FROM pragma_function_list WHERE name LIKE '%message%' "
                     "OR name LIKE '%stream%' OR name LIKE '%namespace%' OR name LIKE '%consumer%'")}
        functions -= {"message_store_version", "message_store_release", "register_namespace"}
        missing = functions - {label.split()[0] for _, label, _, _ in results}
        assert missing == set(), missing


def roots(path):
    return dict(sqlite3.connect(path).execute("SELECT name, rootpage FROM sqlite_master WHERE rootpage > 0"))


def spoil(path, page):
    size = value(sqlite3.connect(path), "PRAGMA page_size")
    with open(path, "r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


# What reads which of them, so that all is covered: each function whose name is here must notice.
READERS = {
    "messages": {"get_stream_messages", "get_category_messages", "get_category_messages of a member", "get_last_stream_message",
                 "get_last_stream_message of a type", "get_all_messages", "write_message",
                 "write_message to a new stream", "write_messages", "import_messages", "redact_message", "truncate_stream", "delete_stream"},
    "messages_stream": {"get_stream_messages", "get_last_stream_message", "get_last_stream_message of a type", "stream_version", "list_streams", "list_categories",
                        "write_message", "write_message to a new stream", "write_messages", "import_messages", "truncate_stream",
                        "delete_stream"},
    "messages_category": {"get_category_messages", "get_category_messages of a member", "write_message",
                          "write_messages", "import_messages", "truncate_stream", "delete_stream"},
    "messages_id": {"redact_message", "write_message", "write_messages", "import_messages", "truncate_stream", "delete_stream"},
    "message_store_stream_heads": {"write_message to a new stream"},
    "message_store_consumer_positions": {"consumer_positions", "record_consumer_position"},
    "message_store_schema": set(every_function.READS) | set(every_function.SCALARS) - {"acquire_lock"},
    "message_store_namespaces": {"list_namespaces", "get_namespace", "create_namespace", "delete_namespace"},
}


def test_a_broken_page_is_reported_by_every_function_that_reads_it():
    with Directory() as directory:
        path = directory.path()
        store(path)
        for name, readers in READERS.items():
            broken = copy(path, directory.path(f"{name}.db"))
            files = [broken] if name == "message_store_namespaces" else [broken, f"{broken}-namespaces/tenant.db"]
            for file in files:
                spoil(file, roots(file)[name])
            results = every_call(broken)
            for _, label, error, message in results:
                if label in readers:
                    assert error.startswith("SQLITE_CORRUPT") and message.startswith("database disk image is malformed"), (
                        name, label, error, message)
            print(f"   {name}: {sum(r[2] == 'SQLITE_CORRUPT' for r in results)} of {len(results)} calls say SQLITE_CORRUPT")


def flip(content, chance):
    """Breaks a file a little, or much."""
    way = chance.choice(["bytes", "bytes", "page head", "page", "swap", "cut", "cut in a page"])
    page = chance.randrange(len(content) // 1024) * 1024
    if way == "bytes":
        for _ in range(chance.choice([1, 3, 20, 200])):
            content[chance.randrange(100, len(content))] = chance.randrange(256)
    elif way == "page head":
        start = page + (100 if page == 0 else 0)
        content[start : start + 12] = chance.randbytes(12)
    elif way == "page":
        content[page : page + 1024] = chance.choice([bytes(1024), chance.randbytes(1024)])
    elif way == "swap":
        other = chance.randrange(len(content) // 1024) * 1024
        content[page : page + 1024], content[other : other + 1024] = content[other : other + 1024], content[page : page + 1024]
    elif way == "cut":
        del content[page:]
    else:
        del content[chance.randrange(len(content)) :]


def test_files_that_are_broken_by_chance():
    seed = int(os.environ.get("MESSAGE_STORE_SEED", random.randrange(10**6)))
    chance = random.Random(seed)
    with Directory() as directory:
        path = directory.path()
        store(path, 60)
        paths = []
        for number in range(BROKEN):
            broken = copy(path, directory.path(f"{number}.db"))
            for file in chance.choice([[broken], [f"{broken}-namespaces/tenant.db"], [broken, f"{broken}-namespaces/tenant.db"]]):
                with open(file, "rb") as opened:
                    content = bytearray(opened.read())
                flip(content, chance)
                with open(file, "wb") as opened:
                    opened.write(content)
            paths.append(broken)
        try:
            results = [result for start in range(0, BROKEN, 60) for result in every_call(*paths[start : start + 60])]
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
    names = {}
    for _, label, name, message in results:
        names[name] = names.get(name, 0) + 1
    print(f"   seed {seed}: {BROKEN} files, {len(results)} calls, {names}")
    assert names.get("SQLITE_CORRUPT", 0) > BROKEN, names


def changed(path, script, namespace=False):
    """A copy of a store with a script of somebody's run on it."""
    connection = sqlite3.connect(f"{path}-namespaces/tenant.db" if namespace else path)
    connection.executescript(script)
    connection.close()


# What somebody may have made of a store's tables, all of it legal in SQLite.
FORGED = {
    "a position that is a text": "UPDATE messages SET position = 'abc' WHERE global_position > 180",
    "a position that is a real": "UPDATE messages SET position = 2.5 WHERE global_position > 180",
    "a position that is a blob": "UPDATE messages SET position = x'00ff' WHERE global_position > 180",
    "the highest position": "UPDATE messages SET position = 9223372036854775807 WHERE global_position = 184",
    "a negative position": "UPDATE messages SET position = -position - 10",
    "the highest global position": "INSERT INTO messages (global_position, position, stream_name, type) VALUES (9223372036854775807, 0, 'z-1', 'T')",
    "a sequence that is a text": "UPDATE sqlite_sequence SET seq = 'abc'",
    "a sequence without end": "UPDATE sqlite_sequence SET seq = 9223372036854775807",
    "no sequence": "DELETE FROM sqlite_sequence",
    "blobs": "UPDATE messages SET stream_name = CAST(stream_name AS BLOB), type = x'ff00fe', data = x'80', metadata = x'c328', time = x'00', id = CAST(id AS BLOB)",
    "numbers": "UPDATE messages SET type = 7, data = 1.5, metadata = 0, time = -1",
    "bad UTF-8": "UPDATE messages SET stream_name = CAST(x'6163636f756e742dff' AS TEXT) WHERE stream_name = 'account-1'; UPDATE messages SET data = CAST(x'22ff' AS TEXT), metadata = CAST(x'ff' AS TEXT)",
    "JSON that is none": "UPDATE messages SET data = '{', metadata = '{\"correlationStreamName\": '",
    "metadata of much depth": "UPDATE messages SET metadata = replace(printf('%.*c', 100000, 'x'), 'x', '[') WHERE global_position < 20",
    "a version that is a text": "UPDATE message_store_schema SET version = 'abc'",
    "a version of nothing": "UPDATE message_store_schema SET version = 0",
    "a negative version": "UPDATE message_store_schema SET version = -9223372036854775808",
    "no version": "DELETE FROM message_store_schema",
    "several versions": "INSERT INTO message_store_schema SELECT * FROM message_store_schema",
    "a store id that is a blob": "UPDATE message_store_schema SET store_id = x'ff', created_at = x'fe'",
    "heads that are texts": "UPDATE message_store_stream_heads SET position = 'abc'; INSERT INTO message_store_stream_heads VALUES ('new-1', 'abc')",
    "consumers' positions that are texts": "UPDATE message_store_consumer_positions SET position = 'abc', time = x'ff'",
    "other columns": "ALTER TABLE messages RENAME TO other; CREATE TABLE messages (global_position TEXT, position TEXT, time BLOB, stream_name INTEGER, type, data, metadata, id)",
    "fewer columns": "ALTER TABLE messages RENAME TO other; CREATE TABLE messages (body TEXT)",
    "generated columns": "ALTER TABLE messages RENAME TO other; CREATE TABLE messages (global_position INTEGER PRIMARY KEY, position AS (7), time TEXT, stream_name TEXT, type TEXT, data TEXT, metadata TEXT, id TEXT)",
    "a view": "ALTER TABLE messages RENAME TO other; CREATE VIEW messages AS SELECT * FROM other",
    "a view without end": "ALTER TABLE messages RENAME TO other; CREATE VIEW messages AS WITH RECURSIVE n AS (SELECT 1 AS position UNION ALL SELECT position + 1 FROM n LIMIT 100000) SELECT position, position AS global_position, 'T' AS type, 'account-1' AS stream_name, NULL AS data, NULL AS metadata, 't' AS time, 'i' AS id FROM n",
    "a view that calls itself": "ALTER TABLE messages RENAME TO other; CREATE VIEW messages AS SELECT * FROM messages_too; CREATE VIEW messages_too AS SELECT * FROM messages",
    "a view for the version": "ALTER TABLE message_store_schema RENAME TO other_schema; CREATE VIEW message_store_schema AS SELECT * FROM other_schema",
    "a view for the registry": "DROP TABLE IF EXISTS message_store_namespaces; CREATE VIEW message_store_namespaces AS SELECT 'tenant' AS name, 1 AS token_hash, x'ff' AS description, 2 AS metadata, 3 AS created_at",
    "a trigger that refuses": "CREATE TRIGGER t BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'no'); END",
    "a trigger that rolls back": "CREATE TRIGGER t BEFORE INSERT ON messages BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
    "a trigger that passes over": "CREATE TRIGGER t BEFORE INSERT ON messages BEGIN SELECT RAISE(IGNORE); END",
    "a trigger that writes": "CREATE TRIGGER t AFTER INSERT ON messages BEGIN UPDATE messages SET type = 'Forged' WHERE id = new.id; END",
    "a trigger that calls": "CREATE TRIGGER t AFTER INSERT ON messages BEGIN SELECT write_message(NULL, 'forged-1', 'T', '{}'); END",
    "a trigger without end": "PRAGMA recursive_triggers = on; CREATE TRIGGER t AFTER INSERT ON messages BEGIN INSERT INTO messages (position, stream_name, type) VALUES (new.position + 1, new.stream_name, 'T'); END",
    "an index that is no more": "DROP INDEX messages_stream; DROP INDEX messages_category; DROP INDEX messages_id",
    "an index that calls nothing known": "PRAGMA writable_schema = on; UPDATE sqlite_master SET sql = replace(sql, 'substr', 'nobody') WHERE name = 'messages_category'",
}


NO_STORE = ("SQLITE_ERROR", "Not a message store: {namespace}")
MISMATCH = ("SQLITE_MISMATCH", "datatype mismatch")
IN_WORDS = {
    "a position that is a text": ({"stream_version", "write_message", "truncate_stream"}, MISMATCH),
    "a position that is a blob": ({"stream_version", "write_message", "truncate_stream"}, MISMATCH),
    "other columns": ({"write_message", "write_messages", "get_stream_messages", "import_messages"}, NO_STORE),
    "fewer columns": ({"write_message", "get_stream_messages", "stream_version"}, NO_STORE),
    "a view": ({"get_stream_messages", "stream_version"}, NO_STORE),
    "a view without end": ({"get_stream_messages", "stream_version"}, NO_STORE),
    "the highest position": ({"write_message"}, ("SQLITE_ERROR", "bigint out of range")),
    "heads that are texts": ({"write_message to a new stream"}, MISMATCH),
    "consumers' positions that are texts": ({"record_consumer_position"}, MISMATCH),
    "a version that is a text": ({"write_message", "get_stream_messages", "stream_version"}, NO_STORE),
    "a version of nothing": ({"write_message", "get_stream_messages", "stream_version"}, NO_STORE),
    "a negative version": ({"write_message", "get_stream_messages", "stream_version"}, NO_STORE),
    "no version": ({"write_message", "get_stream_messages", "stream_version"}, NO_STORE),
    "a trigger that refuses": ({"write_message", "write_messages", "import_messages"}, ("SQLITE_CONSTRAINT_TRIGGER", "no")),
    "a trigger that rolls back": ({"write_message", "write_messages", "import_messages"}, ("SQLITE_CONSTRAINT_TRIGGER", "no")),
    "a trigger that passes over": (
        {"write_message", "write_messages", "import_messages"},
        ("SQLITE_CONSTRAINT_TRIGGER", "Message was not stored: a trigger prevents it"),
    ),
}


def test_forged_tables_do_no_harm():
    with Directory() as directory:
        path = directory.path()
        store(path)
        forged = {}
        for number, (reason, script) in enumerate(FORGED.items()):
            for namespace in (None, "tenant"):
                file = copy(path, directory.path(f"{number}-{namespace}.db"))
                connection = sqlite3.connect(f"{file}-namespaces/tenant.db" if namespace else file)
                connection.executescript(script)
                connection.close()
                forged[file] = (reason, namespace)
        results = every_call(*forged)
        assert len(results) == len(forged) * len(list(every_function.calls([None, "tenant"])))
        for file, (reason, namespace) in forged.items():
            labels, (name, message) = IN_WORDS.get(reason, (set(), (None, "")))
            # The default store's calls come first.
            calls = [result for result in results if result[0] == file]
            half = len(every_function.READS) + len(every_function.SCALARS)
            for _, label, found, said in calls[half : 2 * half] if namespace else calls[:half]:
                if label in labels:
                    wanted = (name, message.replace("{namespace}", namespace or "message_store"))
                    assert (found, said) == wanted, (reason, namespace, label, found, said)
        print(f"   {len(forged)} files, {len(results)} calls, {sum(result[2] == 'ok' for result in results)} of them answered")


def test_a_failed_batch_takes_nothing_else_with_it_whatever_the_sequence_says():
    """Inside a writing statement of the host's in its transaction, where SQLite has no savepoint."""
    for script in ("SELECT 1", "DELETE FROM sqlite_sequence", "UPDATE sqlite_sequence SET seq = 0", "UPDATE sqlite_sequence SET seq = 'abc'"):
        connection = connect()
        for number in range(10):
            write(connection, "a-1", message_id=f"00000000-0000-4000-8000-{number:012x}")
        connection.execute("CREATE TABLE notes (x)")
        connection.execute(script)
        batch = '[{"type": "T"}, {"type": "T", "id": "00000000-0000-4000-8000-000000000003"}]'
        connection.execute("BEGIN")
        failure(connection, "INSERT INTO notes VALUES (write_messages('a-1', ?))", batch)
        connection.execute("COMMIT")
        assert value(connection, "SELECT count(*) FROM messages") == 10, script
        if "abc" not in script:
            # Nor does an import put anything before what was read.
            imported = every_function.IMPORTED.replace("1000000", "10")
            message, _ = failure(connection, "SELECT import_messages(?)", imported)
            assert message == "Global position is taken: 10", (script, message)


def test_values_of_a_hundred_megabytes():
    with Directory() as directory:
        connection = connect(directory.path())
        connection.execute("PRAGMA synchronous = off")
        length = 100_000_000
        assert write(connection, "a-1", data='"' + "x" * length + '"') == 0
        connection.execute(
            "INSERT INTO messages (stream_name, position, type, data, metadata) "
            "VALUES ('a-1', 1, 'T', x'00', CAST(zeroblob(?) AS TEXT))", (length,))
        rows = connection.execute("SELECT length(CAST(data AS BLOB)), length(CAST(metadata AS BLOB)) FROM get_all_messages()").fetchall()
        assert rows == [(length + 2, None), (1, length)], rows
        # The metadata is looked into.
        assert connection.execute("SELECT * FROM get_category_messages('a', 1, 10, 'order')").fetchall() == []
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1_000_000)
        for sql in ("SELECT id FROM get_stream_messages('a-1')", "SELECT id FROM get_category_messages('a', 1, 10, 'order')"):
            message, code = failure(connection, sql)
            assert (message, code) == ("string or blob too big", "SQLITE_TOOBIG"), (sql, message, code)
        assert write(connection, "a-1") == 2

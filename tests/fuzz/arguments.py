"""Random arguments for every function of both extensions, for a time.

Usage: arguments.py SOCKET_FOLDER DATABASE SECONDS SEED [SEED ...]

Rounds of calls, each from a seed of its own: the seeds that are given, then new ones that count up from the last of them.
In a wild round arguments have any type, number and content, bytes that are no text too, on each engine by itself: every
answer must be a row or a clean error, and the connection must go on. In a portable round both engines are given the
same calls, and must answer alike. Ends with 1 and the seed when something was wrong; the last line says how much was
tried.
"""

import json
import os
import sqlite3
import sys
import tempfile
import time

import psycopg2
import psycopg2.extensions
import psycopg2.extras

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sqlite"))
from functions import FUNCTIONS, ON_POSTGRES, ON_SQLITE, ROWS, TYPES_OF_KINDS, not_listed  # noqa: E402
from host import CODES, connect  # noqa: E402
from maker import Maker  # noqa: E402

CALLS = 100

# Classes of SQLSTATE that say something is wrong with the server or the extension, rather than with the call.
INSANE = ("XX", "58", "F0", "08", "53")
INSANE_CODES = {"SQLITE_INTERNAL", "SQLITE_MISUSE", "SQLITE_CORRUPT", "SQLITE_NOMEM", "SQLITE_PROTOCOL", "SQLITE_IOERR"}
TRACES = [".rs", "panicked", "panic", "acktrace", "BACKTRACE", "src/", "pgrx", "rusqlite", "unwrap", "Rust", "core::"]


class Wrong(Exception):
    """Something that must not be."""


def clean(text, call):
    for trace in TRACES:
        if trace in (text or "") and trace not in str(call):
            raise Wrong(f"`{trace}` in the message of {call!r}: {text}")


def literal(text):
    return "'" + text.replace("'", "''") + "'"


# ---- Postgres

TYPES = [
    "text", "varchar", "bigint", "int", "smallint", "numeric", "float8", "boolean", "jsonb", "json", "uuid", "bytea", "timestamp",
    "timestamptz", "interval", "text[]", "bigint[]", "name", "regclass", "oid", "xml", "point", "message_store.message", "record", "bit",
    "\"char\"", "void", "anyelement", "cstring", "internal",
]


class Postgres:
    """A connection, which must stay the same one."""

    def __init__(self, folder, database):
        self.connection = psycopg2.connect(host=folder, dbname=database, user="postgres")
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()
        self.cursor.execute("SET search_path = message_store, public; SET statement_timeout = '5s'")
        self.cursor.execute("SET client_min_messages = error")
        self.pid = self.connection.info.backend_pid
        psycopg2.extras.register_default_jsonb(loads=lambda text: text)

    def run(self, sql):
        """The rows, or SQLSTATE and message of the error."""
        try:
            self.cursor.execute(sql)
            return self.cursor.fetchall() if self.cursor.description else []
        except psycopg2.Error as error:
            if error.pgcode is None:
                raise Wrong(f"the connection is gone after {sql!r}: {error}") from error
            for text in (error.diag.message_primary, error.diag.message_detail, error.diag.message_hint, error.diag.context):
                clean(text, sql)
            if error.pgcode.startswith(INSANE):
                raise Wrong(f"{error.pgcode} after {sql!r}: {error}") from error
            return error.pgcode, error.diag.message_primary

    def check(self):
        if self.run("SELECT pg_backend_pid()") != [(self.pid,)]:
            raise Wrong("another backend")


def wild_literal(maker):
    value = maker.anything()
    if value is None:
        sql = b"NULL"
    elif isinstance(value, bool):
        sql = str(value).encode()
    elif isinstance(value, (int, float)):
        sql = f"'{value}'".encode() if maker.one_in(2) or value != value or abs(value) == float("inf") else str(value).encode()
    elif isinstance(value, bytes):
        escaped = value.replace(b"\0", b"").replace(b"'", b"''")
        sql = b"'\\x%s'" % value.hex().encode() if maker.one_in(2) else b"'%s'" % escaped
    else:
        sql = literal(value.replace("\0", "")).encode()
    if maker.one_in(2):
        sql += b"::" + maker.pick(TYPES).encode()
    return sql


def wild_postgres(maker, postgres, tried):
    functions = {**FUNCTIONS, **ON_POSTGRES}
    postgres.run(f"SET message_store.sql_condition = {maker.pick(['on', 'off'])}")
    transaction = maker.one_in(3)
    if transaction:
        postgres.run("BEGIN")
    for _ in range(CALLS):
        name = maker.pick(list(functions))
        count = max(0, len(functions[name]) + maker.pick([0, 0, 0, 0, -1, 1, -2]))
        given = maker.arguments(functions[name] + ["stream"])
        is_wild = maker.one_in(2)
        arguments = []
        for value in given[:count]:
            if not is_wild or maker.one_in(2):
                text = b"NULL" if value is None else literal(str(value).replace("\0", "")).encode()
                arguments.append(text)
            else:
                arguments.append(wild_literal(maker))
        if transaction and maker.one_in(2):
            postgres.run("SAVEPOINT s")
        select = maker.pick([b"SELECT * FROM message_store.%s(%s)", b"SELECT message_store.%s(%s)", b"SELECT (message_store.%s(%s))::text"])
        outcome = postgres.run(select % (name.encode(), b", ".join(arguments)))
        tried["wild on Postgres"] += 1
        tried["wild errors on Postgres"] += isinstance(outcome, tuple)
        if transaction:
            postgres.run("ROLLBACK TO s" if maker.one_in(2) else "SELECT 1")
    if transaction:
        postgres.run(maker.pick(["COMMIT", "ROLLBACK"]))
    postgres.check()


# ---- SQLite

class Sqlite:
    """A connection to a file of its own."""

    def __init__(self, folder, name):
        self.connection = connect(os.path.join(folder, name))
        self.connection.execute("PRAGMA journal_mode = wal")
        self.connection.execute("PRAGMA synchronous = off")
        self.connection.execute("SELECT message_store_init()").fetchall()
        # What is no text comes back as bytes.
        self.connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")

    def run(self, sql, parameters=()):
        """The rows, or the code and message of the error."""
        try:
            return self.connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            clean(str(error), (sql, parameters))
            name = getattr(error, "sqlite_errorname", None) or "SQLITE_ERROR"
            if any(name.startswith(code) for code in INSANE_CODES) and "bind" not in str(error):
                raise Wrong(f"{name} after {sql!r} {parameters!r}: {error}") from error
            return name, str(error)
        except (OverflowError, UnicodeEncodeError, ValueError):
            return "the host's own", ""


def wild_sqlite(maker, sqlite, tried):
    functions = {**FUNCTIONS, **ON_SQLITE}
    transaction = maker.one_in(3)
    if transaction:
        sqlite.run("BEGIN IMMEDIATE")
    for _ in range(CALLS):
        name = maker.pick(list(functions))
        count = max(0, len(functions[name]) + maker.pick([0, 0, 0, 0, -1, 1, -2]))
        given = maker.arguments(functions[name] + ["stream"])
        is_wild = maker.one_in(2)
        parameters, placeholders = [], []
        for value in given[:count]:
            value = maker.anything() if is_wild and maker.one_in(2) else value
            if isinstance(value, int) and not -(2**63) <= value < 2**63:
                value = float(value)
            # Bytes as text, whatever they are.
            placeholders.append("CAST(? AS TEXT)" if isinstance(value, bytes) and maker.one_in(2) else "?")
            parameters.append(value)
        call = f"{name}({', '.join(placeholders)})"
        sql = f"SELECT * FROM {call}" if name in ROWS and not maker.one_in(9) else f"SELECT {call}"
        if name in ROWS and maker.one_in(9):
            sql = f"SELECT * FROM {name} WHERE namespace = ? AND arg_position = 1"
            parameters = parameters[:1] or [None]
        if transaction and maker.one_in(3):
            sqlite.run("SAVEPOINT s")
        outcome = sqlite.run(sql, parameters)
        tried["wild on SQLite"] += 1
        tried["wild errors on SQLite"] += isinstance(outcome, tuple)
        if transaction and maker.one_in(3):
            sqlite.run("ROLLBACK TO s")
    if transaction:
        sqlite.run(maker.pick(["COMMIT", "ROLLBACK"]))
        sqlite.run("ROLLBACK")
    if sqlite.run("SELECT 1") != [(1,)] or sqlite.run("PRAGMA integrity_check") != [("ok",)]:
        raise Wrong("the file is broken")


# ---- both

# What the engines may answer differently: Postgres' index bounds the length of a name, its numbers the size of JSON's.
OWN_LIMITS = {"54000", "22021"}
# Errors in the engine's own words.
OWN_WORDS = {"42601", "42703", "42883", "22012"}
# What writes comes more often than what removes.
PORTABLE = [
    *["write_message"] * 8, *["write_messages"] * 4, *["import_messages"] * 2, *["create_namespace"] * 2,
    *["redact_message", "record_consumer_position"] * 2,
    *(name for name in FUNCTIONS if name not in ("write_message", "write_messages", "register_namespace")),
]
# Failed writes burn global positions on Postgres only, time goes on, and a message takes another space in each engine.
VARYING = {"global_position", "last_global_position", "time", "last_time", "created_at", "size_bytes"}


def comparable(name, columns, rows):
    kept = [index for index, column in enumerate(columns) if column not in VARYING]

    def plain(value):
        if isinstance(value, bool):
            return int(value)
        if name == "write_messages" and isinstance(value, str):
            return [(entry["id"], entry["position"]) for entry in json.loads(value)]
        return value

    return [tuple(plain(row[index]) for index in kept) for row in rows]


def portable(maker, postgres, sqlite, tried):
    position = [10**7]
    for _ in range(CALLS):
        name = maker.pick(PORTABLE)
        values = maker.arguments(FUNCTIONS[name])
        if name in ("get_category_messages", "get_all_messages"):
            # Positions differ once something has failed: from the first to the last, or what is refused.
            at = 1 if name == "get_category_messages" else 0
            values[at] = maker.pick([1, 0, None, -(2**63)])
            values[at + 1] = maker.pick([-1, -1, 2**63 - 1, -2, 0])
        if name == "record_consumer_position":
            # Before or after all messages, whose number is told.
            values[2] = maker.pick([0, 0, -1, None, 2**63 - 1, -(2**63)])
        if name == "write_message" and values[0] is None:
            values[0] = maker.new_id()
        if name == "write_messages":
            values[1] = with_ids(maker, values[1])
        if name == "import_messages":
            values[0] = ascending(maker, values[0], position)
        if name == "acquire_lock" and values[0] is None:
            continue
        on_postgres = ", ".join(
            f"{'NULL' if value is None else literal(str(value))}::{TYPES_OF_KINDS.get(kind, 'varchar')}"
            for kind, value in zip(FUNCTIONS[name], values)
        )
        source = f"{name}({on_postgres})"
        found = postgres.run(f"SELECT * FROM {source}" if name in ROWS else f"SELECT {source} AS value")
        columns = [column.name for column in postgres.cursor.description or ()] if isinstance(found, list) else []
        marks = ", ".join("?" for _ in values)
        other = sqlite.run(f"SELECT * FROM {name}({marks})" if name in ROWS else f"SELECT {name}({marks}) AS value", values)
        tried["on both"] += 1
        call = f"{name}({', '.join(map(repr, values))})"
        if isinstance(found, tuple):
            tried["errors on both"] += 1
            state, message = found
            if state in OWN_LIMITS:
                if isinstance(other, list) and name.startswith(("write", "import")):
                    raise Wrong(f"SQLite took what Postgres has no room for, and the rest would differ: {call}")
                continue
            if not isinstance(other, tuple):
                raise Wrong(f"{call}: Postgres {found}, SQLite {other}")
            if state not in OWN_WORDS and (message != other[1] or CODES.get(state, "SQLITE_ERROR") != other[0]):
                raise Wrong(f"{call}: Postgres {found}, SQLite {other}")
            continue
        if isinstance(other, tuple):
            raise Wrong(f"{call}: Postgres {found}, SQLite {other}")
        names = columns or ["value"]
        tried["rows on both"] += len(found)
        if comparable(name, names, found) != comparable(name, names, other):
            raise Wrong(f"{call}:\n  Postgres {found}\n  SQLite   {other}")


def elements_of(text):
    """The elements of an array, None for anything else."""
    try:
        elements = json.loads(text)
    except (TypeError, ValueError):
        return None
    return elements if isinstance(elements, list) else None


def with_ids(maker, text):
    """The messages of a batch with an id each: what is generated differs."""
    elements = elements_of(text)
    if elements is None:
        return text
    for element in elements:
        if isinstance(element, dict) and element.get("id") is None:
            element["id"] = maker.new_id()
    return json.dumps(elements)


def ascending(maker, text, position):
    """The messages of an import at global positions that both engines still have."""
    elements = elements_of(text)
    if elements is None:
        return text
    # Behind all that failed writes have burned since the last one.
    position[0] += 1000
    for element in elements:
        if isinstance(element, dict) and isinstance(element.get("global_position"), int) and not maker.one_in(6):
            position[0] += 1
            element["global_position"] = position[0]
    return json.dumps(elements)


def fresh_portable(folder, database, directory, seed):
    """Both engines with the same content: none but a namespace."""
    postgres = Postgres(folder, database)
    names = postgres.run("SELECT name FROM list_namespaces() WHERE name <> 'message_store'")
    for (name,) in names:
        postgres.run(f"SELECT delete_namespace('{name}', true)")
    postgres.run("SELECT clear_namespace('message_store')")
    sqlite = Sqlite(directory, f"portable-{seed}.db")
    for engine in (postgres, sqlite):
        engine.run("SELECT create_namespace('tenant-a')")
    return postgres, sqlite


def main():
    folder, database, seconds, *seeds = sys.argv[1:]
    seeds = [int(seed) for seed in seeds]
    ends = time.monotonic() + float(seconds)
    tried = dict.fromkeys(
        ["wild on Postgres", "wild errors on Postgres", "wild on SQLite", "wild errors on SQLite", "on both", "errors on both",
         "rows on both"], 0
    )
    with tempfile.TemporaryDirectory() as directory:
        wild_on_postgres, wild_on_sqlite = Postgres(folder, database + "_wild"), Sqlite(directory, "wild.db")
        wrong = not_listed(wild_on_postgres, wild_on_sqlite, sqlite3.connect(":memory:"))
        if wrong:
            print(f"functions.py does not say what there is: {', '.join(wrong)}")
            sys.exit(1)
        number = 0
        while number < len(seeds) or time.monotonic() < ends:
            seed = seeds[number] if number < len(seeds) else seeds[-1] + number
            number += 1
            maker = Maker(seed)
            try:
                wild_postgres(maker, wild_on_postgres, tried)
                wild_sqlite(maker, wild_on_sqlite, tried)
                postgres, sqlite = fresh_portable(folder, database, directory, seed)
                portable(maker, postgres, sqlite, tried)
                postgres.connection.close()
                sqlite.connection.close()
            except Wrong as wrong:
                print(f"failed with the seed: arguments {seed}\n{wrong}")
                sys.exit(1)
    print(f"{number} rounds: " + ", ".join(f"{count} {what}" for what, count in tried.items()))


main()

"""Python's sqlite3 as a host of the extension, and the texts and codes that both engines share."""

import os
import sqlite3
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(HERE))
GOLDEN = os.path.join(REPOSITORY, "tests", "golden")
CORPUS = os.path.join(REPOSITORY, "tests", "corpus")

# What run.sh has built.
LIBRARY = os.environ.get(
    "MESSAGE_STORE_LIBRARY", os.path.join(REPOSITORY, "target", "release", "libmessage_store_sqlite.so")
)

# SQLSTATE to SQLite's primary code and, where it says more, the name of the extended one.
CODES = {"23505": "SQLITE_CONSTRAINT_UNIQUE", "23502": "SQLITE_CONSTRAINT_NOTNULL", "42501": "SQLITE_AUTH"}


def leave_out(reason):
    """Says that a test is left out which the machine does not allow, or fails where nothing may be."""
    assert os.environ.get("MESSAGE_STORE_REQUIRE_ALL") != "1", f"LEFT OUT, and required: {reason}"
    print(f"   LEFT OUT: {reason}")


def connect(path=":memory:", timeout=5.0, **options):
    """A connection in autocommit with the functions on it."""
    connection = sqlite3.connect(path, timeout=timeout, isolation_level=None, **options)
    load(connection)
    return connection


def load(connection):
    connection.enable_load_extension(True)
    connection.load_extension(LIBRARY.removesuffix(".so"))
    connection.enable_load_extension(False)


def value(connection, sql, *parameters):
    """The one value of a query's one row."""
    (row,) = connection.execute(sql, parameters).fetchall()
    return row[0]


def write(connection, stream, kind="T", data="{}", metadata=None, expected=None, namespace=None, message_id=None):
    return value(
        connection,
        "SELECT write_message(?, ?, ?, ?, ?, ?, ?)",
        message_id, stream, kind, data, metadata, expected, namespace,
    )


def failure(connection, sql, *parameters):
    """The message and the code's name that a statement fails with."""
    try:
        connection.execute(sql, parameters).fetchall()
    except sqlite3.Error as error:
        return str(error), getattr(error, "sqlite_errorname", None)
    raise AssertionError(f"no failure: {sql}")


def check_failure(expected, message, code, own_words=False):
    """Compares with an error of Postgres': SQLite has neither SQLSTATE nor detail, and its own words for plain SQL."""
    if not own_words and expected["sqlstate"] not in ENGINE_WORDS:
        assert message == expected["message"], (message, expected)
    wanted = CODES.get(expected["sqlstate"], "SQLITE_ERROR")
    assert code == wanted, (code, wanted, message)


# Errors of the engine's own parser, in its own words: syntax, an unknown column, function or savepoint.
ENGINE_WORDS = {"42601", "42703", "42883", "3B001"}


class Directory(tempfile.TemporaryDirectory):
    """A directory for a test's files."""

    def path(self, name="store.db"):
        return os.path.join(self.name, name)

    def __enter__(self):
        super().__enter__()
        return self

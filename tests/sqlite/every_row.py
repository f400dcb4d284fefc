"""Reads every message of the stores that are named, in each way there is, and prints a line a store: the rows, or the error.

A process of its own, since a file that a crash was made of must not take the tests along.
"""

import json
import sqlite3
import sys

from host import connect

# In the order of global positions. What is no text comes back as one, for JSON.
COLUMNS = "global_position, {0}stream_name, {0}position, {0}id, {0}data"
M = COLUMNS.format("m.")
WAYS = {
    "all": f"SELECT {COLUMNS.format('')} FROM get_all_messages(1, -1, ?1)",
    "by stream": f"SELECT m.{M} FROM list_streams(NULL, NULL, -1, ?1) AS s "
                 f"JOIN get_stream_messages(s.stream_name, 0, -1, NULL, ?1) AS m ORDER BY 1",
    "by category": f"SELECT m.{M} FROM list_categories(?1) AS c "
                   f"JOIN get_category_messages(c.category, 1, -1, NULL, NULL, NULL, NULL, ?1) AS m ORDER BY 1",
}


def rows(connection, sql, *parameters):
    """The rows as JSON has them, or the error's name and message."""
    connection.text_factory = lambda raw: raw.decode("utf-8", "backslashreplace")
    try:
        return json.loads(json.dumps(connection.execute(sql, parameters).fetchall(), default=repr))
    except sqlite3.Error as error:
        return f"{error.sqlite_errorname}: {error}"
    except UnicodeError as error:
        # SQLite quotes what it has found in the file.
        return f"SQLITE_CORRUPT: in words that are no text: {error}"


def read(path, namespace):
    connection = connect(path, timeout=1)
    answers = {way: rows(connection, sql, namespace) for way, sql in WAYS.items()}
    connection.close()
    return answers


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        for of in (None, "tenant"):
            print(json.dumps([argument, of, read(argument, of)]), flush=True)

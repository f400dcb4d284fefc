"""Message Store for SQLite: where the loadable extension is, and how to load it."""

import os
import sqlite3

__all__ = ["load", "loadable_path"]


def loadable_path() -> str:
    """The extension's path, without the ending that SQLite adds by itself."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "message_store_sqlite")


def load(connection: sqlite3.Connection) -> None:
    """Makes the functions of Message Store known to a connection.

    Loading extensions is allowed for that moment only. Raises sqlite3.NotSupportedError where this Python's sqlite3
    cannot load extensions, and sqlite3.OperationalError where SQLite refuses this one.
    """
    if not hasattr(connection, "enable_load_extension"):
        raise sqlite3.NotSupportedError("this Python's sqlite3 was built without extension loading")
    connection.enable_load_extension(True)
    try:
        connection.load_extension(loadable_path())
    finally:
        connection.enable_load_extension(False)

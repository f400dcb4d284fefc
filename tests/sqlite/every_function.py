"""Calls every function on each of the files that are named, and prints a line a call: how it went.

A process of its own, since a file that a crash was made of must not take the tests along.
"""

import json
import sqlite3
import sys

from host import connect, value

ID = "00000000-0000-4000-8000-000000000001"
IMPORTED = json.dumps([{
    "id": "00000000-0000-4000-8000-0000000000ff", "stream_name": "imported-1", "type": "T", "position": 0,
    "global_position": 1000000, "data": None, "metadata": None, "time": "2026-01-31 12:00:00",
}])
BATCH = json.dumps([{"type": "T", "data": {"filler": "x" * 3000}}] * 3)

# By the name of the function, with its arguments but the last one, the namespace.
READS = {
    "get_stream_messages": "get_stream_messages('account-1', 0, -1, NULL, ?)",
    "get_category_messages": "get_category_messages('account', 0, -1, NULL, NULL, NULL, NULL, ?)",
    "get_category_messages of a member": "get_category_messages('account', 0, -1, 'order', 0, 2, NULL, ?)",
    "get_last_stream_message": "get_last_stream_message('account-1', NULL, ?)",
    "get_last_stream_message of a type": "get_last_stream_message('account-1', 'T', ?)",
    "get_all_messages": "get_all_messages(1, -1, ?)",
    "list_streams": "list_streams(NULL, NULL, -1, ?)",
    "list_categories": "list_categories(?)",
    "stats": "stats(?)",
    "consumer_positions": "consumer_positions(NULL, ?)",
}
SCALARS = {
    "stream_version": "stream_version('account-1', ?)",
    "acquire_lock": "acquire_lock('account-1', ?)",
    "write_message": "write_message(NULL, 'account-1', 'T', '{}', NULL, NULL, ?)",
    "write_message to a new stream": "write_message(NULL, 'new-1', 'T', '{}', NULL, -1, ?)",
    "write_messages": f"write_messages('account-2', '{BATCH}', NULL, ?)",
    "import_messages": f"import_messages('{IMPORTED}', ?)",
    "record_consumer_position": "record_consumer_position('account', 'totals', 7, 0, ?)",
    "redact_message": f"redact_message('{ID}', ?)",
    "truncate_stream": "truncate_stream('account-1', 3, ?)",
    "delete_stream": "delete_stream('account-3', ?)",
}
MANAGEMENT = {
    "list_namespaces": "SELECT * FROM list_namespaces()",
    "get_namespace": "SELECT * FROM get_namespace('tenant')",
    "set_namespace_option": "SELECT set_namespace_option('tenant', 'notify', 'on')",
    "create_namespace": "SELECT create_namespace('another')",
    "message_store_init": "SELECT message_store_init()",
    "clear_namespace": "SELECT clear_namespace('tenant')",
    "clear the default": "SELECT clear_namespace('message_store')",
    "delete_namespace": "SELECT delete_namespace('tenant', 1)",
}


def calls(namespaces):
    for namespace in namespaces:
        for label, call in READS.items():
            yield label, f"SELECT * FROM {call}", (namespace,)
        for label, call in SCALARS.items():
            yield label, f"SELECT {call}", (namespace,)
    for label, sql in MANAGEMENT.items():
        yield label, sql, ()


def is_there(connection, position, namespace):
    """Whether what was acknowledged can be read."""
    read = connection.execute("SELECT position FROM get_stream_messages('account-1', ?, 1, NULL, ?)", (position, namespace))
    return [int(row[0]) for row in read] == [position]


def call_all(path, namespaces):
    connection = connect(path, timeout=1)
    connection.text_factory = bytes
    for label, sql, arguments in calls(namespaces):
        try:
            rows = connection.execute(sql, arguments).fetchall()
            name, message = "ok", f"{len(rows)} rows"
            if label == "write_message" and not is_there(connection, rows[0][0], *arguments):
                name = "LOST"
        except (sqlite3.Error, UnicodeError) as error:
            name, message = getattr(error, "sqlite_errorname", type(error).__name__), str(error)
        if connection.in_transaction:
            name = "STILL IN A TRANSACTION"
            connection.execute("ROLLBACK")
        print(json.dumps([path, label, name, message]), flush=True)
    assert value(connection, "SELECT category('a-1')") == b"a"
    connection.close()


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        call_all(argument, [None, "tenant"])

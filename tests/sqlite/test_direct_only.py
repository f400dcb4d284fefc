"""Whatever reads or writes a store is for statements of the host's own: a file that somebody else has made cannot call it
by a trigger or a view of its own."""

import sqlite3

from host import connect, failure, value

# They only read their argument.
PURE = {"category", "id", "cardinal_id", "is_category", "hash_64", "message_store_version", "message_store_release"}
# The bits of sqlite3_create_function.
DETERMINISTIC, DIRECT_ONLY, INNOCUOUS = 0x800, 0x80000, 0x200000
# Of the modules the only one that is no function: it notices the closing of a connection.
NO_FUNCTION = "message_store_closing"


def added(connection, query):
    """What loading the extension has added to an answer."""
    return set(connection.execute(query).fetchall()) - set(sqlite3.connect(":memory:").execute(query).fetchall())


def test_whatever_touches_a_store_is_for_the_hosts_own_statements():
    connection = connect()
    functions = added(connection, "SELECT name, narg, flags FROM pragma_function_list")
    assert {"write_message", "write_messages", "stream_version", "set_config"} <= {name for name, _, _ in functions}
    assert PURE <= {name for name, _, _ in functions}
    for name, arguments, flags in functions:
        wanted = DETERMINISTIC | INNOCUOUS if name in PURE else DIRECT_ONLY
        assert flags & (DETERMINISTIC | INNOCUOUS | DIRECT_ONLY) == wanted, (name, arguments, hex(flags))


def test_functions_that_return_rows_are_not_for_views():
    connection = connect()
    modules = {name for (name,) in added(connection, "SELECT name FROM pragma_module_list WHERE name NOT GLOB 'pragma_*'")}
    assert {"get_stream_messages", "get_all_messages", "list_namespaces", "stats"} <= modules
    for name in modules - {NO_FUNCTION}:
        connection.execute(f"CREATE VIEW of_{name} AS SELECT * FROM {name}")
        wanted = (f'unsafe use of virtual table "{name}"', "SQLITE_ERROR")
        assert failure(connection, f"SELECT * FROM of_{name}") == wanted, name


def test_a_trigger_and_a_view_cannot_write():
    calls = {"write_message": "write_message(NULL, 'forged-1', 'T', '{}')",
             "write_messages": """write_messages('forged-1', '[{"type": "T"}]')"""}
    connection = connect()
    value(connection, "SELECT message_store_init()")
    for name, call in calls.items():
        wanted = (f"unsafe use of {name}()", "SQLITE_ERROR")
        connection.execute(f"CREATE VIEW of_{name} AS SELECT {call}")
        assert failure(connection, f"SELECT * FROM of_{name}") == wanted, name
        connection.execute(f"CREATE TABLE orders_{name} (id)")
        connection.execute(f"CREATE TRIGGER on_{name} AFTER INSERT ON orders_{name} BEGIN SELECT {call}; END")
        assert failure(connection, f"INSERT INTO orders_{name} VALUES (1)") == wanted, name
        assert value(connection, f"SELECT count(*) FROM orders_{name}") == 0
    assert value(connection, "SELECT count(*) FROM messages") == 0


def test_the_pure_ones_are_for_views_triggers_and_indexes():
    connection = connect()
    connection.execute("PRAGMA trusted_schema = off")
    connection.execute("CREATE TABLE orders (stream TEXT, category TEXT)")
    connection.execute("CREATE INDEX by_category ON orders (category(stream))")
    connection.execute("CREATE VIEW hashes AS SELECT hash_64(stream) FROM orders")
    connection.execute("CREATE TRIGGER fill AFTER INSERT ON orders BEGIN UPDATE orders SET category = category(stream); END")
    connection.execute("INSERT INTO orders (stream) VALUES ('order-1')")
    assert value(connection, "SELECT category FROM orders") == "order"
    assert value(connection, "SELECT count(*) FROM hashes") == 1

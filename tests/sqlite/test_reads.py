"""What a read gives, however the statement around it is written."""

from host import connect, failure, value, write


def test_a_condition_sees_the_parameters_of_its_read():
    connection = connect()
    for _ in range(5):
        write(connection, "a-1")
    value(connection, "SELECT set_config('message_store.sql_condition', 'on', false)")
    for source, wanted in (
        ("get_stream_messages('a-1', 2, NULL, 'messages.position > $2')", 2),
        ("get_stream_messages('a-1', 0, 2, 'messages.position >= $3')", 2),
        ("get_stream_messages('a-1', 1, 1, 'messages.stream_name = $1')", 1),
        ("get_category_messages('a', 2, NULL, NULL, NULL, NULL, 'messages.global_position > $2')", 3),
        ("get_category_messages('a', 1, 3, NULL, NULL, NULL, '$1 = ''a'' AND messages.position < $3')", 3),
    ):
        assert value(connection, f"SELECT count(*) FROM {source}") == wanted, source


def test_arguments_behind_many_conditions():
    """SQLite leaves only the first sixteen conditions to a function, and compares what is behind them itself."""
    connection = connect()
    for _ in range(5):
        write(connection, "a-1")
    many = " AND ".join(["position >= 0"] * 20)
    for source in (
        "get_stream_messages('a-1')",
        "get_stream_messages('a-1', 0, 10)",
        "get_category_messages('a', 1, 100)",
        "get_all_messages(1)",
        "get_last_stream_message('a-1')",
    ):
        wanted = value(connection, f"SELECT count(*) FROM {source}")
        assert wanted > 0 and value(connection, f"SELECT count(*) FROM {source} WHERE {many}") == wanted, source
    # One that is NULL equals nothing: told, not passed over.
    message, _ = failure(connection, f"SELECT * FROM get_stream_messages('a-1', NULL) WHERE {many}")
    assert message == "Too many conditions beside get_stream_messages: arg_position is NULL, and SQLite would find no rows"
    for condition, wanted in (("arg_stream_name = 'a-1'", 5), ("arg_stream_name = 'a-2'", 0), ("arg_stream_name IS 'a-1'", 5)):
        assert value(connection, f"SELECT count(*) FROM get_stream_messages('a-1') WHERE {condition}") == wanted, condition
    assert value(connection, "SELECT count(*) FROM get_stream_messages WHERE arg_stream_name IS 'a-1'") == 5
    assert value(connection, "SELECT count(*) FROM get_stream_messages('a-1', NULL, NULL, NULL, 'message_store') "
                             "WHERE namespace = 'message_store'") == 5


def test_a_loop_over_any_rows_ends_whatever_it_writes():
    loops = {
        "list_streams(NULL, NULL, -1)": "write_message(NULL, 'z' || stream_name, 'T', '{}')",
        "list_categories()": "write_message(NULL, 'z' || category || '-1', 'T', '{}')",
        "consumer_positions()": "record_consumer_position(category, 'z' || consumer, 1)",
        "get_all_messages(1, -1)": "write_message(NULL, 'z' || stream_name, 'T', '{}')",
        "list_namespaces()": "create_namespace('z' || length(name))",
    }
    for source, call in loops.items():
        connection = connect()
        for stream in ("a-1", "b-1"):
            write(connection, stream)
            value(connection, "SELECT record_consumer_position(category(?), 'consumer', 1)", stream)
        wanted = value(connection, f"SELECT count(*) FROM {source}")
        assert len(connection.execute(f"SELECT {call} FROM {source} LIMIT 200").fetchall()) == wanted, source
        connection = connect()
        write(connection, "a-1")
        value(connection, "SELECT record_consumer_position('a', 'consumer', 1)")
        for count, row in enumerate(connection.execute(f"SELECT * FROM {source}")):
            assert count < 50, source
            write(connection, f"z{count}{row[0]}-1")
            value(connection, "SELECT record_consumer_position('a', ?, 1)", f"z{count}")

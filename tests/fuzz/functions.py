"""The functions that are tried, and that no other is there."""

# Each function's arguments by their kinds.
FUNCTIONS = {
    "write_message": ["id", "stream", "type", "json", "json", "version", "namespace"],
    "write_messages": ["stream", "batch", "version", "namespace"],
    "import_messages": ["import", "namespace"],
    "get_stream_messages": ["stream", "bigint", "bigint", "condition", "namespace"],
    "get_category_messages": ["category", "bigint", "bigint", "correlation", "member", "size", "condition", "namespace"],
    "get_last_stream_message": ["stream", "type", "namespace"],
    "get_all_messages": ["bigint", "bigint", "namespace"],
    "stream_version": ["stream", "namespace"],
    "list_streams": ["stream", "stream", "bigint", "namespace"],
    "list_categories": ["namespace"],
    "acquire_lock": ["stream", "namespace"],
    "delete_stream": ["stream", "namespace"],
    "truncate_stream": ["stream", "bigint", "namespace"],
    "redact_message": ["written id", "namespace"],
    "record_consumer_position": ["category", "consumer", "bigint", "boolean", "namespace"],
    "consumer_positions": ["category", "namespace"],
    "stats": ["namespace"],
    "create_namespace": ["name", "type", "type", "json"],
    "register_namespace": ["name", "type", "type", "json"],
    "delete_namespace": ["name", "boolean"],
    "clear_namespace": ["name"],
    "get_namespace": ["name"],
    "list_namespaces": [],
    "set_namespace_option": ["name", "option", "choice"],
    "category": ["stream"],
    "id": ["stream"],
    "cardinal_id": ["stream"],
    "is_category": ["stream"],
    "hash_64": ["stream"],
    "message_store_version": [],
    "message_store_release": [],
}
ON_POSTGRES = {
    "grant_namespace": ["name", "type", "option"],
    "revoke_namespace": ["name", "type"],
    "registry_changed": [],
}
ON_SQLITE = {
    "message_store_init": [],
    "set_config": ["setting", "setting", "boolean"],
    "current_setting": ["setting", "boolean"],
}
# Postgres' type of a kind, where that is not varchar.
TYPES_OF_KINDS = {
    "bigint": "bigint", "version": "bigint", "member": "bigint", "size": "bigint", "boolean": "boolean", "json": "jsonb",
    "batch": "jsonb", "import": "jsonb",
}
# Those that are called in FROM.
ROWS = {name for name in FUNCTIONS if name.startswith(("get_", "list_"))} | {"consumer_positions", "stats"}

# Of what is registered with SQLite, these are not tried.
NOT_TRIED = {
    "message_store_closing": "a table without rows, by which the closing of a connection is noticed",
    "message_store_panic": "panics on purpose, in debug builds",
    "message_store_panic_in": "panics on purpose, in debug builds",
}

OF_THE_EXTENSION = """
    SELECT DISTINCT proname FROM pg_depend
    JOIN pg_extension ON refclassid = 'pg_extension'::regclass AND refobjid = pg_extension.oid
    JOIN pg_proc ON classid = 'pg_proc'::regclass AND objid = pg_proc.oid
    WHERE extname = 'message_store' AND deptype = 'e'
"""
# The modules of pragmas are SQLite's, and come with their first use.
WITH_SQLITE = (
    "SELECT name, narg FROM pragma_function_list",
    "SELECT name, NULL FROM pragma_module_list WHERE name NOT GLOB 'pragma_*'",
)


def not_listed(postgres, sqlite, plain):
    """What an engine has and no list above, or the other way round. `plain` is a connection to SQLite without ours."""
    functions = {name for (name,) in postgres.run(OF_THE_EXTENSION)}
    registered = {
        name for query in WITH_SQLITE for name, _ in set(sqlite.run(query)) - set(plain.execute(query).fetchall())
    }
    on_postgres, on_sqlite = {*FUNCTIONS, *ON_POSTGRES}, {*FUNCTIONS, *ON_SQLITE}
    return sorted((functions ^ on_postgres) | (registered - {*NOT_TRIED} ^ on_sqlite))

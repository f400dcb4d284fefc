"""What docs/reference.md says that there is, against the catalogs of both engines: nothing more, nothing less.

Functions with their arguments, types, defaults and results, views with their columns, and settings; in SQLite, which has
no types of arguments and no catalog of settings, names and counts.
"""

import re
import sqlite3

HEADING = re.compile(r"^### (\w+)\n(.*?)(?=^##)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(\w+\(.*?\) → \w+)`")
SETTING = re.compile(r"^\| `(message_store\.\w+)` \|", re.MULTILINE)

FUNCTIONS = """
    SELECT p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), obj_description(p.oid) IS NOT NULL
    FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid JOIN pg_proc AS p ON p.oid = d.objid
    WHERE e.extname = 'message_store' AND d.refclassid = 'pg_extension'::regclass AND d.classid = 'pg_proc'::regclass
      AND d.deptype = 'e' AND p.prorettype <> 'trigger'::regtype
    ORDER BY 1"""
VIEWS = """
    SELECT c.relname, string_agg(a.attname, ', ' ORDER BY a.attnum)
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'message_store'::regnamespace AND c.relkind = 'v' AND a.attnum > 0
    GROUP BY 1 ORDER BY 1"""
SETTINGS = "SELECT message_store.message_store_release(), string_agg(name, ' ') FROM pg_settings WHERE name LIKE 'message\\_store.%'"

# Message DB's, which are told apart from unset ones and so have no entry in Postgres' catalog.
UNDEFINED = {f"message_store.{name}" for name in ("sql_condition", "debug", "debug_get", "debug_write", "debug_benchmark")}
# For the hook that runs when a connection is closed; nobody calls it.
HIDDEN_MODULES = {("message_store_closing",)}
ONLY_POSTGRES = {"grant_namespace", "revoke_namespace"}
ONLY_SQLITE_SETTINGS = {"message_store.busy_timeout"}
MESSAGE = "id stream_name type position global_position data metadata time".split()


def plain(text):
    """A type or a result, however it is spelled."""
    text = text.replace("character varying", "varchar").replace("timestamp without time zone", "timestamp")
    text = re.sub(r"\s+", " ", text.replace('"', "").replace("TABLE(", "TABLE ("))
    return text.replace("( ", "(").replace(" )", ")").strip()


def arguments(text):
    """Names, types and defaults (None without one) of a list of arguments."""
    found = []
    for argument in filter(None, (part.strip() for part in plain(text).split(","))):
        declared, _, default = argument.partition(" DEFAULT ")
        name, kind = declared.split(" ", 1)
        found.append((name, kind, re.sub(r"::\w+$", "", default) or None))
    return found


def signature(text):
    name, rest = text.strip().split("(", 1)
    taken, _, result = rest.partition("→")
    return name, (arguments(taken.strip().removesuffix(")")), plain(result))


def documented_functions(page):
    functions = {}
    for name, section in HEADING.findall(page):
        declared = [text for text in BLOCK.findall(section) if text.startswith(name + "(")] + INLINE.findall(section)
        if declared:
            found, what = signature(declared[0])
            functions[found] = what
    return functions


def documented_views(page):
    section = page.split("\n## Views\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\w+) \| (.*?) \|$", section, re.MULTILINE)
    return {name: columns for name, columns in rows if name != "view"}


def only_in_sqlite(page):
    section = page.split("\n## Only in SQLite\n")[1]
    rows = re.findall(r"^\| `(\w+)\((.*?)\)`", section, re.MULTILINE)
    return {name: len(taken.split(",")) if taken else 0 for name, taken in rows}


def compare(what, documented, found):
    for name in sorted(documented.keys() | found.keys()):
        if documented.get(name) != found.get(name):
            yield f"{what} {name}: documented {documented.get(name)}, found {found.get(name)}"


def in_postgres(page, query):
    """What differs from the extension's catalog; `query` returns rows as lists of text."""
    found = {}
    for name, taken, result, has_comment in query(FUNCTIONS):
        if name in found:
            yield f"Postgres: {name} is overloaded"
        if has_comment != "t":
            yield f"Postgres: {name} has no comment"
        found[name] = (arguments(taken), plain(result).replace("message_store.", ""))
    yield from compare("Postgres: function", documented_functions(page), found)
    yield from compare("Postgres: view", documented_views(page), {name: columns for name, columns in query(VIEWS)})
    found = set(query(SETTINGS)[0][1].split()) | UNDEFINED | ONLY_SQLITE_SETTINGS
    yield from compare("Postgres: setting", dict.fromkeys(SETTING.findall(page), "there"), dict.fromkeys(found, "there"))


def sqlite_catalog(connection):
    return [
        set(connection.execute("SELECT name, narg FROM pragma_function_list")),
        set(connection.execute("SELECT name FROM pragma_module_list")),
    ]


def in_sqlite(page, library):
    """What differs from what the library adds to a connection."""
    connection = sqlite3.connect(":memory:")
    before = sqlite_catalog(connection)
    connection.enable_load_extension(True)
    connection.load_extension(library.removesuffix(".so"))
    functions, modules = (after - of_sqlite for after, of_sqlite in zip(sqlite_catalog(connection), before))
    found = {}
    for name, count in functions:
        found.setdefault(name, set()).add(count)
    for (name,) in modules - HIDDEN_MODULES:
        columns = connection.execute("SELECT name, hidden FROM pragma_table_xinfo(?)", (name,)).fetchall()
        found[name] = ([name for name, hidden in columns if hidden], [name for name, hidden in columns if not hidden])
    documented = {}
    for name, (taken, result) in documented_functions(page).items():
        if name in ONLY_POSTGRES:
            continue
        table = re.match(r"TABLE \((.*)\)", result)
        if table or result == "SETOF message":
            columns = [column for column, _, _ in arguments(table[1])] if table else MESSAGE
            # A hidden column cannot be named like one of the row's.
            hidden = [
                argument if argument == "namespace" and argument not in columns else f"arg_{argument}"
                for argument, _, _ in taken
            ]
            documented[name] = (hidden, columns)
        else:
            least = sum(default is None for _, _, default in taken)
            documented[name] = set(range(least, len(taken) + 1))
    for name, most in only_in_sqlite(page).items():
        # The last argument of current_setting may be left out.
        documented[name] = {most - 1, most} if name == "current_setting" else {most}
    yield from compare("SQLite: function", documented, found)
    connection.execute("SELECT message_store_init()").fetchone()
    views = {}
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall():
        columns = connection.execute("SELECT name FROM pragma_table_info(?)", (name,))
        views[name] = ", ".join(column for (column,) in columns)
    yield from compare("SQLite: view", documented_views(page), views)
    connection.close()

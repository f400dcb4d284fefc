"""Opening, closing, memory, panics, old hosts."""

import gc
import os
import resource
import sqlite3
import subprocess
import sys

import host
from host import Directory, connect, failure, load, value, write

CYCLES = int(os.environ.get("MESSAGE_STORE_CYCLES", "100"))
MESSAGES = int(os.environ.get("MESSAGE_STORE_MEMORY_MESSAGES", "1000000"))


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def use(connection):
    write(connection, "a-1")
    write(connection, "a-1", namespace="tenant")
    write(connection, "removed-1")
    value(connection, "SELECT delete_stream('removed-1')")
    value(connection, "SELECT record_consumer_position('a', 'totals', 1)")
    for source in ("get_stream_messages('a-1')", "get_category_messages('a')", "get_all_messages()", "list_streams()",
                   "consumer_positions()", "stats()",
                   "get_stream_messages('a-1', NULL, NULL, NULL, 'tenant')", "list_namespaces()"):
        assert connection.execute(f"SELECT count(*) FROM {source}").fetchone()[0] > 0


def test_open_load_close_leaves_nothing():
    with Directory() as directory:
        path = directory.path()
        connection = connect(path)
        connection.execute("PRAGMA journal_mode = wal")
        value(connection, "SELECT create_namespace('tenant')")
        connection.close()

        def cycle():
            connection = connect(path)
            use(connection)
            connection.close()
            left = [name for name in os.listdir(directory.name) + os.listdir(f"{path}-namespaces") if "-wal" in name or "-shm" in name]
            assert not left, left

        for _ in range(20):
            cycle()
        gc.collect()
        descriptors, memory = len(os.listdir("/proc/self/fd")), resident()
        for _ in range(CYCLES):
            cycle()
        gc.collect()
        grown = resident() - memory
        assert len(os.listdir("/proc/self/fd")) == descriptors
        assert grown < 2 * 1024 * 1024, grown
        print(f"   {CYCLES} cycles: {grown // 1024} KiB more, {descriptors} descriptors before and after")


def test_close_with_a_cursor_open_then_use_it_again():
    with Directory() as directory:
        connection = connect(directory.path())
        connection.execute("PRAGMA journal_mode = wal")
        for _ in range(3):
            write(connection, "a-1")
        cursor = connection.execute("SELECT position FROM get_stream_messages('a-1')")
        assert cursor.fetchone() == (0,)
        connection.close()
        del cursor
        gc.collect()
        assert os.listdir(directory.name) == ["store.db"]


def test_a_category_of_a_million_messages_streams():
    with Directory() as directory:
        path = directory.path()
        connection = connect(path)
        connection.execute("PRAGMA journal_mode = wal")
        value(connection, "SELECT message_store_init()")
        connection.execute("PRAGMA synchronous = off")
        connection.execute("PRAGMA cache_size = -400000")
        connection.execute(
            "INSERT INTO messages (position, stream_name, type, data) "
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?) "
            "SELECT i / 1000, 'account-' || (i % 1000), 'T', '{\"i\": ' || i || '}' FROM n",
            (MESSAGES,),
        )
        connection.close()
        script = f"""
import sys
sys.path.insert(0, {host.HERE!r})
from host import connect
connection = connect({path!r})
connection.execute("SELECT count(*) FROM get_category_messages('account', NULL, 1)").fetchall()
peak = lambda: next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
idle = peak()
for arguments in ("NULL, -1", "NULL, -1, NULL, 1, 4"):
    count = sum(1 for _ in connection.execute("SELECT * FROM get_category_messages('account', " + arguments + ")"))
    print(count, peak() - idle)
"""
        run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        (everything, more), (part, more_grouped) = [map(int, line.split()) for line in run.stdout.splitlines()]
        assert everything == MESSAGES and 0 < part < MESSAGES
        assert max(more, more_grouped) < 32 * 1024, run.stdout
        print(f"   {everything} messages read with {more} KiB above the idle process, {part} of a group with {more_grouped} KiB")


def test_no_panic_crosses_into_the_host():
    library = os.environ.get("MESSAGE_STORE_DEBUG_LIBRARY")
    if not library:
        print("   skipped: no debug build given")
        return
    script = f"""
import sqlite3, sys
sys.path.insert(0, {host.HERE!r})
import host
connection = host.connect()
host.write(connection, "a-1")
for sql in ["SELECT message_store_panic()"] + [
    "SELECT value FROM message_store_panic_in('%s')" % callback for callback in ("filter", "next", "column")
]:
    message, code = host.failure(connection, sql)
    assert (message, code) == ("internal error in Message Store", "SQLITE_INTERNAL"), (sql, message, code)
connection.execute("SELECT value FROM message_store_panic_in('close')").fetchall()
connection.execute("SELECT value FROM message_store_panic_in('close') LIMIT 1").fetchall()
assert host.write(connection, "a-1") == 1
connection.close()
print("alive")
"""
    environment = dict(os.environ, MESSAGE_STORE_LIBRARY=library)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert run.returncode == 0 and run.stdout == "alive\n", run


def test_an_old_host_is_refused_in_words():
    """A host is played by a C program whose API says it is 3.31: what the library may not survive is calling on."""
    with Directory() as directory:
        source, program = directory.path("host.c"), directory.path("host")
        with open(source, "w", encoding="ascii") as file:
            file.write(OLD_HOST)
        built = subprocess.run(["cc", "-o", program, source, "-ldl"], capture_output=True, text=True)
        assert built.returncode == 0, built.stderr
        run = subprocess.run([program, host.LIBRARY], capture_output=True, text=True)
        assert run.returncode == 0, run
        wanted = "1 Message Store needs SQLite 3.34.1 or newer, this is 3.31.1\n"
        assert run.stdout == wanted, run.stdout


# The places in sqlite3_api_routines are SQLite's promise: 67 is libversion_number, 69 mprintf.
OLD_HOST = r"""
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
static int version(void) { return 3031001; }
static char *print(const char *format, ...) {
    char *text = malloc(1000);
    va_list list;
    va_start(list, format);
    vsnprintf(text, 1000, format, list);
    va_end(list);
    return text;
}
int main(int count, char **arguments) {
    void *api[400] = {0};
    char *message = 0;
    void *library = dlopen(arguments[1], RTLD_NOW);
    if (!library) { puts(dlerror()); return 2; }
    int (*init)(void *, char **, void *) = dlsym(library, "sqlite3_messagestoresqlite_init");
    api[67] = version;
    api[69] = print;
    int code = init((void *) 1, &message, api);
    printf("%d %s\n", code, message ? message : "no message");
    return 0;
}
"""


def test_functions_that_are_loaded_twice_keep_their_state():
    with Directory() as directory:
        connection = connect(directory.path())
        value(connection, "SELECT create_namespace('tenant-a')")
        write(connection, "a-1", namespace="tenant-a")
        value(connection, "SELECT set_config('message_store.busy_timeout', '1', false)")
        rows = connection.execute("SELECT * FROM get_stream_messages('a-1', 0, 10, NULL, 'tenant-a')")
        load(connection)
        rows.fetchall()
        assert value(connection, "SELECT current_setting('message_store.busy_timeout')") == "1"
        assert write(connection, "a-1", namespace="tenant-a") == 1
        connection.close()
        assert [name for name in os.listdir(directory.name) if name.endswith("-wal")] == []
        assert [link for link in open_files() if directory.name in link] == []


def open_files():
    links = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
    return [os.readlink(link) for link in links if os.path.islink(link)]

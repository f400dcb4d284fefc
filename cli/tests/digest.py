"""Prints how many messages a store has, an MD5 of all of them in global order, and the next global position.

    digest.py sqlite FILE
    digest.py postgres SCHEMA      by psql (the environment's PSQL), as the environment's PG... say

Each message is a line as COPY writes it, whatever the engine.
"""

import hashlib
import os
import sqlite3
import subprocess
import sys

COLUMNS = "global_position, position, {time}, stream_name, type, {json}, id"
ESCAPES = {"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}


def sqlite(path):
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    columns = COLUMNS.format(time="time", json="data, metadata")
    for row in connection.execute(f"SELECT {columns} FROM messages ORDER BY global_position"):
        values = ("\\N" if value is None else str(value).translate(table) for value in row)
        yield ("\t".join(values) + "\n").encode()
    (next_position,) = connection.execute(
        "SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'messages'"
    ).fetchone()
    yield next_position


def postgres(schema):
    columns = COLUMNS.format(time="to_char(time, 'YYYY-MM-DD HH24:MI:SS.US')", json="data::text, metadata::text")
    copy = f'COPY (SELECT {columns} FROM "{schema}".messages ORDER BY global_position) TO STDOUT'
    psql = [os.environ.get("PSQL", "psql"), "-XqAt", "-c"]
    with subprocess.Popen([*psql, copy], stdout=subprocess.PIPE) as process:
        yield from process.stdout
    if process.returncode:
        sys.exit("psql failed")
    sequence = f'"{schema}".messages_global_position_seq'
    query = f"SELECT CASE WHEN is_called THEN last_value + 1 ELSE last_value END FROM {sequence}"
    yield int(subprocess.run([*psql, query], stdout=subprocess.PIPE, check=True).stdout)


table = str.maketrans(ESCAPES)
digest, count = hashlib.md5(), 0
for part in {"sqlite": sqlite, "postgres": postgres}[sys.argv[1]](sys.argv[2]):
    if isinstance(part, int):
        print(count, digest.hexdigest(), part)
    else:
        digest.update(part)
        count += 1

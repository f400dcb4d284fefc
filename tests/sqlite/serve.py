"""Runs statements on the sessions of one file for a program in another language.

Usage: serve.py FILE. A line in is a request, a line out its answer, both JSON. A request has the name of a session, a
statement, the error that Postgres answers with or null, and whether the engine's own words will do for it. The answer
has columns and rows, or the error and whether it is the one that Postgres' stands for.
"""

import json
import sqlite3
import sys

from host import check_failure, connect

sessions = {}


def answer(request):
    name, expected = request["session"], request["expected"]
    if request["sql"] is None:
        sessions.pop(name).close()
        return {}
    if name not in sessions:
        sessions[name] = connect(sys.argv[1], timeout=0.05)
        sessions[name].execute("PRAGMA synchronous = off")
    try:
        cursor = sessions[name].execute(request["sql"])
        rows = cursor.fetchall()
    except sqlite3.Error as error:
        return {"error": f"{error.sqlite_errorname} {error}", "expected": is_expected(error, expected, request)}
    return {"columns": [column[0] for column in cursor.description or ()], "rows": rows}


def is_expected(error, expected, request):
    try:
        if expected is not None:
            check_failure(expected, str(error), error.sqlite_errorname, request["own_words"])
            return True
    except AssertionError:
        pass
    return False


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)

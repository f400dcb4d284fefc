"""The scenarios that both engines run, on a file and in memory."""

import json
import os

from host import CORPUS, Directory, check_failure, connect, failure
from test_golden import Positions


def scenarios():
    for name in sorted(os.listdir(CORPUS)):
        with open(os.path.join(CORPUS, name), encoding="utf-8") as file:
            for scenario in json.load(file)["scenarios"]:
                yield f"{name.removesuffix('.json')}: {scenario['name']}", scenario["steps"]


def run(steps, connection):
    positions = Positions()
    for step in steps:
        if "error" in step:
            message, code = failure(connection, step["sql"])
            check_failure(step["error"], message, code)
            continue
        cursor = connection.execute(step["sql"])
        found = cursor.fetchall()
        if "rows" not in step:
            continue
        columns = step["columns"]
        assert len(found) == len(step["rows"]), (step, found)
        for row, wanted in zip(found, step["rows"]):
            assert len(row) == len(columns) == len(wanted), (step, row)
            for column, value, want in zip(columns, row, wanted):
                if column == "global_position":
                    positions.check(want, value)
                elif column == "percent":
                    assert f"{value:.2f}" == f"{want:.2f}", (step, row)
                else:
                    assert value == want and type(value) is type(want), (step, row)


def make(steps):
    def test():
        run(steps, connect())
        with Directory() as directory:
            connection = connect(directory.path())
            connection.execute("PRAGMA journal_mode = wal")
            run(steps, connection)
            connection.close()

    return test


for _name, _steps in scenarios():
    globals()["test_" + "".join(c if c.isalnum() else "_" for c in _name)] = make(_steps)

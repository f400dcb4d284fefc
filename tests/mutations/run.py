#!/usr/bin/python3
"""Breaks a promise on purpose, one at a time, and shows which test notices.

    tests/mutations/run.py             all of mutations.py
    tests/mutations/run.py NAME ...    these only

Each mutation replaces one piece of the code in a copy of the repository, builds it, and runs one suite, which must
fail, and in the test that is named. A mutation whose piece of code is not found, or that no test notices, ends the
run with 1. The result is a Markdown table.

The Postgres that PG_CONFIG names (default /usr/lib/postgresql/15/bin/pg_config) gets each broken extension installed,
and at the end a whole one; its clusters are the tests' own. By hand: it takes a minute or two a mutation.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

from mutations import MUTATIONS

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PG_CONFIG = os.environ.get("PG_CONFIG", "/usr/lib/postgresql/15/bin/pg_config")


def run(command, folder, **environment):
    """The exit code of a command, and all that it printed."""
    environment = {**os.environ, "PG_CONFIG": PG_CONFIG, **environment}
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    return done.returncode, done.stdout


def install(copy):
    """Builds the copy's extension, without optimisation, into the Postgres of PG_CONFIG."""
    command = ["cargo", "pgrx", "install", "--pg-config", PG_CONFIG]
    if os.environ.get("USER") != "root" and os.geteuid() != 0:
        command.append("--sudo")
    code, output = run(command, os.path.join(copy, "pg_ext"))
    if code:
        sys.exit(f"cannot build:\n{output[-3000:]}")


def suite(copy, engine, name):
    """Runs a suite: its exit code and output."""
    if engine == "core":
        return run(["cargo", "test", "-q", "-p", "message-store-core"], copy)
    if engine == "sqlite":
        target = os.environ.get("CARGO_TARGET_DIR", os.path.join(copy, "target"))
        code, output = run(["cargo", "build", "-q", "-p", "message-store-sqlite-loadable"], copy)
        if code:
            return 0, output
        library = os.path.join(target, "debug", "libmessage_store_sqlite.so")
        libraries = {"MESSAGE_STORE_LIBRARY": library, "MESSAGE_STORE_DEBUG_LIBRARY": library}
        command = ["/usr/bin/python3", "-B", "runner.py", name]
        return run(command, os.path.join(copy, "tests", "sqlite"), **libraries)
    install(copy)
    return run(["cargo", "test", "-q", "-p", "message-store-tests", "--no-fail-fast", "--test", name], copy)


def failed(engine, name, output):
    """The tests of a suite that its output says have failed: their names also stand beside those that passed."""
    line = rf"FAILED {name}\.(\w+)" if engine == "sqlite" else r"---- (?:\w+::)*(\w+) stdout ----"
    return set(re.findall(f"^{line}$", output, re.MULTILINE))


def mutate(copy, mutation):
    """Whether the test that must notice did."""
    path = os.path.join(copy, mutation.file)
    with open(path) as file:
        whole = file.read()
    if whole.count(mutation.code) != 1:
        sys.exit(f"{mutation.name}: {mutation.file} has {whole.count(mutation.code)} times: {mutation.code}")
    with open(path, "w") as file:
        file.write(whole.replace(mutation.code, mutation.broken))
    try:
        code, output = suite(copy, mutation.engine, mutation.suite)
    finally:
        with open(path, "w") as file:
            file.write(whole)
    if "could not compile" in output:
        sys.exit(f"{mutation.name}: it does not compile:\n{output[-3000:]}")
    return code != 0 and mutation.test in failed(mutation.engine, mutation.suite, output)


def main():
    wanted = [mutation for mutation in MUTATIONS if not sys.argv[1:] or mutation.name in sys.argv[1:]]
    unnoticed = []
    with tempfile.TemporaryDirectory(prefix="message-store-mutations-") as folder:
        copy = os.path.join(folder, "copy")
        shutil.copytree(REPOSITORY, copy, symlinks=True, ignore=shutil.ignore_patterns("target", ".git"))
        print("| what is broken | how | noticed by |\n|---|---|---|", flush=True)
        for mutation in wanted:
            noticed = mutate(copy, mutation)
            by = f"{mutation.suite}: `{mutation.test}`" if noticed else "**nobody**"
            how = f"`{mutation.file}`: `{mutation.summary}`"
            print(f"| {mutation.name} | {how} | {by} |", flush=True)
            if not noticed:
                unnoticed.append(mutation.name)
        if any(mutation.engine == "postgres" for mutation in wanted):
            install(copy)
    if unnoticed:
        sys.exit(f"nobody noticed: {', '.join(unnoticed)}")


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Runs the examples of the documentation and compares their output with what the page shows.

    tests/docs/check.py            all pages; ends with 1 when something differs
    tests/docs/check.py --write    puts the output that was found into the pages
    tests/docs/check.py FILE ...   these pages only

A page's examples are its fenced blocks. They run in the order of the page:

    ```sql             in one psql session of the page, in an empty database of its own
    ```sql psql -qAt   the same with psql's options, which are those of the whole session
    ```sql sqlite      in one sqlite3 shell of the page, on the file bank.db
    ```python, ```js       by python3 and node, a process each, in between the page's sqlite3 blocks, in the same folder
    ```sh message-store    by sh, with the program message-store
    ```sh postgres         by sh, in between the page's psql blocks, with Postgres' programs and message-store
    ```text            right below one of them: the output that it must have
    ```LANGUAGE path/to/file    is that file of the repository, which a test runs

A block without a text block below it may print what it likes, but no error. Any other block of any page must be run by
another test, or be listed with the reason why nothing runs it (not_run.py). The tests that docs/guarantees.md names must
exist, as must the files and headings that any page links to (pages.py), and docs/reference.md must have what the catalogs
of both engines have (catalogs.py).

The SQLite ones and those of the program run in a folder of their own that has cargo's target folder in it; without the
library (make sqlite), the sqlite3 shell, better-sqlite3 (make test-sqlite) or the program (make cli) they are left out,
and the last line says so; with MESSAGE_STORE_REQUIRE_ALL set that is a failure.

What differs from run to run is shown as it once was, and compared as a placeholder: version 7 ids, and times with a
fraction of a second. So an example that gives ids and times of its own, whole seconds, is compared to the letter.
After \\set VERBOSITY verbose errors have their SQLSTATE; the lines on Postgres' source that come with it are dropped. So
is the number of a line in the sqlite3 shell's errors, which who types the statements does not see.

Each page has a fresh cluster of PG_BIN (default /usr/lib/postgresql/15/bin), private, reached by a unix socket only,
run as the user postgres where this is run by root. With PGHOST set that server is used: it must let this user create
databases and roles, and have none of the roles that the examples create.
"""

import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager

import catalogs
from not_run import blocks_not_run
from pages import FENCE, REPOSITORY, broken_links, missing_tests, other_files, read

PAGES = ["README.md"]
PAGES += [
    f"docs/{page}.md"
    for page in (
        "concepts", "reference", "postgres", "sqlite", "namespaces", "concurrency", "consumers", "retention",
        "operations", "differences", "cli", "exchange-format", "migration",
    )
]
# Of the Postgres that has the extension.
PG_BIN = os.environ.get("PG_BIN", "/usr/lib/postgresql/15/bin")
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(REPOSITORY, "target"))
LIBRARY = os.path.join(TARGET, "release", "libmessage_store_sqlite.so")
PROGRAMS = [os.path.join(TARGET, profile) for profile in ("release", "debug")]
PYTHON = "/usr/bin/python3"
# Where tests/sqlite/run.sh builds better-sqlite3.
NODE_MODULES = os.path.join(REPOSITORY, "tests", "sqlite", "node", "node_modules")
SETTINGS = ["timezone=UTC", "fsync=off", "max_prepared_transactions=10"]

END = "--- end of example ---"
# What the sqlite3 shell says only where it reads no terminal.
LINE_NUMBER = re.compile(r"^(\w+ error) near line \d+:", re.MULTILINE)
# What VERBOSITY verbose prints beside the SQLSTATE.
VERBOSE = re.compile(r"^(LOCATION|SCHEMA NAME|TABLE NAME|COLUMN NAME|CONSTRAINT NAME): .*\n", re.MULTILINE)
PLACEHOLDERS = [
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+"), "<time>"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r'"xxh3":"[0-9a-f]{16}"'), '"xxh3":"<digest>"'),
]
FAILED = re.compile(r"^(ERROR|FATAL|PANIC|Runtime error|Parse error|Traceback|\w*Error:|\(the session ended)", re.MULTILINE)
RUN_BY = {
    "sql": "psql",
    "sql psql": "psql",
    "sh postgres": "psql",
    "sql sqlite": "sqlite3",
    "python": "python3",
    "js": "node",
    "sh message-store": "sh",
}
# Examples that are programs of their own, which the sqlite3 shell starts in between the page's statements.
PROGRAM_FILES = {"python3": (PYTHON, ".py"), "node": ("node", ".mjs")}
# The options of an example that is a program for the shell, in a session of psql.
SHELL = ["sh"]


class Example:
    """A block that runs, and where in the page the block with its output is, if it has one."""

    def __init__(self, page, program, options, code, shown):
        self.page, self.program, self.options, self.code, self.shown = page, program, options, code, shown
        # What its session is given.
        self.text = code
        self.found = None


def program_of(mark):
    """What runs the blocks with this mark, if anything does."""
    return RUN_BY.get(" ".join(mark.split()[:2]))


def examples(page):
    blocks = list(FENCE.finditer(page))
    for block, after in zip(blocks, blocks[1:] + [None]):
        words = block[1].split()
        program = program_of(block[1])
        if program:
            is_output = after and after[1].strip() == "text" and not page[block.end() : after.start()].strip()
            options = SHELL if words[0] == "sh" else words[2:]
            yield Example(page, program, options, block[2], after.span(2) if is_output else None)


@contextmanager
def server():
    """The environment that reaches a server whose superuser we are."""
    environment = {**os.environ, "PGUSER": os.environ.get("PGUSER", "postgres"), "PGTZ": "UTC"}
    if "PGHOST" in os.environ:
        yield environment
        return
    folder = tempfile.mkdtemp(prefix="msd-", dir="/tmp")
    with open(os.path.join(REPOSITORY, "tests", "src", "cluster.sh")) as file:
        command = ["sh", "-c", file.read(), "cluster", folder, PG_BIN, *SETTINGS]
    if os.getuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        command = ["runuser", "-u", "postgres", "--", *command]
    # Its end, however it comes, closes the script's standard input, and so stops the cluster.
    with subprocess.Popen(command, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout.readline() != "ready\n":
            sys.exit(f"the cluster does not start:\n{process.stdout.read()}")
        yield {**environment, "PGHOST": folder, "PGPORT": "5432"}
        process.stdin.close()


def output_of(command, **options):
    command = ["timeout", "300", *command]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options).stdout


def run_together(command, all_examples, echo, **options):
    """Runs a session of several examples; after each it prints a line of its own."""
    if not all_examples:
        return
    text = "".join(f"{example.text}\n{echo}\n" for example in all_examples)
    parts = output_of(command, input=text, **options).split(END + "\n")
    for example, part in zip(all_examples, parts + ["(the session ended)"] * len(all_examples)):
        example.found = part


def run_psql(all_examples):
    if not all_examples:
        return
    with server() as environment, tempfile.TemporaryDirectory() as folder:
        database = f"docs_{os.getpid()}"
        psql = [os.path.join(PG_BIN, "psql"), "-X", "-v", "ON_ERROR_STOP=0"]
        administer = [*psql, "-q", "-d", "postgres", "-c"]
        subprocess.run([*administer, f"CREATE DATABASE {database}"], env=environment, check=True)
        for number, example in enumerate(all_examples):
            if example.options == SHELL:
                with open(os.path.join(folder, f"{number}.sh"), "w") as file:
                    file.write(example.code)
                example.text = f"\\! sh {number}.sh 2>&1"
        options = [option for option in all_examples[0].options if option != SHELL[0]]
        path = os.pathsep.join([PG_BIN, *PROGRAMS, os.environ["PATH"]])
        # The programs that a page calls find its database as psql does.
        in_page = {**environment, "PATH": path, "PGDATABASE": database}
        command = ["stdbuf", "-oL", *psql, *options]
        run_together(command, all_examples, f"\\echo {END}", env=in_page, cwd=folder)
        if "PGHOST" in os.environ:
            subprocess.run([*administer, f"DROP DATABASE {database}"], env=environment, check=True)
    for example in all_examples:
        example.found = VERBOSE.sub("", example.found)


def run_sqlite(all_examples):
    """The examples for SQLite, in the order of the page, on the same files."""
    has_node = os.path.isdir(os.path.join(NODE_MODULES, "better-sqlite3", "build")) and shutil.which("node")
    all_examples = [example for example in all_examples if example.program != "node" or has_node]
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(os.path.abspath(TARGET), os.path.join(folder, "target"))
        os.symlink(NODE_MODULES, os.path.join(folder, "node_modules"))
        for number, example in enumerate(all_examples):
            if example.program in PROGRAM_FILES:
                command, ending = PROGRAM_FILES[example.program]
                with open(os.path.join(folder, f"{number}{ending}"), "w") as file:
                    file.write(example.code)
                example.text = f".shell {command} {number}{ending} 2>&1"
        # Unbuffered, so that errors stand where they belong.
        run_together(["stdbuf", "-o0", "sqlite3", "-batch", "bank.db"], all_examples, f".print {END}", cwd=folder)
    for example in all_examples:
        example.found = LINE_NUMBER.sub(r"\1:", example.found)


def run_program(all_examples):
    """The examples for message-store, in the order of the page, in the same folder."""
    folders = [folder for folder in PROGRAMS if os.path.exists(os.path.join(folder, "message-store"))]
    if not folders:
        return
    path = os.pathsep.join([*map(os.path.abspath, folders), os.environ["PATH"]])
    with tempfile.TemporaryDirectory() as folder:
        for example in all_examples:
            command = ["sh", "-c", example.code]
            example.found = output_of(command, cwd=folder, env={**os.environ, "PATH": path})


def comparable(text):
    """The text with placeholders; where there are any, columns are not compared by their width."""
    lines = [line.rstrip() for line in text.strip("\n").split("\n")]
    text = "\n".join(lines)
    replaced = text
    for pattern, placeholder in PLACEHOLDERS:
        replaced = pattern.sub(placeholder, replaced)
    if replaced != text:
        replaced = re.sub(r"-{2,}", "--", re.sub(r" {2,}", " ", replaced))
    return replaced


def shown(example):
    return example.page[slice(*example.shown)]


def problem(example):
    if example.shown is None:
        return example.found if FAILED.search(example.found) else None
    wanted, found = comparable(shown(example)), comparable(example.found)
    if wanted == found:
        return None
    return "\n".join(difflib.unified_diff(wanted.split("\n"), found.split("\n"), "shown", "found", lineterm=""))


def check(name, write):
    """How many of the page's examples agree, differ and were left out."""
    page = read(name)
    everything = list(examples(page))
    run_psql([example for example in everything if example.program == "psql"])
    if os.path.exists(LIBRARY) and shutil.which("sqlite3"):
        run_sqlite([example for example in everything if example.program in ("sqlite3", *PROGRAM_FILES)])
    run_program([example for example in everything if example.program == "sh"])
    agree = differ = left_out = 0
    for example in everything:
        if example.found is None:
            left_out += 1
            continue
        difference = problem(example)
        if difference is None:
            agree += 1
            continue
        differ += 1
        print(f"DIFFERS in {name}:\n{example.code}\n{difference}\n")
    if write:
        for example in reversed(everything):
            if example.found is not None and example.shown is not None and problem(example):
                start, end = example.shown
                lines = [line.rstrip() for line in example.found.strip("\n").split("\n")]
                page = page[:start] + "\n".join(lines) + "\n" + page[end:]
        with open(os.path.join(REPOSITORY, name), "w") as file:
            file.write(page)
    return agree, differ, left_out


def differences_of_reference():
    """Where docs/reference.md and the catalogs of the engines disagree."""
    page = read("docs/reference.md")
    with server() as environment:
        database = f"docs_{os.getpid()}_catalog"
        psql = [os.path.join(PG_BIN, "psql"), "-X", "-q", "-At", "-F", "\t", "-v", "ON_ERROR_STOP=1"]

        def run(sql, database=database):
            command = [*psql, "-d", database, "-c", sql]
            return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout

        def query(sql):
            rows = run(f"SET search_path = message_store; {sql}").splitlines()
            return [row.split("\t") for row in rows]

        run(f"CREATE DATABASE {database}", "postgres")
        run("CREATE EXTENSION message_store")
        yield from catalogs.in_postgres(page, query)
        if "PGHOST" in os.environ:
            run(f"DROP DATABASE {database}", "postgres")
    if os.path.exists(LIBRARY):
        yield from catalogs.in_sqlite(page, LIBRARY)


def main(arguments):
    write = "--write" in arguments
    pages = [argument for argument in arguments if argument != "--write"] or PAGES
    agree = differ = left_out = 0
    for name in pages:
        if not os.path.exists(os.path.join(REPOSITORY, name)):
            sys.exit(f"no such page: {name}")
        counts = check(name, write)
        agree, differ, left_out = agree + counts[0], differ + counts[1], left_out + counts[2]
    wrong = [f"MISSING, and named in docs/guarantees.md: {test}" for test in missing_tests()]
    wrong += [f"LEADS NOWHERE: {link}" for link in broken_links()]
    wrong += [f"DIFFERS from the file: {file}" for file in other_files()]
    wrong += blocks_not_run(PAGES, lambda mark: program_of(mark) is not None)
    if pages == PAGES:
        wrong += [f"WRONG in docs/reference.md: {difference}" for difference in differences_of_reference()]
    print(*wrong, f"{agree} examples agree, {differ} differ, {left_out} left out", sep="\n")
    lacking = left_out and os.environ.get("MESSAGE_STORE_REQUIRE_ALL")
    return 1 if differ or wrong or lacking else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

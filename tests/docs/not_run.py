"""That nothing stands in a block of a page that is not run or compared: each block is one of those that check.py runs,
a file of the repository, one that another test runs, a signature that catalogs.py compares, the output of one of these,
or listed below with the reason why nothing runs it."""

from pages import FENCE, INDENTED_FENCE, all_pages, file_shown, read

# A page and the mark of its blocks, and the test that reads them there and runs them.
RUN_BY_A_TEST = {
    ("README.md", "sh packages"): "tests/packaging/run.sh",
    ("docs/migration.md", "sql adopt"): "tests/tests/adoption.rs",
    ("docs/migration.md", "sql tidy"): "tests/tests/adoption.rs",
    ("docs/migration.md", "sql back"): "tests/tests/adoption.rs",
    ("docs/migration.md", "sql leave"): "tests/tests/adoption.rs",
    ("docs/migration.md", "sh databases"): "cli/tests/migration.rs",
    ("docs/replication.md", "sql standby"): "tests/tests/replication.rs",
    ("docs/replication.md", "sql primary"): "tests/tests/replication.rs",
    ("docs/replication.md", "sql publisher"): "tests/tests/replication.rs",
    ("docs/replication.md", "sql subscriber"): "tests/tests/replication.rs",
    ("docs/scaling.md", "sql node"): "tests/tests/scaling.rs",
    ("docs/scaling.md", "sql proxy"): "tests/tests/scaling.rs",
    ("examples/README.md", "sh example"): "tests/tests/examples.rs",
    ("packaging/npm/README.md", "js"): "tests/packaging/run.sh",
    ("packaging/python/README.md", "python"): "tests/packaging/run.sh",
}

# A page and the first line of a block, and why nothing runs it.
NOT_RUN = {
    (".github/ISSUE_TEMPLATE/bug.md", ""): "a form to fill in",
    ("README.md", "apt-get install build-essential postgresql-15 postgresql-server-dev-15 clang libclang-dev pkg-config"):
        "installs into the system; tests/setup.sh and the Makefile do the same for the tests",
    ("docs/postgres.md", "docker build -f packaging/docker/Dockerfile -t message-store ."):
        "needs a Docker server; hadolint looks at the Dockerfile",
    ("docs/scaling.md", "-- Not run by any test."): "needs Citus, as the page says",
    ("docs/sqlite.md", "make sqlite"): "builds what the page's other examples load; make test does it first",
    ("examples/README.md", "python3 -m venv venv"): "fetches from PyPI what tests/setup.sh has fetched",
    ("examples/README.md", "npm install --prefix examples/consumer-group-node"): "fetches from npm what tests/setup.sh has",
}


def blocks_not_run(pages, is_run):
    """The blocks that nothing accounts for, where `pages` are those whose blocks check.py runs, if `is_run`; and the
    entries above that account for nothing any more."""
    unused = {*RUN_BY_A_TEST, *NOT_RUN}
    for name in all_pages():
        page = read(name)
        if INDENTED_FENCE.search(page):
            yield f"NOT RUN: {name}: a block that is indented"
        end_of_block = None
        for block in FENCE.finditer(page):
            mark, first_line = block[1].strip(), block[2].partition("\n")[0]
            entries = {(name, mark), (name, first_line)} & {*RUN_BY_A_TEST, *NOT_RUN}
            unused -= entries
            is_output = mark == "text" and end_of_block is not None and not page[end_of_block : block.start()].strip()
            is_signature = name == "docs/reference.md" and not mark and first_line.split("(")[0] in headings(page)
            is_known = entries or is_output or is_signature or file_shown(block) or (name in pages and is_run(mark))
            if not is_known:
                line = page.count("\n", 0, block.start()) + 1
                yield f"NOT RUN: {name}:{line}: {block[0].splitlines()[0]} {first_line}"
            end_of_block = None if mark == "text" else block.end()
    for name, what in sorted(unused):
        yield f"LISTED in tests/docs/not_run.py, and not there any more: {name}: {what}"


def headings(page):
    return {line.removeprefix("### ") for line in page.splitlines() if line.startswith("### ")}

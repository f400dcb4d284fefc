"""The pages of the repository, their blocks, and what they name that must be there."""

import os
import re

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)^```\n", re.MULTILINE)
# A beginning or an end of a block that FENCE takes for text, such as one in a list.
INDENTED_FENCE = re.compile(r"^[ >]+```", re.MULTILINE)
# What is built, fetched or made on the way, and is not of the repository.
NOT_OURS = {".git", ".deps", "target", "node_modules", "dist", "venv"}


def read(name):
    with open(os.path.join(REPOSITORY, name)) as file:
        return file.read()


def all_pages():
    found = []
    for folder, folders, files in os.walk(REPOSITORY):
        folders[:] = [name for name in folders if name not in NOT_OURS]
        found += [os.path.relpath(os.path.join(folder, name), REPOSITORY) for name in files if name.endswith(".md")]
    return sorted(found)


def other_files():
    """The blocks that are said to be a file of the repository, and are not."""
    for name in all_pages():
        for block in FENCE.finditer(read(name)):
            path = file_shown(block)
            if path and read(path) != block[2]:
                yield f"{path}, in {name}"


def file_shown(block):
    """The path of the file that a block shows, if it is one."""
    words = block[1].split()
    return words[1] if len(words) == 2 and "/" in words[1] else None


def without_blocks(name):
    return FENCE.sub("", read(name))


def anchors(name):
    """What a page's headings are linked to by."""
    for heading in re.findall(r"^#+ (.*)$", without_blocks(name), re.MULTILINE):
        text = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading).lower()
        yield re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def broken_links():
    """The links from a page to another, to a heading or to a file that lead nowhere."""
    for name in all_pages():
        for link in re.findall(r"\]\(([^)\s]*)\)", without_blocks(name)):
            path, _, anchor = link.partition("#")
            if ":" in path:
                continue
            target = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
            is_there = os.path.exists(os.path.join(REPOSITORY, target))
            if not is_there or (anchor and anchor not in anchors(target)):
                yield f"{link}, in {name}"


def missing_tests():
    """The tests that the page of guarantees names and that are not there."""
    for suite, test in re.findall(r"`(\w+)::(\w+)`", read("docs/guarantees.md")):
        if suite == "suite":
            continue
        folder, ending, start = ("sqlite", "py", "def") if suite.startswith("test_") else ("tests", "rs", "fn")
        path = os.path.join("tests", folder, f"{suite}.{ending}")
        text = read(path) if os.path.exists(os.path.join(REPOSITORY, path)) else ""
        if not re.search(rf"\b{start} {test}\(", text):
            yield f"{suite}::{test}"

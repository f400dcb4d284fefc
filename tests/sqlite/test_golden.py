"""The vectors and portable scenarios read off genuine Message DB, through the extension."""

import json
import os

from host import GOLDEN, check_failure, connect, failure, value

ARGUMENTS = {
    "write_message": ["id", "stream_name", "type", "data", "metadata", "expected_version"],
    "get_stream_messages": ["stream_name", "position", "batch_size", "condition"],
    "get_category_messages": [
        "category", "position", "batch_size", "correlation",
        "consumer_group_member", "consumer_group_size", "condition",
    ],
    "get_last_stream_message": ["stream_name", "type"],
    "stream_version": ["stream_name"],
    "acquire_lock": ["stream_name"],
    "message_store_version": [],
}
ROWS = {"get_stream_messages", "get_category_messages", "get_last_stream_message"}
HASHES = {"acquire_lock", "hash_64"}


def read(name):
    with open(os.path.join(GOLDEN, name), encoding="utf-8") as file:
        return json.load(file)


def vectors(name):
    found = read("utility.json")[name]
    assert len(found) >= 25
    return found


def check_function(name):
    connection = connect()
    for vector in vectors(name):
        found = value(connection, f"SELECT {name}(?)", vector["in"])
        wanted = vector["out"]
        if name in HASHES and wanted is not None:
            wanted = int(wanted)
        assert found == wanted, (name, vector, found)


def test_category():
    check_function("category")


def test_id():
    check_function("id")


def test_cardinal_id():
    check_function("cardinal_id")


def test_is_category():
    check_function("is_category")


def test_hash_64():
    check_function("hash_64")


def test_acquire_lock():
    check_function("acquire_lock")


def test_consumer_group_member():
    connection = connect()
    last = None
    for vector in vectors("consumer_group_member"):
        name, size, member = vector["stream_name"], vector["size"], vector["member"]
        if name is None:
            continue
        if name != last:
            connection.execute("SELECT clear_namespace('message_store')")
            connection.execute("SELECT write_message(NULL, ?, 'T', NULL)", (name,))
            last = name
        read_by = "SELECT count(*) FROM get_category_messages(category(?), NULL, NULL, NULL, ?, ?)"
        if member is None:
            counts = [value(connection, read_by, name, m, size) for m in {0, size - 1}]
            assert not any(counts), vector
        else:
            assert value(connection, read_by, name, member, size) == 1, vector
            if size > 1:
                assert value(connection, read_by, name, (member + 1) % size, size) == 0, vector


def check_stored(name, column, sql):
    connection = connect()
    for number, vector in enumerate(vectors(name)):
        if column == "id" and vector["in"] is None:
            continue
        stream = f"v-{number}"
        if "error" in vector:
            message, code = failure(connection, sql, stream, vector["in"])
            check_failure(vector["error"], message, code)
        else:
            value(connection, sql, stream, vector["in"])
            found = value(connection, f"SELECT {column} FROM get_stream_messages(?)", stream)
            assert found == vector["out"], (vector, found)
            # Two spellings of one id are one id.
            connection.execute("SELECT clear_namespace('message_store')")


def test_jsonb_text():
    check_stored("jsonb_text", "data", "SELECT write_message(NULL, ?1, 'T', ?2)")
    check_stored("jsonb_text", "metadata", "SELECT write_message(NULL, ?1, 'T', NULL, ?2)")


def test_uuid_text():
    check_stored("uuid_text", "id", "SELECT write_message(?2, ?1, 'T', NULL)")


def call(step):
    names = ARGUMENTS[step["fn"]]
    unknown = set(step["args"]) - set(names)
    assert not unknown, unknown
    given = [step["args"].get(name) for name in names]
    while given and names and names[len(given) - 1] not in step["args"]:
        given.pop()
    source = f"{step['fn']}({', '.join('?' * len(given))})"
    if step["fn"] in ROWS:
        columns = "id, stream_name, type, position, global_position, data, metadata"
        return f"SELECT {columns} FROM {source}", given
    return f"SELECT {source}", given


class Positions:
    """Global positions by their order: a failed write burns none in SQLite, and Message DB's do."""

    def __init__(self):
        self.found = {}

    def check(self, wanted, found):
        assert self.found.setdefault(wanted, found) == found, (wanted, found)
        pairs = sorted(self.found.items())
        assert [b for _, b in pairs] == sorted(b for _, b in pairs), pairs


def run(scenario):
    connection = connect()
    positions = Positions()
    for step in scenario["steps"]:
        sql, given = call(step)
        if "error" in step:
            message, code = failure(connection, sql, *given)
            check_failure(step["error"], message, code)
            continue
        cursor = connection.execute(sql, given)
        found = cursor.fetchall()
        wanted = step["result"]
        if step["fn"] not in ROWS:
            if step["fn"] in HASHES and wanted is not None:
                wanted = int(wanted)
            assert found == [(wanted,)], (scenario["name"], step, found)
            continue
        columns = [column[0] for column in cursor.description]
        found = [dict(zip(columns, row)) for row in found]
        assert len(found) == len(wanted), (scenario["name"], step, found)
        for row, want in zip(found, wanted):
            want = dict(want)
            positions.check(want.pop("global_position"), row.pop("global_position"))
            if want["id"] is None:
                want["id"] = row["id"]
            assert row == want, (scenario["name"], step, row, want)


def portable():
    scenarios = [scenario for scenario in read("scenarios.json")["scenarios"] if scenario["portable"]]
    for scenario in scenarios:
        if scenario["name"] == "id forms":
            adapt_id_forms(scenario["steps"])
    return scenarios


def adapt_id_forms(steps):
    """The one deliberate difference to Message DB: a NULL id is generated, so that its write succeeds."""
    (without_id,) = [number for number, step in enumerate(steps) if step["args"].get("id", "") is None]
    del steps[without_id]["error"]
    steps[without_id]["result"] = 3
    write, read_back = steps[without_id + 1 :]
    write["result"] = 4
    rows = read_back["result"]
    rows[-1]["position"] = 4
    rows.insert(3, dict(rows[-1], id=None, position=3, global_position=4))


def make(scenario):
    def test():
        run(scenario)

    return test


for _scenario in portable():
    _name = "".join(c if c.isalnum() else "_" for c in _scenario["name"])
    globals()[f"test_scenario_{_name}"] = make(_scenario)

"""Random arguments from a seed."""

import json
import random

INTEGERS = [0, 0, 1, 1, 2, 3, 7, 1000, -1, -1, -2, 32767, 32768, 2**31 - 1, 2**31, -(2**31), 2**63 - 1, -(2**63)]
WORDS = [
    "", " ", "a", "account", "account-1", "account-1+2", "-", "--", "+", "-+", "Account-1", "o'brien-1", 'q"uote-1', "back\\slash-1",
    "日本語-🙂", "en–dash", "tab\t\n-1", "$1", "%s-%", "'; SELECT 1; --", "x" * 300, "a-" + "y" * 1000, "\u0001", "\u200b", "e\u0301-1",
    "null", "NULL", "true", "5", "infinity",
]
IDS = [
    "00000000-0000-4000-8000-000000000001", "{00000000-0000-4000-8000-000000000002}", "00000000000040008000000000000003",
    "xyz", "", "urn:uuid:00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-00000000000", "{}", "-" * 36,
]
NAMES = ["tenant-a", "tenant-a", "tenant-b", "message_store", "nope", "", "Bad Name", "public", "pg_x", "x" * 63, "x" * 64, "é", "main"]
DOCUMENTS = [
    "{}", "[]", "null", "5", "-0.00", '"x"', '{"b": 1, "a": 2, "a": 3}', '{"correlationStreamName": "other-1"}', "[[[[]]]]",
    '{"a": 1e400}', '{"a": "\\ud83d\\ude42"}', '"\\u0000"', '"\\ud800"', "{", "[1,]", "nul", "", " ", "01", "1e", "{'a': 1}", "é",
    '{"a" 1}', "1e200000", '{"": ""}', '"\t"', "[1 2]", '{"a":1}}', "\u00a0{}",
]
OPTIONS = ["append_lock", "category", "stream", "read", "write", "", "x"]
CONSUMERS = ["totals", "totals", "b", *WORDS]
SETTINGS = [
    "message_store.sql_condition", "message_store.busy_timeout", "message_store.debug", "Message_Store.Debug_Get", "message_store.",
    "search_path", "on", "off", "5", "",
]
FITTING = {
    "stream": ["account-0", "account-1", "account-2", "other-1"],
    "category": ["account", "account", "other", "imported"],
    "correlation": [None, None, "other"],
    "type": ["T", "T", "Type 2"],
    "json": ["{}", "null", '{"b": 1, "a": 2, "a": 3}', '{"correlationStreamName": "other-1"}'],
    "bigint": [None, 0, 1, 2, 3],
    "version": [None, None, None, None, -1, 0],
    "boolean": [True, False],
    "condition": [None],
    "namespace": [None, None, "tenant-a"],
    "name": ["tenant-a", "tenant-a", "tenant-b", "message_store"],
    "option": ["append_lock"],
    "choice": ["category", "stream"],
    "consumer": ["totals", "b"],
    "setting": SETTINGS,
}
CONDITIONS = ["true", "position > 1", "nonsense", ")", "", "1/0 = 1", "true) --", "'", "/*", "type = 'T'"]


class Maker:
    """Arguments from a seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.new_ids = []

    def one_in(self, count):
        return self.random.randrange(count) == 0

    def pick(self, values):
        return self.random.choice(values)

    def member(self, key):
        if self.one_in(8):
            return self.pick([None, True, 1.5, [], {}, "", 7, -1])
        return {
            "id": lambda: self.pick(IDS) if self.one_in(3) else self.new_id(),
            "type": lambda: self.pick(["T", "Type 2", ""]),
            "data": lambda: self.pick([{}, [1.5], None, "x", {"b": 1, "a": {"z": []}}]),
            "metadata": lambda: self.pick([{}, None, {"correlationStreamName": "other-1"}, {"correlationStreamName": 5}]),
            "time": lambda: self.pick(["2026-01-31 12:00:00", "2026-01-31T12:00:00.5Z", "2026-02-30 00:00:00", "now", ""]),
            "stream_name": lambda: self.pick(WORDS),
            "position": lambda: self.pick([0, 0, 1, -1, 2**63 - 1]),
            "global_position": lambda: self.pick([1, 0, -1, 10**6, 2**62]),
        }[key]()

    def new_id(self):
        self.new_ids.append("%08x-0000-7000-8000-%012x" % (self.random.getrandbits(32), self.random.getrandbits(48)))
        return self.new_ids[-1]

    def elements(self, keys, needed):
        if self.one_in(8):
            return self.pick(DOCUMENTS)
        elements = []
        for _ in range(self.random.randrange(4)):
            if self.one_in(15):
                elements.append(self.pick([None, 5, "x", [], True]))
                continue
            element = {key: self.member(key) for key in keys if key in needed or self.one_in(2)}
            if self.one_in(10):
                element.pop(self.pick(keys), None)
            if self.one_in(15):
                element[self.pick(["", "ID", "stream", "type "])] = 1
            elements.append(element)
        return json.dumps(elements, ensure_ascii=self.one_in(2))

    def arguments(self, kinds):
        """A call's arguments. In half of the calls they fit, but perhaps for one; or else functions would refuse nearly
        everything, and have little to answer with."""
        if self.one_in(2):
            return [self.value(kind) for kind in kinds]
        arguments = [self.fitting(kind) for kind in kinds]
        if arguments and self.one_in(4):
            place = self.random.randrange(len(kinds))
            arguments[place] = self.value(kinds[place])
        return arguments

    def fitting(self, kind):
        """A value that a function takes which has an argument of that kind."""
        if kind == "batch":
            return json.dumps([self.message() for _ in range(self.random.randrange(1, 4))])
        if kind == "import":
            stream, count = f"imported-{self.random.getrandbits(32)}", self.random.randrange(1, 4)
            return json.dumps([self.message() | self.imported(stream, position) for position in range(count)])
        if kind == "id":
            return self.new_id()
        if kind == "written id":
            return self.pick(self.new_ids[-20:] or IDS)
        if kind == "member":
            self.group = self.pick([(None, None), (0, 2), (1, 2)])
            return self.group[0]
        if kind == "size":
            return self.group[1]
        return self.pick(FITTING[kind])

    def message(self):
        return {"id": self.new_id(), "type": "T", "data": self.pick([{}, [1.5], None]), "metadata": json.loads(self.fitting("json"))}

    def imported(self, stream, position):
        return {"stream_name": stream, "position": position, "global_position": position + 1, "time": "2026-01-31 12:00:00"}

    def value(self, kind):
        """A value of a kind as both engines can be given it: None, a number or a text."""
        if self.one_in(12):
            return None
        if kind in ("bigint", "version", "member", "size"):
            return self.pick(INTEGERS)
        if kind == "boolean":
            return self.pick([True, False])
        if kind == "batch":
            return self.elements(["id", "type", "data", "metadata", "time"], ["id", "type"])
        if kind == "import":
            return self.elements(
                ["id", "stream_name", "type", "position", "global_position", "data", "metadata", "time"],
                ["id", "stream_name", "type", "position", "global_position", "time"],
            )
        if kind == "id":
            return self.pick(IDS) if self.one_in(4) else self.new_id()
        if kind == "written id":
            return self.pick(self.new_ids[-50:]) if self.new_ids and not self.one_in(4) else self.value("id")
        if kind == "namespace":
            return None if self.one_in(2) else self.pick(NAMES)
        values = {"stream": WORDS, "category": WORDS, "type": WORDS, "json": DOCUMENTS, "condition": CONDITIONS,
                  "name": NAMES, "option": OPTIONS, "choice": OPTIONS, "consumer": CONSUMERS, "setting": SETTINGS,
                  "correlation": WORDS}[kind]
        if kind == "condition" and not self.one_in(4):
            return None
        if kind == "stream" and self.one_in(2):
            return f"account-{self.random.randrange(3)}"
        if kind == "category" and self.one_in(2):
            return "account"
        return self.pick(values)

    def anything(self):
        """A value of any kind, text and bytes of any content."""
        kind = self.random.randrange(12)
        if kind < 2:
            return self.value(self.pick(["bigint", "stream", "json", "batch", "import", "name", "id", "condition"]))
        if kind == 2:
            return self.random.getrandbits(self.random.randrange(1, 70)) - self.random.getrandbits(63)
        if kind == 3:
            return self.pick([0.0, -0.0, 1.5, 1e308, float("inf"), float("-inf"), float("nan"), 5e-324])
        if kind < 6:
            return self.random.randbytes(self.random.randrange(20))
        if kind < 9:
            characters = ["'", '"', "\\", "-", "+", "\0", "{", "}", "[", "]", ",", ":", "a", "é", "🙂", "\u202e", "\n", "%", "$", ";"]
            return "".join(self.pick(characters) for _ in range(self.random.randrange(16)))
        if kind == 9:
            return self.pick([True, False])
        return self.pick(WORDS + DOCUMENTS + NAMES)

"""message-db-py, unmodified, doing everything it offers. Arguments: the socket's folder, the database."""

import sys
import unittest

from message_db.client import MessageDB

HOST, DATABASE = sys.argv.pop(1), sys.argv.pop(1)


class MessageDbPy(unittest.TestCase):
    number = 0

    def setUp(self):
        self.store = MessageDB(dbname=DATABASE, user="message_store", host=HOST)
        self.addCleanup(self.store.connection_pool.closeall)
        # A category of its own for each test.
        MessageDbPy.number += 1
        self.category = f"account{self.number}"
        self.stream = f"{self.category}-123"

    def test_write_gives_positions_and_read_stream_gives_the_messages(self):
        self.assertEqual(self.store.write(self.stream, "Opened", {"owner": "Zoë"}, {"user": "u-1"}), 0)
        self.assertEqual(self.store.write(self.stream, "Deposited", {"amount": 1.50}), 1)
        opened, deposited = self.store.read_stream(self.stream)
        self.assertEqual((opened["type"], opened["position"]), ("Opened", 0))
        self.assertEqual((opened["data"], opened["metadata"]), ({"owner": "Zoë"}, {"user": "u-1"}))
        self.assertEqual((deposited["data"], deposited["metadata"]), ({"amount": 1.50}, None))
        self.assertEqual(deposited["stream_name"], self.stream)
        self.assertGreater(deposited["global_position"], opened["global_position"])
        self.assertIsNone(opened["time"].tzinfo)
        self.assertEqual(
            list(opened),
            ["id", "stream_name", "type", "position", "global_position", "data", "metadata", "time"],
        )

    def test_expected_version_lets_the_right_write_in_and_no_other(self):
        self.assertEqual(self.store.write(self.stream, "T", {}, expected_version=-1), 0)
        self.assertEqual(self.store.write(self.stream, "T", {}, expected_version=0), 1)
        with self.assertRaises(ValueError) as raised:
            self.store.write(self.stream, "T", {}, expected_version=0)
        self.assertEqual(
            str(raised.exception),
            f"P0001-ERROR:  Wrong expected version: 0 (Stream: {self.stream}, Stream Version: 1)",
        )
        self.assertEqual(len(self.store.read_stream(self.stream)), 2)

    def test_a_batch_is_written_whole_or_not_at_all(self):
        batch = [("A", {"n": 0}), ("B", {"n": 1}, {"m": True}), ("C", {"n": 2})]
        self.assertEqual(self.store.write_batch(self.stream, batch, expected_version=-1), 2)
        with self.assertRaises(ValueError):
            self.store.write_batch(self.stream, batch, expected_version=1)
        self.assertEqual([m["type"] for m in self.store.read_stream(self.stream)], ["A", "B", "C"])

    def test_reads_start_at_a_position_and_stop_at_a_number(self):
        for n in range(5):
            self.store.write(self.stream, "T", {"n": n})
        messages = self.store.read_stream(self.stream, position=1, no_of_messages=2)
        self.assertEqual([m["data"]["n"] for m in messages], [1, 2])
        messages = self.store.read(self.stream, position=4)
        self.assertEqual([m["data"]["n"] for m in messages], [4])
        following = messages[0]["global_position"] - 1
        messages = self.store.read_category(self.category, position=following)
        self.assertEqual([m["data"]["n"] for m in messages], [3, 4])

    def test_read_category_gives_every_stream_in_global_order(self):
        for n in range(6):
            self.store.write(f"{self.category}-{n % 3}", "T", {"n": n})
        self.assertEqual([m["data"]["n"] for m in self.store.read_category(self.category)], list(range(6)))
        self.assertEqual([m["data"]["n"] for m in self.store.read(self.category)], list(range(6)))
        everything = self.store.read("$all", no_of_messages=100_000)
        self.assertEqual([m["data"]["n"] for m in everything if m["stream_name"].startswith(f"{self.category}-")],
                         list(range(6)))

    def test_consumer_group_members_share_the_streams(self):
        for n in range(20):
            self.store.write(f"{self.category}-{n}", "T", {"n": n})
        shares = [self.store.read_category(self.category, consumer_group_member=m, consumer_group_size=3)
                  for m in range(3)]
        self.assertTrue(all(shares))
        self.assertEqual(sorted(message["data"]["n"] for share in shares for message in share), list(range(20)))

    def test_read_last_message_is_the_newest_or_none(self):
        self.assertIsNone(self.store.read_last_message(self.stream))
        self.store.write(self.stream, "A", {})
        self.store.write(self.stream, "B", {"last": True})
        last = self.store.read_last_message(self.stream)
        self.assertEqual((last["type"], last["position"], last["data"]), ("B", 1, {"last": True}))

    def test_stream_identifiers_lists_the_category(self):
        for stream in ("2", "1", "1"):
            self.store.write(f"{self.category}-{stream}", "T", {})
        self.store.write(f"{self.category}:snapshot-9", "T", {})
        self.assertEqual(self.store.stream_identifiers(self.category), ["1", "2"])


if __name__ == "__main__":
    unittest.main()

"""Tests of the lab's own tools that need no server: client, scripted source, ledger, compare."""
import os
import struct
import unittest

import fakesource
import lab
import ledger
import myclient


class FakeSourceTalk(unittest.TestCase):
    def connect(self, source, password=lab.PASSWORD):
        return myclient.Client(port=source.port, user="repl", password=password, timeout=5)

    def test_questions_of_a_replica_are_answered(self):
        with fakesource.FakeSource() as source, self.connect(source) as client:
            self.assertEqual(client.query("SELECT @@GLOBAL.SERVER_ID, @@global.gtid_mode"),
                             [("1", "OFF")])
            self.assertEqual(client.query("SHOW VARIABLES LIKE 'SERVER_ID'"), [("server_id", "1")])
            self.assertEqual(client.query("SET @a = 1"), [])
            with self.assertRaisesRegex(myclient.MyError, "1193"):
                client.query("SELECT @@global.nothing")

    def test_wrong_password_is_refused(self):
        with fakesource.FakeSource() as source:
            with self.assertRaisesRegex(myclient.MyError, "1045"):
                self.connect(source, "wrong")

    def test_dump_sends_events_and_records_acks(self):
        log = fakesource.Log()

        def script(connection, _):
            connection.begin(log)
            connection.event(log.transaction(1)[-1], flagged=True)
        with fakesource.FakeSource(script) as source:
            client = self.connect(source)
            client.query("SET @rpl_semi_sync_replica = 1, @rpl_semi_sync_slave = 1")
            client.command(struct.pack("<BIHI", 0x12, 4, 0, 99))
            packets = [client.read_packet() for _ in range(3)]
            self.assertEqual([packet[1:3] for packet in packets], [b"\xef\0", b"\xef\0", b"\xef\1"])
            self.assertEqual(packets[1][3:], log.format())
            client.command(b"\xef" + struct.pack("<Q", 500) + b"mysql-bin.000001")
            lab.wait_until(source.acks, 5)
            self.assertEqual(source.acks(), [(500, "mysql-bin.000001")])
            client.sock.close()
            self.assertTrue(source.finished.wait(5))
            self.assertEqual(source.errors, [])


class LedgerOracle(unittest.TestCase):
    entries = {(1, 1): ("aa", "ok"), (1, 2): ("bb", "unknown"), (2, 1): ("cc", "failed")}

    def test_all_answered_rows_present_is_right(self):
        for rows in ([(1, 1, "aa")], [(1, 1, "aa"), (1, 2, "bb")]):
            self.assertEqual(ledger.problems(self.entries, rows), [])

    def test_wrong_rows_are_found(self):
        cases = {"missing": [], "missing ": [(1, 1, "zz")], "twice": [(1, 1, "aa"), (1, 1, "aa")],
                 "never": [(1, 1, "aa"), (2, 1, "cc")], "never ": [(1, 1, "aa"), (7, 7, "dd")]}
        for word, rows in cases.items():
            found = " ".join(ledger.problems(self.entries, rows))
            self.assertIn(word.strip(), found, rows)


class CompareFiles(unittest.TestCase):
    def compare(self, source, copy, prefix=False):
        paths = []
        for name, data in (("source", source), ("copy", copy)):
            paths.append(os.path.join(self.dir, name))
            with open(paths[-1], "wb") as file:
                file.write(data)
        return lab.same_bytes(*paths, prefix=prefix)

    def setUp(self):
        self.dir = lab.temp_dir()

    def test_in_use_flag_does_not_count(self):
        log = fakesource.Log().bytes
        self.assertIsNone(self.compare(log[:21] + b"\1" + log[22:], log))

    def test_differences_are_named(self):
        log = fakesource.Log().bytes
        self.assertIn("differs at 21", self.compare(log[:21] + b"\2" + log[22:], log))
        self.assertIn("differs at 50", self.compare(log[:50] + b"?" + log[51:], log))
        self.assertIn("sizes differ", self.compare(log + b"x", log))

    def test_prefix_may_be_shorter_not_longer(self):
        log = fakesource.Log().bytes
        self.assertIsNone(self.compare(log, log[:-9], prefix=True))
        self.assertIn("sizes differ", self.compare(log[:-9], log, prefix=True))


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""Every ACK and every dump request comes after the fdatasync that covers it (acktrace.py).

The daemon runs under strace against a real MySQL 9.x source with semi-sync while writers
commit and the logs rotate, is killed and started again, and the traces are replayed.
"""
import os
import re
import unittest

import acktrace
import lab
import ledger
from lab import Binlogd, Mysql97


def setUpModule():
    Binlogd.binary()
    Mysql97.available()


class AckTrace(unittest.TestCase):
    options = []

    def setUp(self):
        self.source = Mysql97(*Mysql97.semisync_options(), *self.options)
        self.addCleanup(self.source.close)
        self.source.create_user()
        self.source.unlogged("CREATE DATABASE lab", "CREATE TABLE lab.ledger (client INT, seq INT, "
                             "value VARCHAR(64), pad LONGBLOB, PRIMARY KEY (client, seq))")

    def traced(self, name):
        directory = lab.temp_dir()
        self.trace = os.path.join(directory, name)
        return acktrace.strace_command(self.trace)

    def replay(self, daemon, sizes=None, names=()):
        return acktrace.check_trace(self.trace, daemon.storage, sizes, names)

    def test_every_ack_and_request_is_covered(self):
        with Binlogd(self.source, wrapper=self.traced("trace")) as daemon:
            with ledger.Load(self.source, 4) as load:
                for _ in range(3):
                    load.wait_commits(60)
                    self.source.query("FLUSH BINARY LOGS")
                self.source.query("CREATE TABLE lab.other (a INT)")
                load.wait_commits(60)
            lab.assert_copied(self.source, daemon)
            self.assertEqual(daemon.stop(), 0)
            checker = self.replay(daemon)
            print(f"trace: {len(checker.acks)} ACKs for {load.count('ok')} commits, "
                  f"{len(checker.requests)} dump requests", flush=True)
            self.assertEqual(checker.problems[:5], [])
            self.assertGreater(len(checker.acks), 20)
            self.assertEqual(len({name for _, name, _ in checker.acks}), 4)
            self.assertGreaterEqual(len(checker.requests), 1)
            self.assert_checker_can_fail(daemon)

    def assert_checker_can_fail(self, daemon):
        """The same trace with every fdatasync failing must be full of problems."""
        checker = acktrace.Checker(daemon.storage)
        with open(self.trace, encoding="latin-1") as trace:
            for text in trace.read().splitlines():
                checker.line(re.sub(r"(fdatasync.*\)\s+)= 0$", r"\1= -1 EIO (x)", text))
        self.assertGreaterEqual(len(checker.problems), len(checker.acks))

    def test_resume_after_kill_requests_only_what_is_synced(self):
        with Binlogd(self.source) as daemon, ledger.Load(self.source, 4) as load:
            load.wait_commits(50)
            self.source.query("FLUSH BINARY LOGS")
            load.wait_commits(50)
            for turn in range(2):
                daemon.kill9()
                sizes = {path: os.path.getsize(path) for path in
                         (daemon.copy_path(name) for name in daemon.copies())}
                names = daemon.index_names()
                daemon.wrapper = self.traced(f"trace{turn}")
                daemon.start()
                load.wait_commits(40)
                self.source.query("FLUSH BINARY LOGS")
                load.wait_commits(40)
            load.stop()
            lab.wait_caught_up(self.source, daemon)
            self.assertEqual(daemon.stop(), 0)
            checker = self.replay(daemon, sizes, names)
            print(f"trace: {len(checker.acks)} ACKs, requests "
                  f"{[claim[1:] for claim in checker.requests]}", flush=True)
            self.assertEqual(checker.problems[:5], [])
            self.assertTrue(any(position > 4 for _, _, position in checker.requests))
            self.assertGreater(len(checker.acks), 10)

    def test_reconnect_requests_only_what_is_synced(self):
        with Binlogd(self.source, wrapper=self.traced("trace")) as daemon:
            with ledger.Load(self.source, 4) as load:
                for _ in range(3):
                    load.wait_commits(50)
                    self.drop_connection()
                load.wait_commits(50)
            lab.wait_caught_up(self.source, daemon)
            self.assertEqual(daemon.stop(), 0)
            checker = self.replay(daemon)
            self.assertEqual(checker.problems[:5], [])
            self.assertGreaterEqual(len(checker.requests), 4)

    def drop_connection(self):
        """End the daemon's connection from the source's side."""
        for row in self.source.query("SELECT id FROM information_schema.processlist "
                                     "WHERE command LIKE 'Binlog Dump%'"):
            self.source.query(f"KILL {row[0]}")


class AckTraceWithGtids(AckTrace):
    options = ["--gtid-mode=ON", "--enforce-gtid-consistency=ON"]


if __name__ == "__main__":
    unittest.main(verbosity=2)

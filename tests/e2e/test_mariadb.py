"""Copies of a MariaDB source: its own GTIDs and the old semi-sync names."""
import time
import unittest

import lab
import ledger
from lab import Binlogd, MariaDB


def setUpModule():
    Binlogd.binary()
    MariaDB.available()


class Maria(unittest.TestCase):
    options = []

    def setUp(self):
        self.source = MariaDB(*self.options)
        self.addCleanup(self.source.close)
        self.source.create_user()
        self.source.unlogged("CREATE DATABASE lab", "CREATE TABLE lab.ledger (client INT, seq INT, "
                             "value VARCHAR(64), pad LONGBLOB, PRIMARY KEY (client, seq))")

    def rows(self, daemon, torn=False):
        return ledger.rows_in([daemon.copy_path(name) for name in daemon.copies()],
                              self.source.mysqlbinlog(), torn)

    def assert_all_copied(self, daemon, load):
        load.stop()
        lab.assert_copied(self.source, daemon)
        self.assertEqual(ledger.problems(load.entries, self.rows(daemon)), [])


class MariaCopy(Maria):
    def test_rotations_and_checksums_are_copied(self):
        with Binlogd(self.source) as daemon, ledger.Load(self.source, 2) as load:
            for statement in ("FLUSH BINARY LOGS", "SET GLOBAL binlog_checksum=NONE",
                              "SET GLOBAL binlog_checksum=CRC32", "FLUSH BINARY LOGS"):
                load.wait_commits(30)
                self.source.query(statement)
            self.assert_all_copied(daemon, load)
            self.assertEqual(daemon.stop(), 0)

    def test_statements_with_annotations_are_copied(self):
        with Binlogd(self.source) as daemon, self.source.connect() as client:
            for statement in ("CREATE TABLE lab.m (a INT) ENGINE=MyISAM", "BEGIN",
                              "INSERT INTO lab.m VALUES (1)", "ROLLBACK", "FLUSH LOGS",
                              "SET binlog_annotate_row_events=ON", "INSERT INTO lab.m VALUES (2)",
                              "CREATE SEQUENCE lab.s", "DO NEXT VALUE FOR lab.s",
                              "DROP TABLE lab.m"):
                client.query(statement)
            lab.assert_copied(self.source, daemon)


class MariaSemiSync(Maria):
    options = MariaDB.semisync_options()

    def test_commits_are_acknowledged(self):
        with Binlogd(self.source) as daemon:
            self.source.wait_semisync_client()
            with ledger.Load(self.source, 4, commits=100) as load:
                self.assertTrue(load.join(30))
            after = self.source.semisync()
            self.assertEqual((after["yes_tx"], after["no_tx"]), (400, 0))
            self.assert_all_copied(daemon, load)

    def test_kills_of_either_side_lose_nothing(self):
        with Binlogd(self.source) as daemon, ledger.Load(self.source, 4) as load:
            for _ in range(3):
                load.wait_commits(60)
                daemon.kill9()
                time.sleep(0.2)
                entries = dict(load.entries)
                self.assertEqual(ledger.problems(entries, self.rows(daemon, torn=True)), [])
                daemon.start()
            load.wait_commits(60)
            self.source.kill()
            time.sleep(0.2)
            self.source.start()
            load.wait_commits(30)
            self.assert_all_copied(daemon, load)


if __name__ == "__main__":
    unittest.main(verbosity=2)

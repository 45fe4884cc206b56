"""Copies of a real MySQL 5.6 source: mysql_native_password, GTIDs on and off, no semi-sync."""
import unittest

import lab
import ledger
from lab import Binlogd, Mysql56


def setUpModule():
    Binlogd.binary()
    Mysql56.available()


class Copy56(unittest.TestCase):
    options = []

    @classmethod
    def setUpClass(cls):
        cls.source = Mysql56(*cls.options)
        cls.addClassCleanup(cls.source.close)
        cls.source.create_user()
        ledger.create_table(cls.source)

    def setUp(self):
        self.source.query("TRUNCATE lab.ledger")
        self.first = self.source.logs()[-1][0]

    def assert_all_copied(self, daemon, load):
        load.stop()
        lab.assert_copied(self.source, daemon)
        names = [name for name in daemon.copies() if name >= self.first]
        rows = ledger.rows_in([daemon.copy_path(name) for name in names],
                              self.source.mysqlbinlog())
        ours = set(load.entries)
        wrong = ledger.problems(load.entries, [row for row in rows if row[:2] in ours])
        self.assertEqual(wrong, [])

    def test_rotations_and_checksums_are_copied(self):
        with Binlogd(self.source) as daemon, ledger.Load(self.source, 2, first_client=10) as load:
            for statement in ("FLUSH BINARY LOGS", "SET GLOBAL binlog_checksum=NONE",
                              "SET GLOBAL binlog_checksum=CRC32", "FLUSH BINARY LOGS"):
                load.wait_commits(30)
                self.source.query(statement)
            self.assert_all_copied(daemon, load)
            self.assertEqual(daemon.stop(), 0)

    def test_daemon_killed_goes_on(self):
        with Binlogd(self.source) as daemon, ledger.Load(self.source, 2, first_client=20) as load:
            for _ in range(3):
                load.wait_commits(50)
                daemon.kill9()
                daemon.start()
            self.assert_all_copied(daemon, load)

    def test_source_killed_is_followed_when_it_is_back(self):
        with Binlogd(self.source) as daemon, ledger.Load(self.source, 2, first_client=30) as load:
            load.wait_commits(50)
            self.source.kill()
            self.source.start()
            load.wait_commits(50)
            self.assert_all_copied(daemon, load)

    def test_source_lists_us_as_replica(self):
        with Binlogd(self.source, server_id=4712):
            lab.wait_until(lambda: self.source.sees_replica(4712), 15, "SHOW SLAVE HOSTS")

    def test_events_at_packet_limit_are_copied(self):
        self.source.query("SET GLOBAL max_allowed_packet=67108864")
        with Binlogd(self.source) as daemon, self.source.connect(timeout=60) as client:
            client.query("CREATE TABLE lab.big (v LONGBLOB) ENGINE=MyISAM")
            for step in range(-50, -20, 4):
                client.query(f"INSERT INTO lab.big VALUES (REPEAT('x', {(1 << 24) + step}))")
            client.query("DROP TABLE lab.big")
            lab.assert_copied(self.source, daemon)


class Copy56WithGtids(Copy56):
    options = ["--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--log-slave-updates"]


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""A real MySQL 5.6 replica behind binlogd behind a MySQL 5.6 source: old words, old statements."""
import unittest

import lab
import ledger
from lab import Binlogd, Mysql56

USER = {"repl": lab.account(plugin="mysql_native_password")}


def setUpModule():
    Binlogd.binary()
    Mysql56.available()


class Replicas56(unittest.TestCase):
    options = ["--log-slave-updates"]

    @classmethod
    def setUpClass(cls):
        cls.source = Mysql56(*cls.options)
        cls.addClassCleanup(cls.source.close)
        cls.source.create_user()
        ledger.create_table(cls.source)
        cls.daemon = Binlogd(cls.source, users=USER)
        cls.addClassCleanup(cls.daemon.close)
        cls.daemon.keep_port()

    def setUp(self):
        self.replica = Mysql56(*self.options, "--relay-log=relay", "--slave-net-timeout=10",
                               server_id=100)
        self.addCleanup(self.replica.close)
        self.clients = type(self).clients = getattr(type(self), "clients", 0) + 10

    def start_at(self, at):
        return at

    def assert_follows(self):
        self.replica.wait_executed(self.source.position())
        self.assertEqual(self.replica.checksums(), self.source.checksums())

    def write_with_rotations(self):
        with ledger.Load(self.source, 2, first_client=self.clients) as load:
            for _ in range(3):
                load.wait_commits(60)
                self.source.query("FLUSH BINARY LOGS")


class Serve56(Replicas56):
    def test_from_the_beginning_through_rotations(self):
        self.replica.replicate_from(self.daemon.port(), self.start_at(("mysql-bin.000001", 4)))
        self.write_with_rotations()
        self.assert_follows()

    def test_from_the_middle(self):
        self.replica.replicate_from(self.source.port, self.start_at(("mysql-bin.000001", 4)))
        self.assert_follows()
        self.replica.stop_replica()
        self.write_with_rotations()
        self.replica.replicate_from(self.daemon.port(), self.start_at(self.replica.executed()))
        self.assert_follows()

    def test_restarted_replica_and_killed_daemon_go_on(self):
        self.replica.replicate_from(self.daemon.port(), self.start_at(("mysql-bin.000001", 4)))
        with ledger.Load(self.source, 2, first_client=self.clients) as load:
            load.wait_commits(60)
            self.daemon.kill9()
            self.daemon.start()
            load.wait_commits(60)
            self.replica.restart()
            load.wait_commits(60)
        self.assert_follows()


class Checksums56(Replicas56):
    """A source of its own: a 5.6 replica that is restarted while it has events of both kinds takes
    checksums for data, whoever serves it."""

    def test_checksums_switched_off_and_on(self):
        self.replica.replicate_from(self.daemon.port(), self.start_at(("mysql-bin.000001", 4)))
        for value in ("NONE", "CRC32"):
            self.source.query(f"SET GLOBAL binlog_checksum={value}")
            lab.write_rows(self.source)
        self.assert_follows()


if __name__ == "__main__":
    unittest.main(verbosity=2)

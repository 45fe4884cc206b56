"""A real MariaDB replica behind binlogd behind a MariaDB source, by file and position."""
import unittest

import lab
import ledger
from lab import Binlogd, MariaDB

USER = {"repl": lab.account(plugin="mysql_native_password")}
START = ("mysql-bin.000001", 4)


def setUpModule():
    Binlogd.binary()
    MariaDB.available()


class ServeMariaDB(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.source = MariaDB()
        cls.addClassCleanup(cls.source.close)
        cls.source.create_user()
        ledger.create_table(cls.source)
        cls.daemon = Binlogd(cls.source, users=USER)
        cls.addClassCleanup(cls.daemon.close)
        cls.daemon.keep_port()

    def setUp(self):
        self.replica = MariaDB("--relay-log=relay", "--slave-net-timeout=10",
                               "--slave-parallel-threads=4", server_id=100)
        self.addCleanup(self.replica.close)
        self.clients = type(self).clients = getattr(type(self), "clients", 0) + 10

    def assert_follows(self):
        self.replica.wait_executed(self.source.position())
        self.assertEqual(self.replica.checksums(), self.source.checksums())

    def write_with_rotations(self):
        with ledger.Load(self.source, 2, first_client=self.clients) as load:
            for _ in range(3):
                load.wait_commits(60)
                self.source.query("FLUSH BINARY LOGS")

    def replicate(self, port, at=START):
        self.replica.replicate_from(port, at, use_gtid="no")

    def test_from_the_beginning_through_rotations(self):
        self.replicate(self.daemon.port())
        self.write_with_rotations()
        self.assert_follows()

    def test_from_the_middle(self):
        self.replicate(self.source.port)
        self.assert_follows()
        self.replica.stop_replica()
        self.write_with_rotations()
        self.replicate(self.daemon.port(), self.replica.executed())
        self.assert_follows()

    def test_semisync_replica_follows(self):
        self.replica.query("SET GLOBAL rpl_semi_sync_slave_enabled=ON")
        self.replicate(self.daemon.port())
        self.write_with_rotations()
        self.assert_follows()

    def test_restarted_daemon_and_replica_go_on(self):
        """A clean stop: killed, this server may execute a transaction twice without GTIDs."""
        self.replicate(self.daemon.port())
        with ledger.Load(self.source, 2, first_client=self.clients) as load:
            load.wait_commits(60)
            self.daemon.restart()
            load.wait_commits(60)
            self.replica.restart()
            load.wait_commits(60)
        self.assert_follows()


if __name__ == "__main__":
    unittest.main(verbosity=2)

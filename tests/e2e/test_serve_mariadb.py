"""Real MariaDB replicas behind binlogd behind a MariaDB source, by GTID and by position."""
import unittest

import lab
import ledger
from lab import Binlogd, MariaDB

USER = {"repl": lab.account(plugin="mysql_native_password")}
START = ("mysql-bin.000001", 4)


def setUpModule():
    Binlogd.binary()
    MariaDB.available()


class Serving(unittest.TestCase):
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

    def write_with_rotations(self):
        with ledger.Load(self.source, 2, first_client=self.clients) as load:
            for _ in range(3):
                load.wait_commits(60)
                self.source.query("FLUSH BINARY LOGS")



class ByPosition(Serving):
    def assert_follows(self):
        self.replica.wait_executed(self.source.position())
        self.assertEqual(self.replica.checksums(), self.source.checksums())

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


class ByGtid(Serving):
    """MASTER_USE_GTID=slave_pos; two domains, in parallel."""

    def setUp(self):
        self.source.query("SET GLOBAL rpl_semi_sync_master_timeout=3600000, "
                          "rpl_semi_sync_master_enabled=ON")
        lab.wait_until(lambda: self.source.semisync()["clients"] > 0, 20, "a semi-sync client")
        self.replica = self.make_replica(100)
        self.clients = type(self).clients = getattr(type(self), "clients", 0) + 10

    def make_replica(self, server_id):
        replica = MariaDB("--relay-log=relay", "--slave-net-timeout=10", "--log-slave-updates=ON",
                          "--slave-parallel-threads=4", server_id=server_id)
        self.addCleanup(replica.close)
        return replica

    def goal(self):
        return self.source.query("SELECT @@gtid_binlog_pos")[0][0]

    def wait_for(self, goal, replica=None):
        replica = replica or self.replica
        wanted = set(goal.split(","))

        def done():
            status = replica.replica_status()
            if status["Last_SQL_Error"] or status["Last_IO_Errno"] == "1236":
                raise AssertionError(f"{status['Last_SQL_Error']} {status['Last_IO_Error']}")
            return wanted <= set(replica.query("SELECT @@gtid_slave_pos")[0][0].split(","))
        lab.wait_until(done, 40, f"the replica to have {goal}")

    def assert_follows(self, replica=None):
        replica = replica or self.replica
        self.wait_for(self.goal(), replica)
        self.assertEqual(replica.checksums(), self.source.checksums())

    def write_with_rotations(self):
        """Rows in domain 0, and meanwhile statements in domain 7."""
        with ledger.Load(self.source, 2, first_client=self.clients) as load, \
                self.source.connect() as other:
            other.query("SET gtid_domain_id=7")
            other.query("CREATE TABLE IF NOT EXISTS lab.other (a INT AUTO_INCREMENT PRIMARY KEY)")
            for _ in range(3):
                for _ in range(20):
                    other.query("INSERT INTO lab.other VALUES ()")
                load.wait_commits(40)
                self.source.query("FLUSH BINARY LOGS")

    def replicate(self, port):
        self.replica.replicate_from(port)

    def test_from_the_beginning_through_rotations(self):
        self.replicate(self.daemon.port())
        self.write_with_rotations()
        self.assert_follows()

    def test_from_the_middle(self):
        self.write_with_rotations()
        self.replicate(self.source.port)
        self.assert_follows()
        self.replica.stop_replica()
        self.write_with_rotations()
        self.replicate(self.daemon.port())
        self.write_with_rotations()
        self.assert_follows()

    def test_restarts_and_kills_of_both(self):
        self.replicate(self.daemon.port())
        with ledger.Load(self.source, 2, first_client=self.clients) as load:
            for end, start in ((self.daemon.kill9, self.daemon.start),
                               (self.replica.kill, self.replica.start)):
                load.wait_commits(60)
                end()
                start()
            load.wait_commits(60)
        self.assert_follows()

    def test_semisync_replica_follows(self):
        self.replica.query("SET GLOBAL rpl_semi_sync_slave_enabled=ON")
        self.replicate(self.daemon.port())
        self.write_with_rotations()
        self.assert_follows()

    def test_replica_that_is_ahead_waits(self):
        """It got more from the source than binlogd, which sees the source again only later."""
        self.write_with_rotations()
        self.replicate(self.source.port)
        self.assert_follows()
        self.daemon.stop()
        self.source.query("SET GLOBAL rpl_semi_sync_master_enabled=OFF")
        self.write_with_rotations()
        self.assert_follows()
        self.replica.stop_replica()
        self.source.kill()
        self.daemon.start()
        self.replicate(self.daemon.port())
        self.daemon.wait_for("is ahead: it has GTID")
        self.source.start()
        self.write_with_rotations()
        self.assert_follows()

    def test_foreign_gtids_are_refused_as_by_the_source(self):
        self.write_with_rotations()
        lab.wait_caught_up(self.source, self.daemon)
        errors = []
        for port in (self.source.port, self.daemon.port()):
            self.replica.query("SET GLOBAL gtid_slave_pos='0-100-1'")
            self.replicate(port)
            lab.wait_until(lambda: self.replica.replica_status()["Last_IO_Errno"] == "1236", 20,
                           "the refusal")
            errors.append(self.replica.replica_status()["Last_IO_Error"])
            self.replica.stop_replica()
            self.replica.query("RESET SLAVE")
        self.assertIn("0-100-1, which is not in the master's binlog", errors[0])
        self.assertEqual(*errors)

    def test_until_a_gtid(self):
        self.write_with_rotations()
        until = self.goal()
        self.write_with_rotations()
        self.replica.replicate_from(self.daemon.port(), start=False)
        self.replica.query(f"START SLAVE UNTIL master_gtid_pos='{until}'")
        lab.wait_until(lambda: self.replica.replica_status()["Replica_SQL_Running"] == "No", 40,
                       "the replica to stop")
        self.assertEqual(self.replica.replica_status()["Last_SQL_Error"], "")
        self.assertEqual(set(self.replica.query("SELECT @@gtid_slave_pos")[0][0].split(",")),
                         set(until.split(",")))
        self.replica.start_replica()
        self.assert_follows()

    def test_failover(self):
        """The source is gone; what it had answered is what replicas get from binlogd."""
        other = self.make_replica(101)
        self.replicate(self.source.port)
        with ledger.Load(self.source, 2, first_client=self.clients) as load:
            load.wait_commits(60)
            self.replica.stop_replica("IO_THREAD")
            load.wait_commits(60)
            self.source.kill()
            load.stop()
        self.replica.stop_replica()
        goal = self.daemon.query("SELECT @@gtid_binlog_pos")[0][0]
        for replica in (self.replica, other):
            replica.replicate_from(self.daemon.port())
            self.wait_for(goal, replica)
        self.assertEqual(self.replica.checksums(), other.checksums())
        have = {(row[0], row[1]) for row in other.query("SELECT client, seq FROM lab.ledger")}
        answered = {(str(key[0]), str(key[1])) for key, entry in load.entries.items()
                    if entry[1] == "ok"}
        self.assertEqual(answered - have, set())
        self.source.start()
        self.assert_follows()
        self.assert_follows(other)


class DurableChain(unittest.TestCase):
    """wait_for_replicas: the source gets its ACK when a MariaDB replica by GTID has the commit."""

    def test_replica_has_what_was_answered(self):
        source = MariaDB()
        self.addCleanup(source.close)
        source.create_user()
        ledger.create_table(source)
        daemon = Binlogd(source, users=USER, sections={"server": {"wait_for_replicas": 1}})
        self.addCleanup(daemon.close)
        replica = MariaDB("--relay-log=relay", "--rpl-semi-sync-slave-enabled=ON", server_id=100)
        self.addCleanup(replica.close)
        replica.replicate_from(daemon.port())
        replica.wait_receiving()
        source.query("SET GLOBAL rpl_semi_sync_master_timeout=3600000, "
                     "rpl_semi_sync_master_enabled=ON")
        lab.wait_until(lambda: source.semisync()["clients"] > 0, 30, "a semi-sync client")
        with ledger.Load(source, 2) as load:
            load.wait_commits(60)
            replica.stop_replica("IO_THREAD")
            replica.start_replica("IO_THREAD")
            load.wait_commits(60)
            source.kill()
            load.stop()
        replica.stop_replica("IO_THREAD")
        lab.wait_until(lambda: "Slave has read all relay log" in
                       replica.replica_status()["Replica_SQL_Running_State"], 40, "the applier")
        rows = {(int(row[0]), int(row[1])) for row in
                replica.query("SELECT client, seq FROM lab.ledger")}
        answered = {key for key, entry in load.entries.items() if entry[1] == "ok"}
        self.assertEqual(answered - rows, set())


if __name__ == "__main__":
    unittest.main(verbosity=2)

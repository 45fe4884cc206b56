"""wait_for_replicas: the source gets its ACK when replicas behind binlogd have acknowledged too."""
import time
import unittest

import lab
import ledger
from lab import REPLICA_USER, WITH_GTIDS, WITHOUT_GTIDS, Binlogd, MariaDB, Mysql97
from serving import make_replicas, require_servers

SEMI_SYNC_REPLICA = ["--plugin-load-add=semisync_replica.so", "--rpl-semi-sync-replica-enabled=ON"]
TIMEOUT = 4


def setUpModule():
    require_servers()


def waiting_for(count, timeout=TIMEOUT, **more):
    return {"server": {"wait_for_replicas": count, "wait_for_replicas_timeout": timeout, **more}}


def semi_sync(daemon, word="source"):
    """Its counters, as Server.semisync()."""
    prefix = f"Rpl_semi_sync_{word}_"
    return {name[len(prefix):]: value for name, value in
            daemon.query(f"SHOW GLOBAL STATUS LIKE '{prefix}%'")}


class Commits:
    """Commits one at a time, and how long each took."""

    def __init__(self, source):
        self.source = source
        self.seq = 0

    def commit(self, timeout=40):
        self.seq += 1
        with self.source.connect(timeout=timeout) as client:
            began = time.monotonic()
            client.query(f"INSERT INTO lab.ledger VALUES (99, {self.seq}, 'aa', '')")
            return time.monotonic() - began


class Chain97(unittest.TestCase):
    """A source that waits for ever, a binlogd that waits for one replica, a semi-sync replica."""

    options = WITH_GTIDS

    def setUp(self):
        self.source = Mysql97(*self.options, *Mysql97.semisync_options())
        self.addCleanup(self.source.close)
        self.source.create_user()
        self.source.unlogged("CREATE DATABASE lab")
        self.source.unlogged("CREATE TABLE lab.ledger (client INT, seq INT, value VARCHAR(64), "
                             "pad LONGBLOB, PRIMARY KEY (client, seq))")
        self.commits = Commits(self.source)

    def daemon(self, sections, **keys):
        daemon = Binlogd(self.source, users=REPLICA_USER, sections=sections, **keys)
        self.addCleanup(daemon.close)
        daemon.keep_port()
        return daemon

    def replica(self, port, *options):
        replica, = make_replicas(self, 1, *self.options, *SEMI_SYNC_REPLICA, *options)
        replica.unlogged("CREATE DATABASE lab", "CREATE TABLE lab.ledger (client INT, seq INT, "
                         "value VARCHAR(64), pad LONGBLOB, PRIMARY KEY (client, seq))")
        at = None if self.options == WITH_GTIDS else ("mysql-bin.000001", 4)
        replica.replicate_from(port, at)
        replica.wait_receiving()
        return replica

    def assert_same(self, replica):
        replica.wait_executed(self.source.position())
        self.assertEqual(replica.checksums(), self.source.checksums())

    def test_commits_wait_for_the_replica_until_the_timeout(self):
        daemon = self.daemon(waiting_for(1))
        replica = self.replica(daemon.port())
        self.source.wait_semisync_client()
        self.assertLess(self.commits.commit(), TIMEOUT / 2)
        self.assertEqual(replica.query(
            "SELECT variable_value FROM performance_schema.global_status WHERE "
            "variable_name='Rpl_semi_sync_replica_status'"), [("ON",)])
        with ledger.Load(self.source, 2, commits=100) as load:
            self.assertTrue(load.join(30))
        at = semi_sync(daemon)
        print("with the replica:", at, self.source.semisync(), daemon.status())
        self.assertEqual((at["status"], at["clients"], at["no_tx"], at["no_times"]),
                         ("ON", "1", "0", "0"))
        self.assertGreaterEqual(int(at["yes_tx"]), 201)
        self.assertEqual(semi_sync(daemon, "master"), at)
        self.assertEqual(daemon.query("SELECT @@rpl_semi_sync_source_enabled, "
                                      "@@rpl_semi_sync_source_timeout, "
                                      "@@rpl_semi_sync_master_wait_for_slave_count"),
                         [("1", str(1000 * TIMEOUT), "1")])

        replica.stop_replica("IO_THREAD")
        took = self.commits.commit()
        print(f"without the replica: {took:.2f} s, then {self.commits.commit():.3f} s")
        self.assertGreater(took, TIMEOUT - 0.5)
        self.assertLess(took, TIMEOUT + 3)
        at = semi_sync(daemon)
        self.assertEqual((at["status"], at["clients"], at["no_times"]), ("OFF", "0", "1"))
        self.assertGreaterEqual(int(at["no_tx"]), 1)
        self.assertEqual(daemon.log_text().count("ACKs without them"), 1)
        daemon.wait_for(r"status: .*wait_for_replicas=degraded", 5)
        self.assertEqual(self.source.semisync()["no_tx"], 0)

        replica.start_replica("IO_THREAD")
        lab.wait_until(lambda: semi_sync(daemon)["status"] == "ON", 20, "waiting to resume")
        self.assertIn("ACKs wait for them as before", daemon.log_text())
        before = semi_sync(daemon)
        self.assertLess(self.commits.commit(), TIMEOUT / 2)
        after = semi_sync(daemon)
        self.assertEqual(int(after["yes_tx"]), int(before["yes_tx"]) + 1)
        self.assertEqual(after["no_tx"], before["no_tx"])
        self.assert_same(replica)


class Chain97WithoutGtids(Chain97):
    options = WITHOUT_GTIDS


if __name__ == "__main__":
    unittest.main(verbosity=2)

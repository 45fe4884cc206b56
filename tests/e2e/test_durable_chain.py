"""wait_for_replicas: the source gets its ACK when replicas behind binlogd have acknowledged too."""
import signal
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


def semi_sync(daemon, word="source"):
    """Its counters, as Server.semisync()."""
    prefix = f"Rpl_semi_sync_{word}_"
    return {name[len(prefix):]: value for name, value in
            daemon.query(f"SHOW GLOBAL STATUS LIKE '{prefix}%'")}


TABLE = ("CREATE TABLE lab.ledger (client INT, seq INT, value VARCHAR(64), pad LONGBLOB, "
         "PRIMARY KEY (client, seq)) ENGINE=InnoDB")


def rows_of(server):
    """What a server's table holds, as ledger.rows_in() has it from files."""
    return [(int(client), int(seq), value) for client, seq, value in
            server.query("SELECT client, seq, value FROM lab.ledger")]


class DurableChain(unittest.TestCase):
    """A source that waits for ever, and a binlogd that waits for replicas."""

    family = Mysql97
    options = WITH_GTIDS
    users = REPLICA_USER
    word = "source"

    def setUp(self):
        self.source = self.family(*self.options, *self.family.semisync_options())
        self.addCleanup(self.source.close)
        self.source.create_user()
        self.source.unlogged("CREATE DATABASE lab", TABLE)
        self.seq = 0

    def commit(self, timeout=40):
        """Commit one row; seconds until it was answered."""
        self.seq += 1
        with self.source.connect(timeout=timeout) as client:
            began = time.monotonic()
            client.query(f"INSERT INTO lab.ledger VALUES (99, {self.seq}, 'aa', '')")
            return time.monotonic() - began

    def daemon(self, count, timeout=TIMEOUT, source=None, **keys):
        sections = {
            "server": {"wait_for_replicas": count, "wait_for_replicas_timeout": timeout},
            "metrics": {"listen": "127.0.0.1:0"}}
        daemon = Binlogd(source or self.source, users=self.users, sections=sections, **keys)
        self.addCleanup(daemon.close)
        daemon.keep_port()
        return daemon

    def replica(self, port):
        replica = self.make_replica()
        replica.unlogged("CREATE DATABASE lab", TABLE)
        self.replicate(replica, port)
        replica.wait_receiving()
        return replica

    def make_replica(self):
        return make_replicas(self, 1, *self.options, *SEMI_SYNC_REPLICA)[0]

    def replicate(self, replica, port):
        at = None if self.options == WITH_GTIDS else ("mysql-bin.000001", 4)
        replica.replicate_from(port, at)

    def assert_same(self, replica):
        replica.wait_executed(self.source.position())
        self.assertEqual(replica.checksums(), self.source.checksums())

    def assert_shown(self, daemon, state, replicas):
        """Screen, JSON, metrics and the log's status line; returns the JSON's part."""
        on, chain, metrics = int(state == "on"), daemon.json()["chain"], daemon.metrics()
        self.assertEqual((chain["state"], chain["replicas"], chain["wait_for_replicas"]),
                         (state, replicas, 1))
        self.assertEqual([metrics[f"binlogd_chain_{name}"]
                          for name in ("on", "replicas", "replicas_wanted", "degraded_total")],
                         [on, replicas, 1, chain["degraded_times"]])
        self.assertEqual([metrics[f'binlogd_chain_transactions_total{{replicas="{which}"}}']
                          for which in ("with", "without")],
                         [chain["transactions_with_replicas"],
                          chain["transactions_without_replicas"]])
        self.assertRegex(daemon.ask().stdout, rf"(?m)^Chain +{state}: ACKs (do not )?wait for 1 "
                         rf"replica; {replicas} acknowledges?$")
        daemon.wait_for(lambda: (line := daemon.status())["wait_for_replicas"] == state and
                        line["acknowledging"] == f"{replicas}/1", 5)
        return chain

    def assert_waiting_works(self, daemon, stop, start):
        """With the replica commits are quick; without it they wait for the timeout, once."""
        self.source.wait_semisync_client()
        self.assertLess(self.commit(), TIMEOUT / 2)
        with ledger.Load(self.source, 2, commits=100) as load:
            self.assertTrue(load.join(30))
        at = semi_sync(daemon, self.word)
        print("with the replica:", at, daemon.status())
        self.assertEqual((at["status"], at["clients"], at["no_tx"], at["no_times"]),
                         ("ON", "1", "0", "0"))
        self.assertGreaterEqual(int(at["yes_tx"]), 201)
        chain = self.assert_shown(daemon, "on", 1)
        self.assertEqual((chain["degraded_times"], chain["transactions_without_replicas"]), (0, 0))

        stop()
        took = self.commit()
        print(f"without the replica: {took:.2f} s, then {self.commit():.3f} s")
        self.assertGreater(took, TIMEOUT - 0.5)
        self.assertLess(took, TIMEOUT + 3)
        at = semi_sync(daemon, self.word)
        self.assertEqual((at["status"], at["clients"], at["no_times"]), ("OFF", "0", "1"))
        self.assertGreaterEqual(int(at["no_tx"]), 1)
        self.assertEqual(daemon.log_text().count("ACKs without them"), 1)
        chain = self.assert_shown(daemon, "degraded", 0)
        self.assertEqual(chain["degraded_times"], 1)
        self.assertEqual(chain["transactions_without_replicas"], int(at["no_tx"]))
        self.assertEqual(self.source.semisync()["no_tx"], 0)

        start()
        lab.wait_until(lambda: semi_sync(daemon, self.word)["status"] == "ON", 20, "waiting")
        self.assertIn("ACKs wait for them as before", daemon.log_text())
        self.assert_shown(daemon, "on", 1)
        before = semi_sync(daemon, self.word)
        self.assertLess(self.commit(), TIMEOUT / 2)
        after = semi_sync(daemon, self.word)
        self.assertEqual(int(after["yes_tx"]), int(before["yes_tx"]) + 1)
        self.assertEqual(after["no_tx"], before["no_tx"])


class Chain97(DurableChain):
    def test_commits_wait_for_the_replica_until_the_timeout(self):
        daemon = self.daemon(1)
        replica = self.replica(daemon.port())
        self.assert_waiting_works(daemon, lambda: replica.stop_replica("IO_THREAD"),
                                  lambda: replica.start_replica("IO_THREAD"))
        self.assertEqual(replica.query(
            "SELECT variable_value FROM performance_schema.global_status WHERE "
            "variable_name='Rpl_semi_sync_replica_status'"), [("ON",)])
        self.assertEqual(semi_sync(daemon, "master"), semi_sync(daemon))
        self.assertEqual(daemon.query("SELECT @@rpl_semi_sync_source_enabled, "
                                      "@@rpl_semi_sync_source_timeout, "
                                      "@@rpl_semi_sync_master_wait_for_slave_count"),
                         [("1", str(1000 * TIMEOUT), "1")])
        self.assert_same(replica)

    def test_connecting_again_acknowledges_no_more_than_the_replica_has(self):
        daemon = self.daemon(1, timeout=0)
        replica = self.replica(daemon.port())
        self.source.wait_semisync_client()
        self.commit()
        self.assert_same(replica)
        replica.stop_replica("IO_THREAD")
        held = self.source.position()
        with ledger.Load(self.source, 3, commits=1) as load:
            lab.wait_until(lambda: daemon.position() != held, 10, "a commit")
            for end in (daemon.kill9, daemon.stop):
                lab.wait_caught_up(self.source, daemon)
                end()
                daemon.start()
                time.sleep(1.5)
                self.assertEqual(load.count("ok"), 0, "a commit was answered")
                daemon.wait_for("replicas must have acknowledged")
            replica.start_replica("IO_THREAD")
            self.assertTrue(load.join(20), "the writers still wait")
        self.assertEqual(load.count("ok"), 3)
        self.assertEqual(self.source.semisync()["no_tx"], 0)
        self.assert_same(replica)

    def test_two_are_waited_for(self):
        daemon = self.daemon(2, timeout=0)
        replica = self.replica(daemon.port())
        second = Binlogd(host="127.0.0.1", port=daemon.port(), server_id=4712)
        self.addCleanup(second.close)
        self.source.wait_semisync_client()
        self.commit()
        self.assertEqual(semi_sync(daemon)["clients"], "2")
        for end, begin in ((second.stop, second.start),
                           (lambda: replica.stop_replica("IO_THREAD"),
                            lambda: replica.start_replica("IO_THREAD"))):
            end()
            self.seq += 10
            with ledger.Load(self.source, 1, commits=1, first_client=self.seq) as load:
                lab.wait_until(lambda: semi_sync(daemon)["wait_sessions"] == "1", 10, "a wait")
                time.sleep(0.5)
                self.assertEqual(load.count("ok"), 0)
                begin()
                self.assertTrue(load.join(20), "the writer still waits")
        self.assertEqual(self.source.semisync()["no_tx"], 0)
        self.assert_same(replica)
        lab.assert_copied(self.source, second)

    def test_reload_switches_the_waiting_on_and_off(self):
        daemon = self.daemon(0, timeout=0)
        daemon.restart()  # with the port that it keeps
        replica = self.replica(daemon.port())
        self.source.wait_semisync_client()

        def reload(count):
            daemon.sections["server"]["wait_for_replicas"] = count
            daemon.write_config()
            done = daemon.log_text().count("configuration reloaded")
            daemon.signal(signal.SIGHUP)
            daemon.wait_for(lambda: daemon.log_text().count("configuration reloaded") > done, 5)

        self.commit()
        at = semi_sync(daemon)
        self.assertEqual((at["status"], at["yes_tx"], at["clients"]), ("OFF", "0", "1"))
        reload(1)
        self.commit()
        at = semi_sync(daemon)
        self.assertEqual((at["status"], at["yes_tx"], at["clients"]), ("ON", "1", "1"))
        replica.stop_replica("IO_THREAD")
        with ledger.Load(self.source, 1, commits=1) as load:
            lab.wait_until(lambda: semi_sync(daemon)["wait_sessions"] == "1", 10, "a waiting ACK")
            self.assertEqual(load.count("ok"), 0)
            reload(0)
            self.assertTrue(load.join(10), "the writer still waits")
        self.assertEqual(semi_sync(daemon)["no_tx"], "0")
        replica.start_replica("IO_THREAD")
        self.assert_same(replica)

    def test_no_answered_commit_is_missing_on_the_replica(self):
        """Rotations, kills of binlogd and of the receiver; then source and binlogd are lost."""
        daemon = self.daemon(1, timeout=0)
        replica = self.replica(daemon.port())
        with ledger.Load(self.source, 4) as load:
            for turn in range(3):
                load.wait_commits(80)
                self.source.query("FLUSH BINARY LOGS")
                load.wait_commits(80)
                daemon.kill9()
                daemon.start()
                load.wait_commits(20)
                replica.stop_replica("IO_THREAD")
                replica.start_replica("IO_THREAD")
            load.wait_commits(50)
            self.source.kill()
            daemon.kill9()
            load.stop()
        print(f"{load.count('ok')} answered, {len(rows_of(replica))} on the replica")
        lab.wait_until(lambda: not ledger.problems(load.entries, rows_of(replica)), 20,
                       "the answered commits")


class Chain97WithoutGtids(DurableChain):
    options = WITHOUT_GTIDS

    def test_commits_wait_for_the_replica_until_the_timeout(self):
        daemon = self.daemon(1)
        replica = self.replica(daemon.port())
        self.assert_waiting_works(daemon, lambda: replica.stop_replica("IO_THREAD"),
                                  lambda: replica.start_replica("IO_THREAD"))
        self.assert_same(replica)


class ThreeInARow(DurableChain):
    """binlogd behind binlogd, with and without GTIDs."""

    def test_commits_wait_for_the_second_binlogd(self):
        first = self.daemon(1)
        second = Binlogd(host="127.0.0.1", port=first.port(), server_id=4712)
        self.addCleanup(second.close)
        self.assert_waiting_works(first, second.stop, second.start)
        lab.assert_copied(self.source, second)

    def test_commits_wait_for_the_end_of_the_row(self):
        first = self.daemon(1, timeout=0)
        server = {"wait_for_replicas": 1, "wait_for_replicas_timeout": 0}
        second = Binlogd(host="127.0.0.1", port=first.port(), server_id=4712, users=self.users,
                         sections={"server": server})
        self.addCleanup(second.close)
        replica = self.replica(second.port())
        self.source.wait_semisync_client()
        self.commit()
        replica.stop_replica("IO_THREAD")
        with ledger.Load(self.source, 1, commits=1) as load:
            lab.wait_until(lambda: second.position() == self.source.position(), 10, "the commit")
            time.sleep(0.5)
            self.assertEqual(load.count("ok"), 0)
            replica.start_replica("IO_THREAD")
            self.assertTrue(load.join(20), "the writer still waits")
        self.assert_same(replica)


class ThreeInARowWithoutGtids(ThreeInARow):
    options = WITHOUT_GTIDS


class ChainMariaDB(DurableChain):
    family = MariaDB
    options = []
    users = {"repl": lab.account(plugin="mysql_native_password")}
    word = "master"

    def setUp(self):
        MariaDB.available()
        super().setUp()

    def make_replica(self):
        replica = MariaDB("--relay-log=relay", "--rpl-semi-sync-slave-enabled=ON", server_id=100)
        self.addCleanup(replica.close)
        return replica

    def replicate(self, replica, port):
        replica.replicate_from(port, ("mysql-bin.000001", 4), use_gtid="no")

    def test_commits_wait_for_the_replica_until_the_timeout(self):
        daemon = self.daemon(1)
        replica = self.replica(daemon.port())
        self.assert_waiting_works(daemon, lambda: replica.stop_replica("IO_THREAD"),
                                  lambda: replica.start_replica("IO_THREAD"))
        self.assertEqual(replica.query("SHOW STATUS LIKE 'Rpl_semi_sync_slave_status'"),
                         [("Rpl_semi_sync_slave_status", "ON")])
        self.assert_same(replica)


if __name__ == "__main__":
    unittest.main(verbosity=2)

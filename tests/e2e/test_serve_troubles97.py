"""Deaths and returns of replica, binlogd and source while real MySQL 9.x replicas are served."""
import os
import re
import unittest

import lab
import ledger
from lab import REPLICA_USER, WITH_GTIDS, Binlogd
from serving import Serving, make_replicas, make_source, require_servers


def setUpModule():
    require_servers()


class Troubles(Serving):
    """Each of the three is killed or comes twice."""

    def test_replica_killed_comes_back(self):
        replica, = make_replicas(self, 1)
        replica.replicate_from(self.daemon.port())
        with ledger.Load(self.source, 4, first_client=self.next_clients()) as load:
            for _ in range(2):
                load.wait_commits(150)
                replica.kill()
                load.wait_commits(50)
                replica.start()
            load.wait_commits(50)
        self.assert_follows(replica)

    def test_daemon_restarted_and_killed_under_a_replica(self):
        replica, = make_replicas(self, 1)
        replica.replicate_from(self.daemon.port())
        with ledger.Load(self.source, 4, first_client=self.next_clients()) as load:
            replica.wait_receiving()
            load.wait_commits(100)
            self.assertEqual(self.daemon.stop(), 0)
            load.wait_commits(100)
            self.daemon.start()
            load.wait_commits(100)
            self.daemon.kill9()
            self.daemon.start()
            load.wait_commits(100)
        self.assert_follows(replica)

    def test_source_dead_is_no_trouble_for_replicas(self):
        late, = make_replicas(self, 1)
        self.write_with_rotations(1)
        want, goal = self.source.checksums(), self.source.position()
        lab.wait_caught_up(self.source, self.daemon)
        self.source.kill()
        try:
            late.replicate_from(self.daemon.port())
            late.wait_executed(goal)
            self.assertEqual(late.checksums(), want)
        finally:
            self.source.start()
        lab.write_rows(self.source)
        self.assert_follows(late)

    def test_same_uuid_twice_ends_the_first(self):
        first, second = make_replicas(self, 2)
        second.stop()
        with open(os.path.join(first.datadir, "auto.cnf"), encoding="ascii") as cnf:
            text = cnf.read()
        with open(os.path.join(second.datadir, "auto.cnf"), "w", encoding="ascii") as cnf:
            cnf.write(text)
        second.start()
        first.replicate_from(self.daemon.port())
        first.wait_receiving()
        second.replicate_from(self.daemon.port())
        error = lab.wait_until(lambda: first.replica_status()["Last_IO_Error"], 20, "an error")
        self.assertIn("A replica with the same server_uuid/server_id as this replica has connected "
                      "to the source", error)
        self.assertEqual(first.replica_status()["Last_IO_Errno"], "13114")
        self.assert_follows(second)

    def test_semisync_replica_follows(self):
        replica, = make_replicas(self, 1, "--plugin-load-add=semisync_replica.so",
                                 "--rpl-semi-sync-replica-enabled=ON")
        replica.replicate_from(self.daemon.port())
        self.write_with_rotations(2)
        self.assert_follows(replica)
        self.assertEqual(replica.replica_status()["Last_IO_Error"], "")

    def test_idle_replica_is_kept_by_heartbeats(self):
        replica, = make_replicas(self, 1, "--replica-net-timeout=3")
        replica.replicate_from(self.daemon.port(), heartbeat_period=1)
        self.assert_follows(replica)
        begins = self.begun(replica)
        beats = "SELECT count_received_heartbeats FROM performance_schema." \
                "replication_connection_status"
        seen = int(replica.query(beats)[0][0])
        lab.wait_until(lambda: int(replica.query(beats)[0][0]) >= seen + 4, 15, "heartbeats")
        self.assertEqual(begins, self.begun(replica), "it had to connect again")

    def begun(self, replica):
        """How many dumps to the replica have begun."""
        return len(re.findall(rf"dump begins: .* server_id={replica.server_id} ",
                              self.daemon.log_text()))



class BitRot(unittest.TestCase):
    """A byte of an old file changes on the disk, which nobody notices until it is read."""

    def test_damaged_event_is_never_served_and_stops_nothing_else(self):
        source = make_source(type(self), *WITH_GTIDS)
        source.query("FLUSH BINARY LOGS")
        with Binlogd(source, users=REPLICA_USER) as daemon:
            lab.wait_caught_up(source, daemon)
            self.assertEqual(daemon.stop(), 0)
            path = daemon.copy_path(daemon.copies()[0])
            with open(path, "r+b") as file:
                file.seek(os.path.getsize(path) // 2)
                byte = file.read(1)
                file.seek(-1, os.SEEK_CUR)
                file.write(bytes([byte[0] ^ 0x10]))
            daemon.start()
            replica, other = make_replicas(self, 2)
            replica.replicate_from(daemon.port())
            status = lab.wait_until(lambda: (lambda s: s["Last_IO_Errno"] != "0" and s)(
                replica.replica_status()), 20, "the receiver's error")
            self.assertEqual(status["Last_IO_Errno"], "13114")
            self.assertIn("Event crc check failed", status["Last_IO_Error"])
            self.assertRegex(daemon.log_text(), " error replica: a stored file is damaged .*"
                             + os.path.basename(path))
            other.query(f"SET GLOBAL gtid_purged='{source.query('SELECT @@gtid_executed')[0][0]}'")
            other.replicate_from(daemon.port())
            source.query("CREATE DATABASE behind")
            other.wait_executed(source.position())
            lab.wait_caught_up(source, daemon)


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""The source is replaced: a replica was promoted, and binlogd goes on with it by GTID, or refuses.

A server that has every stored transaction is gone on with in a new epoch, from its own file
that holds the first one that is not stored. One that lacks some, or has purged what is needed,
is refused with nothing written: exit code 4. Replicas by GTID go on over both epochs.
"""
import glob
import os
import unittest

import lab
from lab import WITH_GTIDS, Binlogd, Mysql97, account

SEMI_SYNC_REPLICA = ["--plugin-load-add=semisync_replica.so", "--rpl-semi-sync-replica-enabled=ON"]


def setUpModule():
    Binlogd.binary()
    Mysql97.available()


class Failover(unittest.TestCase):
    """A source, binlogd and a replica that will be the next source."""

    def setUp(self):
        self.old = Mysql97(*WITH_GTIDS, *Mysql97.semisync_options(), start=False)
        self.new = Mysql97(*WITH_GTIDS, *Mysql97.semisync_options(), server_id=2, start=False)
        for server in (self.old, self.new):
            self.addCleanup(server.close)
        lab.start_together(self.old, self.new)
        self.new.query("SET GLOBAL rpl_semi_sync_source_enabled=OFF")  # nobody acknowledges yet
        self.old.create_user()
        self.daemon = Binlogd(self.old, users={"repl": account(rights="replicate,status,admin")},
                              on_divergence="failover")
        self.addCleanup(self.daemon.close)
        self.old.wait_semisync_client()
        lab.write_rows(self.old)
        self.old.query("FLUSH BINARY LOGS")
        lab.write_rows(self.old)
        self.new.replicate_from(self.old.port)

    def stop_old(self, behind=0):
        """The old source dies; the new one has all but the last `behind` batches of rows."""
        self.new.wait_executed(self.old.position())
        if behind:
            self.new.stop_replica()
            for _ in range(behind):
                lab.write_rows(self.old)
        lab.wait_caught_up(self.old, self.daemon)
        self.old.kill()
        self.new.promote()
        self.new.unlogged("DROP USER IF EXISTS 'repl'@'%'")
        self.new.create_user()

    def point_at_new(self):
        self.daemon.sections["dumper"]["port"] = self.new.port
        self.daemon.write_config()
        self.before = self.contents()
        self.daemon.restart()

    def contents(self):
        found = {}
        for path in glob.glob(f"{self.daemon.epoch()}/*.[0-9]*"):
            with open(path, "rb") as file:
                found[path] = file.read()
        return found

    def assert_old_epoch_untouched(self):
        for path, data in self.before.items():
            with open(path, "rb") as file:
                self.assertEqual(file.read(), data, path)


class NewSource(Failover):
    def test_promoted_replica_is_gone_on_with(self):
        self.stop_old()
        self.new.query("FLUSH BINARY LOGS")
        lab.write_rows(self.new)
        old = self.daemon.epoch()
        self.point_at_new()
        lab.wait_until(lambda: self.daemon.epoch() != old, 20, "a new epoch")
        lab.wait_caught_up(self.new, self.daemon)
        self.new.query("SET GLOBAL rpl_semi_sync_source_enabled=ON")
        self.new.wait_semisync_client()
        lab.write_rows(self.new)
        self.assertGreater(self.new.semisync()["yes_tx"], 0)
        self.assertEqual(self.new.semisync()["no_tx"], 0)
        names = self.daemon.index_names()
        self.assertEqual(names, self.new.index_names()[-len(names):])
        lab.wait_caught_up(self.new, self.daemon)
        for name in names:
            wrong = lab.same_bytes(self.new.log_path(name), self.daemon.copy_path(name))
            self.assertIsNone(wrong, name)
        with open(os.path.join(self.daemon.epoch(), "follows"), encoding="ascii") as file:
            self.assertIn(f"follows={os.path.basename(old)}\njoined=1\n", file.read())
        self.assert_old_epoch_untouched()

    def assert_refused(self, words):
        self.assertEqual(self.daemon.wait_exit(20), 4, self.daemon.log_text())
        self.assertRegex(self.daemon.log_text(), f" error .*{words}")
        self.assert_old_epoch_untouched()
        self.assertEqual(len(glob.glob(f"{os.path.dirname(self.daemon.epoch())}/0*")), 1)

    def test_server_that_lacks_acknowledged_commits_is_refused(self):
        self.stop_old(behind=1)
        lab.write_rows(self.new)
        self.point_at_new()
        self.assert_refused("lacks transactions that are stored here")

    def test_server_that_has_purged_what_is_needed_is_refused(self):
        self.stop_old()
        lab.write_rows(self.new)
        self.new.query("FLUSH BINARY LOGS")
        self.new.query(f"PURGE BINARY LOGS TO '{self.new.position()[0]}'")
        self.point_at_new()
        self.assert_refused("cannot go on where the stored files end: error 1236")

    def test_without_failover_another_server_is_refused(self):
        self.stop_old()
        self.daemon.sections["dumper"]["on_divergence"] = "stop"
        self.point_at_new()
        self.assert_refused("comes from .*on_divergence=failover")


def gtids(server):
    return server.query("SELECT @@gtid_executed")[0][0].replace("\n", "")


class Chain(Failover):
    """Replicas by GTID behind binlogd, while the source is replaced and after it."""

    def setUp(self):
        super().setUp()
        self.daemon.keep_port()

    def replica(self, server_id, *options):
        replica = Mysql97(*WITH_GTIDS, *options, server_id=server_id)
        self.addCleanup(replica.close)
        return replica

    def attach(self, replica):
        replica.replicate_from(self.daemon.port())

    def wait_same(self, *replicas):
        """Until they have what the new source has; then tables are compared."""
        for replica in replicas:
            def has_all(replica=replica):
                status = replica.replica_status()
                self.assertEqual((status["Last_IO_Error"], status["Last_SQL_Error"]), ("", ""))
                return gtids(replica) == gtids(self.new)
            lab.wait_until(has_all, 30, "the replica to have all", 0.1)
            self.assertEqual(replica.checksums(), self.new.checksums())

    def go_on_with_new(self):
        """By statements, without a restart."""
        before = self.daemon.epoch()
        self.daemon.query("STOP REPLICA")
        self.daemon.query(f"CHANGE REPLICATION SOURCE TO SOURCE_PORT={self.new.port}")
        self.daemon.query("START REPLICA")
        lab.wait_until(lambda: self.daemon.epoch() != before, 20, "a new epoch")

    def write_on_new(self):
        for _ in range(2):
            lab.write_rows(self.new)
            self.new.query("FLUSH BINARY LOGS")
        lab.write_rows(self.new)

    def dump_ends(self, server_id):
        return [line for line in self.daemon.log_text().splitlines()
                if "dump ends" in line and f"server_id={server_id} " in line]

    def test_replicas_go_on_and_later_ones_get_both_epochs(self):
        self.daemon.query("SET GLOBAL rpl_semi_sync_source_wait_for_replica_count=1")
        attached, lagging = self.replica(3, *SEMI_SYNC_REPLICA), self.replica(4)
        for replica in (attached, lagging):
            self.attach(replica)
            replica.wait_executed(self.daemon.position())
        lagging.stop_replica()
        lab.write_rows(self.old)
        self.old.query("FLUSH BINARY LOGS")
        lab.write_rows(self.old)
        self.stop_old()
        lab.write_rows(self.new)
        self.new.query("FLUSH BINARY LOGS")
        self.go_on_with_new()
        self.new.query("SET GLOBAL rpl_semi_sync_source_enabled=ON")
        self.new.wait_semisync_client()
        self.write_on_new()
        self.assertEqual(self.new.semisync()["no_tx"], 0)
        self.wait_same(attached)
        self.assertEqual(self.dump_ends(3), [])
        status = dict(self.daemon.query("SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_source_no_%'"))
        self.assertEqual(set(status.values()), {"0"})
        lagging.start_replica()
        self.wait_same(lagging)
        self.new.query("SET GLOBAL rpl_semi_sync_source_enabled=OFF")
        self.daemon.restart()
        lab.wait_caught_up(self.new, self.daemon)
        self.assertEqual(gtids(self.daemon), gtids(self.new))
        self.assertEqual(self.daemon.query("SELECT @@gtid_purged"), [("",)])
        fresh = self.replica(5)
        self.attach(fresh)
        lab.write_rows(self.new)
        self.wait_same(fresh, attached, lagging)

    def test_binlogd_behind_goes_on_too(self):
        """Its source keeps its name and has other files now."""
        behind = Binlogd(host="127.0.0.1", port=self.daemon.port(), server_id=4712,
                         users=lab.REPLICA_USER, on_divergence="failover")
        self.addCleanup(behind.close)
        lab.wait_caught_up(self.daemon, behind)
        before = behind.epoch()
        self.stop_old()
        lab.write_rows(self.new)
        self.new.query("FLUSH BINARY LOGS")
        self.go_on_with_new()
        self.write_on_new()
        lab.wait_until(lambda: behind.epoch() != before, 20, "a new epoch behind")
        lab.wait_caught_up(self.new, behind)
        for name in behind.index_names():
            wrong = lab.same_bytes(self.new.log_path(name), behind.copy_path(name))
            self.assertIsNone(wrong, name)
        replica = self.replica(3)
        replica.replicate_from(behind.port())
        self.wait_same(replica)

    def assert_both_refuse(self, replica):
        """The new source and binlogd tell an empty replica the same."""
        errors = []
        for port in (self.new.port, self.daemon.port()):
            replica.replicate_from(port)
            errors.append(lab.wait_until(lambda: replica.replica_status()["Last_IO_Error"], 20,
                                         "the receiver to stop", 0.1))
            replica.promote()
        self.assertEqual(errors[0], errors[1])
        self.assertIn("error 1236", errors[0])
        self.assertIn("the source purged required binary logs", errors[0])

    def test_behind_a_diverged_epoch_what_the_new_one_lacks_is_purged(self):
        self.stop_old(behind=1)
        lab.write_rows(self.new)
        self.new.query("FLUSH BINARY LOGS")
        self.new.query(f"PURGE BINARY LOGS TO '{self.new.position()[0]}'")
        self.daemon.sections["dumper"]["on_divergence"] = "new_epoch"
        old = self.daemon.epoch()
        self.point_at_new()
        lab.wait_until(lambda: self.daemon.epoch() != old, 20, "a new epoch")
        lab.wait_caught_up(self.new, self.daemon)
        replica = self.replica(3)
        self.assert_both_refuse(replica)
        self.daemon.restart()
        lab.wait_caught_up(self.new, self.daemon)
        self.assertEqual(gtids(self.daemon), gtids(self.new))
        self.assert_both_refuse(replica)


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""The source is replaced: a replica was promoted, and binlogd goes on with it by GTID, or refuses.

A server that has every stored transaction is gone on with in a new epoch, from its own file
that holds the first one that is not stored. One that lacks some, or has purged what is needed,
is refused with nothing written: exit code 4.
"""
import glob
import os
import unittest

import lab
from lab import WITH_GTIDS, Binlogd, Mysql97


def setUpModule():
    Binlogd.binary()
    Mysql97.available()


class NewSource(unittest.TestCase):
    def setUp(self):
        self.old = Mysql97(*WITH_GTIDS, *Mysql97.semisync_options(), start=False)
        self.new = Mysql97(*WITH_GTIDS, *Mysql97.semisync_options(), server_id=2, start=False)
        for server in (self.old, self.new):
            self.addCleanup(server.close)
        lab.start_together(self.old, self.new)
        self.new.query("SET GLOBAL rpl_semi_sync_source_enabled=OFF")  # nobody acknowledges yet
        self.old.create_user()
        self.daemon = Binlogd(self.old, on_divergence="failover")
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
            self.assertIn(f"follows={os.path.basename(old)}", file.read())
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


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""Semi-synchronous commits on a real MySQL 9.x source: our ACKs count, and only after fdatasync.

The last part slows or breaks fdatasync with strace's fault injection and looks at what the
source's clients see: a commit may wait, it must never be answered too early.
"""
import time
import unittest

import lab
import ledger
from lab import Binlogd, Mysql97


def setUpModule():
    Binlogd.binary()
    Mysql97.available()


def inject(fault):
    """A wrapper that runs the daemon with a fault in its fdatasync calls."""
    return ["strace", "-f", "-q", "-o", "/dev/null", "-e", "trace=fdatasync",
            "-e", f"inject=fdatasync:{fault}"]


class SemiSyncCase(unittest.TestCase):
    """A source that waits for ever for an ACK, with the ledger's table in place."""

    options = []

    def setUp(self):
        self.source = Mysql97(*Mysql97.semisync_options(), *self.options)
        self.addCleanup(self.source.close)
        self.source.create_user()
        self.source.unlogged("CREATE DATABASE lab", "CREATE TABLE lab.ledger (client INT, seq INT, "
                             "value VARCHAR(64), pad LONGBLOB, PRIMARY KEY (client, seq))")

    def commit(self, seq):
        """Commit one row; seconds until it was answered."""
        with self.source.connect(timeout=40) as client:
            began = time.monotonic()
            client.query(f"INSERT INTO lab.ledger VALUES (99, {seq}, 'aa', '')")
            return time.monotonic() - began

    def rows(self, daemon, torn=False):
        return ledger.rows_in([daemon.copy_path(name) for name in daemon.copies()],
                              self.source.mysqlbinlog(), torn)


class Crashes(SemiSyncCase):
    """Kills of either side: what was answered is in the files."""

    def test_kill_under_load_loses_no_answered_commit(self):
        with Binlogd(self.source) as daemon, ledger.Load(self.source, 4) as load:
            for turn in range(4):
                load.wait_commits(60 + 11 * turn)
                daemon.kill9()
                time.sleep(0.2)
                entries = dict(load.entries)
                self.assertEqual(ledger.problems(entries, self.rows(daemon, torn=True)), [])
                daemon.start()
                load.wait_commits(1, timeout=10)
            load.stop()
            lab.wait_caught_up(self.source, daemon)
            self.assertEqual(ledger.problems(load.entries, self.rows(daemon)), [])
            self.assertEqual(self.source.semisync()["no_tx"], 0)

    def test_source_killed_loses_no_answered_commit(self):
        with Binlogd(self.source) as daemon, ledger.Load(self.source, 4) as load:
            load.wait_commits(200)
            self.source.kill()
            load.stop()
            daemon.stop()
            self.assertEqual(ledger.problems(load.entries, self.rows(daemon)), [])

    def test_lone_writer_is_released_after_reconnect(self):
        """A commit that waits while the daemon is away is answered when it is back."""
        with Binlogd(self.source) as daemon:
            self.source.wait_semisync_client()
            self.commit(1)
            daemon.kill9()
            with ledger.Load(self.source, 1, commits=1) as load:
                time.sleep(0.5)
                self.assertEqual(load.count("ok"), 0)
                daemon.start()
                self.assertTrue(load.join(10), "the writer still waits")
            self.assertEqual(self.source.semisync()["no_tx"], 0)


class CrashesWithGtids(Crashes):
    options = ["--gtid-mode=ON", "--enforce-gtid-consistency=ON"]


class SemiSync(SemiSyncCase):
    def test_commits_are_acknowledged(self):
        with Binlogd(self.source) as daemon:
            self.source.wait_semisync_client()
            # A group of commits counts once, so only a lone writer's can be counted one by one.
            for writers, least in ((1, 50), (4, 10)):
                before = self.source.semisync()
                with ledger.Load(self.source, writers, commits=50, first_client=writers) as load:
                    self.assertTrue(load.join(30))
                after = self.source.semisync()
                self.assertEqual(load.count("ok"), 50 * writers)
                self.assertGreaterEqual(after["yes_tx"] - before["yes_tx"], least)
                self.assertEqual((after["no_tx"], after["status"]), (0, "ON"))
            lab.assert_copied(self.source, daemon)
            self.assertEqual(daemon.stop(), 0)

    def test_rotation_keeps_acknowledging(self):
        with Binlogd(self.source) as daemon, ledger.Load(self.source, 4) as load:
            for _ in range(4):
                load.wait_commits(50)
                self.source.query("FLUSH BINARY LOGS")
            load.wait_commits(50)
            load.stop()
            self.assertEqual(self.source.semisync()["no_tx"], 0)
            lab.assert_copied(self.source, daemon)

    def test_semi_sync_off_does_not_count(self):
        with Binlogd(self.source, semi_sync="off") as daemon:
            daemon.wait_for(lambda: daemon.copies(), 15)
            lab.wait_caught_up(self.source, daemon)
            self.assertEqual(self.source.semisync()["clients"], 0)

    def test_timeout_to_async_and_back_to_semisync(self):
        self.source.query("SET GLOBAL rpl_semi_sync_source_timeout=300")
        self.commit(1)
        self.assertEqual(self.source.semisync()["status"], "OFF")
        with Binlogd(self.source):
            self.source.wait_semisync_client()
            self.commit(2)
            lab.wait_until(lambda: self.source.semisync()["status"] == "ON", 10, "status ON")
            before = self.source.semisync()
            self.commit(3)
            self.assertEqual(self.source.semisync()["yes_tx"], before["yes_tx"] + 1)

    def test_settings_that_are_not_lossless_are_named_while_running(self):
        with Binlogd(self.source) as daemon:
            self.source.wait_semisync_client()
            self.assertNotIn("not lossless", daemon.log_text())
            self.source.query("SET GLOBAL sync_binlog = 0")
            self.addCleanup(self.source.query, "SET GLOBAL sync_binlog = 1")
            daemon.wait_for("the source is not lossless, commits can be lost in a crash: "
                            r"sync_binlog = 0 \(should be 1\)", 30)
            self.source.query("SET GLOBAL sync_binlog = 1")
            daemon.wait_for("the source's settings are lossless now", 30)

    def test_finite_timeout_is_named(self):
        self.source.query("SET GLOBAL rpl_semi_sync_source_timeout = 10000")
        self.addCleanup(self.source.query, "SET GLOBAL rpl_semi_sync_source_timeout = 3600000")
        with Binlogd(self.source) as daemon:
            daemon.wait_for(r"rpl_semi_sync_source_timeout = 10000 \(should be 3600000 or more\)")

    def test_large_transaction_is_acknowledged(self):
        with Binlogd(self.source) as daemon:
            self.source.wait_semisync_client()
            with ledger.Load(self.source, 1, pad=20 << 20, commits=2) as load:
                self.assertTrue(load.join(40))
            self.assertEqual(load.count("ok"), 2)
            lab.assert_copied(self.source, daemon)


class AckOnlyAfterFdatasync(SemiSyncCase):
    """The daemon runs under strace with faults in fdatasync."""

    def test_slow_fdatasync_delays_commits(self):
        with Binlogd(self.source, wrapper=inject("delay_enter=400000:when=8+")):
            self.source.wait_semisync_client()
            for seq in range(12):
                last = self.commit(seq)
            self.assertGreaterEqual(last, 0.4)
            self.assertEqual(self.source.semisync()["no_tx"], 0)

    def test_slow_fdatasync_groups_commits(self):
        """16 writers share one fdatasync: far more than the 5 commits a second of one."""
        with Binlogd(self.source, wrapper=inject("delay_enter=200000:when=8+")):
            self.source.wait_semisync_client()
            with ledger.Load(self.source, 16) as load:
                time.sleep(4)
                self.assertGreater(load.count("ok"), 60)

    def test_failed_fdatasync_is_never_acknowledged(self):
        with Binlogd(self.source, wrapper=inject("error=EIO:when=8+")) as daemon:
            self.source.wait_semisync_client()
            with ledger.Load(self.source, 1) as load:
                self.assertEqual(daemon.wait_exit(20), 3)
                time.sleep(0.3)
                answered = load.count("ok")
                time.sleep(0.7)
                self.assertEqual(load.count("ok"), answered)
                daemon.wait_for(r"(?i)fdatasync.*(Input/output error|EIO)|"
                                r"(Input/output error|EIO).*fdatasync", 1)
                daemon.wrapper = []
                daemon.start()
                load.wait_commits(10)
            lab.wait_caught_up(self.source, daemon)
            self.assertEqual(ledger.problems(load.entries, self.rows(daemon)), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""What is stored and what the source has do not fit: stop loudly, or mend what a crash tore.

Divergence ends the daemon with exit code 4 and corruption with 5, the files stay as they are
and nothing is acknowledged. A torn tail is cut to the last whole transaction and copied again.
"""
import glob
import os
import time
import unittest

import lab
from lab import Binlogd, Mysql97


def setUpModule():
    Binlogd.binary()
    Mysql97.available()


class Stored(unittest.TestCase):
    options = []

    def setUp(self):
        self.source = Mysql97(*self.options)
        self.addCleanup(self.source.close)
        self.source.create_user()
        lab.write_rows(self.source)
        self.source.query("FLUSH BINARY LOGS")
        lab.write_rows(self.source)

    def copied(self, **keys):
        """A daemon that has copied everything and was stopped."""
        daemon = Binlogd(self.source, **keys)
        self.addCleanup(daemon.close)
        lab.assert_copied(self.source, daemon)
        self.assertEqual(daemon.stop(), 0)
        return daemon

    @staticmethod
    def contents(folder):
        found = {}
        for path in glob.glob(f"{folder}/*.[0-9]*"):
            with open(path, "rb") as file:
                found[os.path.basename(path)] = file.read()
        return found


class Divergence(Stored):
    def assert_diverges(self, daemon, words):
        before = self.contents(daemon.epoch())
        daemon.start()
        self.assertEqual(daemon.wait_exit(20), 4, daemon.log_text())
        self.assertRegex(daemon.log_text(), f"(?i) error .*({words})")
        self.assertEqual(self.contents(daemon.epoch()), before)

    def test_source_reset_while_away_is_divergence(self):
        daemon = self.copied()
        self.source.query("RESET BINARY LOGS AND GTIDS")
        lab.write_rows(self.source)
        self.assert_diverges(daemon, "reset|restored|does not have")

    def test_source_reset_with_same_names_is_divergence(self):
        """The same file name and a longer file, but other bytes."""
        daemon = self.copied()
        name, size = self.source.position()
        time.sleep(1)
        self.source.query("RESET BINARY LOGS AND GTIDS")
        while self.source.position()[0] != name:
            self.source.query("FLUSH BINARY LOGS")
        while self.source.position()[1] <= size:
            lab.write_rows(self.source)
        self.assert_diverges(daemon, "another file|other bytes|differ|reset|restored")

    def test_source_reset_while_connected_is_divergence(self):
        daemon = self.copied()
        daemon.start()
        lab.wait_caught_up(self.source, daemon)
        before = self.contents(daemon.epoch())
        self.source.query("RESET BINARY LOGS AND GTIDS")
        lab.write_rows(self.source)
        self.assertEqual(daemon.wait_exit(30), 4, daemon.log_text())
        self.assertEqual(self.contents(daemon.epoch()), before)

    def test_source_reset_in_its_first_file_while_connected_is_divergence(self):
        """The dump goes on in silence: only the source's status tells."""
        with Mysql97() as source:
            source.create_user(grant="REPLICATION SLAVE, REPLICATION CLIENT")
            lab.write_rows(source)
            with Binlogd(source) as daemon:
                lab.wait_caught_up(source, daemon)
                before = self.contents(daemon.epoch())
                time.sleep(2)  # for the status to be asked for once
                source.query("RESET BINARY LOGS AND GTIDS")
                lab.write_rows(source, 1)
                self.assertEqual(daemon.wait_exit(40), 4, daemon.log_text())
                self.assertIn("which has come from it", daemon.log_text())
                self.assertEqual(self.contents(daemon.epoch()), before)

    def test_another_server_is_divergence(self):
        daemon = self.copied()
        with Mysql97(server_id=5) as other:
            other.create_user()
            daemon.sections["dumper"]["port"] = other.port
            self.assert_diverges(daemon, "comes from|another")

    def test_new_epoch_keeps_the_old_one(self):
        daemon = self.copied(on_divergence="new_epoch")
        old = daemon.epoch()
        before = self.contents(old)
        self.source.query("RESET BINARY LOGS AND GTIDS")
        lab.write_rows(self.source)
        daemon.start()
        lab.wait_until(lambda: daemon.epoch() != old, 20, "a new epoch")
        lab.assert_copied(self.source, daemon)
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(self.contents(old), before)
        self.assertTrue(os.path.basename(daemon.epoch()).startswith("0002-"))

    def test_purged_behind_us_is_no_divergence(self):
        daemon = self.copied()
        self.source.query("FLUSH BINARY LOGS")
        self.source.query(f"PURGE BINARY LOGS TO '{daemon.copies()[-1]}'")
        daemon.start()
        lab.wait_caught_up(self.source, daemon)
        self.assertEqual(daemon.stop(), 0)

    def test_purged_ahead_of_us_is_told(self):
        daemon = self.copied()
        self.source.query("FLUSH BINARY LOGS")
        self.source.query("FLUSH BINARY LOGS")
        self.source.query(f"PURGE BINARY LOGS TO '{self.source.position()[0]}'")
        self.assert_diverges(daemon, "purged|does not have")


class DivergenceWithGtids(Divergence):
    options = ["--gtid-mode=ON", "--enforce-gtid-consistency=ON"]


class Damage(Stored):
    """Files that changed while the daemon was down."""

    def tear(self, daemon, tail):
        """Append what a crash may have left behind the durable bytes: tail(bytes to come)."""
        path = daemon.copy_path(daemon.copies()[-1])
        lab.write_rows(self.source)
        with open(self.source.log_path(os.path.basename(path)), "rb") as file:
            file.seek(os.path.getsize(path))
            to_come = file.read()
        with open(path, "ab") as file:
            file.write(tail(to_come))

    def test_torn_tails_are_mended(self):
        tails = {
            "part of a header": lambda more: more[:5], "part of an event": lambda more: more[:30],
            "part of a transaction": lambda more: more[:79],
            "one byte short": lambda more: more[:-1],
            "zeros": lambda more: b"\0" * 4096, "noise": lambda more: os.urandom(500),
            "event with zeros": lambda more: more[:100] + b"\0" * 400}
        for name, tail in tails.items():
            with self.subTest(tail=name):
                daemon = self.copied()
                self.tear(daemon, tail)
                daemon.start()
                lab.assert_copied(self.source, daemon, 10)

    def test_torn_bytes_are_kept_aside(self):
        daemon = self.copied()
        self.tear(daemon, lambda more: more[:30])
        daemon.start()
        lab.assert_copied(self.source, daemon)
        kept = glob.glob(f"{daemon.epoch()}/*.torn-*")
        self.assertEqual([os.path.getsize(path) for path in kept], [30])

    def test_durable_bytes_cut_off_are_corruption(self):
        """Nobody but a damaged disk takes away what was synced."""
        daemon = self.copied()
        path = daemon.copy_path(daemon.copies()[-1])
        os.truncate(path, os.path.getsize(path) - 7)
        daemon.start()
        self.assertEqual(daemon.wait_exit(20), 5, daemon.log_text())
        self.assertIn(os.path.basename(path), daemon.log_text())

    def test_damage_in_the_middle_is_corruption(self):
        daemon = self.copied()
        path = daemon.copy_path(daemon.copies()[-1])
        size = os.path.getsize(path)
        with open(path, "r+b") as file:
            file.seek(size // 2)
            byte = file.read(1)
            file.seek(size // 2)
            file.write(bytes([byte[0] ^ 0x10]))
        before = self.contents(daemon.epoch())
        daemon.start()
        self.assertEqual(daemon.wait_exit(20), 5, daemon.log_text())
        self.assertEqual(self.contents(daemon.epoch()), before)
        self.assertIn(os.path.basename(path), daemon.log_text())

    def test_lost_index_is_made_again(self):
        daemon = self.copied()
        os.unlink(f"{daemon.epoch()}/mysql-bin.index")
        daemon.start()
        lab.write_rows(self.source)
        lab.assert_copied(self.source, daemon)

    def test_stale_index_is_made_again(self):
        daemon = self.copied()
        with open(f"{daemon.epoch()}/mysql-bin.index", "w", encoding="utf-8") as index:
            index.write("./mysql-bin.000001\n./mysql-bin.000099\n")
        daemon.start()
        lab.assert_copied(self.source, daemon)

    def test_missing_middle_file_is_refused(self):
        """A hole between the files cannot be mended by going on."""
        self.source.query("FLUSH BINARY LOGS")
        daemon = self.copied()
        os.unlink(daemon.copy_path(daemon.copies()[1]))
        daemon.start()
        self.assertEqual(daemon.wait_exit(20), 5, daemon.log_text())
        self.assertIn("mysql-bin.000003", daemon.log_text())


class RestartTime(unittest.TestCase):
    """After kill -9 with an active file of about 1 GiB, commits go on within 3 seconds."""

    def test_first_ack_comes_soon(self):
        with Mysql97(*Mysql97.semisync_options(), "--max-allowed-packet=256M",
                     "--sync-binlog=0", "--innodb-flush-log-at-trx-commit=0") as source:
            source.create_user()
            source.unlogged("CREATE DATABASE lab", "CREATE TABLE lab.big (v LONGBLOB) "
                            "ENGINE=BLACKHOLE", "CREATE TABLE lab.t (a INT PRIMARY KEY)")
            with Binlogd(source) as daemon, source.connect(timeout=60) as client:
                source.wait_semisync_client()
                for _ in range(15):
                    client.query("INSERT INTO lab.big VALUES (REPEAT('x', 67000000))")
                client.query("INSERT INTO lab.t VALUES (1)")
                daemon.kill9()
                began = time.monotonic()
                daemon.start()
                client.query("INSERT INTO lab.t VALUES (2)")
                seconds = time.monotonic() - began
                size = os.path.getsize(daemon.copy_path(daemon.copies()[-1]))
                print(f"kill -9 to first ACK: {seconds:.2f} s with {size >> 20} MiB", flush=True)
                self.assertGreater(size, 900 << 20)
                self.assertLess(seconds, 3)
                lab.assert_copied(source, daemon)


if __name__ == "__main__":
    unittest.main(verbosity=2)

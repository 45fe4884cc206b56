"""Copies of a real MySQL 9.x source: all kinds of events, rotations, resume after every stop.

The measure is always the same: each closed file equals the source's, the active one is a
prefix (or equal, once caught up), and the index lists the names in order.
"""
import os
import re
import unittest

import lab
import ledger
from lab import Binlogd, Mysql97


def setUpModule():
    Binlogd.binary()
    Mysql97.available()


class Files(unittest.TestCase):
    """What is in the copies, with GTIDs off."""

    options = lab.WITHOUT_GTIDS

    @classmethod
    def setUpClass(cls):
        cls.source = Mysql97(*cls.options)
        cls.addClassCleanup(cls.source.close)
        cls.source.create_user()
        ledger.create_table(cls.source)

    def test_rotations_and_checksums_are_copied(self):
        with Binlogd(self.source) as daemon, ledger.Load(self.source, 2) as load:
            for statement in ("FLUSH BINARY LOGS", "SET GLOBAL binlog_checksum=NONE",
                              "FLUSH BINARY LOGS", "FLUSH BINARY LOGS",
                              "SET GLOBAL binlog_checksum=CRC32", "FLUSH BINARY LOGS"):
                load.wait_commits(30)
                self.source.query(statement)
                lab.check_copies(self.source, daemon, live=True)
            load.stop()
            lab.assert_copied(self.source, daemon)
            rows = ledger.rows_in([daemon.copy_path(name) for name in daemon.copies()],
                                  self.source.mysqlbinlog())
            self.assertEqual(ledger.problems(load.entries, rows), [])
            self.assertEqual(daemon.stop(), 0)
            self.source.query("TRUNCATE lab.ledger")

    def test_ddl_xa_and_procedures_are_copied(self):
        with Binlogd(self.source) as daemon, self.source.connect() as client:
            for statement in (
                    "CREATE TABLE lab.x (a INT PRIMARY KEY) ENGINE=InnoDB", "BEGIN",
                    "INSERT INTO lab.x VALUES (1)", "SAVEPOINT s", "INSERT INTO lab.x VALUES (2)",
                    "ROLLBACK TO s", "COMMIT", "XA START 'one'", "INSERT INTO lab.x VALUES (3)",
                    "XA END 'one'", "XA PREPARE 'one'", "FLUSH BINARY LOGS", "XA COMMIT 'one'",
                    "CREATE PROCEDURE lab.p() INSERT INTO lab.x VALUES (4)", "CALL lab.p()",
                    "SET binlog_transaction_compression=ON", "INSERT INTO lab.x VALUES (5)",
                    "SET binlog_format=STATEMENT", "INSERT INTO lab.x VALUES (6)",
                    "DROP TABLE lab.x", "DROP PROCEDURE lab.p"):
                client.query(statement)
            lab.assert_copied(self.source, daemon)

    def test_source_restarted_cleanly_is_followed(self):
        with Binlogd(self.source) as daemon:
            lab.assert_copied(self.source, daemon)
            self.source.restart()
            lab.write_rows(self.source)
            lab.assert_copied(self.source, daemon)

    def test_source_lists_us_as_replica(self):
        with Binlogd(self.source, server_id=4712, report_host="copy.example") as daemon:
            lab.wait_until(lambda: self.source.sees_replica(4712), 15, "SHOW REPLICAS")
            row = [row for row in self.source.query("SHOW REPLICAS") if row[0] == "4712"][0]
            self.assertEqual(row[1], "copy.example")
            self.assertEqual(row[4], lab.read_text(f"{daemon.storage}/server-uuid").strip())

    def test_status_line_says_where_we_are(self):
        with Binlogd(self.source) as daemon:
            lab.assert_copied(self.source, daemon)
            name, _ = self.source.position()
            lab.wait_until(lambda: daemon.status().get("file") == name, 10, "file in status")
            self.assertTrue(daemon.status().get("state"))

    def test_data_directory_is_private(self):
        with Binlogd(self.source) as daemon:
            lab.assert_copied(self.source, daemon)
            for name in daemon.copies():
                self.assertEqual(os.stat(daemon.copy_path(name)).st_mode & 0o777, 0o640)
            self.assertEqual(os.stat(daemon.epoch()).st_mode & 0o777, 0o750)
            self.assertNotIn(lab.PASSWORD, lab.read_text(daemon.log))

    def test_start_latest_begins_with_newest_file(self):
        self.source.query("FLUSH BINARY LOGS")
        newest = self.source.position()[0]
        self.source.create_user("latest", grant="REPLICATION SLAVE, REPLICATION CLIENT")
        with Binlogd(self.source, start="latest", user="latest") as daemon:
            lab.write_rows(self.source)
            lab.wait_caught_up(self.source, daemon)
            self.assertEqual(daemon.copies(), [newest])
            self.assertIsNone(lab.same_bytes(self.source.log_path(newest),
                                             daemon.copy_path(newest)))

    def test_start_at_file_begins_there(self):
        self.source.query("FLUSH BINARY LOGS")
        self.source.query("FLUSH BINARY LOGS")
        names = [name for name, _ in self.source.logs()][-2:]
        with Binlogd(self.source, start=f"{names[0]}:4") as daemon:
            lab.wait_caught_up(self.source, daemon)
            self.assertEqual(daemon.copies(), names)
            for name in names:
                self.assertIsNone(lab.same_bytes(self.source.log_path(name),
                                                 daemon.copy_path(name)))


class FilesWithGtids(Files):
    """The same with GTIDs on: resuming then goes by another command."""

    options = lab.WITH_GTIDS


class Resume(unittest.TestCase):
    """Stops and crashes of either side while commits run."""

    options = lab.WITHOUT_GTIDS

    def setUp(self):
        self.source = Mysql97(*self.options)
        self.addCleanup(self.source.close)
        self.source.create_user()
        ledger.create_table(self.source)

    def assert_all_copied(self, daemon, load):
        load.stop()
        lab.assert_copied(self.source, daemon)
        rows = ledger.rows_in([daemon.copy_path(name) for name in daemon.copies()],
                              self.source.mysqlbinlog())
        self.assertEqual(ledger.problems(load.entries, rows), [])

    def test_daemon_stopped_and_started_goes_on(self):
        with Binlogd(self.source) as daemon, ledger.Load(self.source, 2) as load:
            for _ in range(3):
                load.wait_commits(100)
                self.assertEqual(daemon.stop(), 0)
                self.source.query("FLUSH BINARY LOGS")
                daemon.start()
            self.assert_all_copied(daemon, load)

    def test_daemon_killed_goes_on(self):
        with Binlogd(self.source) as daemon, ledger.Load(self.source, 2) as load:
            for turn in range(5):
                load.wait_commits(60 + 17 * turn)
                daemon.kill9()
                daemon.start()
            self.assert_all_copied(daemon, load)

    def test_source_killed_is_followed_when_it_is_back(self):
        with Binlogd(self.source) as daemon, ledger.Load(self.source, 2) as load:
            for _ in range(2):
                load.wait_commits(100)
                self.source.kill()
                self.source.start()
            load.wait_commits(50)
            self.assert_all_copied(daemon, load)


class ResumeWithGtids(Resume):
    options = lab.WITH_GTIDS


def event_sizes(path):
    """Sizes of all events of a binary log file."""
    sizes = []
    with open(path, "rb") as file:
        at, end = 4, os.path.getsize(path)
        while at + 19 <= end:
            file.seek(at)
            size = int.from_bytes(file.read(19)[9:13], "little")
            sizes.append(size)
            at += size
    return sizes


class BigEvents(unittest.TestCase):
    """Events around the packet limit of 2^24-1, where packets split and may end empty."""

    LIMIT = (1 << 24) - 1

    def check_sizes(self, options, wanted):
        with Mysql97("--max-allowed-packet=128M", *options) as source:
            source.create_user()
            with Binlogd(source) as daemon:
                if options:
                    source.wait_semisync_client()
                with source.connect(timeout=60) as client:
                    client.query("CREATE DATABASE lab")
                    client.query("CREATE TABLE lab.big (v LONGBLOB)")
                    client.query("INSERT INTO lab.big VALUES (REPEAT('x', 70000))")
                    sizes = event_sizes(source.log_path(source.position()[0]))
                    overhead = max(sizes) - 70000
                    for size in wanted:
                        client.query(f"INSERT INTO lab.big VALUES (REPEAT('x', {size - overhead}))")
                made = event_sizes(source.log_path(source.position()[0]))
                self.assertTrue(set(wanted) <= set(made), "the source made other sizes")
                lab.assert_copied(source, daemon, 40)
                rss = int(re.search(r"VmHWM:\s*(\d+)",
                                    lab.read_text(f"/proc/{daemon.pid()}/status")).group(1))
                self.assertLess(rss, 128 * 1024, "the daemon held events whole")

    def test_events_at_packet_limit_are_copied(self):
        self.check_sizes([], [self.LIMIT + step for step in range(-3, 4)] + [17 << 20])

    def test_events_at_packet_limit_with_semisync_are_copied(self):
        self.check_sizes(Mysql97.semisync_options(), [self.LIMIT + step for step in range(-5, 2)])

    def test_events_at_twice_the_limit_are_copied(self):
        self.check_sizes([], [2 * self.LIMIT + step for step in (-2, -1, 0)])


if __name__ == "__main__":
    unittest.main(verbosity=2)

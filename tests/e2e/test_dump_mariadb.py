"""MariaDB dumps by GTID: what a real MariaDB sends for each position is what binlogd sends.

Both have the same files. Every request goes to both through a raw client; compared are all events
that come (header, GTIDs, checksums by being stored bytes) and how the dump ends.
"""
import itertools
import struct
import unittest

import lab
import myclient
from lab import PASSWORD, Binlogd, MariaDB

COM_BINLOG_DUMP, NON_BLOCK, ANNOTATE = 0x12, 1, 2
ROTATE, FORMAT, HEARTBEAT, GTID_LIST = 4, 15, 27, 163
USER = {"repl": lab.account(plugin="mysql_native_password")}


def setUpModule():
    Binlogd.binary()
    MariaDB.available()


def gtid_list(body):
    """(flags, GTIDs); of each domain the last one is the last, the order of domains is free."""
    count = struct.unpack("<I", body[:4])[0]
    gtids = [struct.unpack("<IIQ", body[4 + 16 * n:20 + 16 * n])
             for n in range(count & 0xFFFFFFF)]
    domains = [list(group) for _, group in itertools.groupby(gtids, lambda gtid: gtid[0])]
    return count >> 28, sorted((sorted(group), group[-1]) for group in domains), len(body)


def describe(event):
    """What is compared of an event; those that a server makes up bear its server_id."""
    timestamp, kind, server_id, size, log_pos, flags = struct.unpack("<IBIIIH", event[:19])
    made_up = timestamp == 0
    if made_up and kind == GTID_LIST:
        return ("list", log_pos, flags, gtid_list(event[19:-4]))
    if made_up:
        return ("made up", kind, size, log_pos, flags, event[19:-4])
    return (kind, server_id, size, log_pos, flags, event[19:])


class SideBySide(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.source = MariaDB()
        cls.addClassCleanup(cls.source.close)
        cls.source.create_user()
        cls.fill()
        cls.daemon = Binlogd(cls.source, users=USER)
        cls.addClassCleanup(cls.daemon.close)
        cls.wait_served()

    @classmethod
    def wait_served(cls):
        """What is on the disk is served a little later."""
        lab.wait_caught_up(cls.source, cls.daemon)
        cls.daemon.port()
        name, position = cls.source.position()
        lab.wait_until(lambda: [row[:2] for row in cls.daemon.query("SHOW MASTER STATUS")] ==
                       [(name, str(position))], 20, "all to be served")

    def dump(self, server, settings, flags, name="", position=4):
        with server.connect("repl", PASSWORD, timeout=10) as client:
            client.query("SET @master_binlog_checksum='CRC32', @mariadb_slave_capability=4")
            for setting in settings:
                client.query(setting)
            client.command(struct.pack("<BIHI", COM_BINLOG_DUMP, position, flags, 77) +
                           name.encode())
            events = []
            while True:
                packet = client.read_packet()
                if packet[0] == 0xFF:
                    error = myclient.parse_error(packet)
                    return events, (error.code, error.text)
                if packet[0] == 0xFE and len(packet) < 9:
                    return events, "end"
                events.append(describe(packet[1:]))
                if events[-1][:2] == ("made up", HEARTBEAT):
                    return events, "waits"

    def assert_same(self, *settings, flags=NON_BLOCK, **where):
        theirs = self.dump(self.source, settings, flags, **where)
        ours = self.dump(self.daemon, settings, flags, **where)
        self.assertEqual(ours[1], theirs[1])
        self.assertEqual(len(ours[0]), len(theirs[0]))
        for one, other in zip(*(side[0] for side in (ours, theirs))):
            self.assertEqual(one, other)
        return ours

    def by_gtid(self, position, *settings, **keys):
        return self.assert_same(f"SET @slave_connect_state='{position}'", *settings, **keys)


class Dumps(SideBySide):
    @classmethod
    def fill(cls):
        """Three files: domains 0 and 1, GTID 0-5-5 of another server, a standalone GTID."""
        with cls.source.connect() as client:
            for statement in ("CREATE DATABASE lab", "CREATE TABLE lab.t (a INT) ENGINE=InnoDB",
                              "INSERT INTO lab.t VALUES (1)", "FLUSH BINARY LOGS",
                              "SET gtid_domain_id=1", "INSERT INTO lab.t VALUES (2)",
                              "CREATE TABLE lab.m (a INT) ENGINE=MyISAM",
                              "INSERT INTO lab.m VALUES (3)", "SET gtid_domain_id=0",
                              "INSERT INTO lab.t VALUES (4)", "SET server_id=5",
                              "INSERT INTO lab.t VALUES (5)", "SET server_id=1",
                              "FLUSH BINARY LOGS", "INSERT INTO lab.t VALUES (6)", "BEGIN",
                              "INSERT INTO lab.t VALUES (7)", "INSERT INTO lab.t VALUES (8)",
                              "COMMIT"):
                client.query(statement)

    def test_positions_that_are_here(self):
        for position in ("", "0-1-1", "0-1-2", "0-1-3", "0-1-3,1-1-1", "0-1-4,1-1-1", "1-1-2",
                         "0-5-5", "0-5-5,1-1-3", "0-5-5,1-1-2", "0-1-6,1-1-3", "0-1-7,1-1-3",
                         "1-1-3, 0-1-4", "0-1-5,1-1-3", "0-5-4,1-1-3", "0-1-7,1-1-3,9-9-9"):
            for flags in (NON_BLOCK, NON_BLOCK | ANNOTATE):
                with self.subTest(position=position, flags=flags):
                    self.assertEqual(self.by_gtid(position, flags=flags)[1], "end")

    def test_positions_that_are_not(self):
        for position, part in (("0-9-4,1-1-3", "has diverged"), ("0-9-99", "not in the master's"),
                               ("1-9-1", "has diverged"), ("garbage", "Could not parse"),
                               ("0-1-7,", "Could not parse"), ("0-1-1,0-1-2", "conflict")):
            with self.subTest(position=position):
                self.assertIn(part, self.by_gtid(position)[1][1])

    def test_strict_mode_refuses_a_hole(self):
        for position in ("0-5-4,1-1-3", "0-1-5,1-1-3"):
            _, end = self.by_gtid(position, "SET @slave_gtid_strict_mode=1")
            self.assertIn("GTID strict mode is enabled", end[1])

    def test_until(self):
        for start, until in itertools.product(("", "0-1-1", "0-1-7,1-1-3", "0-1-99,1-1-3"),
                                              ("", "0-1-1", "0-1-4", "0-1-4,1-1-2", "1-1-1",
                                               "0-1-5", "0-5-5", "0-1-6", "x")):
            with self.subTest(start=start, until=until):
                self.by_gtid(start, f"SET @slave_until_gtid='{until}'")

    def test_what_is_ahead_by_another_way_is_awaited(self):
        self.by_gtid("0-1-9,1-1-3", "SET @slave_gtid_ignore_duplicates=1")

    def test_heartbeat_names_the_end(self):
        for position in ("0-1-3", "0-1-7,1-1-3", "0-1-6,1-1-3"):
            _, end = self.by_gtid(position, "SET @master_heartbeat_period=300000000", flags=0)
            self.assertEqual(end, "waits")

    def test_name_and_position_do_not_count(self):
        self.assert_same("SET @slave_connect_state='0-1-3'", name="mysql-bin.000009", position=99)

    def test_replicas_that_know_less(self):
        """What MySQL's and older MariaDB's replicas and tools get: BEGIN, comments, or nothing."""
        for capability, flags in itertools.product(("NULL", 0, 1, 2, 3),
                                                   (NON_BLOCK, NON_BLOCK | ANNOTATE)):
            with self.subTest(capability=capability, flags=flags):
                self.assert_same(f"SET @mariadb_slave_capability={capability}", flags=flags)
                _, end = self.assert_same(f"SET @mariadb_slave_capability={capability}",
                                          flags=flags, name="mysql-bin.000002")
                self.assertEqual(end, "end")

    def test_by_file_and_position(self):
        last, size = self.source.position()
        for name, position in (("", 4), (last, 4), (last, size), (last, 3), (last, size + 1),
                               ("mysql-bin.000009", 4)):
            for flags in (NON_BLOCK, NON_BLOCK | ANNOTATE):
                with self.subTest(name=name, position=position, flags=flags):
                    self.assert_same(name=name, position=position, flags=flags)

    def test_gtid_positions_of_places(self):
        """Every place that an event begins or ends at, and some others."""
        size = dict(self.source.logs())
        with self.source.connect() as source, self.daemon.connect() as daemon:
            places = [(name, int(row[column])) for name in size for column in (1, 4)
                      for row in source.query(f"SHOW BINLOG EVENTS IN '{name}'")]
            places += [(name, place) for name in size
                       for place in (0, 3, 100, 257, size[name] - 1, size[name] + 1)]
            for name, place in [("", 4), ("mysql-bin.000099", 4), *sorted(set(places))]:
                with self.subTest(name=name, place=place):
                    statement = f"SELECT 1, BINLOG_GTID_POS('{name}', {place})"
                    self.assertEqual(self.domains(daemon.query(statement)[0][1]),
                                     self.domains(source.query(statement)[0][1]))

    @staticmethod
    def domains(text):
        return text and sorted(text.split(","))

    def test_variables(self):
        statement = ("SELECT @@gtid_binlog_pos, @@global.gtid_current_pos, "
                     "@@global.gtid_binlog_state")
        self.assertEqual(self.daemon.query(statement), self.source.query(statement))
        self.assertEqual(self.daemon.query("SELECT @@gtid_slave_pos")[0][0],
                         self.source.query("SELECT @@gtid_binlog_pos")[0][0])
        self.daemon.wait_for(r"status: .* gtids=0-1-7,1-1-3 ")

    def test_replica_that_is_ahead_is_let_in(self):
        """Here the two differ on purpose: a copy may be behind without having lost anything."""
        setting = "SET @slave_connect_state='0-1-8,1-1-3'"
        _, end = self.dump(self.source, [setting], NON_BLOCK)
        self.assertIn("which is not in the master's binlog", end[1])
        events, end = self.dump(self.daemon, [setting], NON_BLOCK)
        self.assertEqual(end, "end")
        self.assertNotIn("list", [event[0] for event in events])
        self.assertIn("is ahead: it has GTID 0-1-8", self.daemon.log_text())


class GroupsAndXA(SideBySide):
    """GTIDs that are longer, with the number of a commit group or the name of an XA; long events."""

    @classmethod
    def fill(cls):
        cls.source.query("CREATE DATABASE lab")
        cls.source.query("CREATE TABLE lab.t (a INT) ENGINE=InnoDB")
        cls.source.query("SET GLOBAL binlog_commit_wait_count=2, binlog_commit_wait_usec=2000000")
        with cls.source.connect() as one, cls.source.connect() as other:
            for client in (one, other):
                client.command(b"\x03INSERT INTO lab.t VALUES (1)")
            for client in (one, other):
                client._read_result()
        cls.source.query("FLUSH BINARY LOGS")
        with cls.source.connect() as client:
            for statement in ("XA START 'a'", "INSERT INTO lab.t VALUES (2)", "XA END 'a'",
                              "XA PREPARE 'a'", "XA COMMIT 'a'", "INSERT INTO lab.t VALUES (3)",
                              "CREATE TABLE lab.l (b LONGBLOB) ENGINE=MyISAM",
                              "INSERT INTO lab.l VALUES (REPEAT('x', 600000))",
                              f"CREATE TABLE lab.c (a INT) COMMENT='{'c' * 1000}' "
                              f"/*{'long' * 100000}*/", "INSERT INTO lab.t VALUES (4)"):
                client.query(statement)

    def test_positions(self):
        for number in range(12):
            with self.subTest(number=number):
                position = f"0-1-{number}" if number else ""
                self.assertEqual(self.by_gtid(position)[1], "end")
                self.by_gtid("0-1-4", f"SET @slave_until_gtid='{position}'")

    def test_replicas_that_know_less(self):
        for capability in ("NULL", 1, 2, 3):
            _, end = self.assert_same(f"SET @mariadb_slave_capability={capability}")
            self.assertIn("backwards-compatible", end[1])


class Restarted(Dumps):
    """What binlogd found in its files."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.daemon.restart()
        cls.wait_served()


class Purged(Dumps):
    """The source had purged its first file before binlogd came."""

    @classmethod
    def fill(cls):
        super().fill()
        cls.source.query("PURGE BINARY LOGS TO 'mysql-bin.000002'")

    def test_positions_that_are_here(self):
        for position in ("0-1-3", "0-1-3,1-1-1", "0-5-5,1-1-3"):
            with self.subTest(position=position):
                self.assertEqual(self.by_gtid(position)[1], "end")

    def test_positions_that_are_not(self):
        for position in ("", "0-1-1", "0-1-2,1-1-1", "5-5-5", "1-1-1"):
            with self.subTest(position=position):
                self.assertIn("required binlog files have been purged", self.by_gtid(position)[1][1])


if __name__ == "__main__":
    unittest.main(verbosity=2)

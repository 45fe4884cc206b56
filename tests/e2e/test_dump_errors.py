"""Bad dump requests: what a real mysqld 9.x answers to each is what binlogd answers.

Both have the same files. Every request is sent to both through a raw client, and the whole
answer is compared: types of events that came before, error number and text. A session that
dumps beside them must not notice anything.
"""
import os
import shutil
import struct
import time
import unittest
import uuid

import lab
import myclient
from lab import PASSWORD, REPLICA_USER, Binlogd, Mysql97

COM_BINLOG_DUMP, COM_BINLOG_DUMP_GTID, COM_REGISTER = 0x12, 0x1E, 0x15
NON_BLOCK = 1
CRC32 = "SET @source_binlog_checksum='CRC32', @master_binlog_checksum='CRC32'"
NO_CHECKSUM = "SET @source_binlog_checksum='NONE', @master_binlog_checksum='NONE'"
ROTATE, FORMAT, HEARTBEATS = 4, 15, (27, 41)


def setUpModule():
    Binlogd.binary()
    Mysql97.available()


def by_position(name, position, server_id=77, flags=NON_BLOCK):
    return struct.pack("<BIHI", COM_BINLOG_DUMP, position, flags, server_id) + name.encode()


def by_gtid(gtids, name="", position=4, server_id=77, flags=NON_BLOCK):
    return (struct.pack("<BHII", COM_BINLOG_DUMP_GTID, flags, server_id, len(name)) +
            name.encode() + struct.pack("<QI", position, len(gtids)) + gtids)


def gtid_set(*parts):
    """A set in its binary form; each part is (uuid, [(first, last), ...])."""
    data = struct.pack("<Q", len(parts))
    for name, intervals in parts:
        data += uuid.UUID(name).bytes + struct.pack("<Q", len(intervals))
        data += b"".join(struct.pack("<QQ", first, last + 1) for first, last in intervals)
    return data


def parse_set(text):
    """The parts of a GTID set's text, for gtid_set()."""
    parts = []
    for item in filter(None, text.replace("\n", "").split(",")):
        name, *intervals = item.split(":")
        ends = [interval.split("-") for interval in intervals]
        parts.append((name, [(int(end[0]), int(end[-1])) for end in ends]))
    return parts


def read_dump(client, quiet=None):
    """(types of events, how it ended); with `quiet` seconds of silence end it as "waits"."""
    kinds = []
    client.sock.settimeout(quiet or 20)
    while True:
        try:
            packet = client.read_packet()
        except myclient.LostConnection as error:
            return kinds, "waits" if "timed out" in str(error) else "closed"
        if packet[0] == 0xFF:
            error = myclient.parse_error(packet)
            return kinds, (error.code, error.text)
        if packet[0] == 0xFE and len(packet) < 9:
            return kinds, "end"
        kinds.append(packet[5])


def lives(client):
    """Whether the session answers a ping after all that."""
    try:
        client.sock.settimeout(3)
        client.ping()
        return True
    except (myclient.LostConnection, myclient.MyError):
        return False


def ask(server, payload, variables=CRC32, quiet=None, user="repl"):
    """The answer of a server to one raw command: (types of events, how it ended).

    An error that does not end the session has a third part."""
    with server.connect(user, PASSWORD) as client:
        if variables:
            client.query(variables)
        try:
            client.command(payload)
        except myclient.LostConnection:
            pass
        kinds, end = read_dump(client, quiet)
        if isinstance(end, tuple) and lives(client):
            end = (*end, "the session goes on")
        return kinds, end


def ask_command(server, payload):
    """The answer to a command that is no dump: (error number and text or "ok", session lives)."""
    with server.connect("repl", PASSWORD) as client:
        client.sock.settimeout(10)
        try:
            client.command(payload)
            client._read_result()
            end = "ok"
        except myclient.MyError as error:
            end = (error.code, error.text)
        except myclient.LostConnection as error:
            end = "waits" if "timed out" in str(error) else "closed"
        return end, end != "waits" and lives(client)


class SameFiles(unittest.TestCase):
    """A source that has purged its first files, and a binlogd that has all the others."""

    @classmethod
    def setUpClass(cls):
        cls.source = Mysql97("--gtid-mode=ON", "--enforce-gtid-consistency=ON")
        cls.addClassCleanup(cls.source.close)
        cls.source.create_user()
        for _ in range(3):
            lab.write_rows(cls.source)
            cls.source.query("FLUSH BINARY LOGS")
        lab.write_rows(cls.source)
        cls.first = cls.source.logs()[-2][0]
        cls.source.query(f"PURGE BINARY LOGS TO '{cls.first}'")
        cls.daemon = Binlogd(cls.source, users=REPLICA_USER)
        cls.addClassCleanup(cls.daemon.close)
        lab.wait_caught_up(cls.source, cls.daemon)
        cls.last, cls.size = cls.source.position()
        cls.uuid = cls.source.query("SELECT @@server_uuid")[0][0]
        cls.executed = cls.source.query("SELECT @@gtid_executed")[0][0]
        cls.purged = cls.source.query("SELECT @@gtid_purged")[0][0]

    def setUp(self):
        """Somebody else is being served all the while."""
        self.other = self.daemon.connect()
        self.addCleanup(self.other.drop)
        self.other.query(CRC32)
        self.other.query("SET @source_heartbeat_period=200000000, "
                         "@master_heartbeat_period=200000000")
        self.other.command(by_position(self.last, 4, server_id=55, flags=0))
        while self.other.read_packet()[5] not in HEARTBEATS:
            pass

    def tearDown(self):
        self.assertIn(self.other.read_packet()[5], HEARTBEATS)
        self.assertIn(self.other.read_packet()[5], HEARTBEATS)
        self.assertIsNone(self.daemon.process.poll())

    def assert_same(self, payload, variables=CRC32):
        theirs = ask(self.source, payload, variables)
        ours = ask(self.daemon, payload, variables)
        self.assertEqual(ours, theirs)
        return ours

    def refused(self, payload, part, variables=CRC32):
        _, end = self.assert_same(payload, variables)
        self.assertIsInstance(end, tuple, end)
        self.assertIn(part, end[1])


class ByPosition(SameFiles):
    def test_good_requests_as_a_measure(self):
        for name, position in ((self.first, 4), (self.last, 4), ("", 4), (self.last, self.size)):
            with self.subTest(name=name, position=position):
                kinds, end = self.assert_same(by_position(name, position))
                self.assertEqual((kinds[:2], end), ([ROTATE, FORMAT], "end"))

    def test_positions_before_the_first_event(self):
        for position in (0, 1, 3):
            with self.subTest(position=position):
                self.refused(by_position(self.last, position), "position < 4")

    def test_positions_behind_the_end(self):
        for name, size in self.source.logs():
            for position in (size + 1, 1 << 31, (1 << 32) - 1):
                with self.subTest(name=name, position=position):
                    self.refused(by_position(name, position), "position > file size")

    def test_position_inside_an_event(self):
        """What a source then reads, and says, depends on the bytes there."""
        for server in (self.source, self.daemon):
            _, end = ask(server, by_position(self.last, self.size - 3))
            self.assertEqual(end[0], 1236)

    def test_position_inside_the_format_description(self):
        """Where the bytes are the same for each file, and do not happen to be an event."""
        for position in (5, 6, 7, 11, 16, 21, 30, 50):
            with self.subTest(position=position):
                self.refused(by_position(self.first, position), "the first event")

    def test_path_to_a_file_of_the_index_is_refused(self):
        """A source takes the last part of the path; we take no paths at all."""
        _, end = ask(self.daemon, by_position("../" + self.last, 4))
        self.assertEqual(end, (1236, "Could not find first log file name in binary log index file"))

    def test_names_that_are_not_in_the_index(self):
        for name in ("mysql-bin.777777", "mysql-bin.000001", "../etc/passwd", "/etc/passwd",
                     "mysql-bin", "mysql-bin.index", "binlogd.lock", ".", "..", "%s%n", "x" * 300,
                     "mysql-bin." + "0" * 200, "mysql-bin.\x01\x02"):
            with self.subTest(name=name):
                self.refused(by_position(name, 4), "Could not find first log file name")

    def test_file_that_is_there_but_not_in_the_index(self):
        stray = "mysql-bin.000099"
        for path in (self.source.log_path(stray), self.daemon.copy_path(stray)):
            shutil.copyfile(self.source.log_path(self.first), path)
            self.addCleanup(os.unlink, path)
        self.refused(by_position(stray, 4), "Could not find first log file name")

    def test_checksum_not_declared(self):
        self.refused(by_position(self.last, 4), "checksum", variables=None)
        self.refused(by_position(self.first, 4), "checksum", variables=None)

    def test_checksums_not_wanted_are_sent_all_the_same(self):
        self.assert_same(by_position(self.first, 4), NO_CHECKSUM)

    def test_server_id_zero_does_not_wait(self):
        _, end = self.assert_same(by_position(self.last, 4, server_id=0, flags=0))
        self.assertEqual(end, "end")


class ByGtid(SameFiles):
    def test_good_requests_as_a_measure(self):
        for text in (self.purged, self.executed):
            with self.subTest(gtids=text):
                kinds, end = self.assert_same(by_gtid(gtid_set(*parse_set(text))))
                self.assertEqual((kinds[:2], end), ([ROTATE, FORMAT], "end"))

    def test_purged_transactions(self):
        other = str(uuid.uuid4())
        for parts in ([], [(self.uuid, [(1, 3)])], [(other, [(1, 7)])],
                      [(self.uuid, [(2, 2), (4, 5)]), (other, [(1, 1)])]):
            with self.subTest(parts=parts):
                self.refused(by_gtid(gtid_set(*parts)), "purged required binary logs")

    def test_name_given_with_the_set(self):
        good = gtid_set(*parse_set(self.purged))
        self.refused(by_gtid(good, "mysql-bin.777777"), "Could not find first log file name")
        self.refused(by_gtid(good, "../etc/passwd"), "Could not find first log file name")
        self.refused(by_gtid(good, self.last, self.size + 1), "position > file size")
        self.refused(by_gtid(good, self.last, 1 << 40), "position > file size")
        self.refused(by_gtid(good, position=3), "position < 4")
        self.refused(by_gtid(good, self.last, 0), "position < 4")

    def test_name_and_an_empty_set_resume_there(self):
        self.assert_same(by_gtid(gtid_set(), self.last, self.size))
        self.assert_same(by_gtid(gtid_set(), self.first, 4))

    def test_garbage_sets(self):
        name = uuid.UUID(self.uuid).bytes
        one = struct.pack("<Q", 1)
        for garbage in (b"", b"\0", b"\0" * 7, one, one + name, one + name + one,
                        one + name + one + struct.pack("<Q", 1),
                        one + name + one + struct.pack("<QQ", 5, 5),
                        one + name + one + struct.pack("<QQ", 5, 2),
                        one + name + one + struct.pack("<QQ", 0, 2),
                        one + name + struct.pack("<Q", 2) + struct.pack("<QQQQ", 5, 9, 1, 3),
                        one + name + one + struct.pack("<QQ", 1, 1 << 63),
                        one + name + one + struct.pack("<QQ", 1, (1 << 64) - 1),
                        struct.pack("<Q", (1 << 64) - 1), b"\xff" * 100,
                        struct.pack("<Q", 1 << 40) + b"\0" * 64,
                        one + name + struct.pack("<Q", 1 << 60) + b"\0" * 64,
                        gtid_set() + b"trailing"):
            with self.subTest(garbage=garbage[:48].hex()):
                self.assert_same(by_gtid(garbage))

    def test_million_intervals_are_taken_in_time(self):
        mine = parse_set(self.purged)
        many = [(2 * number + 1, 2 * number + 1) for number in range(1000000)]
        payload = by_gtid(gtid_set(*mine, (str(uuid.uuid4()), many)))
        began = time.monotonic()
        kinds, end = ask(self.daemon, payload)
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual((kinds[:2], end), ([ROTATE, FORMAT], "end"))
        self.assertEqual(ask(self.source, payload), (kinds, end))

    def test_checksum_not_declared(self):
        self.refused(by_gtid(gtid_set(*parse_set(self.purged))), "checksum", variables=None)

    def test_replica_that_is_ahead_is_let_in(self):
        """Here the two differ on purpose: what is ahead of us is the best candidate there is."""
        ahead = gtid_set((self.uuid, [(1, 100000)]))
        _, end = ask(self.source, by_gtid(ahead))
        self.assertIn("more GTIDs than the source", end[1])
        kinds, end = ask(self.daemon, by_gtid(ahead, flags=0), quiet=2)
        self.assertEqual(end, "waits")
        self.assertEqual(set(kinds) - {ROTATE, FORMAT, 35, *HEARTBEATS}, set())


class Commands(SameFiles):
    def truncations(self, whole, sizes, ask_one):
        """Both servers' answers to the first `size` bytes of a command."""
        ours, theirs = ({size: ask_one(server, whole[:size]) for size in sizes}
                        for server in (self.daemon, self.source))
        self.assertEqual(ours, theirs)

    def test_truncated_dump_by_position(self):
        whole = by_position(self.last, 4)
        self.truncations(whole, range(1, len(whole) - len(self.last)), ask)

    def test_truncated_dump_by_gtid(self):
        whole = by_gtid(gtid_set(*parse_set(self.purged)), self.last)
        self.truncations(whole, range(1, len(whole), 3), ask)

    def test_lengths_that_lie(self):
        good = by_gtid(gtid_set(*parse_set(self.purged)))
        for name_size in (1, 1000, 1 << 31, (1 << 32) - 1):
            with self.subTest(name_size=name_size):
                self.assert_same(good[:7] + struct.pack("<I", name_size) + good[11:])
        for set_size in (0, 1, 1000, 1 << 31, (1 << 32) - 1):
            with self.subTest(set_size=set_size):
                self.assert_same(good[:19] + struct.pack("<I", set_size) + good[23:])

    def test_registration_truncated(self):
        whole = (struct.pack("<BI", COM_REGISTER, 77) + b"\x04host\x04user\x04pass" +
                 struct.pack("<HII", 3306, 0, 0))
        self.truncations(whole, range(1, len(whole)), ask_command)

    def test_registration_with_lengths_that_lie(self):
        head, tail = struct.pack("<BI", COM_REGISTER, 77), struct.pack("<HII", 3306, 0, 0)
        for texts in (b"\xffhost", b"\x0ahost", b"\x40hos" + b"\0" * 20, b"\x04host\xffuser",
                      b"\xfbhost", b"\xfc\x04", b"\xfc\x04\0host\0\0" + tail,
                      b"\xfd\x04\0", b"\xfd\x04\0\0host\0\0" + tail,
                      b"\xfe\x04" + b"\0" * 7 + b"host\0\0" + tail,
                      b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\0\0" + tail,
                      b"\xffhost" + b"\0" * 20, b"\0\0\xffabc", b"\0\0\0" + tail[:9]):
            with self.subTest(texts=texts):
                self.assertEqual(ask_command(self.daemon, head + texts),
                                 ask_command(self.source, head + texts))

    def test_options_and_databases_that_are_none(self):
        for command in (b"\x1b", b"\x1b\0", b"\x1b\2\0", b"\x1b\0\1", b"\x02"):
            with self.subTest(command=command):
                theirs = ask_command(self.source, command)
                self.assertEqual(ask_command(self.daemon, command), theirs)
                self.assertIsInstance(theirs[0], tuple)

    def test_unknown_commands(self):
        for command in (0x30, 0x7F, 0xFE, 0xFF):
            with self.subTest(command=command):
                theirs = ask_command(self.source, bytes([command]))
                self.assertEqual(ask_command(self.daemon, bytes([command])), theirs)
                self.assertEqual((theirs[0][0], theirs[1]), (1047, True))

    def test_empty_command(self):
        self.assertEqual(ask_command(self.daemon, b""), ask_command(self.source, b""))


class Rights(SameFiles):
    def test_account_without_the_right_is_refused(self):
        self.source.create_user("look", grant=None)
        self.daemon.sections["user look"] = lab.account(rights="status")
        self.daemon.restart()
        said = [ask(server, payload, user="look") for server in (self.source, self.daemon)
                for payload in (by_position(self.last, 4), by_gtid(gtid_set())[:9])]
        self.assertEqual(said[:2], said[2:])

    def tearDown(self):
        self.assertIsNone(self.daemon.process.poll())


if __name__ == "__main__":
    unittest.main(verbosity=2)

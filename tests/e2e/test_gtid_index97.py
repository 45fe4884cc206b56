"""GTID starts inside a large file: the answer is mysqld's, whatever became of the GTID index.

A raw client asks both for the same with several sets; all events that come from files must be the
same bytes, and heartbeats must stand at the same places.
"""
import os
import struct
import unittest
import zlib

import lab
import myclient
from lab import PASSWORD, REPLICA_USER, WITH_GTIDS, Binlogd, Mysql97
from test_dump_errors import CRC32, HEARTBEATS, by_gtid, gtid_set

ROWS, ROW_SIZE = 500, 60000
MADE_ANEW = r"the GTID index of 2 files was made anew"


def setUpModule():
    Binlogd.binary()
    Mysql97.available()


def answer(client, gtids):
    """What a non-blocking dump sends: (type, log_pos, CRC of the bytes unless it is made up)."""
    client.query(CRC32)
    client.command(by_gtid(gtids))
    events = []
    while True:
        packet = client.read_packet()
        if packet[0] == 0xFF:
            raise myclient.parse_error(packet)
        if packet[0] == 0xFE and len(packet) < 9:
            client.drop()
            return events
        kind, log_pos = packet[5], struct.unpack_from("<I", packet, 14)[0]
        made_up = kind in HEARTBEATS or log_pos == 0
        events.append((kind, log_pos, None if made_up else zlib.crc32(packet)))


def records(index):
    """(offset, number of the file, its size) of each record of an index file."""
    found, at = [], index.find(b"\n") + 1
    while at + 24 <= len(index):
        found.append((at, *struct.unpack_from("<QQ", index, at + 8)))
        at += 8 + struct.unpack_from("<I", index, at)[0]
    return found


class GtidIndex(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.source = Mysql97(*WITH_GTIDS)
        cls.addClassCleanup(cls.source.close)
        cls.source.create_user()
        cls.fill(cls.source)
        cls.uuid = cls.source.query("SELECT @@server_uuid")[0][0]
        cls.last = int(cls.source.query("SELECT @@gtid_executed")[0][0].rsplit("-", 1)[1])
        cls.daemon = Binlogd(cls.source, users=REPLICA_USER)
        cls.addClassCleanup(cls.daemon.close)
        lab.wait_caught_up(cls.source, cls.daemon)

    @staticmethod
    def fill(source):
        """About 30 MB in one file, some of it without rows, and two short files behind it."""
        with source.connect() as client:
            client.query("CREATE DATABASE lab")
            client.query("CREATE TABLE lab.t (id INT PRIMARY KEY, v MEDIUMTEXT)")
            for number in range(ROWS):
                client.query(f"INSERT INTO lab.t VALUES ({number}, REPEAT('x', {ROW_SIZE}))")
                if number % 100 == 0:
                    client.query(f"CREATE TABLE lab.t{number} (id INT)")
            for number in range(2):
                client.query("FLUSH BINARY LOGS")
                client.query(f"INSERT INTO lab.t VALUES ({ROWS + number}, 'short')")

    def index_path(self):
        return os.path.join(self.daemon.epoch(), "mysql-bin.gtid.index")

    def index(self):
        if not os.path.exists(self.index_path()):
            return b""
        with open(self.index_path(), "rb") as file:
            return file.read()

    def sets(self):
        """Replicas that have more and more, and some with holes."""
        last = self.last
        for intervals in ([], [(1, 1)], [(1, last // 10)], [(1, last // 2)], [(1, last * 9 // 10)],
                          [(1, last - 3)], [(1, last)], [(1, 20), (100, 350)],
                          [(2, last - 10)], [(last // 2, last)]):
            yield gtid_set((self.uuid, intervals)) if intervals else gtid_set()

    def assert_answers_as_the_source(self):
        for gtids in self.sets():
            want = answer(self.source.connect("repl", PASSWORD), gtids)
            got = answer(self.daemon.connect(), gtids)
            self.assertEqual(got, want)

    def restart_with(self, data):
        """Stop, put the index file there (None: nothing), start."""
        self.assertEqual(self.daemon.stop(), 0)
        os.unlink(self.index_path())
        if data is not None:
            with open(self.index_path(), "wb") as file:
                file.write(data)
        self.daemon.start()

    def has_all_records(self):
        sizes = {number: size for _, number, size in records(self.index())}
        names = self.daemon.copies()[:-1]
        return sizes == {int(name.rsplit(".", 1)[1]): os.path.getsize(self.daemon.copy_path(name))
                         for name in names}

    def assert_made_anew_from(self, data):
        self.restart_with(data)
        self.assert_answers_as_the_source()  # at once, while it is being made
        self.daemon.wait_for(MADE_ANEW)
        lab.wait_until(self.has_all_records, 20, "the index file")
        self.assert_answers_as_the_source()

    def test_answers_are_those_of_the_source(self):
        self.assert_answers_as_the_source()

    def test_good_index_is_used_again(self):
        good = self.index()
        self.restart_with(good)
        self.assert_answers_as_the_source()
        self.assertEqual(self.index(), good)
        self.assertNotIn("made anew", self.daemon.log_text())

    def test_missing_index_is_made_anew(self):
        self.assert_made_anew_from(None)

    def test_damaged_index_is_made_anew(self):
        good = bytearray(self.index())
        good[30] ^= 1
        self.assert_made_anew_from(bytes(good))
        self.assertIn("mysql-bin.gtid.index is damaged: made anew", self.daemon.log_text())

    def test_stale_index_is_made_anew(self):
        """Records that are good in themselves, of files of another size."""
        data = bytearray(self.index())
        for at, _, _ in records(data):
            length = struct.unpack_from("<I", data, at)[0]
            data[at + 16] ^= 1
            crc = zlib.crc32(data[at:at + 4] + data[at + 8:at + 8 + length])
            struct.pack_into("<I", data, at + 4, crc)
        self.assert_made_anew_from(bytes(data))
        self.assertNotIn("is damaged", self.daemon.log_text())


if __name__ == "__main__":
    unittest.main(verbosity=2)

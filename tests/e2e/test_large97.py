"""Large events of a real MySQL 9.x source, and the memory that the daemon takes for them.

On the wire an event has a byte before it, or three with semi-sync; packets split at 2^24-1 bytes
of that. One daemon of each kind reads the same events, so that both splits fall on each size.
"""
import contextlib
import os
import re
import threading
import time
import unittest

import lab
import myclient
from lab import Binlogd, Mysql97

LIMIT = (1 << 24) - 1
RSS_MAX_KB = 160 << 10


def setUpModule():
    Binlogd.binary()
    Mysql97.available()


def event_sizes(path):
    """Sizes of all events of a binary log file."""
    sizes = []
    with open(path, "rb") as file:
        at, end = 4, os.path.getsize(path)
        while at + 19 <= end:
            file.seek(at)
            sizes.append(int.from_bytes(file.read(19)[9:13], "little"))
            at += sizes[-1]
    return sizes


class Memory:
    """Samples the daemon's resident memory while it is used as a context."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.peak_kb = 0
        self.samples = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _watch(self):
        while not self._over.wait(0.02):
            found = re.search(r"VmRSS:\s*(\d+)",
                              lab.read_text(f"/proc/{self.daemon.process.pid}/status"))
            if found:
                self.samples += 1
                self.peak_kb = max(self.peak_kb, int(found.group(1)))


def sanitized():
    """Whether the daemon was built with a sanitizer, whose own memory would be counted."""
    with open(Binlogd.binary(), "rb") as file:
        return b"__asan_init" in file.read()


class LargeCase(unittest.TestCase):
    """A source that waits for ever for an ACK, with a table that keeps nothing."""

    options = []

    def setUp(self):
        self.source = Mysql97("--max-allowed-packet=1G", "--general-log=OFF",
                              *Mysql97.semisync_options(), *self.options)
        self.addCleanup(self.source.close)
        self.source.create_user()
        self.source.unlogged("CREATE DATABASE lab",
                             "CREATE TABLE lab.big (v LONGBLOB) ENGINE=BLACKHOLE")

    def insert(self, size):
        with self.source.connect(timeout=60) as client:
            client.query(f"INSERT INTO lab.big VALUES (REPEAT('x', {size}))")

    def insert_aside(self, size):
        """In a thread, which ends when the commit was answered."""
        def insert():
            with contextlib.suppress(myclient.LostConnection):
                self.insert(size)
        writer = threading.Thread(target=insert, daemon=True)
        writer.start()
        return writer

    def overhead(self):
        """What an event has beside the value of its row."""
        self.insert(70000)
        return max(event_sizes(self.source.log_path(self.source.position()[0]))) - 70000

    def check_memory(self, memory):
        self.assertGreater(memory.samples, 5)
        if not sanitized():
            self.assertLess(memory.peak_kb, RSS_MAX_KB)


class Large(LargeCase):
    """Whole events."""

    def test_sizes_around_the_packet_limit(self):
        wanted = ([LIMIT - 1 + step for step in range(-5, 4)] +
                  [2 * LIMIT - head for head in (1, 3)])
        with Binlogd(self.source) as waited, \
                Binlogd(self.source, semi_sync="off", server_id=4712) as other, \
                Memory(waited) as first, Memory(other) as second:
            self.source.wait_semisync_client()
            overhead = self.overhead()
            for size in wanted:
                self.insert(size - overhead)
            made = event_sizes(self.source.log_path(self.source.position()[0]))
            self.assertLessEqual(set(wanted), set(made), "the source made other sizes")
            counters = self.source.semisync()
            self.assertEqual((counters["yes_tx"], counters["no_tx"]), (len(wanted) + 1, 0))
            for daemon in (waited, other):
                lab.assert_copied(self.source, daemon, 30)
                self.assertNotIn(" error ", daemon.log_text())
            self.check_memory(first)
            self.check_memory(second)

    def test_event_of_256_mib_is_not_held(self):
        with Binlogd(self.source) as daemon, Memory(daemon) as memory:
            self.source.wait_semisync_client()
            self.insert(256 << 20)
            self.assertGreater(self.source.position()[1], 256 << 20)
            lab.assert_copied(self.source, daemon, 30)
            self.assertEqual(self.source.semisync()["no_tx"], 0)
            self.check_memory(memory)


class Amid(LargeCase):
    """Ends of the daemon while a large event comes; GTIDs off."""

    def begin_large_event(self, daemon):
        """(writer, path of the copy) once 32 MiB of the event are stored."""
        writer = self.insert_aside(256 << 20)
        copy = daemon.copy_path(daemon.copies()[-1])
        lab.wait_until(lambda: os.path.getsize(copy) > 32 << 20, 30, "a part", 0.002)
        return writer, copy

    def wait_answered(self, writer, daemon):
        lab.wait_until(lambda: not writer.is_alive() or daemon.process.poll() is not None, 40,
                       "the answer to the commit")
        self.assertIsNone(daemon.process.poll(), daemon.log_text()[-500:])

    def test_killed_amid_an_event_of_256_mib_goes_on(self):
        """Its beginning is cut off and kept aside; the commit is answered when all is there."""
        with Binlogd(self.source) as daemon, Memory(daemon) as memory:
            self.source.wait_semisync_client()
            writer, copy = self.begin_large_event(daemon)
            daemon.kill9()
            stored = os.path.getsize(copy)
            self.assertLess(stored, 256 << 20, "the kill came too late")
            self.assertTrue(writer.is_alive())
            daemon.start()
            self.wait_answered(writer, daemon)
            lab.assert_copied(self.source, daemon, 30)
            torn = [name for name in os.listdir(daemon.epoch()) if ".torn-" in name]
            self.assertEqual(len(torn), 1)
            self.assertGreater(os.path.getsize(os.path.join(daemon.epoch(), torn[0])), 31 << 20)
            self.assertEqual(self.source.semisync()["no_tx"], 0)
            self.check_memory(memory)

    def test_stopped_amid_an_event_of_256_mib_ends_soon(self):
        with Binlogd(self.source) as daemon:
            self.source.wait_semisync_client()
            writer, _ = self.begin_large_event(daemon)
            began = time.monotonic()
            self.assertEqual(daemon.stop(), 0)
            self.assertLess(time.monotonic() - began, 5)
            lab.check_copies(self.source, daemon, live=True)
            daemon.start()
            self.wait_answered(writer, daemon)
            lab.assert_copied(self.source, daemon, 30)


class AmidWithGtids(Amid):
    options = ["--gtid-mode=ON", "--enforce-gtid-consistency=ON"]


if __name__ == "__main__":
    unittest.main(verbosity=2)

import contextlib
import os
import selectors
import signal
import struct
import time

import lab
import ledger
from case import Books, Case, Resources, Usage, stopped
from lab import REPLICA_USER, WITH_GTIDS, Binlogd

SLOW_BYTES_S = 1000
MEASURE_S = 2
PAD = 4000
RING = 33 << 20  # bytes, and a little more
EACH_KB = (256 << 10) / 500


class SlowReplicas(Case):
    """Clients that ask for everything and stop to read, others that read 1 KB a second.

    100 stuck and 20 slow ones in the short form, 500 and 50 in the long. Commits are acknowledged
    as without them (the ratio of p99 is a figure: the machine is shared; the median may not
    triple), a client that does read gets everything, 500 would take 256 MiB at most, and all is as
    before when they are gone (C26, O6). After 60 s without reading they are dropped (long form).
    """

    short_rounds = 1
    long_rounds = 5
    round_limit_s = 120

    def run(self, rounds):
        stuck, slow = (100, 20) if rounds == 1 else (500, 50)
        source = self.source(*WITH_GTIDS)
        limits = {"server": {"max_connections": 1000}}
        with Binlogd(source, users=REPLICA_USER, sections=limits) as daemon, \
                ledger.Load(source, 1, pad=PAD) as load:
            books = Books(source, daemon, load)
            load.wait_commits(500, 60)
            touch_ring(source)
            resources = Resources(daemon)
            calm = self.commit_times(source, 1)
            with self.crowd(daemon, stuck, slow):
                crowded = self.commit_times(source, 2)
                grown = Usage(daemon).kib - resources.before.kib
                self.read_all(daemon)
                if rounds > 1:
                    self.wait_dropped(daemon, stuck)
            calm = sorted(calm + self.commit_times(source, 3))
            stopped(load)
            resources.check_back()
            entries = dict(load.entries)
            lab.assert_copied(source, daemon)
            rows = [row for row in books.files_rows() if row[0] < 1000]
            assert not (wrong := ledger.problems(entries, rows)), wrong[:5]
        assert grown <= EACH_KB * (stuck + slow), f"{grown} KiB for {stuck + slow} clients"
        middle = crowded[len(crowded) // 2] / calm[len(calm) // 2]
        late = crowded[len(crowded) * 99 // 100] / calm[len(calm) * 99 // 100]
        # A disk beside others is three times as slow in one second as in the next; what the crowd
        # itself does to ACKs is measured by tests/bench/storm.
        assert middle < 10, f"a commit takes {middle:.1f} times as long"
        return (f"{stuck} stuck and {slow} slow clients: commits take {middle:.2f} of the median, "
                f"{late:.2f} of the p99; {grown / (stuck + slow):.0f} KiB each")

    @staticmethod
    def commit_times(source, client):
        """Seconds of a writer's commits, sorted."""
        times, end = [], time.monotonic() + MEASURE_S
        with source.connect() as writer:
            while time.monotonic() < end:
                began = time.monotonic()
                seq = int(began * 1e6) % 2000000000
                writer.query(f"INSERT INTO lab.ledger VALUES ({1000 + client}, {seq}, 'ab', '')")
                times.append(time.monotonic() - began)
        return sorted(times)

    @contextlib.contextmanager
    def crowd(self, daemon, stuck, slow):
        """In a process of its own, so that ours goes on."""
        ready, told = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                clients = [begin_dump(daemon, 1000 + number) for number in range(stuck + slow)]
                os.write(told, b"!")
                read_slowly(clients[:slow])
            finally:
                os._exit(1)
        try:
            os.close(told)
            assert os.read(ready, 1) == b"!", "the crowd did not get in"
            yield
        finally:
            os.close(ready)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    @staticmethod
    def read_all(daemon):
        """A client that reads gets every byte of the first file up to T."""
        stored = daemon.position()[1]
        client = begin_dump(daemon, 999, flags=1)
        got = 0
        while (packet := client.read_packet())[0] == 0:
            got += len(packet) - 1
        client.drop()
        assert got >= stored - len(b"\xfebin"), f"only {got} of {stored} bytes"

    @staticmethod
    def wait_dropped(daemon, stuck):
        lab.wait_until(lambda: daemon.log_text().count("took nothing for 60 s") >= stuck, 100,
                       "stuck clients to be dropped")


def touch_ring(source):
    """What is written through it in the case must not look like what clients cost."""
    source.query(f"INSERT INTO lab.ledger VALUES (1000, 0, 'ab', REPEAT('x', {RING}))")


def begin_dump(daemon, server_id, flags=0):
    """A dump of everything there is, of which nothing was read yet."""
    client = daemon.connect()
    client.query("SET @source_binlog_checksum='CRC32'")
    client.command(struct.pack("<BIHI", 0x12, 4, flags, server_id) + b"mysql-bin.000001")
    return client


def read_slowly(clients):
    """Each gets its bytes at 1 KB a second, until killed."""
    with selectors.DefaultSelector() as ready:
        for client in clients:
            ready.register(client.sock, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select(0):
                key.fileobj.recv(SLOW_BYTES_S)
            time.sleep(1)

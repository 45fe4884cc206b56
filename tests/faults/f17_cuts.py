import concurrent.futures
import os
import random
import time

import lab
import ledger
from case import Books, Case, Resources, stopped
from lab import WITH_GTIDS, Binlogd
from wire import Chopped, CutAt, CutOften, Delayed, Wire

WORKERS = 6
DELAY_S = 0.2
TRANSACTIONS = 60


class Cuts(Case):
    """The connection ends behind any byte of a session; segments of one byte; a delay.

    Each round ends the first connection behind one byte, of those that the source sends or of those
    that it gets; what is copied in the end is the same (O2). The long form takes as many offsets as
    it has rounds, evenly spread: with 60000 all of them. Then connections are cut at random while
    commits run (O1, O2), and go through one-byte segments and 200 ms of delay each way.
    """

    short_rounds = 60
    long_rounds = 60000
    round_limit_s = 2

    def run(self, rounds):
        source = self.source(*WITH_GTIDS)
        sizes = self.prepare(source)
        offsets = [(down, offset) for down in (True, False) for offset in range(1, sizes[down])]
        step = max(len(offsets) / rounds, 1)
        chosen = [offsets[min(int(step * (number + random.random())), len(offsets) - 1)]
                  for number in range(min(rounds, len(offsets)))]
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            happened = sum(pool.map(lambda pair: self.cut(source, *pair[1], 5000 + pair[0] % 50000),
                                    enumerate(chosen)))
        assert happened >= 0.9 * len(chosen), f"only {happened} of {len(chosen)} cuts happened"
        words = self.under_load(source, max(rounds // 10, 8)), self.slow(source)
        return (f"{happened} cuts at offsets of {sizes[True]} bytes down and {sizes[False]} up, "
                + "; ".join(words))

    def prepare(self, source):
        """Write what the sessions copy; the length of a session in each direction."""
        source.query("SET GLOBAL rpl_semi_sync_source_enabled=OFF")
        with source.connect() as client:
            for seq in range(TRANSACTIONS):
                client.query(f"INSERT INTO lab.ledger VALUES (9999, {seq}, 'ab', REPEAT('x', 200))")
                if seq % (TRANSACTIONS // 3) == 0:
                    client.query("FLUSH BINARY LOGS")
        source.query("SET GLOBAL rpl_semi_sync_source_enabled=ON")
        self.files = source.logs()
        with Wire(source.port) as wire, Binlogd(source, port=wire.port) as daemon:
            self.wait_copied(daemon)
            link = next(link for link in wire.links if link.number == 0)
            return dict(link.passed)

    def wait_copied(self, daemon):
        def copied():
            names = daemon.copies()
            return len(names) == len(self.files) and all(
                os.path.getsize(daemon.copy_path(name)) == size for name, size in self.files)
        try:
            lab.wait_until(copied, 20, "the copies to be complete", 0.01)
        except AssertionError as error:
            raise AssertionError(f"{error}: {daemon.log_text()[-1500:]}") from error

    def cut(self, source, down, offset, server_id):
        """Whether the connection lived long enough to be cut there."""
        with CutAt(source.port, down, offset) as wire, \
                Binlogd(source, port=wire.port, server_id=server_id) as daemon:
            self.wait_copied(daemon)
            for name, _ in self.files:
                wrong = lab.same_bytes(source.log_path(name), daemon.copy_path(name))
                assert wrong is None, f"cut at {offset}, down={down}: {name} {wrong}"
            return wire.happened.is_set()

    @staticmethod
    def under_load(source, cuts):
        with CutOften(source.port) as wire, \
                Binlogd(source, port=wire.port, retry_max=1) as daemon, \
                ledger.Load(source, 4, pad=100) as load:
            wire.on = False
            load.wait_commits(1)
            books, resources = Books(source, daemon, load), Resources(daemon)
            wire.on = True
            lab.wait_until(lambda: wire.cuts >= cuts, 20 + 2 * cuts, "cuts")
            wire.on = False
            load.wait_commits(1)
            stopped(load)
            lab.assert_copied(source, daemon)
            resources.check_back()
            entries = dict(load.entries)
            rows = [row for row in books.files_rows() if row[0] != 9999]
            assert not (wrong := ledger.problems(entries, rows)), wrong[:5]
            return f"{wire.cuts} cuts during {load.count()} commits, 0 lost"

    @staticmethod
    def slow(source):
        """Two copies at once, each commit waits for the ACKs of both."""
        source.query("SET GLOBAL rpl_semi_sync_source_wait_for_replica_count=2")
        with Chopped(source.port) as chopped, Delayed(source.port, DELAY_S) as delayed, \
                Binlogd(source, port=chopped.port) as first, \
                Binlogd(source, port=delayed.port, server_id=4712) as second:
            lab.wait_until(lambda: source.semisync()["clients"] == 2, 20, "two semi-sync clients")
            began = time.monotonic()
            with ledger.Load(source, 3, first_client=100, commits=5) as load:
                assert load.join(30), "a writer still waits"
            took = time.monotonic() - began
            for daemon in (first, second):
                lab.assert_copied(source, daemon)
            assert took >= 5 * DELAY_S, "the delay had no effect"
            assert source.semisync()["no_tx"] == 0, "a commit was answered without an ACK"
            source.query("SET GLOBAL rpl_semi_sync_source_wait_for_replica_count=1")
            return (f"{load.count()} commits through one-byte segments and {2 * DELAY_S:.1f} s "
                    f"there and back")

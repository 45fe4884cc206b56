import contextlib
import itertools
import os
import random
import struct
import threading

import lab
import ledger
import myclient
from case import Books, Case, need, stopped
from memory_sweep import Sweep
from lab import REPLICA_USER, WITH_GTIDS, Binlogd

ENDS = (1, 2, 3)  # exit codes; no signal
COMMITS = 12
PROBE = 0
SWEPT_EACH = 10


class Memory(Case):
    """The N-th allocation of binlogd fails: at the start, connecting, copying, serving, recovering.

    Once, or from there on. It goes on or ends with an exit code, never by a signal; what was
    answered is in its files (O1), and the next start goes on and copies the rest (O2). N is spread over all
    that a run with commits, a rotation and a client that dumps makes, and over those of the start
    with what the first run left. Besides, ten starts for each round under a scripted source
    (memory_sweep.py), evenly spread over all places that allocate: each once, and all from there on.
    The sweep is complete with --rounds 1000; MEMORY_SWEEP_ONLY=1 leaves out the rest.
    """

    short_rounds = 6
    long_rounds = 500
    round_limit_s = 20

    def run(self, rounds):
        self.preload = os.path.join(os.path.dirname(Binlogd.binary()), "tests",
                                    "libfault_memory.so")
        need(os.path.exists(self.preload), f"needs {self.preload}")
        swept = self.sweep(SWEPT_EACH * rounds)
        if "MEMORY_SWEEP_ONLY" in os.environ:
            return swept
        self.origin = self.source(*WITH_GTIDS)
        self.clients = itertools.count(1)
        self.deaths, self.lived = {}, 0
        total = self.break_at(PROBE, PROBE)
        assert total > 100, f"only {total} allocations: the library is not in use"
        for turn in range(rounds):
            first = 1 + int(total * (turn + random.random()) / rounds)
            self.break_at(first, random.randint(1, max(total // 2, 1)))
        ends = ", ".join(f"{count} with exit code {code}" for code, count in
                         sorted(self.deaths.items()))
        return (f"{rounds} of {total} allocations: {ends}, {self.lived} lived on; nothing lost; "
                f"{swept}")

    def sweep(self, most):
        made, places, total, ends = Sweep(self.preload, lab.temp_dir()).run(most)
        words = ", ".join(f"{count} with exit code {code}" for code, count in sorted(ends.items()))
        return f"{made} starts of {places} at {total} allocations: {words}"

    def break_at(self, first, second):
        """One run and the start behind it; how many allocations the first made."""
        self.origin.query("RESET BINARY LOGS AND GTIDS")
        daemon = Binlogd(self.origin, run=False, users=REPLICA_USER)
        daemon.pid = lambda: daemon.process.pid  # env becomes the daemon
        load = ledger.Load(self.origin, 2, pause=0.001, first_client=10 * next(self.clients))
        with daemon, load:
            books = Books(self.origin, daemon, load)
            self.start(daemon, first)
            self.go_on(daemon, load, COMMITS)
            count = self.count(daemon)
            self.end(daemon, books, first)
            self.start(daemon, second)
            self.go_on(daemon, load, 3)
            self.end(daemon, books, second)
            daemon.wrapper = []
            daemon.start()
            load.wait_commits(2)
            stopped(load)
            books.check_all()
            assert daemon.stop() == 0
        return count

    def start(self, daemon, number):
        path = os.path.join(daemon.dir, "count")
        with open(path, "wb") as file:
            file.write(bytes(8))
        stays = ["MEMORY_STAYS_OUT=1"] if number % 2 else []
        daemon.wrapper = ["env", f"LD_PRELOAD={self.preload}", f"MEMORY_FAILS_AT={number}",
                          f"MEMORY_COUNT_FILE={path}", *stays]
        daemon.start()

    @staticmethod
    def count(daemon):
        with open(os.path.join(daemon.dir, "count"), "rb") as file:
            return struct.unpack("<Q", file.read(8))[0]

    def go_on(self, daemon, load, commits):
        """Until so many commits were answered, a rotation and a dump among them, or it died."""
        goal = load.count() + commits
        flush = threading.Thread(target=self.flush, daemon=True)
        client = threading.Thread(target=self.dump, args=(daemon,), daemon=True)

        def over():
            return daemon.process.poll() is not None or load.count() >= goal
        lab.wait_until(lambda: daemon.process.poll() is not None or
                       load.count() >= goal - commits // 2, 30, "commits, or a death")
        flush.start()
        client.start()
        lab.wait_until(over, 30, f"commits, or a death: {daemon.log_text()[-1500:]}")
        client.join(10)

    def flush(self):
        with contextlib.suppress(myclient.LostConnection, myclient.MyError):
            self.origin.query("FLUSH BINARY LOGS")

    @staticmethod
    def dump(daemon):
        """A login and a dump to the end of what is there."""
        with contextlib.suppress(myclient.LostConnection, myclient.MyError, OSError):
            with myclient.Client(daemon.socket, user="repl", password=lab.PASSWORD,
                                 timeout=3) as client:
                client.query("SET @source_binlog_checksum='CRC32'")
                name = "mysql-bin.000001"
                client.command(struct.pack("<BIHI", 0x12, 4, 1, 77) + name.encode())
                while client.read_packet()[0] == 0:
                    pass

    def end(self, daemon, books, number):
        """What it may have come to; then it is down, and its files hold what was answered."""
        code = daemon.process.poll()
        if code is None:
            daemon.kill9()
            self.lived += number != PROBE
        else:
            assert code in ENDS, f"allocation {number}: it ended by {code}: {tail(daemon)}"
            assert number != PROBE, f"it ended without a fault: {tail(daemon)}"
            self.deaths[code] = self.deaths.get(code, 0) + 1
        if daemon.epoch():
            books.check_answered()


def tail(daemon):
    lines = [line for line in daemon.log_text().splitlines() if "status:" not in line]
    return " | ".join(lines[-3:])

import os
import time

import lab
import ledger
from case import Books, Case, need_root, read_remote
from lab import REPLICA_USER, WITH_GTIDS, Binlogd
from mounts import Tmpfs

RESUME_S = 10
BALLAST = "ballast"
A_LITTLE = 1 << 20
# How many pages are left when the source rotates: not one for the new file, one for it, but none
# for its index, and so on; None: the disk fills up in the midst of large events.
LEFT = (None, 0, 1, 2, 3)


class DiskFull(Case):
    """The disk is full in the midst of an event, at a rotation, at the index; then it is not.

    binlogd stays, says so, sends replicas what it has; commits wait. When there is room again, be
    it 1 MiB, the first commit is answered within 10 s, without an operator, nothing is lost or
    doubled (O1, O2).
    """

    short_rounds = len(LEFT)
    long_rounds = 4 * len(LEFT)
    round_limit_s = 60

    def run(self, rounds):
        need_root()
        self.origin = self.source(*WITH_GTIDS)
        self.waits, self.slowest = 0, 0.0
        for number in range(rounds):
            self.fill_and_free(LEFT[number % len(LEFT)])
        assert self.slowest <= RESUME_S, f"{self.slowest:.1f} s until a commit was answered"
        return (f"{self.waits} of {rounds} times it waited for space; then a commit was answered "
                f"after at most {self.slowest:.1f} s, nothing lost")

    def fill_and_free(self, left):
        self.origin.query("RESET BINARY LOGS AND GTIDS")
        self.clients = getattr(self, "clients", 0) + 10
        daemon = Binlogd(self.origin, run=False, users=REPLICA_USER)
        entries = {}
        with Tmpfs(daemon.storage, "32m") as disk, daemon.start():
            with self.load(entries, 2, commits=10) as first:
                assert first.join(30), "the disk is not full yet"
            load = self.load(entries, 2, pad=300000 if left is None else 0)
            disk.fill(BALLAST, 1000 if left is None else left)
            if left is not None:
                self.origin.query("FLUSH BINARY LOGS")
            with load:
                self.wait_full(daemon, load)
                ballast = os.path.join(disk.path, BALLAST)
                os.truncate(ballast, os.path.getsize(ballast) - A_LITTLE)
                answered, began = load.count(), time.monotonic()
                lab.wait_until(lambda: load.count() > answered, 30, "a commit to be answered")
                self.slowest = max(self.slowest, time.monotonic() - began)
                os.unlink(ballast)
                load.stop(30)
            assert load.join(0), "a writer still waits"
            books = Books(self.origin, daemon, load)
            books.check_all()
            assert daemon.stop() == 0

    def load(self, entries, writers, **more):
        self.clients += 2
        load = ledger.Load(self.origin, writers, first_client=self.clients, **more)
        load.entries = entries
        return load

    def wait_full(self, daemon, load):
        """Until it waits for space: it lives, and serves; or until nothing of that comes."""
        try:
            lab.wait_until(lambda: daemon.status().get("state") == "WAIT_SPACE", 8, "WAIT_SPACE")
        except AssertionError:
            assert load.count() > 100, f"no commits, and no word of it: {daemon.status()}"
            return
        self.waits += 1
        answered = load.count()
        assert daemon.process.poll() is None, "it ended"
        served = read_remote(self.origin, daemon)
        assert served.returncode == 0, f"not served: {served.stderr[-300:]}"
        assert load.count() == answered, "a commit was answered on a full disk"
        assert len([line for line in daemon.log_text().splitlines()
                    if "error" in line and "space" in line]) <= 2, "the log fills up"

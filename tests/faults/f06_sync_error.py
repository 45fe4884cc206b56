import contextlib
import mmap
import os
import random
import subprocess

import acktrace
import lab
import ledger
from case import Books, Case, need_root, need_strace, seconds_to_next_commit, stopped, traced
from lab import Binlogd
from mounts import BackedExt4, Ext4, Tmpfs

FAILED = 3
FIRST, LAST = 1, 30


class SyncError(Case):
    """One fdatasync or fsync fails with EIO, the next would succeed; a writeback fails.

    The trace shows no ACK at or behind what failed (O4) and no further sync or write of that file;
    the exit code is 3. The next start goes on and nothing is lost (O1, O2). The same with errors of
    the kernel's own: an ext4 whose image does not fit into the memory below it; what the next start
    answers for is there after a remount, though the page cache had shown what was not on the disk.
    """

    short_rounds = 5
    long_rounds = 60
    round_limit_s = 40

    def run(self, rounds):
        need_strace()
        need_root()
        source = self.source()
        failed = sum(self.injected(source, number) for number in range(rounds))
        real = sum(self.writeback(source, number) for number in range(max(rounds // 5, 2)))
        return (f"{failed} of {rounds} runs ended by an injected EIO, {real} by "
                "one of the kernel's writeback; no ACK behind it, nothing lost")

    def injected(self, source, number):
        """Whether the fault came about."""
        source.query("RESET BINARY LOGS AND GTIDS")
        call = "fsync" if number % 3 == 2 else "fdatasync"
        when = random.randint(FIRST, 8 if call == "fsync" else LAST)
        trace = os.path.join(lab.temp_dir(), "trace")
        daemon = Binlogd(source, run=False)
        daemon.wrapper = traced(trace, f"{call}:error=EIO:when={when}")
        with daemon.start(), ledger.Load(source, 3, first_client=10 * number) as load:
            books = Books(source, daemon, load)
            lab.wait_until(lambda: daemon.process.poll() is not None or load.count() > 150, 30,
                           "the failure")
            died = daemon.process.poll() is not None
            if died:
                self.check_end(daemon, books, trace)
            self.go_on(daemon, books)
        return died

    @staticmethod
    def check_end(daemon, books, trace):
        assert daemon.process.returncode == FAILED, f"exit code {daemon.process.returncode}"
        assert "Input/output error" in daemon.log_text(), "the error is not told"
        books.check_answered() if daemon.epoch() else None
        checker = acktrace.check_trace(trace, daemon.storage)
        assert not checker.problems, f"O4: {checker.problems[:3]}"
        check_nothing_behind_error(trace)

    @staticmethod
    def go_on(daemon, books):
        """The next start is the operator's; everything is there in the end."""
        if daemon.process.poll() is not None:
            daemon.wrapper = []
            daemon.start()
        seconds_to_next_commit(books.load)
        stopped(books.load)
        books.check_all()
        daemon.stop()

    def writeback(self, source, number):
        """An ext4 of 64 MiB on 24 MiB of memory: writeback loses what has no block.

        Then there is room. The next start finds the disk as it is; or, at every other round, where
        the file system's journal was spared, the page cache still shows what never got to the disk:
        what that start answers for must outlive the cache.
        """
        kind = Ext4 if number % 2 else BackedExt4
        source.query("RESET BINARY LOGS AND GTIDS")
        below = lab.temp_dir()
        daemon = Binlogd(source, run=False)
        with Tmpfs(below, "24m") as memory, \
                kind(daemon.storage, 64, os.path.join(below, "image")) as disk, \
                daemon.start(), \
                ledger.Load(source, 2, pad=400000, first_client=5000 + 10 * number) as load:
            books = Books(source, daemon, load)
            code = daemon.wait_exit(60)
            assert code == FAILED, f"exit code {code}"
            books.check_answered()
            subprocess.run(["mount", "-o", "remount,size=200m", memory.path], check=True)
            if kind is BackedExt4:
                self.go_on_with_cache(daemon, load)
            disk.power_on()
            books.rows.clear()
            books.check_answered()
            lab.check_copies(source, daemon, live=True)
            self.go_on(daemon, books)
        return 1

    @staticmethod
    def go_on_with_cache(daemon, load):
        """What the last file shows stays in memory over the start, and goes with the kill."""
        with held_in_memory(daemon.copy_path(daemon.copies()[-1])):
            daemon.start()
            seconds_to_next_commit(load)
            daemon.kill9()


@contextlib.contextmanager
def held_in_memory(path):
    """Pages that are mapped are not dropped from the page cache."""
    with open(path, "rb") as file, \
            mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ) as pages:
        sum(pages[::mmap.PAGESIZE])
        yield


def check_nothing_behind_error(trace):
    """After the failed sync of a log no call writes or syncs a log, and no ACK is sent."""
    failed = False
    with open(trace, encoding="latin-1") as lines:
        for line in lines:
            if failed and ("fdatasync(" in line or "pwritev(" in line):
                raise AssertionError(f"behind the failed sync: {line[:120]}")
            failed = failed or "(INJECTED)" in line

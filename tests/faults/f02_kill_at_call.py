import itertools
import random
import threading

import ledger
from case import Books, Case, inject, need_strace, stopped
from lab import WITH_GTIDS, Binlogd, wait_until

CALLS = ("pwritev", "fdatasync", "fsync", "renameat", "openat", "mkdirat", "sendto,write")
ROTATIONS = 3
SHORT_TRIES = 3  # of each call
SHORT_RANGE = {"pwritev": 40, "fdatasync": 40, "openat": 45, "sendto,write": 40}


class KillAtCall(Case):
    """kill -9 of binlogd at the N-th call of each kind, through a script with three rotations.

    N goes from 1 to the end of the script, in the short form over a few. For every N the files hold
    what was answered, it goes on, and in the end they equal the source's (O1, O2).
    """

    short_rounds = len(CALLS) * SHORT_TRIES
    long_rounds = 1
    short_limit_s = 200
    round_limit_s = 3000

    def __init__(self):
        super().__init__()
        self.kills = self.tries = 0

    def short(self):
        self.prepare()
        for calls in CALLS:
            for n in sorted(random.sample(range(1, SHORT_RANGE.get(calls, 4) + 1), SHORT_TRIES)):
                self.script(calls, n)
        return self.words()

    def long(self, rounds):
        """One round is every N of every call."""
        self.prepare()
        for _ in range(rounds):
            for calls in CALLS:
                quiet = 0
                for n in itertools.count(1):
                    quiet = 0 if self.script(calls, n) else quiet + 1
                    if quiet == 3:  # the numbers vary a little from run to run
                        break
        return self.words()

    def words(self):
        return f"{self.tries} runs, killed in {self.kills}; nothing lost, no byte different"

    def prepare(self):
        need_strace()
        self.origin = self.source(*WITH_GTIDS)

    def script(self, calls, n):
        """Whether it was killed."""
        self.origin.query("RESET BINARY LOGS AND GTIDS")
        self.tries += 1
        daemon = Binlogd(self.origin, run=False)
        daemon.wrapper = inject(f"{calls}:signal=KILL:when={n}")
        killed = False
        with daemon.start(), ledger.Load(self.origin, 2, first_client=self.tries * 10) as load:
            books = Books(self.origin, daemon, load)
            for turn in range(ROTATIONS + 1):
                killed |= self.go_on(daemon, load, books)
                if turn < ROTATIONS:
                    killed |= self.rotate(daemon, books)
            self.alive(daemon, books)
            stopped(load)
            books.check_all()
            daemon.stop()
        self.kills += killed
        return killed

    def go_on(self, daemon, load, books):
        """Some more answered commits; whether it died and was started again for them."""
        goal, died = load.count() + 6, False
        while load.count() < goal:
            wait_until(lambda: load.count() >= goal or daemon.process.poll() is not None, 30,
                       "commits, or the kill")
            died |= self.alive(daemon, books)
        return died

    def rotate(self, daemon, books):
        """The source rotates when no commit waits, so not while binlogd is dead."""
        flush = threading.Thread(target=self.origin.query, args=("FLUSH BINARY LOGS",))
        flush.start()
        died = False
        while flush.is_alive():
            died |= self.alive(daemon, books)
            flush.join(0.02)
        return died

    @staticmethod
    def alive(daemon, books):
        """Start it again if it is dead, after a look at what it left."""
        if daemon.process.poll() is None:
            return False
        if daemon.epoch():
            books.check_answered()
        daemon.wrapper = []
        daemon.start()
        return True

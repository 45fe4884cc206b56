import itertools
import random

from case import Case, inject, need_strace
from course import Course
from lab import WITH_GTIDS

CALLS = ("pwritev", "fdatasync", "fsync", "renameat", "openat", "mkdirat", "sendto,write")
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
        self.course = Course(self.source(*WITH_GTIDS))

    def script(self, calls, n):
        """Whether it was killed."""
        self.tries += 1
        killed = self.course.run(inject(f"{calls}:signal=KILL:when={n}"))
        self.kills += killed
        return killed

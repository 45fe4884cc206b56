"""A course of commits and three rotations, in the midst of which binlogd may die.

Used by the cases in which the N-th call of some kind kills it or fails.
"""
import threading

import ledger
from case import Books
from lab import Binlogd, wait_until

ROTATIONS = 3
COMMITS = 6  # between two rotations


class Course:
    """Runs over one source again and again; its logs begin anew with each run."""

    def __init__(self, source, on_death=lambda daemon: None):
        self.source, self.on_death, self.runs = source, on_death, 0

    def run(self, wrapper):
        """Run it with a fresh binlogd under the wrapper; whether it died.

        After a death its files hold what was answered and it is started again, without the wrapper;
        in the end everything is there and the same (O1, O2).
        """
        self.source.query("RESET BINARY LOGS AND GTIDS")
        self.runs += 1
        self.died = False
        self.daemon = Binlogd(self.source, run=False)
        self.daemon.wrapper = wrapper
        with self.daemon, ledger.Load(self.source, 2, first_client=self.runs * 10) as load:
            self.load, self.books = load, Books(self.source, self.daemon, load)
            self.daemon.start()
            for turn in range(ROTATIONS + 1):
                self.go_on()
                if turn < ROTATIONS:
                    self.rotate()
            self.end_load()
            self.books.check_all()
        return self.died

    def go_on(self):
        goal = self.load.count() + COMMITS
        while self.load.count() < goal:
            wait_until(lambda: self.load.count() >= goal or self.daemon.process.poll() is not None,
                       30, "commits, or a death")
            self.keep_alive()

    def end_load(self):
        """It may die as long as the writers' last commits wait, and after that."""
        self.load.stop(0.02)
        while not self.load.join(0.02):
            self.keep_alive()
        self.keep_alive()

    def rotate(self):
        """The source rotates when no commit waits, so not while binlogd is dead."""
        flush = threading.Thread(target=self.source.query, args=("FLUSH BINARY LOGS",))
        flush.start()
        while flush.is_alive():
            self.keep_alive()
            flush.join(0.02)

    def keep_alive(self):
        if self.daemon.process.poll() is None:
            return
        assert not self.died, "it died again, without a fault"
        self.died = True
        self.on_death(self.daemon)
        if self.daemon.epoch():
            self.books.check_answered()
        self.daemon.wrapper = []
        self.daemon.start()

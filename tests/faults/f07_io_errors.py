import random

import lab
import ledger
from case import Case, inject, need_strace, read_remote, stopped
from course import Course
from lab import REPLICA_USER, WITH_GTIDS, Binlogd

FAILED = 3
# Which call, and from which to which of them. The first mkdirat is that of the data directory,
# which may not be there; a failure of that is exit code 1.
CALLS = {"pwritev": (1, 30), "fsync": (1, 10), "renameat": (1, 4), "mkdirat": (2, 2)}


class IoErrors(Case):
    """EIO of write, of fsync of a directory, of rename, of mkdir, of close; of read while serving.

    Nothing is acknowledged any more, the exit code is 3, the next start goes on, nothing is lost
    (O1, O2). A read that fails ends that replica's dump with error 1236 and nothing else: the
    copying goes on, and so do other dumps.
    """

    short_rounds = 7
    long_rounds = 60
    round_limit_s = 30

    def run(self, rounds):
        need_strace()
        self.origin = self.source(*WITH_GTIDS)
        course = Course(self.origin, self.check_end)
        died = sum(course.run(self.fault(number)) for number in range(rounds - 1))
        reads = self.read_error()
        return (f"{died} of {rounds - 1} runs ended by the error with exit code 3, nothing lost; "
                f"{reads}")

    def fault(self, number):
        kinds = [*CALLS, "close"]
        call = kinds[number % len(kinds)]
        if call == "close":
            return inject("close:error=EIO:when=1", path="mysql-bin.000002")
        return inject(f"{call}:error=EIO:when={random.randint(*CALLS[call])}")

    @staticmethod
    def check_end(daemon):
        assert daemon.process.returncode == FAILED, f"exit code {daemon.process.returncode}"
        assert "Input/output error" in daemon.log_text(), "the error is not told"

    def read_error(self):
        """One dump meets the error while another, later one and the copying do not."""
        self.origin.query("RESET BINARY LOGS AND GTIDS")
        daemon = Binlogd(self.origin, run=False, users=REPLICA_USER)
        daemon.wrapper = inject("preadv2:error=EIO:when=2")
        with daemon.start(), ledger.Load(self.origin, 2, first_client=100000) as load:
            load.wait_commits(20)
            self.origin.query("FLUSH BINARY LOGS")
            load.wait_commits(20)
            failed = read_remote(self.origin, daemon)
            assert "cannot read mysql-bin.000001" in failed.stderr, failed.stderr
            whole = read_remote(self.origin, daemon)
            assert whole.returncode == 0, whole.stderr[-300:]
            load.wait_commits(20)
            stopped(load)
            lab.assert_copied(self.origin, daemon)
            assert daemon.stop() == 0
        return "a failed read ended one dump with error 1236, the next was whole"

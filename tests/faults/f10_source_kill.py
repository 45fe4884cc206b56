import random
import signal

import ledger
from case import Books, Case, seconds_to_next_commit, stopped
from lab import WITH_GTIDS, Binlogd


class SourceKill(Case):
    """kill -9 of the source while commits wait for their ACK; it is started again.

    Every second time binlogd stands still at that moment, so that what waits is certain. What was
    answered is in the files; what was not is "unknown" and may be. It resumes without an operator,
    and in the end its files equal those that the source has after its own recovery (O1, O2).
    """

    short_rounds = 4
    long_rounds = 100
    round_limit_s = 60

    def run(self, rounds):
        source = self.source(*WITH_GTIDS)
        unknown = 0  # they stay so: the sum of all rounds
        with Binlogd(source) as daemon, ledger.Load(source, 4) as load:
            books = Books(source, daemon, load)
            for turn in range(rounds):
                load.wait_commits(random.randint(1, 60))
                unknown = self.kill(source, daemon, load, frozen=turn % 2 == 1)
                source.start()
                seconds_to_next_commit(load)
            stopped(load)
            books.check_all()
            assert source.semisync()["no_tx"] == 0, "a commit was answered without an ACK"
        return (f"{rounds} kills of the source, {load.count()} answered commits, 0 lost; "
                f"{unknown} commits waited at the kills")

    @staticmethod
    def kill(source, daemon, load, frozen):
        """How many commits had no answer."""
        if frozen:
            daemon.signal(signal.SIGSTOP)
            wait_answers(source, load)
        source.kill()
        if frozen:
            daemon.signal(signal.SIGCONT)
        return sum(1 for entry in list(load.entries.values()) if entry[1] == "unknown")


def wait_answers(source, load):
    """Until no further commit is answered: all writers wait for an ACK."""
    answered = -1
    while answered != load.count():
        answered = load.count()
        source.query("DO SLEEP(0.05)")

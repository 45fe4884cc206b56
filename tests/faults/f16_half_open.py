import re
import time

import lab
import ledger
from case import Books, Case, Resources, stopped
from lab import WITH_GTIDS, Binlogd
from netns import Network

HEARTBEAT_S = 1
DETECT_S = 3 * HEARTBEAT_S + 1
RESUME_S = 3.0  # the source takes up to one to look at the ACKs of a new connection
GIVEN_UP = r"nothing came for 3 heartbeats|Connection timed out|No route to host"


class HalfOpen(Case):
    """The way to the source vanishes without a word, both directions or only that of the ACKs.

    binlogd notices within three heartbeats, stores no byte twice, and the commits that wait are
    answered within 2 s of the way being there again, and the second that a source takes to look at
    a new connection (O1, O2). The way is gone for 2, 5 and 8 s; in the long form also for a minute.
    """

    short_rounds = 3
    long_rounds = 12
    round_limit_s = 120
    seconds = (2, 5, 8, 60)

    def run(self, rounds):
        network = self.use(Network())
        source = self.source(*WITH_GTIDS, "--bind-address=0.0.0.0")
        daemon = Binlogd(source, run=False, host=network.outside, heartbeat_period=HEARTBEAT_S)
        daemon.wrapper = network.wrapper
        daemon.pid = lambda: daemon.process.pid  # "ip netns exec" becomes the daemon
        worst = 0.0
        with daemon.start(), ledger.Load(source, 4) as load:
            books = Books(source, daemon, load)
            load.wait_commits(50)
            resources = Resources(daemon)
            for turn in range(rounds):
                cuts = (network.down, network.up) if turn % 3 < 2 else \
                    (network.deafen_outside, network.hear_again)
                gone = self.seconds[turn % len(self.seconds)]
                worst = max(worst, self.vanish(daemon, load, cuts, gone))
            stopped(load)
            books.check_all()
            resources.check_back()
            assert source.semisync()["no_tx"] == 0, "a commit was answered without an ACK"
        assert worst <= RESUME_S, f"{worst:.1f} s from the way being there to the first answer"
        return (f"{rounds} times no way for {min(self.seconds)} to "
                f"{max(self.seconds[:min(rounds, 4)])} s, {load.count()} commits, 0 lost, answered "
                f"again at most {worst:.2f} s after")

    @staticmethod
    def vanish(daemon, load, cuts, gone):
        """Seconds from the return of the way to the first answer."""
        cut, heal = cuts
        mark = len(daemon.log_text())
        cut()
        began = time.monotonic()
        if gone > DETECT_S:
            lab.wait_until(lambda: re.search(GIVEN_UP, daemon.log_text()[mark:]), DETECT_S,
                           "binlogd to notice")
        time.sleep(max(gone - (time.monotonic() - began), 0))
        heal()
        began, answered = time.monotonic(), load.count()
        lab.wait_until(lambda: load.count() > answered + 4, 40, "commits", 0.005)
        took = time.monotonic() - began
        load.wait_commits(50)
        return took

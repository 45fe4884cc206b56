import os
import re
import time

import ledger
from case import Books, Case, Resources, need, seconds_to_next_commit, stopped
from lab import WITH_GTIDS, Binlogd

DAY = 86400
JUMPS = (DAY, -DAY, 0, 1, -3600, 400 * DAY, 0)
GAP_S = 2.0


class Clock(Case):
    """The wall clock jumps by a day, back, by a leap second, by a year, while commits run.

    Commits go on, no connection is lost, nothing is removed, nothing times out; the log shows the
    new time.
    """

    short_rounds = len(JUMPS)
    long_rounds = 5 * len(JUMPS)

    def run(self, rounds):
        library = os.path.join(os.path.dirname(Binlogd.binary()), "tests", "libfault_clock.so")
        need(os.path.exists(library), f"needs {library}")
        source = self.source(*WITH_GTIDS)
        daemon = Binlogd(source, run=False)
        offset = os.path.join(daemon.dir, "offset")
        set_offset(offset, 0)
        daemon.wrapper = ["env", f"LD_PRELOAD={library}", f"CLOCK_OFFSET_FILE={offset}"]
        daemon.pid = lambda: daemon.process.pid  # env becomes the daemon
        worst = 0.0
        with daemon.start(), ledger.Load(source, 4) as load:
            books = Books(source, daemon, load)
            load.wait_commits(40)
            source.query("FLUSH BINARY LOGS")  # from here on there is an index of GTIDs to keep
            load.wait_commits(40)
            resources = Resources(daemon)
            for number in range(rounds):
                load.wait_commits(40)
                source.query("FLUSH BINARY LOGS")
                set_offset(offset, JUMPS[number % len(JUMPS)])
                worst = max(worst, seconds_to_next_commit(load))
                self.check_log(daemon, JUMPS[number % len(JUMPS)])
            stopped(load)
            books.check_all()
            resources.check_back()
            connected = daemon.log_text().count("connected to MySQL")
            assert connected == 1, f"connected {connected} times"
            assert daemon.stop() == 0
        assert worst <= GAP_S, f"{worst:.1f} s without an answer"
        return f"{rounds} jumps, one connection, at most {worst:.2f} s between answers"

    @staticmethod
    def check_log(daemon, jump):
        """A line of the log has the time that the daemon was told."""
        def told():
            last = re.findall(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d)", daemon.log_text(), re.MULTILINE)[-1]
            year_day = time.strftime("%Y-%m-%dT%H", time.localtime(time.time() + jump))
            return last.startswith(year_day)
        daemon.wait_for(told, 5)


def set_offset(path, seconds):
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(f"{seconds}\n")
    os.rename(path + ".new", path)

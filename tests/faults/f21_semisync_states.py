import time

import lab
import ledger
from case import Books, Case, Resources, seconds_to_next_commit, stopped
from lab import WITH_GTIDS, Binlogd, MariaDB, Mysql97

RELEASE_S = 3.0  # two, and the one that the source takes to look at the ACKs of a new connection


class SemiSyncStates(Case):
    """The source's semi-sync is switched off and on, times out, waits for two, waits after commit.

    On MySQL 9.x and MariaDB, while commits run. It is ON again each time, a lone writer whose
    commit waits is released within 3 s of binlogd's return, and nothing that was answered is
    missing (O1, O2). Resuming by GTID with a lone writer: e2e/test_semisync97.
    """

    short_rounds = 1
    long_rounds = 30
    round_limit_s = 60

    def run(self, rounds):
        words = [self.of_family(Mysql97, WITH_GTIDS, rounds), self.of_family(MariaDB, [], rounds)]
        return "; ".join(words)

    def of_family(self, kind, options, rounds):
        source = self.source(*options, kind=kind)
        self.prefix = kind.semisync_prefix.lower()
        self.worst = 0.0
        with Binlogd(source) as daemon, ledger.Load(source, 2, pause=0.002) as load:
            self.load = load
            books = Books(source, daemon, load)
            load.wait_commits(20)
            resources = Resources(daemon)
            for _ in range(rounds):
                self.toggle(source)
                self.time_out(source, daemon)
                self.after_commit(source, daemon)
                if kind is Mysql97:  # MariaDB waits for one
                    self.wait_for_two(source)
                self.release_lone_writer(source, daemon, load)
            stopped(load)
            books.check_all()
            resources.check_back()
        source.close()
        assert self.worst <= RELEASE_S, f"{self.worst:.1f} s until a waiting commit was released"
        return (f"{kind.family}: {rounds} rounds, {load.count()} commits, released at most "
                f"{self.worst:.2f} s after binlogd's return")

    def set(self, source, name, value):
        source.query(f"SET GLOBAL {self.prefix}_{name}={value}")

    def await_on(self, source):
        lab.wait_until(lambda: source.semisync()["status"] == "ON", 10, "semi-sync to be ON")
        self.load.wait_commits(10)

    def toggle(self, source):
        for _ in range(3):
            self.set(source, "enabled", "OFF")
            self.load.wait_commits(5)
            self.set(source, "enabled", "ON")
            self.await_on(source)

    def time_out(self, source, daemon):
        """Answered without an ACK while binlogd is dead; ON again when it has caught up."""
        self.set(source, "timeout", 200)
        self.load.wait_commits(10)  # the time of a wait is what it was when it began
        daemon.kill9()
        lab.wait_until(lambda: source.semisync()["status"] == "OFF", 10, "semi-sync to be OFF")
        self.load.wait_commits(10)
        self.set(source, "timeout", 3600000)
        daemon.start()
        self.await_on(source)

    def after_commit(self, source, daemon):
        self.set(source, "wait_point", "AFTER_COMMIT")
        self.kill(daemon)
        self.set(source, "wait_point", "AFTER_SYNC")
        self.load.wait_commits(10)

    def kill(self, daemon):
        self.load.wait_commits(10)
        daemon.kill9()
        time.sleep(0.3)
        daemon.start()
        self.worst = max(self.worst, seconds_to_next_commit(self.load))

    def wait_for_two(self, source):
        """Commits wait for the slower of two; with one of them dead for its return."""
        self.set(source, "wait_for_replica_count", 2)
        with Binlogd(source, server_id=4712) as second:
            self.load.wait_commits(20)
            second.kill9()
            time.sleep(0.3)
            answered = self.load.count()
            time.sleep(0.3)
            assert self.load.count() <= answered + 2, "commits were answered by one of two"
            second.start()
            self.worst = max(self.worst, seconds_to_next_commit(self.load))
            self.load.wait_commits(20)
            self.set(source, "wait_for_replica_count", 1)
        lab.wait_until(lambda: source.semisync()["clients"] == 1, 20, "one client")
        self.load.wait_commits(10)

    def release_lone_writer(self, source, daemon, load):
        """Its commit waits while binlogd is away; no other commit comes that could release it."""
        stopped(load)
        daemon.kill9()
        entries, first = load.entries, 1 + max(client for client, _ in load.entries)
        lone = ledger.Load(source, 1, commits=1, first_client=first)
        lone.entries = entries
        with lone:
            time.sleep(0.3)
            daemon.start()
            began = time.monotonic()
            assert lone.join(20), "the lone writer still waits"
            self.worst = max(self.worst, time.monotonic() - began)
        again = ledger.Load(source, 2, pause=0.002, first_client=first + 1)
        again.entries = entries
        load.__dict__.update(again.__dict__)
        load.start()
        load.wait_commits(5)

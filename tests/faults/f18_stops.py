import os
import random
import signal
import time

import lab
import ledger
from case import TABLE, Books, Case, Resources, seconds_to_next_commit, stopped
from lab import REPLICA_USER, WITH_GTIDS, Binlogd, Mysql97


class Stops(Case):
    """SIGSTOP and SIGCONT of binlogd, source and replica at any instant while commits run.

    Stops last up to 8 s, longer than three heartbeats. Nothing is lost (O1, O2), the replica of
    binlogd has the same rows in the end, and memory, descriptors and threads are what they were
    (O6).
    """

    short_rounds = 5
    long_rounds = 300
    round_limit_s = 15

    def run(self, rounds):
        source = self.source(*WITH_GTIDS)
        replica = self.use(Mysql97(*WITH_GTIDS, "--replica-net-timeout=4", server_id=101))
        replica.unlogged("CREATE DATABASE lab", TABLE)
        longest = 0.0
        with Binlogd(source, users=REPLICA_USER) as daemon, \
                ledger.Load(source, 4, pause=0.002) as load:
            books = Books(source, daemon, load)
            replica.replicate_from(daemon.port(), heartbeat_period=1)
            load.wait_commits(50)
            resources = Resources(daemon)
            parts = [("binlogd", daemon.pid()), ("source", source.process.pid),
                     ("replica", replica.process.pid)]
            for turn in range(rounds):
                stop(parts[turn % len(parts)][1], turn)
                longest = max(longest, seconds_to_next_commit(load))
                assert daemon.process.poll() is None
            stopped(load)
            lab.assert_copied(source, daemon)
            replica.wait_executed(source.position(), 60)
            assert replica.checksums() == source.checksums(), "the replica's rows differ"
            resources.check_back()
            usage = resources.words()
            assert source.semisync()["no_tx"] == 0, "a commit was answered without an ACK"
            assert daemon.stop() == 0
            books.check_answered()
        return (f"{rounds} stops during {load.count()} commits, 0 lost, the next answered at most "
                f"{longest:.2f} s after; {usage}")


def stop(pid, turn):
    """Short ones and long ones in turn."""
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(random.uniform(0, 0.5) if turn % 4 < 2 else random.uniform(0.5, 8))
    finally:
        os.kill(pid, signal.SIGCONT)

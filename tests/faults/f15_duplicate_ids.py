import os
import re
import shutil
import time

import lab
import ledger
from case import Books, Case, Resources, stopped
from lab import WITH_GTIDS, Binlogd, Mysql97

RETRY_S = 5
UUID_AND_ID = "same server_uuid/server_id"


class DuplicateIds(Case):
    """Two binlogds, then a binlogd and a replica, with one server_uuid and server_id on one source.

    The source ends the older connection each time. No storm comes of it: neither connects more
    often than once in 5 s, and the log names the cause. Commits are answered all the same, and when
    one of the two is gone the other goes on (O1, O2). Two binlogds on one directory:
    e2e/test_bad_input, test_second_daemon_is_refused.
    """

    short_rounds = 2
    long_rounds = 12

    def run(self, rounds):
        source = self.source(*WITH_GTIDS)
        seconds = RETRY_S * rounds
        first = self.use(Binlogd(source))
        source.wait_semisync_client()
        resources = Resources(first)
        second = self.twin(source, first)
        with ledger.Load(source, 2, pause=0.02) as load:
            connects = self.watch((first, second), seconds)
            answered = load.count()
            assert answered, "no commit was answered"
            second.stop()
            first.wait_for(lambda: first.status().get("state") == "PROTECTING", RETRY_S + 5)
            load.wait_commits(10)
            replica_connects = self.beside_a_replica(source, first, seconds)
            load.wait_commits(10, RETRY_S + 5)
            stopped(load)
            books = Books(source, first, load)
            books.check_all()
            resources.check_back()
        return (f"{seconds} s each: two binlogds connected {connects} times, binlogd beside a "
                f"replica {replica_connects}; {answered} commits meanwhile")

    def twin(self, source, first):
        second = self.use(Binlogd(source, run=False))
        shutil.copy(os.path.join(first.storage, "server-uuid"), second.storage)
        return second.start()

    def watch(self, daemons, seconds):
        """How often they connect in so many seconds, at most once in 5 s each."""
        for daemon in daemons:
            daemon.wait_for(r"connected to MySQL")
        lab.wait_until(lambda: any(UUID_AND_ID in daemon.log_text() for daemon in daemons), 20,
                       "the source's words in a log")
        before = [connected(daemon) for daemon in daemons]
        time.sleep(seconds)
        counts = [connected(daemon) - was for daemon, was in zip(daemons, before)]
        assert max(counts) <= seconds / RETRY_S + 1, f"a storm: {counts} in {seconds} s"
        return sum(counts)

    def beside_a_replica(self, source, daemon, seconds):
        """A MySQL replica gives up for good when the source ends its connection."""
        replica = self.use(Mysql97(*WITH_GTIDS, server_id=4711, start=False))
        with open(os.path.join(daemon.storage, "server-uuid"), encoding="ascii") as file:
            uuid = file.read().strip()
        with open(os.path.join(replica.datadir, "auto.cnf"), "w", encoding="ascii") as file:
            file.write(f"[auto]\nserver-uuid={uuid}\n")
        replica.start()
        before = connected(daemon)
        replica.replicate_from(source.port)
        error = lab.wait_until(lambda: replica.replica_status()["Last_IO_Error"], seconds + 20,
                               "the replica to give up")
        assert UUID_AND_ID in error, error
        daemon.wait_for(lambda: daemon.status().get("state") == "PROTECTING", RETRY_S + 5)
        count = connected(daemon) - before
        assert count <= 3, f"binlogd connected {count} times beside one replica"
        return count


def connected(daemon):
    return len(re.findall(r"connected to MySQL", daemon.log_text()))

"""One failover: a source dies under load, replicas that lag behind are saved by binlogd.

The measure is the ledger of the writers: every commit that was answered is in the tables of
every replica that was pointed at binlogd, caught up and was promoted. Used by
test_failover97.py, by the demonstration and by tests/soak/failover.
"""
import random

import lab
import ledger
import myclient
from lab import REPLICA_USER, WITH_GTIDS, WITHOUT_GTIDS, Binlogd, Mysql97

START = ("mysql-bin.000001", 4)


def replica(number, by_gtid=True):
    """A server that can be made a replica; not started yet."""
    options = WITH_GTIDS if by_gtid else WITHOUT_GTIDS
    return Mysql97(*options, "--replica-parallel-workers=4", server_id=100 + number, start=False)


def start_servers(by_gtid, replicas=2):
    """A semi-sync source with the ledger's table, and replicas that follow it."""
    options = WITH_GTIDS if by_gtid else WITHOUT_GTIDS
    source = Mysql97(*options, *Mysql97.semisync_options(), start=False)
    followers = [replica(number, by_gtid) for number in range(replicas)]
    lab.start_together(source, *followers)
    source.create_user()
    return source, followers


def follow(server, port, by_gtid, at=START, **keys):
    server.replicate_from(port, None if by_gtid else at, **keys)


def repoint(server, daemon, by_gtid):
    """Take a replica from its dead source to binlogd, from what it has executed."""
    server.stop_replica()
    at = None if by_gtid else server.executed()
    server.query("RESET REPLICA ALL")
    follow(server, daemon.port(), by_gtid, at)


def catch_up(server, daemon):
    """Wait until everything that binlogd has is executed, then promote the replica."""
    server.wait_executed(daemon.position())
    server.promote()


def count_rows(server, entries):
    """What is wrong with the ledger's table on a promoted server; [] when nothing is."""
    rows = [(int(client), int(seq), value) for client, seq, value in
            server.query("SELECT client, seq, value FROM lab.ledger ORDER BY client, seq")]
    return ledger.problems(entries, rows)


class Round:
    """Servers, load, death and rescue; use as a context, then run()."""

    def __init__(self, by_gtid, writers=6, delayed=False):
        """delayed: a third replica, which executes everything an hour late."""
        self.by_gtid = by_gtid
        self.writers = writers
        self.delayed = delayed
        self.servers = []

    def __enter__(self):
        self.source, self.replicas = start_servers(self.by_gtid, 3 if self.delayed else 2)
        self.servers = [self.source, *self.replicas]
        self.daemon = Binlogd(self.source, users=REPLICA_USER)
        self.servers.append(self.daemon)
        self.source.wait_semisync_client()
        ledger.create_table(self.source)
        return self

    def __exit__(self, kind, error, trace):
        if kind:
            self.daemon.__exit__(kind, error, trace)
        for server in self.servers:
            server.close()

    def run(self):
        """One replica has everything but executes nothing, the other receives nothing."""
        applies_late, receives_late, *delayed = self.replicas
        for server in (applies_late, receives_late):
            follow(server, self.source.port, self.by_gtid)
        for server in delayed:
            follow(server, self.source.port, self.by_gtid, delay=3600)
        with ledger.Load(self.source, self.writers) as load:
            load.wait_commits(100)
            applies_late.stop_replica("SQL_THREAD")
            receives_late.stop_replica("IO_THREAD")
            for _ in range(2):
                self.source.query("FLUSH BINARY LOGS")
                load.wait_commits(random.randint(50, 300))
            self.source.kill()
        self.answered = load.count()
        for server in self.replicas:
            repoint(server, self.daemon, self.by_gtid)
        for server in self.replicas:
            catch_up(server, self.daemon)
            wrong = count_rows(server, load.entries)
            assert not wrong, f"{len(wrong)} of {self.answered} commits, first: {wrong[:3]}"
        self.check_promoted(load.entries)

    def check_promoted(self, entries):
        """All have the same rows, and the promoted one takes writes."""
        first, *others = self.replicas
        for other in others:
            assert first.checksums() == other.checksums(), "the replicas differ"
        if self.by_gtid:
            sets = {server.query("SELECT @@gtid_executed")[0][0] for server in self.replicas}
            assert len(sets) == 1, f"the replicas have other sets: {sets}"
        client = 1 + max(client for client, _ in entries)
        first.query(f"INSERT INTO lab.ledger VALUES ({client}, 1, '{myclient.random_text(8)}', '')")

"""What the tests of serving share: a source, a binlogd behind it, and real replicas of it.

The measure is that a replica's tables hold what the source's hold (row counts and CHECKSUM
TABLE) once it has executed what the source has written.
"""
import unittest

import lab
import ledger
from lab import REPLICA_USER, WITH_GTIDS, Binlogd, Mysql97

REPLICA = ["--replica-parallel-workers=4", "--skip-replica-start=OFF", "--replica-net-timeout=10"]


def require_servers():
    Binlogd.binary()
    Mysql97.available()


def make_source(case, *options):
    source = Mysql97(*options)
    case.addClassCleanup(source.close)
    source.create_user()
    ledger.create_table(source)
    lab.write_rows(source)
    return source


def make_replicas(case, count, *options):
    """Servers that replicate from nobody yet, with nothing in them; with GTIDs by default."""
    servers = [Mysql97(*WITH_GTIDS, *REPLICA, *options, server_id=100 + number, start=False)
               for number in range(count)]
    for server in servers:
        case.addCleanup(server.close)
    lab.start_together(*servers)
    return servers


class Serving(unittest.TestCase):
    """One source and one binlogd for all tests of a class; each test brings its replicas."""

    options = WITH_GTIDS

    @classmethod
    def setUpClass(cls):
        cls.source = make_source(cls, *cls.options)
        cls.daemon = Binlogd(cls.source, users=REPLICA_USER, **cls.daemon_keys())
        cls.addClassCleanup(cls.daemon.close)
        cls.daemon.keep_port()

    @classmethod
    def daemon_keys(cls):
        return {}

    def assert_follows(self, *replicas):
        """All that the source has written arrives and is the same."""
        goal = self.source.position()
        for replica in replicas:
            replica.wait_executed(goal)
        want = self.source.checksums()
        for replica in replicas:
            self.assertEqual(replica.checksums(), want)

    def write_with_rotations(self, turns=3):
        with ledger.Load(self.source, 4, first_client=self.next_clients()) as load:
            for _ in range(turns):
                load.wait_commits(80)
                self.source.query("FLUSH BINARY LOGS")
            load.wait_commits(40)

    @classmethod
    def next_clients(cls):
        cls.clients = getattr(cls, "clients", 0) + 10
        return cls.clients

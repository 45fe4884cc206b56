"""binlogd behind binlogd: the same files, and a real MySQL 9.x replica at the end."""
import glob
import os
import unittest

import lab
import ledger
from lab import REPLICA_USER, WITH_GTIDS, WITHOUT_GTIDS, Binlogd, Mysql97
from serving import make_replicas, require_servers


def setUpModule():
    require_servers()


class Chain(unittest.TestCase):
    """binlogd behind binlogd."""

    def chain(self, options, plugin="caching_sha2_password"):
        source = Mysql97(*options)
        self.addCleanup(source.close)
        source.create_user()
        ledger.create_table(source)
        with Binlogd(source, users={"repl": lab.account(plugin=plugin)}) as first, \
                Binlogd(host="127.0.0.1", port=first.port(), server_id=4712,
                        users=REPLICA_USER) as second:
            first.keep_port()
            with ledger.Load(source, 4) as load:
                for turn in range(3):
                    load.wait_commits(80)
                    source.query("FLUSH BINARY LOGS")
                    if turn == 1:
                        first.restart()
                load.wait_commits(40)
            lab.assert_copied(source, first)
            lab.assert_copied(source, second)
            replica, = make_replicas(self, 1, *options)
            at = None if options == WITH_GTIDS else ("mysql-bin.000001", 4)
            replica.replicate_from(second.port(), at)
            replica.wait_executed(source.position())
            self.assertEqual(replica.checksums(), source.checksums())
            self.assertEqual(len(glob.glob(os.path.join(second.storage, "0*"))), 1)
            self.assertEqual((second.stop(), first.stop()), (0, 0))

    def test_files_are_the_same_with_gtids(self):
        self.chain(WITH_GTIDS)

    def test_files_are_the_same_without_gtids(self):
        self.chain(WITHOUT_GTIDS, "mysql_native_password")


if __name__ == "__main__":
    unittest.main(verbosity=2)

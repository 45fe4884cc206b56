"""Real MySQL 9.x replicas by GTID: from the beginning, from the middle, several at once."""
import unittest

from serving import Serving, make_replicas, require_servers


def setUpModule():
    require_servers()


class ByGtid(Serving):
    def test_from_the_beginning_through_rotations(self):
        replica, = make_replicas(self, 1)
        replica.replicate_from(self.daemon.port())
        self.write_with_rotations()
        self.assert_follows(replica)

    def test_from_the_middle(self):
        replica, = make_replicas(self, 1)
        replica.replicate_from(self.source.port)
        self.assert_follows(replica)
        replica.stop_replica()
        self.write_with_rotations(2)
        replica.replicate_from(self.daemon.port())
        self.assert_follows(replica)

    def test_three_at_once_through_rotations(self):
        replicas = make_replicas(self, 3)
        for replica in replicas:
            replica.replicate_from(self.daemon.port())
        self.write_with_rotations(5)
        self.assert_follows(*replicas)
        ids = sorted(row[0] for row in self.daemon.query("SHOW REPLICAS"))
        self.assertEqual(ids, ["100", "101", "102"])

    def test_mixed_statements_arrive(self):
        replica, = make_replicas(self, 1)
        replica.replicate_from(self.daemon.port())
        with self.source.connect() as client:
            for statement in (
                    "CREATE TABLE lab.x (a INT PRIMARY KEY) ENGINE=InnoDB", "BEGIN",
                    "INSERT INTO lab.x VALUES (1)", "SAVEPOINT s", "INSERT INTO lab.x VALUES (2)",
                    "ROLLBACK TO s", "COMMIT", "XA START 'one'", "INSERT INTO lab.x VALUES (3)",
                    "XA END 'one'", "XA PREPARE 'one'", "FLUSH BINARY LOGS", "XA COMMIT 'one'",
                    "SET binlog_transaction_compression=ON", "INSERT INTO lab.x VALUES (5)",
                    "SET gtid_next='AUTOMATIC:tag'", "INSERT INTO lab.x VALUES (6)",
                    "SET gtid_next='AUTOMATIC'", "SET binlog_format=STATEMENT",
                    "INSERT INTO lab.x VALUES (7)"):
                client.query(statement)
        self.assert_follows(replica)
        replica.stop_replica("IO_THREAD")
        self.source.query("INSERT INTO lab.x VALUES (8)")
        replica.start_replica("IO_THREAD")
        self.assert_follows(replica)

    def test_events_over_the_packet_limit_arrive(self):
        replica, = make_replicas(self, 1, "--replica-max-allowed-packet=128M")
        replica.replicate_from(self.daemon.port())
        self.source.query("SET GLOBAL max_allowed_packet=67108864")
        with self.source.connect() as client:
            client.query("CREATE TABLE lab.big (v LONGBLOB)")
            client.query("INSERT INTO lab.big VALUES (REPEAT('x', 70000))")
            sizes = event_sizes(self.source)
            overhead = max(size for size in sizes if size < 1 << 20) - 70000
            for size in [(1 << 24) - 1 + step for step in (-2, -1, 0, 1)] + [(1 << 25) + 7]:
                client.query(f"INSERT INTO lab.big VALUES (REPEAT('x', {size - overhead}))")
        self.assert_follows(replica)
        self.source.query("DROP TABLE lab.big")


def event_sizes(source):
    """Sizes of all events of the source's active file."""
    name, end = source.position()
    sizes = []
    with open(source.log_path(name), "rb") as file:
        at = 4
        while at < end:
            file.seek(at)
            sizes.append(int.from_bytes(file.read(19)[9:13], "little"))
            at += sizes[-1]
    return sizes


if __name__ == "__main__":
    unittest.main(verbosity=2)

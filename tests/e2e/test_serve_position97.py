"""Real MySQL 9.x replicas by file and position, of sources without and with GTIDs."""
import unittest

from lab import WITH_GTIDS, WITHOUT_GTIDS
from serving import Serving, make_replicas, require_servers


def setUpModule():
    require_servers()


class ByPosition(Serving):
    options = WITHOUT_GTIDS

    def replica(self):
        replica, = make_replicas(self, 1, *WITHOUT_GTIDS)
        return replica

    def test_from_the_beginning_through_rotations(self):
        replica = self.replica()
        replica.replicate_from(self.daemon.port(), at=("mysql-bin.000001", 4))
        self.write_with_rotations()
        self.assert_follows(replica)

    def test_from_the_first_file_without_a_name(self):
        replica = self.replica()
        replica.replicate_from(self.daemon.port(), at=("", 4))
        self.assert_follows(replica)

    def test_from_the_middle_of_a_file(self):
        replica = self.replica()
        replica.replicate_from(self.source.port, at=("mysql-bin.000001", 4))
        self.assert_follows(replica)
        replica.stop_replica()
        self.write_with_rotations(2)
        name, position = replica.executed()
        self.assertGreater(position, 200, "this is not the middle")
        replica.replicate_from(self.daemon.port(), at=(name, position))
        self.assert_follows(replica)


class ByPositionWithGtids(ByPosition):
    """The source has GTIDs, the replica asks by position all the same."""

    options = WITH_GTIDS

    def replica(self):
        replica, = make_replicas(self, 1)
        return replica


if __name__ == "__main__":
    unittest.main(verbosity=2)

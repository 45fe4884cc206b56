"""The tests of a MySQL 5.6 replica once more, with GTIDs and auto-position."""
import unittest

import test_serve56
from lab import Binlogd, Mysql56


def setUpModule():
    Binlogd.binary()
    Mysql56.available()


class Serve56WithGtids(test_serve56.Serve56):
    options = ["--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--log-slave-updates"]

    def start_at(self, at):
        return None


if __name__ == "__main__":
    unittest.main(verbosity=2)

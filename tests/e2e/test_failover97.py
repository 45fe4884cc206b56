"""Failover without loss: the source is killed under load, lagging replicas catch up from binlogd.

FAILOVER_ROUNDS says how often each way is tried; tests/soak/failover sets it.
"""
import os
import unittest

from failover import Round
from lab import Binlogd, Mysql97

ROUNDS = int(os.environ.get("FAILOVER_ROUNDS", "2"))


def setUpModule():
    Binlogd.binary()
    Mysql97.available()


class Failover(unittest.TestCase):
    def rounds(self, by_gtid):
        for number in range(ROUNDS):
            with self.subTest(round=number + 1), Round(by_gtid) as turn:
                turn.run()
                print(f"round {number + 1}: {turn.answered} answered commits, all on both "
                      "replicas", flush=True)

    def test_by_gtid_nothing_is_lost(self):
        self.rounds(True)

    def test_by_position_nothing_is_lost(self):
        self.rounds(False)


if __name__ == "__main__":
    unittest.main(verbosity=2)

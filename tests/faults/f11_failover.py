from case import Case
from failover import Round
from lab import Binlogd, Mysql97


class Failover(Case):
    """The source dies under load; replicas that lag in three ways are saved by binlogd (O3).

    One has received all and executed nothing, one receives nothing, one is an hour late. By GTID
    and by file and position, in turn. All have every answered commit in the end, the same rows and
    the same GTID set, and one is made writable.
    """

    short_rounds = 2
    long_rounds = 20
    short_limit_s = 200
    round_limit_s = 120

    def run(self, rounds):
        Binlogd.binary()
        Mysql97.available()
        answered = 0
        for number in range(rounds):
            with Round(by_gtid=number % 2 == 0, delayed=True) as turn:
                turn.run()
                answered += turn.answered
        return (f"{rounds} failovers with 3 lagging replicas, {answered} answered commits, 0 lost "
                "on any replica")

import random
import time

import lab
import ledger
from case import FIRST_ACK_S, Books, Case, seconds_to_next_commit, stopped
from lab import Binlogd, MariaDB, Mysql97

ROTATE_EVERY = 7


class Kill(Case):
    """kill -9 of binlogd at any instant while commits run, on MySQL 9.x and MariaDB.

    After each kill the files hold every commit that was answered, and nothing that was not
    committed (O1); at the end they equal the source's (O2). It goes on without an operator, and
    the first commit is answered within 3 s of the start.
    """

    short_rounds = 8
    long_rounds = 200
    round_limit_s = 20

    def run(self, rounds):
        shares = {Mysql97: rounds - rounds // 3, MariaDB: rounds // 3}
        return ", ".join(self.of_family(kind, share) for kind, share in shares.items() if share)

    def of_family(self, kind, rounds):
        source = self.source(kind=kind)
        slowest = 0.0
        with Binlogd(source) as daemon, ledger.Load(source, 4) as load:
            books = Books(source, daemon, load)
            load.wait_commits(20)
            for turn in range(rounds):
                time.sleep(random.uniform(0, 0.3))
                daemon.kill9()
                books.check_answered()
                daemon.start()
                slowest = max(slowest, seconds_to_next_commit(load))
                if turn % ROTATE_EVERY == ROTATE_EVERY - 1:
                    source.query("FLUSH BINARY LOGS")
            stopped(load)
            books.check_all()
            assert source.semisync()["no_tx"] == 0, "a commit was answered without an ACK"
        source.close()
        assert slowest <= FIRST_ACK_S, f"{slowest:.1f} s from start to the first answer"
        return (f"{kind.family}: {rounds} kills, {load.count()} answered commits, 0 lost, "
                f"first answer at most {slowest:.2f} s after the start")

import os
import random
import time

import ledger
from case import Books, Case, Skipped, need_root, seconds_to_next_commit, stopped
from lab import WITH_GTIDS, Binlogd
from mounts import Ext4, Xfs
from proxy import Proxy

ROTATE_EVERY = 5


class PowerCut(Case):
    """The power goes at any instant while commits run: ext4 and xfs in a file, shut down by ioctl.

    Its connection goes first, the file system at once after it, then binlogd: what it acknowledges
    once the power is gone must not arrive, for an fdatasync that had begun before the shutdown may
    return 0 with its bytes lost (Linux 6.18, in one of six tries of a program that does nothing
    else). What was answered is in the files of the file system that was mounted again, before
    binlogd touches them (O1); it starts without an operator, and in the end the files equal the
    source's (O2).
    """

    short_rounds = 6
    long_rounds = 200
    round_limit_s = 20

    def run(self, rounds):
        need_root()
        kinds, words = [Ext4, Xfs], []
        for kind in list(kinds):
            try:
                kind.need()
            except Skipped as reason:
                kinds.remove(kind)
                words.append(str(reason))
        if not kinds:
            raise Skipped("; ".join(words))
        for kind in kinds:
            words.insert(0, self.cuts(kind, rounds // len(kinds)))
        return "; ".join(words)

    def cuts(self, kind, rounds):
        daemon = Binlogd(run=False)
        disk = self.use(kind(daemon.storage))
        source = self.source(*WITH_GTIDS)
        wire = self.use(Proxy(source.port))
        daemon.sections["dumper"].update(host="127.0.0.1", port=wire.port)
        lost = 0
        load, large = ledger.Load(source, 4), ledger.Load(source, 1, pad=30000, first_client=10)
        load.entries = large.entries  # one ledger for both
        with daemon, load, large:
            books = Books(source, daemon, load)
            daemon.start()
            for turn in range(rounds):
                seconds_to_next_commit(load)
                if turn % ROTATE_EVERY == ROTATE_EVERY - 1:
                    source.query("FLUSH BINARY LOGS")
                time.sleep(random.uniform(0, 0.4))
                wire.cut()
                disk.power_cut()
                before = size_of_last(daemon)
                if daemon.process.poll() is None:
                    daemon.kill9()
                disk.power_on()
                lost += before > size_of_last(daemon)
                books.check_answered()
                daemon.start()
            seconds_to_next_commit(load)
            stopped(load), stopped(large)
            books.check_all()
            assert source.semisync()["no_tx"] == 0, "a commit was answered without an ACK"
            daemon.stop()
        return (f"{rounds} power cuts on {kind.__name__.lower()}, {load.count()} answered commits, "
                f"0 lost; {lost} cuts took bytes that were not synced")


def size_of_last(daemon):
    names = daemon.copies()
    return (len(names), os.path.getsize(daemon.copy_path(names[-1]))) if names else (0, 0)

import os
import random

import acktrace
import lab
import ledger
from case import Books, Case, need_strace, stopped, traced
from lab import WITH_GTIDS, WITHOUT_GTIDS, Binlogd, MariaDB, Mysql97
from wire import Recorder


class AckHonesty(Case):
    """A proxy compares ACKs with what was flagged, a trace with what was synced, syncs being slow.

    Each ACK on the wire has sequence number 0 and exactly the name and position of an event that
    was flagged on its connection, in rising order; when it, or a dump request, is sent, all below
    is on disk (O4). Every third fdatasync takes 0.3 s longer, files rotate, and the connection is
    cut while commits wait.
    """

    short_rounds = 2
    long_rounds = 30
    round_limit_s = 40

    def run(self, rounds):
        need_strace()
        kinds = [(Mysql97, WITH_GTIDS), (MariaDB, []), (Mysql97, WITHOUT_GTIDS)]
        total = {"commits": 0, "flagged": 0, "ACKs": 0, "dump requests": 0}
        for number, (kind, options) in enumerate(kinds[:min(rounds, len(kinds))]):
            source = self.source(*options, kind=kind)
            for turn in range(number, rounds, len(kinds)):
                self.honest(source, total, 10 * turn)
        return ", ".join(f"{count} {what}" for what, count in total.items()) + ", none ahead"

    @staticmethod
    def honest(source, total, first_client):
        trace = os.path.join(lab.temp_dir(), "trace")
        with Recorder(source.port) as wire:
            daemon = Binlogd(source, run=False, port=wire.port)
            daemon.wrapper = traced(trace, "fdatasync:delay_enter=300000:when=8+3")
            with daemon.start(), ledger.Load(source, 3, first_client=first_client) as load:
                books = Books(source, daemon, load)
                for turn in range(4):
                    load.wait_commits(random.randint(5, 15))
                    if turn % 2:
                        source.query("FLUSH BINARY LOGS")
                    else:
                        wire.cut()
                load.wait_commits(10)
                stopped(load)
                lab.assert_copied(source, daemon)
                assert daemon.stop() == 0
                entries = dict(load.entries)
                mine = {client for client, _ in entries}
                rows = [row for row in books.files_rows() if row[0] in mine]
                assert not (wrong := ledger.problems(entries, rows)), wrong[:5]
            checker = acktrace.check_trace(trace, daemon.storage)
        assert not wire.problems, wire.problems[:5]
        assert not checker.problems, f"O4: {checker.problems[:3]}"
        assert wire.acks >= 20 and wire.acks == len(checker.acks), (wire.acks, len(checker.acks))
        for what, count in zip(total, (load.count(), wire.flagged, wire.acks, wire.requests)):
            total[what] += count

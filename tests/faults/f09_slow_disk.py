import time

import lab
import ledger
from case import Books, Case, Resources, Usage, inject, need_strace, read_remote, stopped
from lab import REPLICA_USER, WITH_GTIDS, Binlogd, Mysql97

DELAYS_S = (0.005, 0.2, 5, 30)
RSS_LIMIT_KB = 128 << 10
FREE_SYNCS = 12  # that are not slow: start and set-up
PAD = 200000


class SlowDisk(Case):
    """fdatasync takes 5 ms, 200 ms, 5 s; in the long form it hangs for 30 s.

    Commits wait for it and are never answered before it (O1). Meanwhile a replica's heartbeats come
    on time, what is stored is sent, and memory stays bounded.
    """

    short_rounds = 3
    long_rounds = 4
    short_limit_s = 120
    round_limit_s = 180

    def run(self, rounds):
        need_strace()
        self.origin = self.source(*WITH_GTIDS)
        self.follower = self.use(Mysql97(*WITH_GTIDS, server_id=101))
        self.entries = {}
        words = [self.slow(delay) for delay in DELAYS_S[:rounds]]
        return ", ".join(words)

    def slow(self, delay):
        daemon = Binlogd(self.origin, run=False, users=REPLICA_USER)
        daemon.wrapper = inject(f"fdatasync:delay_enter={int(delay * 1e6)}:when={FREE_SYNCS}+")
        self.clients = getattr(self, "clients", 0) + 10
        load = ledger.Load(self.origin, 4, pad=PAD, first_client=self.clients)
        load.entries = self.entries
        with daemon.start(), load:
            books = Books(self.origin, daemon, load)
            self.follower.replicate_from(daemon.port(), heartbeat_period=1)
            load.wait_commits(4, 60)
            lab.wait_until(lambda: self.is_slow(load, delay), 60 + 3 * delay, "slow commits")
            resources = Resources(daemon)
            beats, took = self.beats(daemon, max(delay, 1))
            rss = Usage(daemon).kib
            load.stop(60 + 3 * delay)
            assert load.join(0), "a writer still waits"
            resources.check_back()
            daemon.kill9()
            books.check_answered()
            self.follower.stop_replica()
            self.follower.query("RESET REPLICA ALL")
        assert delay < 3 or beats >= delay / 2, f"{beats} heartbeats in {delay} s"
        assert rss < RSS_LIMIT_KB, f"{rss} KiB resident"
        return (f"{delay} s: {load.count()} commits in all, {beats} heartbeats, a "
                f"stored file sent in {took:.1f} s, {rss >> 10} MiB")

    def is_slow(self, load, delay):
        """Whether the next commit takes as long as a sync."""
        began, answered = time.monotonic(), load.count()
        lab.wait_until(lambda: load.count() > answered, 60 + delay, "a commit", 0.001)
        return time.monotonic() - began >= min(delay, 1) / 2

    def beats(self, daemon, seconds):
        """Heartbeats in so many seconds, and how long the first file took to be sent in them."""
        def count():
            return int(self.follower.query(
                "SELECT COUNT_RECEIVED_HEARTBEATS FROM "
                "performance_schema.replication_connection_status")[0][0])
        self.follower.wait_receiving()
        first, began = count(), time.monotonic()
        fetched = read_remote(self.origin, daemon)
        took = time.monotonic() - began
        assert fetched.returncode == 0, fetched.stderr[-300:]
        time.sleep(max(seconds - took, 0))
        return count() - first, took

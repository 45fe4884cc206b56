import contextlib
import os
import random
import selectors
import signal
import struct
import time

import lab
import ledger
import myclient
from case import TABLE, Books, Case, Resources, seconds_to_next_commit, stopped
from f18_stops import stop
from lab import REPLICA_USER, WITH_GTIDS, Binlogd, Mysql97
from wire import Wire

BOOKS_EVERY = 10
RAW_CPU = 0.2  # heartbeats of hundreds


class Soak(Case):
    """Everything at once: real and raw replicas, commits, rotations, faults at random.

    As many faults as rounds: kill -9 of binlogd or a replica, the connection to the source cut,
    processes that stand still, restarts. One real replica and 20 raw ones, in the long form three
    and 500. After each tenth kill and in the end O1 and O2; replicas have the same rows in the end;
    memory, descriptors and threads do not grow (O6). For two hours: --long --rounds 1500.
    """

    short_rounds = 8
    long_rounds = 200
    short_limit_s = 200
    round_limit_s = 15

    def run(self, rounds):
        long_form = rounds > self.short_rounds
        count, raw = (3, 500) if long_form else (1, 20)
        source = self.source(*WITH_GTIDS)
        self.replicas = [self.use(Mysql97(*WITH_GTIDS, "--skip-replica-start=OFF",
                                          "--replica-net-timeout=4", server_id=101 + number,
                                          start=False)) for number in range(count)]
        lab.start_together(*self.replicas)
        self.wire = self.use(Wire(source.port))
        self.origin, self.deaths, self.worst = source, 0, 0.0
        faults = {"kill": self.kill, "cut": self.cut, "stop": self.stand_still,
                  "restart": self.restart, "replica": self.kill_replica, "rotate": self.rotate}
        made = dict.fromkeys(faults, 0)
        with Binlogd(source, users=REPLICA_USER, port=self.wire.port) as daemon, \
                ledger.Load(source, 4, pause=0.005) as load:
            daemon.keep_port()
            self.daemon, self.load = daemon, load
            self.books = Books(source, daemon, load)
            self.follow()
            with self.raw_replicas(raw):
                self.settle()
                resources = Resources(daemon)
                for turn in range(rounds):
                    name = list(faults)[turn % len(faults)] if turn < len(faults) \
                        else random.choice(list(faults))
                    faults[name]()
                    made[name] += 1
                    self.worst = max(self.worst, seconds_to_next_commit(load, 40))
                    assert daemon.process.poll() is None, f"it ended after {name}"
                self.settle()
                stopped(load)
                resources.check_back(busy=RAW_CPU)
                usage = resources.words()
            self.finish(source)
        return (f"{rounds} faults ({', '.join(f'{n} {name}' for name, n in made.items() if n)}), "
                f"{count} real and {raw} raw replicas, {load.count()} commits, 0 lost; answered "
                f"again after at most {self.worst:.1f} s; {usage}")

    def follow(self):
        for replica in self.replicas:
            replica.unlogged("CREATE DATABASE lab", TABLE)
            replica.replicate_from(self.daemon.port(), heartbeat_period=1)

    def settle(self):
        """Start binlogd anew, until commits are answered."""
        self.daemon.restart()
        seconds_to_next_commit(self.load)

    def finish(self, source):
        self.books.check_all()
        self.daemon.restart()
        for replica in self.replicas:
            replica.wait_executed(source.position(), 120)
            assert replica.checksums() == source.checksums(), "a replica's rows differ"

    # Faults.
    def kill(self):
        time.sleep(random.uniform(0, 0.2))
        self.daemon.kill9()
        self.deaths += 1
        if self.deaths % BOOKS_EVERY == 1:
            self.books.check_answered()
        self.daemon.start()

    def restart(self):
        assert self.daemon.stop() == 0
        self.daemon.start()

    def cut(self):
        self.wire.cut()

    def stand_still(self):
        parts = [self.daemon.pid(), self.origin.process.pid] + [replica.process.pid
                                                                for replica in self.replicas]
        stop(random.choice(parts), random.randrange(4))

    def kill_replica(self):
        replica = random.choice(self.replicas)
        replica.kill()
        replica.start()

    def rotate(self):
        self.origin.query("FLUSH BINARY LOGS")

    @contextlib.contextmanager
    def raw_replicas(self, count):
        pid = os.fork()
        if pid == 0:
            try:
                tail(self.daemon, count)
            finally:
                os._exit(1)
        try:
            yield
            assert os.waitpid(pid, os.WNOHANG) == (0, 0), "the raw replicas ended"
        finally:
            with contextlib.suppress(ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def begin_tail(daemon, server_id):
    """A dump from the end of what is there."""
    client = daemon.connect()
    client.query("SET @source_binlog_checksum='CRC32'")
    name, position = client.query("SHOW BINARY LOG STATUS")[0][:2]
    client.command(struct.pack("<BIHI", 0x12, int(position), 0, server_id) + name.encode())
    return client


def tail(daemon, count):
    """Clients that read what comes, and come again when they are closed."""
    missing = count
    with selectors.DefaultSelector() as ready:
        while True:
            while missing:
                try:
                    client = begin_tail(daemon, 2000 + missing)
                except (myclient.LostConnection, myclient.MyError, OSError, AssertionError):
                    time.sleep(0.05)
                    break
                ready.register(client.sock, selectors.EVENT_READ, client)
                missing -= 1
            for key, _ in ready.select(0.2):
                try:
                    gone = not key.fileobj.recv(1 << 18)
                except OSError:
                    gone = True
                if gone:
                    ready.unregister(key.fileobj)
                    key.fileobj.close()
                    missing += 1

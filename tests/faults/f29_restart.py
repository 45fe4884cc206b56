import os
import socket
import time

import lab
import ledger
import myclient
from case import Books, Case, Resources, need_program, seconds_to_next_commit, stopped
from lab import PASSWORD, REPLICA_USER, WITH_GTIDS, Binlogd

GAP_S = 2.0  # the source may take one second to look at the socket of a new connection
DESCRIPTORS = 64


class Restart(Case):
    """Restarts as an upgrade does, reloads, the log file gone, 64 descriptors: all under load.

    Each stop ends with exit code 0; commits wait no longer than 2 s; nothing is lost (O1, O2).
    Where no descriptor is left new connections wait, and the copying goes on.
    """

    short_rounds = 4
    long_rounds = 60
    round_limit_s = 20

    def run(self, rounds):
        need_program("prlimit")
        source = self.source(*WITH_GTIDS)
        log = os.path.join(lab.temp_dir(), "binlogd.log")
        daemon = Binlogd(source, users=REPLICA_USER, run=False,
                         sections={"log": {"file": log, "level": "info", "status_interval": 1}})
        daemon.log = log
        daemon.wrapper = ["prlimit", f"--nofile={DESCRIPTORS}"]
        daemon.pid = lambda: daemon.process.pid  # prlimit becomes the daemon
        self.worst = 0.0
        with daemon.start(), ledger.Load(source, 4) as load:
            books = Books(source, daemon, load)
            load.wait_commits(20)
            resources = Resources(daemon)
            for _ in range(rounds):
                self.reload(daemon, load)
                self.lose_log(daemon, load, log)
                self.use_up_descriptors(daemon, load)
                load.wait_commits(20)
                began = time.monotonic()
                assert daemon.stop() == 0
                books.check_answered()
                checked = time.monotonic() - began
                daemon.start()
                seconds_to_next_commit(load)
                self.worst = max(self.worst, time.monotonic() - began - checked)
            stopped(load)
            books.check_all()
            resources.check_back()
            assert source.semisync()["no_tx"] == 0, "a commit was answered without an ACK"
        assert self.worst <= GAP_S, f"{self.worst:.1f} s without an answer"
        return (f"{rounds} restarts, reloads, lost logs and shortages of descriptors, "
                f"{load.count()} commits, at most {self.worst:.2f} s without an answer")

    def gap(self, load):
        self.worst = max(self.worst, seconds_to_next_commit(load))

    def reload(self, daemon, load):
        daemon.sections["log"]["level"] = "debug"
        daemon.write_config()
        daemon.signal(1)
        self.gap(load)

    def lose_log(self, daemon, load, log):
        os.unlink(log)
        daemon.log_mark = 0
        daemon.signal(1)
        self.gap(load)
        daemon.wait_for("status: ", 10)

    def use_up_descriptors(self, daemon, load):
        clients = []
        for _ in range(DESCRIPTORS + 20):
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(5)
            client.connect(daemon.socket)
            clients.append(client)
        self.gap(load)
        assert len(os.listdir(f"/proc/{daemon.pid()}/fd")) <= DESCRIPTORS
        for client in clients:
            client.close()
        lab.wait_until(lambda: answers(daemon), 5, "sessions, after the dead logins have ended")


def answers(daemon):
    try:
        with myclient.Client(daemon.socket, user="repl", password=PASSWORD, timeout=30) as client:
            return client.query("SELECT 1")
    except (myclient.LostConnection, myclient.MyError):
        return False

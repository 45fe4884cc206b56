"""What a case of fault is, and what most of them share.

A case is a module f<number>_<what>.py with one subclass of Case, whose docstring names the row that
it stands for: what is broken and what must hold. short() is what runs under ctest, long(rounds)
what `run --long` runs; both return the figures in a line of words, or raise. The oracles are
those of the end-to-end tests: the ledger (O1), bytes (O2), failover (O3), the trace of ACKs (O4). What it
takes of the machine is compared here (O6).
"""
import contextlib
import os
import shutil
import subprocess
import sys
import time
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "e2e"))

import acktrace  # noqa: E402
import lab  # noqa: E402
import ledger  # noqa: E402
from lab import PASSWORD, Binlogd, Mysql97  # noqa: E402

FIRST_ACK_S = 3.0
SETTLE_S, SETTLE_LIMIT_S, BACK_S = 1.0, 10, 20
SLACK_KIB = 4096  # parts of the ring and of buffers that were not touched before
IDLE_CPU = 0.1
TABLE = ("CREATE TABLE lab.ledger (client INT, seq INT, value VARCHAR(64), pad LONGBLOB, "
         "PRIMARY KEY (client, seq)) ENGINE=InnoDB")


class Skipped(unittest.SkipTest):
    """The case cannot run here; the words say what is missing."""


class Case:
    """One row of faults. Everything it uses is closed when it ends."""

    short_rounds = 1
    long_rounds = 10
    short_limit_s = 150  # a case that takes longer has failed
    round_limit_s = 60

    def __init__(self):
        self.closing = contextlib.ExitStack()
        self.figures = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closing.close()

    def short(self):
        return self.run(self.short_rounds)

    def long(self, rounds):
        return self.run(rounds)

    def run(self, rounds):
        """Break it `rounds` times; the figures in words."""
        raise NotImplementedError

    def use(self, thing):
        """Enter a context that is left at the end of the case."""
        return self.closing.enter_context(thing)

    def source(self, *options, kind=Mysql97):
        """A source that waits for ever for an ACK, with the ledger's table, outside its log."""
        Binlogd.binary()
        kind.available()
        server = self.use(kind(*kind.semisync_options(), *options))
        server.create_user()
        server.unlogged("CREATE DATABASE lab", TABLE)
        return server


def need(condition, words):
    if not condition:
        raise Skipped(words)


def need_root():
    need(os.geteuid() == 0, "needs root")


def need_program(name):
    need(shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin"), f"needs {name}")


def need_strace():
    need_program("strace")
    done = subprocess.run(["strace", "-o", "/dev/null", "true"], stderr=subprocess.DEVNULL)
    need(done.returncode == 0, "strace cannot trace here")


def inject(*faults, path=None):
    """A wrapper that runs the daemon with faults in its system calls: "fdatasync:error=EIO:when=3".

    With a path only calls that concern it are counted and touched.
    """
    calls = sorted({name for fault in faults for name in fault.split(":")[0].split(",")})
    # Without --seccomp-bpf: with it, strace 6.1 sends no signals.
    wrapper = ["strace", "-f", "-q", "-o", "/dev/null",
               "-e", "trace=" + ",".join("?" + name for name in calls), "-e", "signal=none"]
    for fault in faults:
        wrapper += ["-e", "inject=" + fault]
    return wrapper + (["-P", path] if path else [])


class Books:
    """O1 and O2 over what one daemon has stored while one load was written.

    Files that are complete are decoded and compared once.
    """

    def __init__(self, source, daemon, load):
        self.source, self.daemon, self.load = source, daemon, load
        self.rows, self.checks = {}, 0

    def files_rows(self):
        rows = []
        names = self.daemon.copies()
        for name in names:
            path = self.daemon.copy_path(name)
            key = name, os.path.getsize(path)
            if key not in self.rows:
                self.rows[key] = ledger.rows_in([path], self.source.mysqlbinlog(), torn=True)
            rows += self.rows[key]
        return rows

    def check_answered(self):
        """Call while the daemon is down: all that was answered is in its files, nothing else."""
        entries = dict(self.load.entries)
        wrong = ledger.problems(entries, self.files_rows())
        assert not wrong, f"{len(wrong)} problems, first: {wrong[:5]}"
        self.checks += 1

    def check_all(self):
        """Call when the load has ended and the daemon runs: everything is there and the same."""
        lab.assert_copied(self.source, self.daemon)
        self.check_answered()


class Usage:
    """What a daemon takes: KiB resident, descriptors, threads."""

    def __init__(self, daemon):
        pid = daemon.pid()
        status = dict(line.split(":", 1) for line in
                      lab.read_text(f"/proc/{pid}/status").splitlines() if ":" in line)
        self.kib = int(status["VmRSS"].split()[0])
        self.descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        self.threads = int(status["Threads"])

    def __str__(self):
        return f"{self.kib} KiB, {self.descriptors} descriptors, {self.threads} threads"


class Resources:
    """O6: what a daemon takes when all is well, and that it comes back to that after a fault.

    Begin with one that is connected and has done some of all that the case has it do. It may be
    started anew meanwhile.
    """

    def __init__(self, daemon):
        self.daemon = daemon
        self.before = self.settled()

    def settled(self):
        """Usage that has not changed for a while: connections come and go."""
        last, since = Usage(self.daemon), time.monotonic()
        end = since + SETTLE_LIMIT_S
        while (now := time.monotonic()) < min(since + SETTLE_S, end):
            time.sleep(0.05)
            usage = Usage(self.daemon)
            if (usage.descriptors, usage.threads) != (last.descriptors, last.threads):
                since = now
            last = usage
        return last

    def excess(self, usage):
        """What is more than before, in words, or nothing."""
        before = self.before
        return [f"{what}: {was} then {now}" for what, was, now, most in (
            ("KiB", before.kib, usage.kib, 1.1 * before.kib + SLACK_KIB),
            ("descriptors", before.descriptors, usage.descriptors, before.descriptors),
            ("threads", before.threads, usage.threads, before.threads)) if now > most]

    def check_back(self, busy=0.0):
        """It takes no more than before, at last, and without work no CPU but `busy` of one."""
        end = time.monotonic() + BACK_S
        while (excess := self.excess(Usage(self.daemon))) and time.monotonic() < end:
            time.sleep(0.1)
        assert not excess, f"not as before: {', '.join(excess)}"
        used = lab.cpu_seconds(self.daemon.pid())
        time.sleep(SETTLE_S)
        share = (lab.cpu_seconds(self.daemon.pid()) - used) / SETTLE_S
        assert share <= IDLE_CPU + busy, f"takes {share:.2f} of a CPU for nothing"

    def words(self):
        """For the figures."""
        return f"{self.before.kib >> 10} then {Usage(self.daemon).kib >> 10} MiB"


def seconds_to_next_commit(load, timeout=20):
    """How long it takes from now until a commit is answered."""
    began = time.monotonic()
    load.wait_commits(1, timeout)
    return time.monotonic() - began


def stopped(load):
    """End the writers; none of them may still wait."""
    load.stop(30)
    assert load.join(0), "a writer still waits for an answer"
    return load


def read_remote(source, daemon, name="mysql-bin.000001"):
    """What the source's mysqlbinlog says when it reads a file from binlogd."""
    source.connect("repl", PASSWORD).close()  # so that the password is cached for TCP
    return subprocess.run(
        source.mysqlbinlog() + [
            "--no-defaults", "--read-from-remote-server", "--host=127.0.0.1",
            f"--port={daemon.port()}", "--user=repl", f"--password={PASSWORD}",
            "--get-server-public-key", "--ssl-mode=DISABLED", name],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=60)


def traced(path, *faults):
    """The wrapper of the ACK trace, with faults."""
    wrapper = acktrace.strace_command(path)
    for fault in faults:
        wrapper += ["-e", "inject=" + fault]
    return wrapper

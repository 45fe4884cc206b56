"""Starts of binlogd under a scripted source, several a second, in each of which an allocation fails.

A start with a fresh directory connects, copies and acknowledges; one with a directory that another
left with a torn file recovers it. Both serve: a login with TLS, statements of an operator, a dump, the
status socket, /metrics. Then SIGTERM. The places from which a start allocates are told apart by the
calls that lead there, so that each is taken once, not each of the thousands of times.
"""
import concurrent.futures
import contextlib
import os
import re
import shutil
import signal
import socket
import struct
import urllib.request

import fakesource
import lab
import myclient
from lab import PASSWORD, Binlogd

ENDS = (0, 1, 2, 3)  # exit codes; no signal
WORKERS = 2
TRANSACTIONS = 3
STATEMENTS = ("SHOW BINARY LOGS", "SHOW REPLICA STATUS", "SHOW PROCESSLIST", "SHOW VARIABLES",
              "SELECT @@version, @@server_uuid", "SHOW BINLOG EVENTS", "STOP REPLICA",
              "CHANGE REPLICATION SOURCE TO SOURCE_CONNECT_RETRY=3", "PURGE BINARY LOGS TO 'x.1'",
              "nonsense")
LEAVES = (myclient.LostConnection, myclient.MyError, OSError, ValueError, IndexError)
LIMIT_S = 20


class Start:
    """One start, which may be told to lack memory."""

    def __init__(self, preload, torn=None, **settings):
        """`torn` is a directory that another start left."""
        self.log = fakesource.Log()
        self.source = fakesource.FakeSource(self.script)
        self.acked = 0
        port = {} if torn is None else {"port": 1}
        self.daemon = Binlogd(self.source, run=False, retry_max=0.1,
                              users={"repl": lab.account(rights="replicate,status,admin")},
                              sections={"metrics": {"listen": "127.0.0.1:0"}}, **port)
        if torn:
            shutil.rmtree(self.daemon.storage)
            shutil.copytree(torn, self.daemon.storage, ignore=shutil.ignore_patterns("*.sock"))
        words = [f"MEMORY_{name.upper()}={value}" for name, value in settings.items()]
        # Without randomised addresses a place is the same in each start.
        self.daemon.wrapper = ["setarch", "-R", "env", f"LD_PRELOAD={preload}", *words]
        self.daemon.pid = lambda: self.daemon.process.pid  # both become the daemon
        self.copies = torn is None

    def script(self, connection, _):
        connection.begin(self.log)
        for number in range(1, TRANSACTIONS + 1):
            *events, last = self.log.transaction(number)
            for event in events:
                connection.event(event)
            connection.event(last, flagged=True)
            self.acked = connection.wait_ack()[0]

    def run(self, then=signal.SIGTERM):
        """Its exit code."""
        with self.source, self.daemon.start():
            if self.reaches(lambda: self.acked >= len(self.log.bytes) > 300 if self.copies else
                            "cannot connect" in self.daemon.log_text()):
                self.visit()
            with contextlib.suppress(ProcessLookupError):
                self.daemon.signal(then)
            code = self.daemon.wait_exit(LIMIT_S)
            self.check(code)
            return code

    def keep(self, directory):
        """Leave the store as a crash would, with half an event at its end."""
        with self.source, self.daemon.start():
            lab.wait_until(lambda: self.acked >= len(self.log.bytes) > 300, LIMIT_S, "ACKs")
            self.daemon.kill9()
            with open(self.daemon.copy_path(fakesource.LOG), "ab") as copy:
                copy.write(b"half an event")
            shutil.copytree(self.daemon.storage, directory,
                            ignore=shutil.ignore_patterns("*.sock"))

    def reaches(self, condition):
        """Come to that alive, or as far as it comes without the memory; whether it is alive."""
        with contextlib.suppress(AssertionError):
            lab.wait_until(lambda: condition() or self.daemon.process.poll() is not None, 5, "",
                           0.005)
        return self.daemon.process.poll() is None

    def visit(self):
        """All that may come; each may fail."""
        text = self.daemon.log_text()
        port = re.search(r"app: listening on 127\.0\.0\.1:(\d+)", text)
        metrics = re.search(r"http://127\.0\.0\.1:\d+/metrics", text)
        for part in (lambda: self.ask_status(), lambda: self.dump(int(port[1])),
                     lambda: urllib.request.urlopen(metrics[0], timeout=2).read(),
                     lambda: self.operate(int(port[1]))):
            with contextlib.suppress(*LEAVES, TypeError):
                part()

    def ask_status(self):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(2)
            sock.connect(os.path.join(self.daemon.storage, "binlogd.sock"))
            sock.sendall(b"json\n")
            while sock.recv(65536):
                pass

    @staticmethod
    def dump(port):
        with myclient.Client(port=port, user="repl", password=PASSWORD, tls=True,
                             timeout=2) as client:
            client.query("SET @source_binlog_checksum='CRC32'")
            client.command(struct.pack("<BIHI", 0x12, 4, 1, 77) + fakesource.LOG.encode())
            while client.read_packet()[0] == 0:
                pass

    @staticmethod
    def operate(port):
        with myclient.Client(port=port, user="repl", password=PASSWORD, tls=True,
                             timeout=2) as client:
            for statement in STATEMENTS:
                with contextlib.suppress(myclient.MyError):
                    client.query(statement)

    def check(self, code):
        """No signal; nothing acknowledged that is not stored, nothing stored that was not sent."""
        log = self.daemon.log_text()
        assert code in ENDS, f"ended by {code}: {log[-3000:]}"
        if not self.copies or not self.daemon.copies():
            assert not self.copies or not self.acked, "acknowledged and not stored"
            return
        with open(self.daemon.copy_path(fakesource.LOG), "rb") as copy:
            stored = copy.read()
        assert self.log.bytes.startswith(stored), "stored what was not sent"
        assert self.acked <= len(stored), f"{self.acked} acknowledged, {len(stored)} stored"


class Sweep:
    """Every place of a start, once with that allocation failing and once with all from there on."""

    def __init__(self, preload, directory):
        self.preload, self.directory = preload, directory
        self.torn = os.path.join(directory, "torn")
        Start(preload).keep(self.torn)

    def places(self, torn):
        """Those of a start without a fault, in order; and how many allocations it makes."""
        path = os.path.join(self.directory, "places")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        code = Start(self.preload, torn, places_file=path).run()
        assert code == 0, f"it ended with {code} without a fault"
        with open(path, "rb") as file:
            data = file.read()
        every = struct.unpack(f"<{len(data) // 4}I", data)
        assert len(every) > 1000, f"only {len(every)} allocations: the library is not in use"
        return list(dict.fromkeys(every)), len(every)

    def starts(self):
        """(directory, settings) of each; and how many allocations there are."""
        chosen, total = [], 0
        for torn in (None, self.torn):
            places, count = self.places(torn)
            total += count
            for place in places:
                once = {"fails_in": f"{place:x}"}
                chosen += [(torn, once), (torn, {**once, "stays_out": 1})]
        return chosen, total

    def run(self, most):
        """Of all starts at most so many, evenly spread: (starts made, of, {exit code: count})."""
        chosen, total = self.starts()
        step = max(len(chosen) / most, 1)
        chosen_now = [chosen[int(step * number)] for number in range(min(most, len(chosen)))]
        ends = {}
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            for code in pool.map(self.one, chosen_now):
                ends[code] = ends.get(code, 0) + 1
        return len(chosen_now), len(chosen), total, ends

    def one(self, pair):
        torn, settings = pair
        try:
            return Start(self.preload, torn, **settings).run()
        except AssertionError as error:
            raise AssertionError(f"{settings}, {'torn' if torn else 'fresh'}: {error}") from error

"""Load with a ledger: writers commit unique rows and note what the source answered to each.

One row per commit: (client, seq, value). "ok" means the commit was answered, "unknown" that
the connection broke before the answer. check() compares the ledger with rows that an
independent decoder (the source family's mysqlbinlog) finds in binary log files: no answered
row is missing, none appears twice, none comes from nowhere, and per client no earlier answered
row is missing before a later one.
"""
import re
import subprocess
import threading
import time

import myclient

ROW = re.compile(r"^### INSERT INTO `lab`.`ledger`\n### SET\n###   @1=(\d+)\n###   @2=(\d+)\n"
                 r"###   @3='([0-9a-f]*)'", re.MULTILINE)


def create_table(source):
    with source.connect() as client:
        client.query("CREATE DATABASE IF NOT EXISTS lab")
        client.query("CREATE TABLE IF NOT EXISTS lab.ledger (client INT, seq INT, "
                     "value VARCHAR(64), pad LONGBLOB, PRIMARY KEY (client, seq)) ENGINE=InnoDB")


class Load:
    """Writers in threads; start with `with Load(source) as load:` and read the counts live."""

    def __init__(self, source, writers=4, pad=0, pause=0.0, commits=None, first_client=0):
        self.source = source
        self.pad = pad
        self.pause = pause
        self.commits = commits
        self.entries = {}
        self.failures = []
        self.lost = 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(first_client + n,), daemon=True)
                         for n in range(writers)]

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        for thread in self._threads:
            thread.start()
        return self

    def stop(self, timeout=20):
        self._stop.set()
        self.join(timeout)

    def join(self, timeout=60):
        """Wait until the writers ended; False when one still waits for an answer."""
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def count(self, state="ok"):
        return sum(1 for entry in list(self.entries.values()) if entry[1] == state)

    def wait_commits(self, more, timeout=30):
        """Wait until `more` further commits were answered."""
        self.wait_total(self.count() + more, timeout)

    def wait_total(self, goal, timeout=30):
        """Wait until `goal` commits were answered in all."""
        deadline = time.monotonic() + timeout
        while self.count() < goal:
            if time.monotonic() > deadline:
                raise AssertionError(f"only {self.count()} of {goal} commits in {timeout} s, "
                                     f"failures: {self.failures[:3]}")
            time.sleep(0.02)

    def _write(self, client):
        seq, connection = 0, None
        while not self._stop.is_set() and seq != self.commits:
            if connection is None:
                connection = self._connect()
                continue
            seq += 1
            try:
                self._insert(connection, client, seq)
            except myclient.LostConnection:
                self.lost += 1
                connection.drop()
                connection = None
            if self.pause:
                self._stop.wait(self.pause)
        if connection:
            connection.drop()

    def _connect(self):
        try:
            return self.source.connect(timeout=120)
        except (myclient.LostConnection, myclient.MyError):
            self._stop.wait(0.05)
            return None

    def _insert(self, connection, client, seq):
        value = myclient.random_text(32)
        self.entries[client, seq] = (value, "unknown")
        try:
            connection.query(f"INSERT INTO lab.ledger VALUES ({client}, {seq}, '{value}', "
                             f"REPEAT('x', {self.pad}))")
            self.entries[client, seq] = (value, "ok")
        except myclient.MyError as error:
            self.failures.append(str(error))
            if error.code in (1053, 1317, 2013):
                raise myclient.LostConnection(str(error)) from error
            self.entries[client, seq] = (value, "failed")


def rows_in(files, mysqlbinlog, torn=False):
    """[(client, seq, value)] that the decoder finds in the files, in order.

    With torn=True the last file may end in the middle of an event.
    """
    done = subprocess.run(mysqlbinlog + ["--no-defaults", "-v", "--base64-output=decode-rows",
                                         "--verify-binlog-checksum", *files],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    text = done.stdout.decode("latin-1")
    if done.returncode != 0 and not torn:
        raise AssertionError(f"mysqlbinlog: {done.stderr.decode('latin-1')[-500:]}")
    return [(int(client), int(seq), value) for client, seq, value in ROW.findall(text)]


def check(load, rows):
    """Assert the oracle for one load; says what is wrong in words."""
    wrong = problems(load.entries, rows)
    assert not wrong, f"{len(wrong)} problems, first: {wrong[:5]}"


def problems(entries, rows):
    """What is wrong when these rows are all that the files hold; [] when nothing is."""
    found, wrong = {}, []
    for client, seq, value in rows:
        if (client, seq) in found:
            wrong.append(f"row {client}/{seq} twice")
        found[client, seq] = value
        entry = entries.get((client, seq))
        if entry is None or entry[0] != value or entry[1] == "failed":
            wrong.append(f"row {client}/{seq} was never committed")
    for (client, seq), (value, state) in entries.items():
        if state == "ok" and found.get((client, seq)) != value:
            wrong.append(f"answered row {client}/{seq} is missing")
    return wrong

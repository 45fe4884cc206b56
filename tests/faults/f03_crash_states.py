import hashlib
import os
import random
import shutil
import subprocess
import tempfile

import acktrace
import lab
import ledger
from case import Case, need_strace, seconds_to_next_commit, stopped
from disk import Disk
from lab import TOP, WITH_GTIDS, Binlogd

FIRST_EVENTS_OF_GROUPS = {3, 4, 15, 33, 34, 35, 42}  # Stop, Rotate, Format, Gtid, …, tagged Gtid
GTID = 33
WRITES_SHOWN = 4 << 20


class Recovery:
    """The store's recovery as a program (recover.c), for one directory after the other."""

    def __init__(self):
        build = os.path.dirname(Binlogd.binary())
        program = os.path.join(build, "tests", "fault_recover")
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(20)

    def run(self, directory):
        self.process.stdin.write(directory + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline().strip()
        assert line, "the recovery died"
        return line


class Truth:
    """What the source wrote: bytes of each file, and where its transactions end."""

    def __init__(self, source):
        self.files, self.starts, self.gtids = {}, {}, {}
        numbers = 0
        for name in source.index_names():
            with open(source.log_path(name), "rb") as file:
                data = bytearray(file.read())
            data[lab.IN_USE_OFFSET] &= 0xFE
            self.files[name] = bytes(data)
            at, ends = 4, {}
            while at < len(data):
                kind = data[at + 4]
                if kind in FIRST_EVENTS_OF_GROUPS:
                    ends[at] = numbers
                numbers += kind == GTID
                at += int.from_bytes(data[at + 9:at + 13], "little")
            ends[at] = numbers
            self.starts[name] = ends
        self.uuid = source.query("SELECT @@server_uuid")[0][0]

    def gtid_text(self, name, position):
        last = self.starts[name][position]
        return f"{self.uuid}:1-{last}" if last > 1 else f"{self.uuid}:1" if last else "-"


class CrashStates(Case):
    """Every state that a power cut may leave on the disk, from traces of real runs (O4, O5).

    The traces prove that no ACK and no dump request is sent before what it claims is durable (O4).
    From them come images of the disk at each step (disk.py). binlogd's recovery opens each: it
    refuses none, its T is the end of a transaction at or behind the last ACK, every byte below T
    and the GTIDs are the source's.
    """

    short_rounds = 1
    long_rounds = 5
    least_states = 2000  # a round

    def run(self, rounds):
        need_strace()
        self.checked, self.bad, self.acks = 0, [], 0
        for number in range(rounds):
            self.round(number)
            assert not self.bad, f"{len(self.bad)} bad states of {self.checked}: {self.bad[:5]}"
        return f"{self.checked} crash states, 0 bad; {self.acks} ACKs in the traces, 0 early"

    def round(self, number):
        source = self.source(*WITH_GTIDS)
        daemon = Binlogd(source, run=False)
        traces = self.traced_runs(source, daemon)
        self.truth = Truth(source)
        source.close()
        self.seen = {}
        with Recovery() as self.recovery:
            self.replay(traces, daemon.storage, number)
        daemon.close()
        assert len(self.seen) >= self.least_states, f"only {len(self.seen)} states"

    def traced_runs(self, source, daemon):
        """One load, three rotations, two kills, two lost connections: the traces in order."""
        traces = []
        folder = self.use(tempfile.TemporaryDirectory())

        def start():
            traces.append(os.path.join(folder, f"trace{len(traces)}"))
            daemon.wrapper = acktrace.strace_command(traces[-1], WRITES_SHOWN)
            daemon.start()

        start()
        source.wait_semisync_client()
        with daemon, ledger.Load(source, 3) as load, \
                ledger.Load(source, 1, pad=9000, first_client=10) as large:
            for _ in range(2):
                load.wait_commits(random.randint(20, 40))
                drop_connections(source)
                seconds_to_next_commit(load)
                source.query("FLUSH BINARY LOGS")
                load.wait_commits(random.randint(20, 40))
                daemon.kill9()
                start()
            seconds_to_next_commit(load)
            source.query("FLUSH BINARY LOGS")
            load.wait_commits(20)
            stopped(load), stopped(large)
            lab.assert_copied(source, daemon)
            assert daemon.stop() == 0
            daemon.dir, kept = lab.temp_dir(), daemon.dir  # its close() is not the end of the data
            shutil.rmtree(kept)
        return traces

    def replay(self, traces, storage, seed):
        disk = Disk(storage, self.crash, seed)
        for trace in traces:
            with open(trace, encoding="latin-1") as lines:
                for line in lines:
                    disk.line(line.rstrip("\n"))
            disk.new_process()
        assert not disk.problems, f"O4: {disk.problems[:5]}"
        self.acks += len(disk.acks)

    def crash(self, images, bound):
        for what, image in images:
            key = hashlib.sha256(repr(sorted(image.items())).encode()).digest()
            if key not in self.seen:
                self.seen[key] = self.recovered(image)
                self.checked += 1
            answer, wrong = self.seen[key]
            wrong = wrong or self.too_short(answer, bound)
            if wrong:
                self.bad.append(f"{what}: {wrong}")

    @staticmethod
    def too_short(answer, bound):
        if bound and answer < bound:
            return f"T is {answer}, but {bound} was acknowledged"
        return None

    def recovered(self, image):
        """(T, what is wrong or None) after the recovery of this image."""
        directory = tempfile.mkdtemp(prefix="bl-", dir=memory())
        try:
            lay_out(directory, image)
            words = self.recovery.run(directory).split(" ", 3)
            if words[0] != "ok":
                return ("", 0), " ".join(words)
            name, position, gtids = words[1], int(words[2]), words[3]
            if name == "-":
                return ("", 0), None
            return (name, position), self.untrue(directory, name, position, gtids)
        finally:
            shutil.rmtree(directory)

    def untrue(self, directory, name, position, gtids):
        """What of the recovered directory is not the source's."""
        if position not in self.truth.starts[name]:
            return f"{name}:{position} is not the end of a transaction"
        if gtids != self.truth.gtid_text(name, position):
            return f"{gtids} at {name}:{position}, not {self.truth.gtid_text(name, position)}"
        folder = os.path.join(directory, next(entry for entry in os.listdir(directory)
                                              if entry.startswith("0001-")))
        logs = sorted(entry for entry in os.listdir(folder) if entry in self.truth.files)
        for log in logs:
            with open(os.path.join(folder, log), "rb") as file:
                data = file.read()
            want = self.truth.files[log]
            want = want[:position] if log == name else want
            if log > name or data != want:
                return f"{log} is not the source's"
        with open(os.path.join(folder, "mysql-bin.index"), encoding="ascii") as index:
            named = [os.path.basename(line.strip()) for line in index]
        return None if named == logs else f"the index names {named}, there are {logs}"


def memory():
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def lay_out(directory, image):
    for path, content in sorted(image.items()):
        full = os.path.join(directory, path)
        if content is None:
            os.mkdir(full, 0o750)
        else:
            with open(full, "wb") as file:
                file.write(content)


def drop_connections(source):
    """End the dump connections from the source's side."""
    for row in source.query("SELECT id FROM information_schema.processlist "
                            "WHERE command LIKE 'Binlog Dump%'"):
        source.query(f"KILL {row[0]}")

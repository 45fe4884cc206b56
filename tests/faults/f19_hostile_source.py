import re
import struct
import threading

import fakesource
import lab
from case import Case, Resources
from fakesource import FORMAT, HEARTBEAT, LOG, NEXT_LOG, ROTATE, XID, FakeSource
from lab import Binlogd

BEATS = 20000
DIVERGED = 4
ENDS = ("send_file_that_is_there", "send_file_with_a_gap")  # no source does that by mistake


class HostileSource(Case):
    """What e2e/test_bad_input does not send: half packets, odd rotations, endless heartbeats.

    After one good, acknowledged transaction the source ends amid a packet; rotates, in its file or
    made up, amid a transaction; sends a second format description; one whose lengths are nonsense;
    goes back to a file that is there; sends heartbeats without end, behind the end, of another
    file. Nothing of it is acknowledged or stored beyond whole events of good form, no other file
    appears, memory stays (C22, C29).
    """

    short_rounds = 1
    long_rounds = 20

    def run(self, rounds):
        Binlogd.binary()
        attacks = [getattr(self, name) for name in dir(self) if name.startswith("send_")]
        for _ in range(rounds):
            for attack in attacks:
                self.attack(attack)
        return (f"{len(attacks)} kinds of nonsense, {rounds} times each: refused, "
                "nothing acknowledged")

    def attack(self, misbehave):
        log, acked, measured = fakesource.Log(), [], threading.Event()

        def script(connection, _):
            connection.begin(log)
            gtid, begin, commit = log.transaction(1)
            connection.event(gtid)
            connection.event(begin)
            connection.event(commit, flagged=True)
            acked.append(connection.wait_ack())
            measured.wait(20)
            misbehave(connection, log)

        with FakeSource(script) as source, Binlogd(source, heartbeat_period=1) as daemon:
            lab.wait_until(lambda: acked or source.errors, 20, "the first ACK")
            resources = Resources(daemon)
            measured.set()
            lab.wait_until(lambda: source.finished.is_set() or source.errors, 30,
                           f"the connection to end after {misbehave.__name__}")
            assert not source.errors, source.errors
            name = misbehave.__name__
            assert source.acks() == acked, f"{name} was acknowledged: {source.acks()}"
            with open(daemon.copy_path(LOG), "rb") as copy:
                stored = copy.read()
            assert log.bytes.startswith(stored), f"{name}: stored what was not good"
            assert daemon.copies() == [LOG], f"{name}: {daemon.copies()}"
            assert re.search(r" (warn|error) dumper", daemon.log_text()), f"{name}: not told"
            if name in ENDS:
                assert daemon.wait_exit() == DIVERGED
                return
            assert daemon.process.poll() is None, f"{name}: it ended"
            resources.check_back()
            assert daemon.stop() == 0

    @staticmethod
    def send_half_a_packet(connection, log):
        data = b"\0\xef\1" + log.make(XID, struct.pack("<Q", 2))
        connection.send_raw(len(data).to_bytes(3, "little") + bytes([connection.seq]) + data[:-7])
        raise fakesource.Gone

    @staticmethod
    def send_half_a_header(connection, _):
        connection.send_raw(b"\x20\0")
        raise fakesource.Gone

    @staticmethod
    def send_rotate_amid_a_transaction(connection, log):
        for part in fakesource.transaction_parts(2)[:2]:
            connection.event(log.add(*part))
        connection.event(log.add(ROTATE, fakesource.rotate_body(NEXT_LOG)))
        connection.event(made_up_rotate(NEXT_LOG))
        connection.event(log.make(XID, struct.pack("<Q", 2)), flagged=True)

    @staticmethod
    def send_made_up_rotate_amid_a_transaction(connection, log):
        """A source that was killed begins a new file so, but its next format description is due."""
        for part in fakesource.transaction_parts(2)[:2]:
            connection.event(log.add(*part))
        connection.event(made_up_rotate(NEXT_LOG))
        connection.event(log.make(XID, struct.pack("<Q", 2)), flagged=True)

    @staticmethod
    def send_second_format_description(connection, log):
        connection.event(log.make(FORMAT, fakesource.format_body()))
        connection.event(log.make(FORMAT, fakesource.format_body(0)), flagged=True)

    @staticmethod
    def send_nonsense_format_description(connection, log):
        body = struct.pack("<H50sIB", 4, b"9.7.4", 0, 200) + b"\xff" * 40
        connection.event(log.make(FORMAT, body), flagged=True)

    @staticmethod
    def send_file_that_is_there(connection, log):
        connection.event(made_up_rotate(LOG))
        connection.event(log.format())
        connection.event(log.make(XID, struct.pack("<Q", 2)), flagged=True)

    @staticmethod
    def send_file_with_a_gap(connection, log):
        connection.event(log.add(ROTATE, fakesource.rotate_body("mysql-bin.000003")))
        connection.event(made_up_rotate("mysql-bin.000003"))
        connection.event(log.format(), flagged=True)

    @staticmethod
    def send_endless_heartbeats(connection, log):
        """Good ones, which may cost no memory; then a bad one."""
        for _ in range(BEATS):
            connection.event(beat(log, LOG, len(log.bytes)))
        connection.event(beat(log, LOG, len(log.bytes) + 4711))

    @staticmethod
    def send_heartbeat_of_another_file(connection, log):
        connection.event(beat(log, NEXT_LOG, len(log.bytes)))

    @staticmethod
    def send_flagged_heartbeat_behind_the_end(connection, log):
        connection.event(beat(log, LOG, len(log.bytes) + 100), flagged=True)


def made_up_rotate(name):
    return fakesource.event(ROTATE, fakesource.rotate_body(name), 0, fakesource.FLAG_ARTIFICIAL,
                            when=0)


def beat(_, name, position):
    return fakesource.event(HEARTBEAT, name.encode(), position, when=0)

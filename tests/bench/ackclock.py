"""A scripted source that takes the time of each ACK at the wire, with ackclock.c.

For benches, which put the end-to-end tests on their path before they take it.
"""
import os
import struct
import subprocess
import threading

import fakesource
import lab

WIDE = 100000
ROWS_QUERY = 29


class AckClock:
    """The scripted source and the program that sends its transactions and takes the times."""

    def __init__(self, directory, transactions, wide=0):
        """The first `wide` transactions have WIDE bytes, the others about 200."""
        self.program = os.path.join(directory, "ackclock")
        subprocess.run(["gcc", "-O2", "-o", self.program,
                        os.path.join(lab.TOP, "tests", "bench", "ackclock.c")], check=True)
        self.log = fakesource.Log()
        self.end = len(self.log.bytes)
        self.first = self.transaction(0)
        self.path = os.path.join(directory, "transactions")
        with open(self.path, "wb", buffering=1 << 20) as file:
            for number in range(1, transactions + 1):
                data = self.packets(number, WIDE if number <= wide else 0)
                file.write(struct.pack("<I", len(data)) + data)
        self.ready = threading.Event()
        self.source = fakesource.FakeSource(self.script)
        self.process = None

    def packets(self, number, more):
        """A transaction as it goes over the wire behind an answered one: the sequence is at 1."""
        data = b""
        events = self.transaction(number, more)
        for seq, part in enumerate(events, 1):
            payload = b"\0\xef" + (b"\1" if seq == len(events) else b"\0") + part
            data += len(payload).to_bytes(3, "little") + bytes([seq]) + payload
        return data

    def transaction(self, number, more=0):
        """As Log.transaction, with so many bytes more, without keeping all that was made."""
        events, parts = [], fakesource.transaction_parts(number)
        if more:
            parts.insert(2, (ROWS_QUERY, b"\0" + b"x" * more))
        for part in parts:
            events.append(fakesource.event(part[0], part[1], self.end + 23 + len(part[1])))
            self.end += len(events[-1])
        return events

    def script(self, connection, _):
        connection.begin(self.log)
        *events, last = self.first
        for event in events:
            connection.event(event)
        connection.event(last, flagged=True)
        connection.wait_ack()
        self.process = subprocess.Popen(
            [self.program, str(connection.sock.fileno()), self.path],
            pass_fds=[connection.sock.fileno()], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True)
        connection.sock.setblocking(True)
        self.ready.set()
        self.process.wait()

    def wait_ready(self):
        if not self.ready.wait(20):
            raise RuntimeError("the daemon did not come")

    def times(self, count, pause_us):
        """Microseconds of so many transactions, with that pause after each."""
        self.process.stdin.write(f"{count} {pause_us}\n")
        self.process.stdin.flush()
        times = list(map(float, self.process.stdout.readline().split()))
        if len(times) != count:
            raise RuntimeError("the daemon went away")
        return times

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.source.close()

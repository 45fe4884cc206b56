"""TCP proxies in front of a source that cut, chop, delay or read what goes over the wire.

What comes from the source is `down`, what binlogd sends is `up`. Without TLS, as in the lab, all
of it is packets.
"""
import contextlib
import heapq
import itertools
import random
import socket
import struct
import threading
import time
import zlib

DUMPS = (0x12, 0x1E)
ROTATE = 4
SEMI_SYNC = 0xEF


class Link:
    """One connection: binlogd's side and the source's."""

    def __init__(self, number, client, server):
        self.number, self.client, self.server = number, client, server
        self.passed = {True: 0, False: 0}  # bytes, by direction: down or not

    def sink(self, down):
        return self.client if down else self.server

    def close(self):
        for sock in (self.client, self.server):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


class Wire:
    """Hands on every connection to `target`, a port of this machine. Subclasses say how."""

    def __init__(self, target):
        self.target = target
        self.links, self.sockets = [], []
        self.numbers = itertools.count()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()

    def cut(self):
        """Close what is connected; new connections work."""
        for link in list(self.links):
            link.close()

    def hand_on(self, link, down, data):
        """What to do with bytes that came; runs on a thread of that direction."""
        link.sink(down).sendall(data)

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target), 10)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = Link(next(self.numbers), client, server)
            self.links.append(link)
            pumps = [threading.Thread(target=self._pump, args=(link, down), daemon=True)
                     for down in (True, False)]
            threading.Thread(target=self._end, args=(link, pumps), daemon=True).start()

    def _pump(self, link, down):
        source = link.server if down else link.client
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.hand_on(link, down, data)
                link.passed[down] += len(data)
        link.close()

    def _end(self, link, pumps):
        for pump in pumps:
            pump.start()
        for pump in pumps:
            pump.join()
        link.client.close()
        link.server.close()
        self.links.remove(link)


class CutAt(Wire):
    """The first connection ends behind `offset` bytes of one direction; later ones pass."""

    def __init__(self, target, down, offset):
        self.cut_down, self.offset = down, offset
        self.happened = threading.Event()
        super().__init__(target)

    def hand_on(self, link, down, data):
        if link.number == 0 and down == self.cut_down:
            room = self.offset - link.passed[down]
            if len(data) >= room:
                link.sink(down).sendall(data[:room])
                self.happened.set()
                link.close()
                raise OSError("cut")
        super().hand_on(link, down, data)


class CutOften(Wire):
    """Every connection ends somewhere, in either direction, while on() is true."""

    def __init__(self, target, seed=1):
        self.random = random.Random(seed)
        self.on, self.cuts = True, 0
        super().__init__(target)

    def hand_on(self, link, down, data):
        if not hasattr(link, "budget"):
            link.budget = {True: int(3000 * 20 ** self.random.random()),
                           False: int(1500 * 8 ** self.random.random())}
        room = link.budget[down] - link.passed[down]
        if self.on and len(data) >= room:
            link.sink(down).sendall(data[:max(room, 0)])
            self.cuts += 1
            link.close()
            raise OSError("cut")
        super().hand_on(link, down, data)


class Chopped(Wire):
    """One byte a segment."""

    def hand_on(self, link, down, data):
        sink = link.sink(down)
        for at in range(len(data)):
            sink.sendall(data[at:at + 1])


class Delayed(Wire):
    """Everything arrives `seconds` later, in both directions."""

    def __init__(self, target, seconds):
        self.seconds = seconds
        self.due, self.order = [], itertools.count()
        self.change = threading.Condition()
        threading.Thread(target=self._send, daemon=True).start()
        super().__init__(target)

    def hand_on(self, link, down, data):
        with self.change:
            heapq.heappush(self.due, (time.monotonic() + self.seconds, next(self.order),
                                      link.sink(down), data))
            self.change.notify()

    def _send(self):
        while True:
            with self.change:
                while not self.due or self.due[0][0] > time.monotonic():
                    self.change.wait(self.due[0][0] - time.monotonic() if self.due else None)
                _, _, sink, data = heapq.heappop(self.due)
            with contextlib.suppress(OSError):
                sink.sendall(data)


class Packets:
    """Cuts a stream into (sequence number, payload)."""

    def __init__(self):
        self.buffer = b""

    def feed(self, data):
        self.buffer += data
        while len(self.buffer) >= 4:
            size = int.from_bytes(self.buffer[:3], "little")
            if len(self.buffer) < 4 + size:
                return
            yield self.buffer[3], self.buffer[4:4 + size]
            self.buffer = self.buffer[4 + size:]


class Recorder(Wire):
    """Notes the events that a source flagged and the ACKs that it got, in order, per connection.

    `problems` says in words which ACK is not exactly of an event that was flagged there.
    """

    def __init__(self, target):
        self.flagged, self.acks, self.requests, self.problems = 0, 0, 0, []
        super().__init__(target)

    def hand_on(self, link, down, data):
        if not hasattr(link, "packets"):
            link.lock = threading.Lock()
            link.packets = {True: Packets(), False: Packets()}
            link.dumping, link.file, link.wanted, link.last = False, "", set(), None
        with link.lock:
            for sequence, payload in link.packets[down].feed(data):
                if down and link.dumping:
                    self.read_event(link, payload)
                elif not down:
                    self.read_claim(link, sequence, payload)
        super().hand_on(link, down, data)

    def read_event(self, link, payload):
        if payload[:2] != bytes([0, SEMI_SYNC]) or len(payload) < 3 + 19:
            return
        event = payload[3:]
        end = struct.unpack_from("<I", event, 13)[0]
        if payload[2] & 1:
            self.flagged += 1
            link.wanted.add((link.file, end))
        if event[4] == ROTATE:
            name = event[19 + 8:]  # one that is made up has a CRC or not, by the server's version
            link.file = (name[:-4] if crc_fits(event) else name).decode()

    def read_claim(self, link, sequence, payload):
        if payload[:1] and payload[0] in DUMPS and sequence == 0:
            link.dumping = True
            self.requests += 1
        elif link.dumping and payload[:1] == bytes([SEMI_SYNC]):
            self.acks += 1
            position = struct.unpack_from("<Q", payload, 1)[0]
            self.judge(link, sequence, (payload[9:].decode("latin-1"), position))
        elif link.dumping:
            self.problems.append(f"behind the dump request: {payload[:20]!r}")

    def judge(self, link, sequence, claim):
        if sequence != 0:
            self.problems.append(f"ACK {claim} with sequence number {sequence}")
        if claim not in link.wanted:
            self.problems.append(f"ACK {claim} of no flagged event, file {link.file}")
        if link.last and claim <= link.last:
            self.problems.append(f"ACK {claim} behind {link.last}")
        link.last = claim


def crc_fits(event):
    return zlib.crc32(event[:-4]) == struct.unpack("<I", event[-4:])[0]

"""A scripted source: logs clients in, answers a replica's questions and dumps what a test says.

It speaks enough of the protocol for a binlog copier (version 9.7, semi-sync on, no GTIDs). A
test gives a function that is called with the connection when the dump request has come; it
sends events, good or bad, and may wait for ACKs. Everything the client sends is kept, so that
a test can say that no ACK came. Only so many dumps are served: later connections are closed.
"""
import os
import re
import socket
import struct
import threading
import time
import zlib

import lab
import myclient

SOURCE_UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
LOG = "mysql-bin.000001"
NEXT_LOG = "mysql-bin.000002"
QUERY, STOP, ROTATE, FORMAT, XID, HEARTBEAT, ANONYMOUS_GTID = 2, 3, 4, 15, 16, 27, 34
FLAG_ARTIFICIAL = 0x20
# Post-header lengths as a 9.7 source writes them in its format description event.
POST_HEADERS = bytes.fromhex("000d0008000000000400040000006300041a08000000000000020000000a0a0a2a2a"
                             "001234000a280000")
SERVER_CAPS = (myclient.CAP_LONG_PASSWORD | myclient.CAP_CONNECT_WITH_DB |
               myclient.CAP_PROTOCOL_41 | myclient.CAP_TRANSACTIONS |
               myclient.CAP_SECURE_CONNECTION | myclient.CAP_PLUGIN_AUTH)

VARIABLES = {
    "version": "9.7.4", "server_id": "1", "server_uuid": SOURCE_UUID, "gtid_mode": "OFF",
    "log_bin": "ON", "binlog_checksum": "CRC32", "source_binlog_checksum": "CRC32",
    "master_binlog_checksum": "CRC32", "rpl_semi_sync_source_enabled": "1",
    "rpl_semi_sync_source_timeout": "3600000", "rpl_semi_sync_source_wait_point": "AFTER_SYNC",
    "rpl_semi_sync_source_wait_no_replica": "ON",
    "rpl_semi_sync_source_wait_for_replica_count": "1", "sync_binlog": "1",
    "innodb_flush_log_at_trx_commit": "1", "gtid_executed": "", "gtid_purged": "",
    "gtid_owned": "", "max_allowed_packet": "67108864", "version_comment": "fake source",
    "log_bin_basename": "/fake/mysql-bin", "binlog_format": "ROW"}


class Gone(Exception):
    """The client closed the connection."""


def event(kind, body, end, flags=0, when=1700000000, server_id=1, crc=True):
    """Bytes of an event whose log_pos is `end`."""
    size = 19 + len(body) + (4 if crc else 0)
    data = struct.pack("<IBIIIH", when, kind, server_id, size, end & 0xFFFFFFFF, flags) + body
    return data + (struct.pack("<I", zlib.crc32(data)) if crc else b"")


def format_body(checksum=1):
    return (struct.pack("<H50sIB", 4, b"9.7.4", 1700000000, 19) + POST_HEADERS +
            bytes([checksum]))


class Log:
    """Builds the events of one file in order, so that positions come out right."""

    def __init__(self, name=LOG):
        self.name = name
        self.bytes = b"\xfebin"
        self.add(FORMAT, format_body())

    def add(self, kind, body, **more):
        data = self.make(kind, body, **more)
        self.bytes += data
        return data

    def make(self, kind, body, skew=0, **more):
        """The next event of the file without adding it; log_pos wrong by `skew`."""
        return event(kind, body, len(self.bytes) + 19 + len(body) + 4 + skew, **more)

    def format(self):
        return self.bytes[4:4 + struct.unpack_from("<I", self.bytes, 13)[0]]

    def transaction(self, number):
        """Events of a small transaction, added to the file."""
        return [self.add(*part) for part in transaction_parts(number)]


def transaction_parts(number):
    gtid = bytes([0]) + b"\0" * 24 + b"\x02" + struct.pack("<qq", number - 1, number)
    gtid += (1700000000000000).to_bytes(7, "little") + b"\xfc\x98\x00" + struct.pack("<I", 90700)
    begin = struct.pack("<IIBHH", 8, 0, 0, 0, 0) + b"\0" + b"BEGIN"
    return [(ANONYMOUS_GTID, gtid), (QUERY, begin), (XID, struct.pack("<Q", number))]


def rotate_body(name, position=4):
    return struct.pack("<Q", position) + name.encode()


class Connection:
    """The server's side of one client connection."""

    def __init__(self, sock):
        self.sock = sock
        self.seq = 0
        self.buffer = b""
        self.semisync = False
        self.acks = []

    def send_raw(self, data):
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Gone(str(error)) from error

    def send(self, payload):
        while True:
            part, payload = payload[:0xFFFFFF], payload[0xFFFFFF:]
            self.send_raw(len(part).to_bytes(3, "little") + bytes([self.seq]) + part)
            self.seq = (self.seq + 1) & 0xFF
            if len(part) < 0xFFFFFF:
                return

    def receive(self):
        header = self._exactly(4)
        self.seq = (header[3] + 1) & 0xFF
        return self._exactly(int.from_bytes(header[:3], "little"))

    def _exactly(self, size):
        while len(self.buffer) < size:
            try:
                data = self.sock.recv(65536)
            except OSError as error:
                raise Gone(str(error)) from error
            if not data:
                raise Gone("end of file")
            self.buffer += data
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def ok(self):
        self.send(b"\x00\x00\x00\x02\x00\x00\x00")

    def error(self, code, text):
        self.send(b"\xff" + struct.pack("<H", code) + b"#HY000" + text.encode())

    def rows(self, names, rows):
        """A text result set; None is NULL."""
        self.send(bytes([len(names)]))
        for name in names:
            self.send(b"".join(lenenc(part) for part in ("def", "", "", "", name, "")) +
                      b"\x0c" + struct.pack("<HIBHBH", 45, 1024, 0xFD, 0, 0, 0))
        self.send(b"\xfe\0\0\x02\0")
        for row in rows:
            self.send(b"".join(b"\xfb" if cell is None else lenenc(cell) for cell in row))
        self.send(b"\xfe\0\0\x02\0")

    def event(self, data, flagged=False):
        """One event packet; a flagged one asks for an ACK and restarts the sequence."""
        head = bytes([0xEF, 1 if flagged else 0]) if self.semisync else b""
        self.send(b"\0" + head + data)
        if flagged and self.semisync:
            self.seq = 1

    def wait_ack(self):
        """Read until an ACK came: (position, file name)."""
        while True:
            payload = self.receive()
            if payload[:1] == b"\xef":
                self.seq = 1
                ack = int.from_bytes(payload[1:9], "little"), payload[9:].decode("latin-1")
                self.acks.append(ack)
                return ack

    def begin(self, log):
        """The artificial Rotate and the format description that open each file's dump."""
        self.resume(log, 4)

    def resume(self, log, position):
        """The same for a dump that does not begin at the file's start."""
        self.event(event(ROTATE, rotate_body(log.name, position), 0, FLAG_ARTIFICIAL, when=0))
        self.event(log.format())


def lenenc(text):
    data = text.encode()
    assert len(data) < 251
    return bytes([len(data)]) + data


class FakeSource:
    """Listens until closed. script(connection, request) runs for each of the first `dumps`."""

    def __init__(self, script=None, answers=None, greeting=None, password=lab.PASSWORD,
                 after_login=None, dumps=1):
        self.script = script
        self.dumps = dumps
        self.answers = answers or {}
        self.greeting = greeting
        self.after_login = after_login
        self.password = password
        self.connections, self.dumping = [], []
        self.queries, self.requests, self.errors = [], [], []
        self.connects = 0
        self.received = b""
        self.dumped = threading.Event()
        self.finished = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.listener.close()
        for connection in self.connections:
            connection.sock.close()

    def acks(self):
        return [ack for connection in self.connections for ack in connection.acks]

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connects += 1
            if self.finished.is_set():
                sock.close()
                continue
            sock.settimeout(60)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(sock)
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            if self._login(connection):
                while True:
                    self._command(connection, connection.receive())
        except Gone:
            pass
        except Exception as error:  # a mistake of the script must fail the test, not vanish
            self.errors.append(repr(error))
        finally:
            connection.sock.close()
            if connection in self.dumping and len(self.dumping) >= self.dumps:
                self.finished.set()

    def _login(self, connection):
        salt = bytes(byte % 94 + 33 for byte in os.urandom(20))
        if self.greeting is not None:
            connection.send_raw(self.greeting)
            self.received += connection.receive()
            return False
        connection.send(b"\x0a" + b"9.7.4\0" + struct.pack("<I", 7) + salt[:8] + b"\0" +
                        struct.pack("<HBHHB", SERVER_CAPS & 0xFFFF, 45, 2, SERVER_CAPS >> 16, 21) +
                        b"\0" * 10 + salt[8:] + b"\0mysql_native_password\0")
        response = connection.receive()
        self.received += response
        end = response.index(0, 32)
        answer = response[end + 2:end + 2 + response[end + 1]]
        if answer != myclient.scramble_native(self.password, salt):
            connection.error(1045, "Access denied for user 'repl'@'localhost'")
            return False
        if self.after_login:
            self.after_login(connection)
            return False
        connection.ok()
        return True

    def _command(self, connection, payload):
        command = payload[0]
        if command == myclient.COM_QUERY:
            self._query(connection, payload[1:].decode("utf-8", "replace"))
        elif command in (0x12, 0x1E):
            self.requests.append(payload)
            self.dumping.append(connection)
            self.dumped.set()
            connection.seq = 1
            if self.script:
                self.script(connection, payload)
            while True:
                connection.wait_ack()
        elif command == myclient.COM_QUIT:
            raise Gone("quit")
        else:
            connection.ok()

    def _query(self, connection, text):
        self.queries.append(text)
        text = text.strip().rstrip(";")
        for pattern, answer in self.answers.items():
            if re.search(pattern, text, re.IGNORECASE):
                answer(connection)
                return
        if re.match(r"set\b", text, re.IGNORECASE):
            if re.search(r"rpl_semi_sync_replica\s*=\s*1", text):
                connection.semisync = True
            connection.ok()
        elif re.match(r"show\b", text, re.IGNORECASE):
            self._show(connection, text)
        elif re.match(r"select\b", text, re.IGNORECASE):
            self._select(connection, text)
        else:
            connection.error(1064, "You have an error in your SQL syntax")

    def _show(self, connection, text):
        if re.search(r"binary\s+logs|master\s+logs", text, re.IGNORECASE):
            connection.rows(["Log_name", "File_size", "Encrypted"], [(LOG, "1000", "No")])
            return
        if re.search(r"log\s+status|master\s+status", text, re.IGNORECASE):
            connection.rows(["File", "Position", "Binlog_Do_DB", "Binlog_Ignore_DB",
                             "Executed_Gtid_Set"], [(LOG, "1000", "", "", "")])
            return
        names = [name.lower() for name in re.findall(r"'([^']*)'", text)]
        wanted = [re.compile(name.replace("%", ".*").replace("_", ".")) for name in names]
        connection.rows(["Variable_name", "Value"],
                        [(name, value) for name, value in VARIABLES.items()
                         if any(pattern.fullmatch(name) for pattern in wanted)])

    def _select(self, connection, text):
        values, names = [], []
        for item in split_items(re.sub(r"^select\s+", "", text, flags=re.IGNORECASE)):
            names.append(item[:60])
            variable = re.fullmatch(r"@@?(?:global\.|session\.)?(\w+)", item, re.IGNORECASE)
            if variable and variable.group(1).lower() in VARIABLES:
                values.append(VARIABLES[variable.group(1).lower()])
            elif variable and item.startswith("@@"):
                connection.error(1193, f"Unknown system variable '{variable.group(1)}'")
                return
            elif re.match(r"unix_timestamp", item, re.IGNORECASE):
                values.append(str(int(time.time())))
            elif re.match(r"version\(\)", item, re.IGNORECASE):
                values.append(VARIABLES["version"])
            else:
                values.append(None if variable else "1")
        connection.rows(names, [tuple(values)])


def split_items(text):
    """Items of a select list, split at commas outside parentheses."""
    items, depth, current = [], 0, ""
    for char in text:
        depth += {"(": 1, ")": -1}.get(char, 0)
        if char == "," and depth == 0:
            items.append(current.strip())
            current = ""
        else:
            current += char
    return items + [current.strip()]

"""A small MySQL client: text protocol, native and caching_sha2 login, TCP, TLS or unix socket.

The tests use it where starting a command line client for each statement would be too slow
(load, polling) and where they want to see errors and packets as they come. A unix socket and
TLS count as secure, so caching_sha2's full authentication sends the password there in clear.
"""
import hashlib
import os
import socket
import ssl
import struct

CAP_LONG_PASSWORD = 1 << 0
CAP_CONNECT_WITH_DB = 1 << 3
CAP_PROTOCOL_41 = 1 << 9
CAP_SSL = 1 << 11
CAP_TRANSACTIONS = 1 << 13
CAP_SECURE_CONNECTION = 1 << 15
CAP_PLUGIN_AUTH = 1 << 19

COM_QUIT, COM_QUERY, COM_PING = 0x01, 0x03, 0x0E
FRAGMENT_MAX = 0xFFFFFF


class MyError(Exception):
    """An ERR packet: the statement or login failed, the connection may live on."""

    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class LostConnection(Exception):
    """The connection broke: what the last statement did is unknown."""


def scramble_native(password, salt):
    if not password:
        return b""
    stage1 = hashlib.sha1(password.encode()).digest()
    mask = hashlib.sha1(salt + hashlib.sha1(stage1).digest()).digest()
    return bytes(a ^ b for a, b in zip(stage1, mask))


def scramble_sha2(password, salt):
    if not password:
        return b""
    stage1 = hashlib.sha256(password.encode()).digest()
    mask = hashlib.sha256(hashlib.sha256(stage1).digest() + salt).digest()
    return bytes(a ^ b for a, b in zip(stage1, mask))


SCRAMBLES = {"mysql_native_password": scramble_native, "caching_sha2_password": scramble_sha2}


def read_lenenc(data, at):
    """(value or None for NULL, next offset) of a length-encoded integer."""
    first = data[at]
    if first < 0xFB:
        return first, at + 1
    if first == 0xFB:
        return None, at + 1
    size = {0xFC: 2, 0xFD: 3, 0xFE: 8}[first]
    return int.from_bytes(data[at + 1:at + 1 + size], "little"), at + 1 + size


def parse_row(data):
    row, at = [], 0
    while at < len(data):
        size, at = read_lenenc(data, at)
        if size is None:
            row.append(None)
        else:
            row.append(data[at:at + size].decode("utf-8", "replace"))
            at += size
    return tuple(row)


def parse_type(data):
    """(type, low byte of the flags) of a column."""
    at = 0
    for _ in range(6):
        size, at = read_lenenc(data, at)
        at += size
    kind, flags = struct.unpack_from("<BH", data, at + 7)
    return kind, flags & 0xFF


def parse_error(payload):
    text = payload[3:]
    if text[:1] == b"#":
        text = text[6:]
    return MyError(struct.unpack_from("<H", payload, 1)[0], text.decode("utf-8", "replace"))


class Client:
    """One connection. query() gives rows as tuples of text, or [] for a statement without."""

    def __init__(self, unix_socket=None, host="127.0.0.1", port=3306, user="root", password="",
                 database=None, tls=False, timeout=20, source=None):
        """`source` is the address to come from."""
        self.secure = bool(unix_socket) or tls
        self.sock = None
        self.seq = 0
        self.buffer = b""
        self.columns = []
        self.types = []
        try:
            if unix_socket:
                self.sock = socket.socket(socket.AF_UNIX)
                self.sock.settimeout(timeout)
                self.sock.connect(unix_socket)
            else:
                self.sock = socket.create_connection((host, port), timeout,
                                                     (source, 0) if source else None)
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._login(user, password, database, tls)
        except OSError as error:
            self.drop()
            raise LostConnection(f"connect: {error}") from error
        except (MyError, LostConnection):
            self.drop()
            raise

    def _recv_exactly(self, size):
        while len(self.buffer) < size:
            try:
                data = self.sock.recv(max(65536, size - len(self.buffer)))
            except OSError as error:
                raise LostConnection(str(error)) from error
            if not data:
                raise LostConnection("end of file")
            self.buffer += data
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def read_packet(self):
        payload = b""
        while True:
            header = self._recv_exactly(4)
            size = int.from_bytes(header[:3], "little")
            if header[3] != self.seq:
                raise LostConnection(f"packet {header[3]} came out of order, not {self.seq}")
            self.seq = (header[3] + 1) & 0xFF
            payload += self._recv_exactly(size)
            if size < FRAGMENT_MAX:
                return payload

    def send_packet(self, payload):
        while True:
            part, payload = payload[:FRAGMENT_MAX], payload[FRAGMENT_MAX:]
            try:
                self.sock.sendall(len(part).to_bytes(3, "little") + bytes([self.seq]) + part)
            except OSError as error:
                raise LostConnection(str(error)) from error
            self.seq = (self.seq + 1) & 0xFF
            if len(part) < FRAGMENT_MAX:
                return

    def command(self, payload):
        self.seq = 0
        self.send_packet(payload)

    def _login(self, user, password, database, tls):
        greeting = self.read_packet()
        if greeting[0] == 0xFF:
            raise parse_error(greeting)
        end = greeting.index(0, 1)
        self.server_version = greeting[1:end].decode()
        self.connection_id = struct.unpack_from("<I", greeting, end + 1)[0]
        salt = greeting[end + 5:end + 13] + greeting[end + 32:end + 44]
        plugin = greeting[end + 45:].split(b"\0")[0].decode() or "mysql_native_password"
        caps = (CAP_LONG_PASSWORD | CAP_PROTOCOL_41 | CAP_TRANSACTIONS | CAP_SECURE_CONNECTION |
                CAP_PLUGIN_AUTH | (CAP_CONNECT_WITH_DB if database else 0) |
                (CAP_SSL if tls else 0))
        head = struct.pack("<IIB23x", caps, 1 << 30, 45)
        if tls:
            if not struct.unpack_from("<H", greeting, end + 14)[0] & CAP_SSL:
                raise MyError(2026, "the server has no TLS")
            self.send_packet(head)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.sock = context.wrap_socket(self.sock)
        if plugin not in SCRAMBLES:
            plugin = "mysql_native_password"
        answer = SCRAMBLES[plugin](password, salt)
        self.send_packet(head + user.encode() + b"\0" + bytes([len(answer)]) + answer +
                         (database.encode() + b"\0" if database else b"") +
                         plugin.encode() + b"\0")
        self._finish_login(password)

    def _finish_login(self, password):
        while True:
            reply = self.read_packet()
            if reply[0] == 0x00:
                return
            if reply[0] == 0xFF:
                raise parse_error(reply)
            if reply[0] == 0xFE:
                name, salt = reply[1:].split(b"\0", 1)
                if name.decode() not in SCRAMBLES:
                    raise MyError(2059, f"unknown plugin {name.decode()}")
                self.send_packet(SCRAMBLES[name.decode()](password, salt[:20]))
            elif reply[:2] == b"\x01\x04":
                if not self.secure:
                    raise MyError(2061, "full authentication needs TLS or a unix socket")
                self.send_packet(password.encode() + b"\0")

    def query(self, sql):
        self.command(bytes([COM_QUERY]) + sql.encode())
        return self._read_result()

    def _read_result(self):
        self.columns, self.types = [], []
        first = self.read_packet()
        if first[0] == 0xFF:
            raise parse_error(first)
        if first[0] == 0x00:
            return []
        definitions = [self.read_packet() for _ in range(read_lenenc(first, 0)[0])]
        self.columns = [parse_row(data)[4] for data in definitions]
        self.types = [parse_type(data) for data in definitions]
        self.read_packet()
        rows = []
        while True:
            data = self.read_packet()
            if data[0] == 0xFF:
                raise parse_error(data)
            if data[0] == 0xFE and len(data) < 9:
                return rows
            rows.append(parse_row(data))

    def query_dicts(self, sql):
        """As query(), but each row is {column: value}."""
        rows = self.query(sql)
        return [dict(zip(self.columns, row)) for row in rows]

    def ping(self):
        self.command(bytes([COM_PING]))
        return self._read_result()

    def drop(self):
        """Close without a word."""
        if self.sock:
            self.sock.close()

    def close(self):
        try:
            self.command(bytes([COM_QUIT]))
        except LostConnection:
            pass
        self.drop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def random_text(size):
    """Text of `size` characters that nothing else in the test run holds."""
    return os.urandom((size + 1) // 2).hex()[:size]

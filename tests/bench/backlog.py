"""A backlog of small transactions for the benches, and clients that take it.

The backlog is made by repeating the events of real transactions with their positions and
checksums put right, so that a gigabyte takes seconds.
"""
import os
import struct
import subprocess
import sys
import zlib

import lab
import myclient


GTID, GNO_AT = 33, 19 + 1 + 16


def tcp_client(port):
    """A session on TCP without TLS; the server must have the password in its cache."""
    return myclient.Client(port=port, user="repl", password=lab.PASSWORD)


def build_drain(directory):
    """The program that reads a dump and throws it away."""
    program = os.path.join(directory, "drain")
    source = os.path.join(lab.TOP, "tests", "bench", "drain.c")
    subprocess.run(["gcc", "-O2", "-o", program, source], check=True)
    return program


def split_events(data):
    at = 4
    while at < len(data):
        size = struct.unpack_from("<I", data, at + 9)[0]
        yield bytearray(data[at:at + size])
        at += size


def make_sample(source):
    """(head of a log file, events of real small transactions that can be repeated)."""
    source.query("CREATE DATABASE bench")
    source.query("CREATE TABLE bench.t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(200))")
    source.query("FLUSH BINARY LOGS")
    with source.connect() as client:
        for number in range(200):
            client.query(f"INSERT INTO bench.t (v) VALUES ('{number:0200d}')")
    name, size = source.position()
    with open(source.log_path(name), "rb") as file:
        events = list(split_events(file.read(size)))
    head = [event for event in events if event[4] in (15, 35)]
    return head, events[len(head):]


def write_backlog(path, head, sample, size, gno=0):
    """A log file of about `size` bytes; returns its size and the number of events.

    With `gno` the transactions get GTIDs of their own, from that number on.
    """
    at, count = 4, 0
    with open(path, "wb", buffering=1 << 20) as file:
        file.write(b"\xfebin")
        for event in head:
            file.write(event)
            at += len(event)
        pack, crc32, write = struct.pack_into, zlib.crc32, file.write
        lengths = [len(event) for event in sample]
        views = [memoryview(event)[:-4] for event in sample]
        while at < size:
            for event, view, length in zip(sample, views, lengths):
                at += length
                if gno and event[4] == GTID:
                    pack("<Q", event, GNO_AT, gno)
                    gno += 1
                pack("<I", event, 13, at)
                pack("<I", event, length - 4, crc32(view))
                write(event)
            count += len(sample)
    return at, count


def add_backlog(source, size):
    """Put the made file in the middle of the source's logs, by the index, while it is down."""
    head, sample = make_sample(source)
    for event in head:
        event[17] &= 0xFE
    source.stop()
    last = source.index_names()[-1]
    name = f"mysql-bin.{int(last.rsplit('.', 1)[1]) + 1:06d}"
    made, events = write_backlog(source.log_path(name), head, sample, size)
    with open(os.path.join(source.datadir, "mysql-bin.index"), "a", encoding="utf-8") as index:
        index.write(f"./{name}\n")
    source.start()
    print(f"backlog: {made / 1e9:.2f} GB, {events} events of {made / events:.0f} bytes",
          file=sys.stderr, flush=True)
    return name

"""Tests of the trace checker itself with forged traces: each broken order must be caught.

The good trace below is what the daemon should do for a new file; every test spoils one thing
in it. Without these the checker could agree with anything.
"""
import unittest

import acktrace

DIR = "/d"
LOG = "mysql-bin.000001"


def quoted(data):
    data = data.encode() if isinstance(data, str) else data
    return '"' + "".join(f"\\x{byte:02x}" for byte in data) + '"'


def packet(body, sequence=0):
    return len(body).to_bytes(3, "little") + bytes([sequence]) + body


def ack(position, name=LOG):
    return packet(b"\xef" + position.to_bytes(8, "little") + name.encode())


def dump_request(position, name=LOG):
    return packet(b"\x12" + position.to_bytes(4, "little") + b"\0" * 6 + name.encode())


def dump_gtid_request(position, name=LOG):
    return packet(b"\x1e\0\0\1\0\0\0" + len(name).to_bytes(4, "little") + name.encode() +
                  position.to_bytes(8, "little") + (8).to_bytes(4, "little") + b"\0" * 8)


def send(data, fd=9):
    return f"sendto({fd}, {quoted(data)}, {len(data)}, MSG_NOSIGNAL, NULL, 0) = {len(data)}"


def write(fd, data, offset):
    return f"pwrite64({fd}, {quoted(data)}, {len(data)}, {offset}) = {len(data)}"


def new_log(name=LOG, fd=5):
    return f"openat(3, {quoted(name)}, O_RDWR|O_CREAT|O_EXCL|O_NOFOLLOW, 0640) = {fd}"


def new_index(*names):
    text = "".join(f"./{name}\n" for name in names)
    return [f"openat(3, {quoted('mysql-bin.index.tmp')}, O_WRONLY|O_CREAT|O_TRUNC, 0640) = 6",
            f"write(6, {quoted(text)}, {len(text)}) = {len(text)}", "fsync(6) = 0", "close(6) = 0",
            f"renameat(3, {quoted('mysql-bin.index.tmp')}, 3, {quoted('mysql-bin.index')}) = 0",
            "fsync(3) = 0"]


START = [f"openat(AT_FDCWD, {quoted(DIR)}, O_RDONLY|O_DIRECTORY) = 3",
         "socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 9"]
FILE = [new_log(), write(5, b"x" * 100, 0), "fdatasync(5) = 0", "fsync(3) = 0", *new_index(LOG)]
MORE = [write(5, b"y" * 50, 100), "fdatasync(5) = 0"]


def replay(calls, sizes=None, index=()):
    """Run calls through a checker; an item (pid, text) is a call of another thread."""
    checker = acktrace.Checker(DIR, sizes)
    checker.trust_index(index)
    for at, call in enumerate(calls):
        pid, text = call if isinstance(call, tuple) else (100, call)
        checker.line(f"{pid} 1700000000.{at:06d} {text}")
    return checker


def without(calls, wanted, which=0):
    """The calls with the which-th one that starts with `wanted` left out."""
    places = [at for at, call in enumerate(calls) if call.startswith(wanted)]
    return calls[:places[which]] + calls[places[which] + 1:]


class GoodTraces(unittest.TestCase):
    def assert_good(self, calls, acks=1, requests=0, **more):
        checker = replay(calls, **more)
        self.assertEqual(checker.problems, [])
        self.assertEqual((len(checker.acks), len(checker.requests)), (acks, requests))

    def test_ack_after_all_is_synced_passes(self):
        self.assert_good(START + FILE + MORE + [send(ack(150))])

    def test_ack_below_unsynced_bytes_passes(self):
        self.assert_good(START + FILE + MORE + [write(5, b"z", 150), send(ack(150))])

    def test_requests_at_durable_position_pass(self):
        self.assert_good(START + FILE + MORE + [send(dump_request(150)),
                                                send(dump_gtid_request(150))], 0, 2)

    def test_request_of_everything_passes(self):
        self.assert_good(START + [send(dump_request(4, ""))], 0, 1)

    def test_write_of_a_writing_thread_passes(self):
        self.assert_good(START + FILE + [(101, 'pwrite64(5, "\\x79", 1, 100 <unfinished ...>'),
                                         "fcntl(9, F_GETFL) = 2",
                                         (101, "<... pwrite64 resumed>) = 1"),
                                         (101, "fdatasync(5 <unfinished ...>"),
                                         (101, "<... fdatasync resumed>) = 0"), send(ack(101))])

    def test_appends_with_writev_pass(self):
        opened = f"openat(3, {quoted(LOG)}, O_WRONLY|O_CREAT|O_EXCL|O_APPEND, 0640) = 5"
        vectors = '[{iov_base="\\x01\\x02", iov_len=2}, {iov_base="\\x03"..., iov_len=98}]'
        self.assert_good(START + [opened, f"writev(5, {vectors}, 2) = 100", "fdatasync(5) = 0",
                                  "fsync(3) = 0", *new_index(LOG), send(ack(100))])

    def test_ack_in_pieces_passes(self):
        whole = ack(150)
        self.assert_good(START + FILE + MORE + [send(whole[:7]), send(whole[7:])])

    def test_old_file_synced_again_passes(self):
        self.assert_good(START + [f"openat(3, {quoted(LOG)}, O_RDWR) = 5", "fdatasync(5) = 0",
                                  "fsync(3) = 0", send(dump_request(80))], 0, 1,
                         sizes={f"{DIR}/{LOG}": 80}, index=[LOG])

    def test_second_file_after_first_synced_passes(self):
        self.assert_good(START + FILE + MORE + [new_log("mysql-bin.000002", 7),
                                                write(7, b"a" * 90, 0), "fdatasync(7) = 0",
                                                "fsync(3) = 0", *new_index(LOG, "mysql-bin.000002"),
                                                send(ack(90, "mysql-bin.000002"))])


class BrokenTraces(unittest.TestCase):
    def assert_caught(self, calls, text, **more):
        problems = replay(calls, **more).problems
        self.assertTrue(any(text in problem for problem in problems), problems)

    def test_ack_before_fdatasync_is_caught(self):
        self.assert_caught(START + FILE + MORE[:1] + [send(ack(150)), MORE[1]], "not synced")

    def test_ack_before_write_is_caught(self):
        self.assert_caught(START + FILE + [send(ack(150))] + MORE, "only 100 bytes")

    def test_ack_while_fdatasync_runs_is_caught(self):
        self.assert_caught(START + FILE + MORE[:1] +
                           [(101, "fdatasync(5 <unfinished ...>"), send(ack(150)),
                            (101, "<... fdatasync resumed>) = 0")], "not synced")

    def test_ack_of_bytes_written_while_fdatasync_ran_is_caught(self):
        self.assert_caught(START + FILE +
                           [(101, "fdatasync(5 <unfinished ...>"), write(5, b"y" * 50, 100),
                            (101, "<... fdatasync resumed>) = 0"), send(ack(150))], "not synced")

    def test_write_unfinished_when_fdatasync_began_is_caught(self):
        self.assert_caught(START + FILE + [(102, 'pwrite64(5, "\\x79", 1, 100 <unfinished ...>'),
                                           (101, "fdatasync(5 <unfinished ...>"),
                                           (102, "<... pwrite64 resumed>) = 1"),
                                           (101, "<... fdatasync resumed>) = 0"),
                                           send(ack(101))], "not synced")

    def test_ack_after_failed_fdatasync_is_caught(self):
        self.assert_caught(START + FILE + [MORE[0], "fdatasync(5) = -1 EIO (Input/output error)",
                                           send(ack(150))], "not synced")

    def test_short_write_is_caught(self):
        short = write(5, b"y" * 50, 100).replace("= 50", "= 20")
        self.assert_caught(START + FILE + [short, MORE[1], send(ack(150))], "only 120 bytes")

    def test_fdatasync_of_another_file_is_caught(self):
        self.assert_caught(START + FILE + [MORE[0], "fdatasync(4) = 0", send(ack(150))],
                           "not synced")

    def test_missing_directory_sync_is_caught(self):
        calls = without(without(FILE, "fsync(3)"), "fsync(3)")
        self.assert_caught(START + calls + [send(ack(100))], "directory was not synced")

    def test_unsynced_folder_is_caught(self):
        self.assert_caught(["mkdirat(AT_FDCWD, " + quoted(DIR) + ", 0750) = 0"] + START + FILE +
                           [send(ack(100))], "folder is not synced")

    def test_missing_index_is_caught(self):
        self.assert_caught(START + FILE[:4] + [send(ack(100))], "no durable index")

    def test_index_of_another_name_is_caught(self):
        self.assert_caught(START + FILE[:4] + new_index("other.000001") + [send(ack(100))],
                           "no durable index")

    def test_index_renamed_but_directory_not_synced_is_caught(self):
        self.assert_caught(START + FILE[:-1] + [send(ack(100))], "no durable index")

    def test_index_renamed_unsynced_is_caught(self):
        self.assert_caught(START + without(FILE, "fsync(6)") + [send(ack(100))],
                           "renamed before it was synced")

    def test_earlier_file_unsynced_is_caught(self):
        self.assert_caught(START + FILE + MORE[:1] +
                           [new_log("mysql-bin.000002", 7), write(7, b"a" * 90, 0),
                            "fdatasync(7) = 0", "fsync(3) = 0",
                            *new_index(LOG, "mysql-bin.000002"),
                            send(ack(90, "mysql-bin.000002"))], "earlier file")

    def test_dump_request_past_durable_is_caught(self):
        for request in (dump_request(150), dump_gtid_request(150)):
            self.assert_caught(START + FILE + MORE[:1] + [send(request)], "not synced")

    def test_dump_request_of_old_bytes_never_synced_is_caught(self):
        self.assert_caught(START + [f"openat(3, {quoted(LOG)}, O_RDWR) = 5",
                                    send(dump_request(80))], "not synced",
                           sizes={f"{DIR}/{LOG}": 80}, index=[LOG])

    def test_bytes_cut_off_are_caught(self):
        self.assert_caught(START + FILE + MORE + ["ftruncate(5, 120) = 0", send(ack(150))],
                           "only 120 bytes")

    def test_unknown_file_is_caught(self):
        self.assert_caught(START + FILE + [send(ack(100, "other.000001"))], "no such file")

    def test_ack_by_sendmsg_is_caught(self):
        data = ack(150)
        vector = (f"sendmsg(9, {{msg_name=NULL, msg_namelen=0, msg_iov=[{{iov_base={quoted(data)}, "
                  f"iov_len={len(data)}}}], msg_iovlen=1, msg_controllen=0, msg_flags=0}}, 0) = "
                  f"{len(data)}")
        self.assert_caught(START + FILE + [vector], "only 100 bytes")


if __name__ == "__main__":
    unittest.main(verbosity=2)

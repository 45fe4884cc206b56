"""mysqlbinlog --read-from-remote-server and mariadb-binlog as clients of binlogd.

What they store with --raw equals the stored files; what they print equals what the same
program prints when it reads from the source.
"""
import os
import re
import signal
import subprocess
import unittest

import lab
from lab import PASSWORD, REPLICA_USER, Binlogd, MariaDB, Mysql97


def setUpModule():
    Binlogd.binary()


def printed(command):
    """What a program prints, without what changes with every run or server."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"exit {done.returncode}: {done.stderr.decode('latin-1')}")
    text = done.stdout.decode("latin-1")
    text = re.sub(r"server id \d+ (.*) CRC32 0x\w+ (?=\tGtid list)", r"\1", text)
    return re.sub(r"^(# at \d+|#\d+ .*server id \d+  end_log_pos 0 .*Rotate to .*)\n", "", text,
                  flags=re.MULTILINE)


def make_files(source, turns=3):
    for turn in range(turns):
        lab.write_rows(source, 5 + turn)
        source.query("FLUSH BINARY LOGS")
    lab.write_rows(source, 3)


class Remote(unittest.TestCase):
    """A source at rest and a binlogd that has all of it."""

    @classmethod
    def setUpClass(cls):
        cls.make_source()
        cls.addClassCleanup(cls.source.close)
        cls.source.create_user()
        make_files(cls.source)
        cls.daemon = Binlogd(cls.source, users=cls.users)
        cls.addClassCleanup(cls.daemon.close)
        cls.source.connect("repl", PASSWORD).close()  # so that the fast path suffices on TCP
        lab.wait_caught_up(cls.source, cls.daemon)
        cls.names = cls.daemon.copies()

    users = REPLICA_USER
    transport = ["--get-server-public-key", "--ssl-mode=DISABLED"]

    def command(self, port, *args):
        how = [] if any("remote-source" in arg for arg in args) else ["--read-from-remote-server"]
        return self.source.mysqlbinlog() + [
            "--no-defaults", *how, "--host=127.0.0.1", f"--port={port}", "--user=repl",
            f"--password={PASSWORD}", *self.transport, *args]

    def assert_prints_the_same(self, *args):
        ours = printed(self.command(self.daemon.port(), *args))
        theirs = printed(self.command(self.source.port, *args))
        self.assertEqual(ours, theirs)
        return ours

    def fetch_raw(self, *args):
        directory = lab.temp_dir()
        printed(self.command(self.daemon.port(), "--raw", f"--result-file={directory}/", *args))
        return directory

    def assert_equals_copies(self, directory, names):
        self.assertEqual(sorted(os.listdir(directory)), names)
        for name in names:
            self.assertIsNone(lab.same_bytes(self.daemon.copy_path(name),
                                             os.path.join(directory, name)))


class Mysqlbinlog(Remote):
    @classmethod
    def make_source(cls):
        Mysql97.available()
        cls.source = Mysql97("--gtid-mode=ON", "--enforce-gtid-consistency=ON")

    def test_raw_files_equal_the_copies(self):
        directory = self.fetch_raw("--to-last-log", self.names[0])
        self.assert_equals_copies(directory, self.names)

    def test_raw_of_one_file(self):
        self.assert_equals_copies(self.fetch_raw(self.names[1]), [self.names[1]])

    def test_stop_never_follows_through_rotations(self):
        directory = lab.temp_dir()
        process = lab.spawn(self.command(self.daemon.port(), "--raw", "--stop-never",
                                         "--connection-server-id=99",
                                         f"--result-file={directory}/", self.names[0]),
                            os.path.join(self.daemon.dir, "stop-never.log"))
        with Follower(process):
            make_files(self.source, 2)
            lab.wait_caught_up(self.source, self.daemon)
            names = self.daemon.copies()

            def arrived():
                return sorted(os.listdir(directory)) == names and all(
                    os.path.getsize(os.path.join(directory, name)) ==
                    os.path.getsize(self.daemon.copy_path(name)) for name in names)
            lab.wait_until(arrived, 20, "the files to be fetched")
        self.assert_equals_copies(directory, names)
        type(self).names = names

    def test_text_of_all_files(self):
        text = self.assert_prints_the_same("-v", "--to-last-log", self.names[0])
        self.assertIn("INSERT INTO `lab`.`t`", text)

    def test_start_position(self):
        with open(self.daemon.copy_path(self.names[1]), "rb") as file:
            data = file.read()
        at, positions = 4, []
        while at < len(data):
            positions.append(at)
            at += int.from_bytes(data[at + 9:at + 13], "little")
        for position in positions[len(positions) // 2], positions[-1], len(data):
            with self.subTest(position=position):
                self.assert_prints_the_same("-v", f"--start-position={position}", self.names[1])

    def test_stop_position(self):
        self.assert_prints_the_same("-v", "--stop-position=900", self.names[1])

    def test_gtid_sets_included_and_excluded(self):
        uuid = self.source.query("SELECT @@server_uuid")[0][0]
        for option in ("--include-gtids", "--exclude-gtids"):
            for part in ("1", "2-6", "4:8-9", "100-200"):
                with self.subTest(option=option, part=part):
                    self.assert_prints_the_same("-v", f"{option}={uuid}:{part}", "--to-last-log",
                                                self.names[0])

    def test_by_gtid_excluded_sets_are_not_sent(self):
        uuid = self.source.query("SELECT @@server_uuid")[0][0]
        args = ["--read-from-remote-source=BINLOG-DUMP-GTIDS", "-v", f"--exclude-gtids={uuid}:1-9",
                "--to-last-log", self.names[0]]
        self.assert_prints_the_same(*args)

    def test_unknown_file_is_refused_in_the_same_words(self):
        said = []
        for port in (self.daemon.port(), self.source.port):
            done = subprocess.run(self.command(port, "mysql-bin.777777"), stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, timeout=30)
            self.assertNotEqual(done.returncode, 0)
            said.append(done.stderr.splitlines()[-1])
        self.assertEqual(*said)


class MysqlbinlogTls(Remote):
    transport = ["--ssl-mode=REQUIRED"]

    @classmethod
    def make_source(cls):
        Mysql97.available()
        cls.source = Mysql97()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        directory = lab.make_certificates(lab.temp_dir())
        cls.daemon.sections["server"].update(ssl_cert=f"{directory}/server-cert.pem",
                                             ssl_key=f"{directory}/server-key.pem")
        cls.daemon.restart()

    def test_raw_files_equal_the_copies(self):
        self.assert_equals_copies(self.fetch_raw("--to-last-log", self.names[0]), self.names)


class MariadbBinlog(Remote):
    users = {"repl": lab.account(plugin="mysql_native_password")}
    transport = []

    @classmethod
    def make_source(cls):
        MariaDB.available()
        cls.source = MariaDB()

    def test_raw_files_equal_the_copies(self):
        self.assert_equals_copies(self.fetch_raw("--to-last-log", self.names[0]), self.names)

    def test_text_of_all_files(self):
        text = self.assert_prints_the_same("-v", "--to-last-log", self.names[0])
        self.assertIn("INSERT INTO `lab`.`t`", text)

    def test_start_position(self):
        self.assert_prints_the_same("-v", "--start-position=4", self.names[1])

    def test_gtids(self):
        """From and up to a GTID."""
        for args in (["--start-position=0-1-5"], ["--start-position=0-1-5", "--stop-position=0-1-9"],
                     ["--stop-position=0-1-7"], ["--start-position=0-1-16"],
                     ["--start-position=0-1-5", "--gtid-strict-mode=1"]):
            with self.subTest(args=args):
                text = self.assert_prints_the_same("-v", *args, "--to-last-log", self.names[0])
                self.assertIn("gtid_seq_no", text)

    def test_gtids_that_are_not_there(self):
        for gtids, words in (("0-9-999", "which is not in the master's binlog"),
                             ("0-1-5,5-5-5", "never reached expected GTID state of 5-5-5")):
            said = []
            for port in (self.source.port, self.daemon.port()):
                with self.assertRaises(AssertionError) as caught:
                    printed(self.command(port, f"--start-position={gtids}", "--to-last-log",
                                         self.names[0]))
                said.append(str(caught.exception))
            self.assertIn(words, said[0])
            self.assertEqual(*said)

    def test_stop_never_follows(self):
        directory = lab.temp_dir()
        process = lab.spawn(self.command(self.daemon.port(), "--raw", "--stop-never",
                                         f"--result-file={directory}/", self.names[0]),
                            os.path.join(self.daemon.dir, "stop-never.log"))
        with Follower(process):
            lab.write_rows(self.source)
            lab.wait_caught_up(self.source, self.daemon)
            name = self.daemon.copies()[-1]
            path = os.path.join(directory, name)
            lab.wait_until(lambda: os.path.exists(path) and os.path.getsize(path) ==
                           os.path.getsize(self.daemon.copy_path(name)), 20, "the last file")
        self.assert_equals_copies(directory, self.daemon.copies())


class Follower:
    """A program that never ends by itself."""

    def __init__(self, process):
        self.process = process

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)


if __name__ == "__main__":
    unittest.main(verbosity=2)

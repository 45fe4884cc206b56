"""Bad input: wrong settings, sources that cannot be used, and a source that sends nonsense.

Each mistake must give one clear log line and the right exit code or a retry; what was stored
stays as it is. The hostile source is scripted: it logs the daemon in, sends one good
transaction, waits for its ACK and then misbehaves. Then the connection must be dropped, and
nothing beyond the good bytes may be written or acknowledged.
"""
import contextlib
import os
import re
import signal
import struct
import subprocess
import time
import unittest

import fakesource
import lab
import ledger
from fakesource import FLAG_ARTIFICIAL, LOG, QUERY, ROTATE, XID, FakeSource, Gone
from lab import Binlogd, Mysql97


OUTSIDE = lab.temp_dir()


def setUpModule():
    Binlogd.binary()


def problem_lines(daemon, words):
    """Log lines at warning or error level that match the words."""
    return [line for line in daemon.log_text().splitlines()
            if re.match(r"\S+ (warn|error) ", line) and re.search(words, line, re.IGNORECASE)]


def wait_problem(daemon, words, timeout=15):
    lab.wait_until(lambda: problem_lines(daemon, words), timeout,
                   f"a problem like {words!r} in the daemon's log")


class Configuration(unittest.TestCase):
    """Mistakes in the file or the options: exit 2 and a message that says where."""

    good = ("[dumper]\nhost=127.0.0.1\nuser=repl\npassword=x\nserver_id=7\n"
            "[storage]\ndirectory={dir}\n[server]\nlisten=127.0.0.1:0\n")

    def setUp(self):
        self.dir = lab.temp_dir()
        self.path = os.path.join(self.dir, "my.ini")

    def run_with(self, text, *command, mode=0o600):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text.format(dir=self.dir))
        os.chmod(self.path, mode)
        return self.run_binary(*command, "-c", self.path)

    @staticmethod
    def run_binary(*arguments):
        return subprocess.run([Binlogd.binary(), *arguments], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)

    def test_good_file_checks(self):
        done = self.run_with(self.good, "check")
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_mistake_names_file_line_and_key(self):
        lines = self.good.count("\n")
        cases = [
            ("[dumper]\nhots=a\n", lines + 2, "hots"),
            ("[dumper]\nport=70000\n", lines + 2, "port"),
            ("[dumper]\nport=12x\n", lines + 2, "port"),
            ("[dumper]\nssl_mode=maybe\n", lines + 2, "ssl_mode"),
            ("[dumper]\nhost=b\n", lines + 2, "host"),
            ("[storage]\nexpire_days=-1\n", lines + 2, "expire_days"),
            ("[log]\nlevel=loud\n", lines + 2, "level"),
            ("[dumper]\nstart=yesterday\n", lines + 2, "start"),
            ("[log]\nfile=" + "x" * 5000 + "\n", lines + 2, "bytes"),
            ("[nothing]\na=b\n", lines + 1, "nothing"),
        ]
        for text, line, key in cases:
            for command in (["check"], []):
                with self.subTest(text=text[:40], command=command):
                    done = self.run_with(self.good + text, *command)
                    self.assertEqual(done.returncode, 2, done.stdout)
                    self.assertIn(key, done.stdout)
                    self.assertRegex(done.stdout, rf"my\.ini\b.*\b({line}|{line + 1})\b")

    def test_missing_values_are_named(self):
        for key in ("host", "user", "server_id"):
            with self.subTest(key=key):
                done = self.run_with(re.sub(rf"(?m)^{key}=.*\n", "", self.good), "check")
                self.assertEqual(done.returncode, 2, done.stdout)
                self.assertIn(key, done.stdout)

    def test_password_readable_by_others_is_refused(self):
        done = self.run_with(self.good, mode=0o644)
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("my.ini", done.stdout)

    def test_missing_file_is_named(self):
        done = self.run_binary("-c", "/nonexistent/my.ini")
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("/nonexistent/my.ini", done.stdout)

    def test_unknown_option_is_usage_error(self):
        for arguments in (["--nonsense"], ["nonsense"], ["-c"]):
            self.assertEqual(self.run_binary(*arguments).returncode, 2, arguments)

    def test_version_and_help_succeed(self):
        self.assertRegex(self.run_binary("-V").stdout, r"\d+\.\d+")
        self.assertIn("-c", self.run_binary("-h").stdout)


class Directory(unittest.TestCase):
    """Data directories that cannot be used."""

    def test_second_daemon_is_refused(self):
        with FakeSource() as source, Binlogd(source) as first:
            first.wait_for(lambda: source.queries, 10)
            second = Binlogd(source, sections={"storage": {"directory": first.storage}})
            self.assertEqual(second.wait_exit(10), 1)
            self.assertTrue(problem_lines(second, re.escape(first.storage)), second.log_text())
            self.assertIsNone(first.process.poll())
            self.assertEqual(first.stop(), 0)

    def test_missing_directory_is_named(self):
        with FakeSource() as source:
            daemon = Binlogd(source, sections={"storage": {"directory": "/nonexistent/dir"}})
            self.assertIn(daemon.wait_exit(10), (1, 2))
            self.assertIn("/nonexistent/dir", daemon.log_text())

    def test_read_only_directory_is_named(self):
        with FakeSource() as source:
            daemon = Binlogd(source, run=False)
            with lab.tmpfs(daemon.storage, "ro"):
                daemon.start()
                self.assertIn(daemon.wait_exit(10), (1, 3))
                self.assertRegex(daemon.log_text(), r"(?i)read-only")
                self.assertIn(daemon.storage, daemon.log_text())

    def test_full_directory_waits_and_goes_on(self):
        Mysql97.available()
        with Mysql97() as source:
            source.create_user()
            ledger.create_table(source)
            with ledger.Load(source, 1, pad=100000, commits=60) as load:
                self.assertTrue(load.join(30))
            daemon = Binlogd(source, run=False)
            with lab.tmpfs(daemon.storage, "size=2m,mode=0750"), daemon:
                daemon.start()
                wait_problem(daemon, "space|full", 15)
                time.sleep(1)
                self.assertIsNone(daemon.process.poll())
                self.assertEqual(len(problem_lines(daemon, "space|full")), 1)
                lab.check_copies(source, daemon, live=True)
                subprocess.run(["mount", "-o", "remount,size=64m", daemon.storage], check=True)
                lab.wait_caught_up(source, daemon, 20)
                lab.check_copies(source, daemon)
                self.assertEqual(daemon.stop(), 0)


class Source(unittest.TestCase):
    """Real sources that refuse us or that we must refuse."""

    @classmethod
    def setUpClass(cls):
        Mysql97.available()
        cls.source = Mysql97()
        cls.addClassCleanup(cls.source.close)
        cls.source.create_user()
        cls.source.create_user("bare", grant=None)

    def assert_told_once(self, words, source=None, seconds=2.5, **keys):
        """One line says it, the daemon keeps trying, nothing is stored."""
        with Binlogd(source or self.source, **keys) as daemon:
            wait_problem(daemon, words, 15)
            time.sleep(seconds)
            self.assertEqual(len(problem_lines(daemon, words)), 1, daemon.log_text())
            self.assertIsNone(daemon.process.poll(), "the daemon gave up")
            self.assertEqual(daemon.copies(), [])
            self.assertEqual(daemon.stop(), 0)

    def test_wrong_password_is_told_once(self):
        self.assert_told_once("access denied|password", password="wrong")

    def test_unknown_user_is_told_once(self):
        # The source answers unknown names with a plugin picked at random.
        self.assert_told_once("access denied|plugin", user="nobody")

    def test_unknown_host_is_told_once(self):
        self.assert_told_once(r"no-such-host\.invalid", host="no-such-host.invalid")

    def test_closed_port_is_told_once(self):
        self.assert_told_once("refused", port=lab.free_port())

    def test_missing_socket_is_told_once(self):
        self.assert_told_once("/nonexistent.sock", host="/nonexistent.sock")

    def test_missing_privilege_is_named(self):
        self.assert_told_once("REPLICATION SLAVE", user="bare")

    def test_missing_privilege_for_latest_is_named(self):
        self.assert_told_once("REPLICATION CLIENT", start="latest")

    def test_same_server_id_is_named(self):
        self.assert_told_once("server_id", server_id=1)

    def test_source_without_binary_log_is_named(self):
        with Mysql97(log_bin=False) as source:
            source.unlogged("CREATE USER repl@'%' IDENTIFIED BY '" + lab.PASSWORD + "'",
                            "GRANT REPLICATION SLAVE ON *.* TO repl@'%'")
            self.assert_told_once("binary log|log_bin|log-bin", source)

    def test_removed_start_file_is_named(self):
        self.assert_told_once("mysql-bin.000777|Could not find", start="mysql-bin.000777:4")


class Nonsense(unittest.TestCase):
    """A source that misbehaves after one good, acknowledged transaction."""

    def attack(self, misbehave, words):
        """misbehave(connection, log) sends the bad part; words: what a log line must say."""
        log = fakesource.Log()
        acked = []

        def script(connection, _):
            connection.begin(log)
            gtid, begin, commit = log.transaction(1)
            connection.event(gtid)
            connection.event(begin)
            connection.event(commit, flagged=True)
            acked.append(connection.wait_ack())
            misbehave(connection, log)

        with FakeSource(script) as source, Binlogd(source) as daemon:
            before = self.files_outside(daemon)
            daemon.wait_for(lambda: source.finished.is_set() or source.errors, 30)
            self.assertEqual(source.errors, [])
            good = len(log.bytes)
            self.assertEqual(acked, [(self.end_of_first, LOG)])
            self.assertEqual(source.acks(), acked, "the bad part was acknowledged")
            wait_problem(daemon, words, 5)
            self.assertIsNone(daemon.process.poll())
            with open(daemon.copy_path(LOG), "rb") as copy:
                stored = copy.read()
            self.assertEqual(stored, log.bytes[:len(stored)])
            self.assertTrue(self.end_of_first <= len(stored) <= good)
            self.assertEqual(daemon.copies(), [LOG])
            self.assertEqual(self.files_outside(daemon), before)
            daemon.wait_for(lambda: source.connects >= 2, 10)
            self.assertEqual(daemon.stop(), 0)

    @property
    def end_of_first(self):
        log = fakesource.Log()
        log.transaction(1)
        return len(log.bytes)

    @staticmethod
    def files_outside(daemon):
        return (sorted(os.listdir(daemon.dir)), os.listdir(OUTSIDE),
                sorted(name for name in os.listdir(daemon.storage)
                       if not re.match(r"\d{4}-|server-uuid|binlogd\.(lock|sock)", name)))

    @staticmethod
    def bad_event(connection, log, data=None, **more):
        """A flagged commit event that is wrong in one way."""
        data = data if data is not None else log.make(XID, struct.pack("<Q", 2), **more)
        connection.event(data, flagged=True)

    def test_bad_crc_is_not_stored(self):
        def send(connection, log):
            good = log.make(XID, struct.pack("<Q", 2))
            self.bad_event(connection, log, good[:-1] + bytes([good[-1] ^ 1]))
        self.attack(send, "checksum|crc")

    def test_damaged_body_is_not_stored(self):
        def send(connection, log):
            good = bytearray(log.make(XID, struct.pack("<Q", 2)))
            good[22] ^= 0x40
            self.bad_event(connection, log, bytes(good))
        self.attack(send, "checksum|crc")

    def test_length_above_packet_is_not_stored(self):
        def send(connection, log):
            good = bytearray(log.make(XID, struct.pack("<Q", 2)))
            struct.pack_into("<I", good, 9, len(good) + 10)
            self.bad_event(connection, log, bytes(good))
        self.attack(send, "length|size|bytes")

    def test_length_below_packet_is_not_stored(self):
        def send(connection, log):
            good = bytearray(log.make(XID, struct.pack("<Q", 2)))
            struct.pack_into("<I", good, 9, len(good) - 1)
            self.bad_event(connection, log, bytes(good))
        self.attack(send, "length|size|bytes")

    def test_length_of_four_gigabytes_is_not_stored(self):
        def send(connection, log):
            good = bytearray(log.make(XID, struct.pack("<Q", 2)))
            struct.pack_into("<I", good, 9, 0xFFFFFFF0)
            self.bad_event(connection, log, bytes(good))
        self.attack(send, "length|size|bytes|large|big|limit")

    def test_length_below_header_is_not_stored(self):
        def send(connection, log):
            self.bad_event(connection, log, b"\0" * 4 + b"\x10" + b"\0" * 4 + b"\x05" + b"\0" * 9)
        self.attack(send, "length|size|short|bytes")

    def test_empty_event_packet_is_dropped(self):
        self.attack(lambda connection, log: connection.send(b"\0\xef\1"), "length|size|short|bytes")

    def test_jump_of_log_pos_is_not_stored(self):
        for skew in (1, -1, 100000):
            with self.subTest(skew=skew):
                self.attack(lambda connection, log, skew=skew:
                            self.bad_event(connection, log, skew=skew), "position|log_pos")

    def test_wrong_sequence_number_is_dropped(self):
        def send(connection, log):
            connection.seq = 77
            self.bad_event(connection, log)
        self.attack(send, "sequence|order")

    def test_missing_semisync_header_is_dropped(self):
        def send(connection, log):
            connection.send(b"\0" + log.make(QUERY, b"\0" * 13 + b"\0BEGIN"))
        self.attack(send, ".")

    def test_bad_file_names_are_refused(self):
        for name in ("../x.000001", f"{OUTSIDE}/x.000001", ".hidden.000001", "a/b.000002", "x", "",
                     "mysql-bin.00000\x002", "n" * 300 + ".000001"):
            with self.subTest(name=name[:20]):
                def send(connection, _, name=name):
                    connection.event(fakesource.event(ROTATE, fakesource.rotate_body(name), 0,
                                                      FLAG_ARTIFICIAL, when=0))
                self.attack(send, "name|rotate")

    def test_bad_name_in_stored_rotate_is_refused(self):
        def send(connection, log):
            connection.event(log.make(ROTATE, fakesource.rotate_body("../x.000001")))
            connection.event(fakesource.event(ROTATE, fakesource.rotate_body("../x.000001"), 0,
                                              FLAG_ARTIFICIAL, when=0))
        self.attack(send, "name|rotate")

    def test_endless_packet_is_dropped_early(self):
        sent = []

        def send(connection, log):
            head = b"\0\xef\1" + log.make(XID, struct.pack("<Q", 2))
            fragment = b"\xff\xff\xff"
            for number in range(80):
                body = head.ljust(0xFFFFFF, b"x") if number == 0 else b"x" * 0xFFFFFF
                connection.send_raw(fragment + bytes([connection.seq]) + body)
                connection.seq = (connection.seq + 1) & 0xFF
                sent.append(number)
        self.attack(send, "length|size|bytes|packet|large")
        self.assertLess(len(sent), 10)

    def test_end_of_file_packet_reconnects(self):
        self.attack(lambda connection, log: connection.send(b"\xfe\0\0\2\0"), "end|eof")

    def test_fatal_error_of_source_is_told(self):
        self.attack(lambda connection, log: connection.error(1236, "Could not open log file"),
                    "1236|Could not open log file")


class EndlessNonsense(unittest.TestCase):
    """A source that sends the same bad event whenever it is asked, until it is mended."""

    tries = 10

    def setUp(self):
        self.log = fakesource.Log()
        self.first = self.log.transaction(1)
        self.durable = len(self.log.bytes)
        self.mended = False
        self.source = FakeSource(self.script, dumps=1000)
        self.addCleanup(self.source.close)
        self.daemon = Binlogd(self.source, retry_max=0.1,
                              users={"boss": lab.account(rights="replicate,status,admin")},
                              sections={"metrics": {"listen": "127.0.0.1:0"}})
        self.addCleanup(self.daemon.close)

    def script(self, connection, request):
        position = struct.unpack_from("<I", request, 1)[0]
        connection.resume(self.log, position)
        if position == 4:
            for event in self.first[:-1]:
                connection.event(event)
        else:
            self.assertEqual(position, self.durable - len(self.first[-1]))
        connection.event(self.first[-1], flagged=True)
        connection.wait_ack()
        if not self.mended:
            connection.event(self.log.make(XID, struct.pack("<Q", 2), skew=1), flagged=True)
            return
        gtid, begin, commit = self.log.transaction(2)
        connection.event(gtid)
        connection.event(begin)
        connection.event(commit, flagged=True)
        connection.wait_ack()

    def boss(self, sql):
        with self.daemon.connect("boss") as client:
            return client.query_dicts(sql)

    def wait_given_up(self):
        self.daemon.wait_for(" error dumper: stopped after 10 tries that brought nothing new; ")
        self.assertEqual(self.source.errors, [])

    def assert_goes_on(self):
        lab.wait_until(lambda: [ack for ack in self.source.acks() if ack[0] > self.durable], 20,
                       "the ACK of the second transaction")
        self.assertEqual(self.stored(), self.log.bytes)
        self.assertEqual(self.boss("SHOW REPLICA STATUS")[0]["Last_IO_Error"], "")

    def test_source_is_left_and_clients_are_served(self):
        self.wait_given_up()
        self.assertEqual(len(self.source.requests), self.tries)
        connects = self.source.connects
        row = self.boss("SHOW REPLICA STATUS")[0]
        self.assertEqual((row["Replica_IO_Running"], row["Last_IO_Errno"]), ("No", "13117"))
        self.assertRegex(row["Last_IO_Error"], r"mend the source, then START REPLICA or start "
                         rf"binlogd again: source 127\.0\.0\.1:{self.source.port}: Xid event with "
                         r"log_pos \d+ where \d+ is due$")
        self.assertEqual((self.stored(), self.served()), (self.log.bytes, self.log.bytes))
        self.assertEqual(self.daemon.get("/healthz")[0], 503)
        metrics = self.daemon.metrics()
        self.assertEqual((metrics['binlogd_state{state="STOPPED"}'],
                          metrics['binlogd_errors_total{kind="malformed"}']), (1, self.tries))
        screen = self.daemon.ask()
        self.assertEqual(screen.returncode, 1)
        self.assertIn("State       STOPPED: the source sends what cannot be stored\n", screen.stdout)
        time.sleep(1)  # ten times as long as before another try
        self.assertEqual(self.source.connects, connects)
        self.assertEqual(len(problem_lines(self.daemon, "log_pos")), 2)  # the first, and the last
        self.mended = True
        self.boss("START REPLICA")
        self.assert_goes_on()
        self.assertEqual(self.daemon.stop(), 0)

    def stored(self):
        with open(self.daemon.copy_path(LOG), "rb") as copy:
            return copy.read()

    def served(self):
        """The file as a client gets it."""
        got = b"\xfebin"
        with self.daemon.connect("boss") as client:
            client.query("SET @source_binlog_checksum='CRC32'")
            client.command(b"\x12" + struct.pack("<IHI", 4, 1, 99) + LOG.encode())
            while (packet := client.read_packet())[:1] == b"\0":
                if packet[5] != ROTATE or packet[1:5] != b"\0" * 4:
                    got += packet[1:]
        return got

    def test_reload_begins_again_unless_the_operator_stopped_it(self):
        self.wait_given_up()
        with FakeSource(self.script, dumps=1000) as other:
            self.mended = True
            self.boss("STOP REPLICA")
            self.reload(other.port)
            time.sleep(0.5)
            self.assertEqual(other.connects, 0)
            self.mended = False
            self.reload(self.source.port)
            self.boss("START REPLICA")
            lab.wait_until(lambda: self.daemon.log_text().count(": stopped after 10 tries") == 2, 20,
                           "the second stop")
            self.mended = True
            self.source = other
            self.reload(other.port)
            self.assert_goes_on()

    def reload(self, port):
        done = self.daemon.log_text().count("configuration reloaded")
        self.daemon.sections["dumper"]["port"] = port
        self.daemon.write_config()
        self.daemon.signal(signal.SIGHUP)
        lab.wait_until(lambda: self.daemon.log_text().count("configuration reloaded") > done, 10,
                       "the reload")


class NonsenseBeforeDump(unittest.TestCase):
    """A source that misbehaves while it greets, logs in or answers questions."""

    def attack(self, words, leaks=(), **script):
        with FakeSource(**script) as source, Binlogd(source) as daemon:
            daemon.wait_for(lambda: source.connects >= 2, 20)
            wait_problem(daemon, words, 5)
            self.assertEqual(source.errors, [])
            self.assertEqual(daemon.copies(), [])
            self.assertFalse(source.dumped.is_set())
            self.assertNotIn(lab.PASSWORD.encode(), source.received)
            self.assertIsNone(daemon.process.poll())
            self.assertEqual(daemon.stop(), 0)
            self.assertNotIn(lab.PASSWORD, daemon.log_text())
            for leak in leaks:
                self.assertNotIn(leak, source.received)

    @staticmethod
    def must_get_nothing(payload):
        """Send the payload; any answer of the client is an error."""
        def answer(connection):
            connection.send(payload)
            with contextlib.suppress(Gone):
                raise AssertionError(f"client answered {connection.receive()!r}")
            raise Gone
        return answer

    def test_local_infile_request_is_refused(self):
        self.attack("local infile|0xfb|file",
                    answers={".": self.must_get_nothing(b"\xfb/etc/hosts")})

    def test_clear_password_request_is_refused(self):
        self.attack("mysql_clear_password",
                    after_login=self.must_get_nothing(b"\xfemysql_clear_password\0"))

    def test_unknown_plugin_is_named(self):
        switch = b"\xfeshiny_auth\0" + b"x" * 20
        self.attack("shiny_auth", after_login=self.must_get_nothing(switch))

    def test_endless_answer_is_dropped(self):
        sent = []

        def answer(connection):
            for _ in range(64):
                connection.send_raw(b"\xff\xff\xff" + bytes([connection.seq]) + b"\1" * 0xFFFFFF)
                connection.seq = (connection.seq + 1) & 0xFF
                sent.append(1)
        self.attack(".", answers={".": answer})
        self.assertLess(len(sent), 20)

    def test_garbage_answers_are_dropped(self):
        for payload in (b"", b"\x01", b"\xff", b"\xfc\xff\xff" + b"x" * 10, b"\xfe" + b"\xff" * 8):
            with self.subTest(payload=payload):
                def answer(connection, payload=payload):
                    connection.send(payload)
                    connection.send(b"")
                    raise Gone
                self.attack(".", answers={".": answer})

    def test_garbage_greetings_are_dropped(self):
        greetings = {
            "old protocol": (b"\x04\0\0\0\x09 5.", "protocol"),
            "error": (b"\x17\0\0\0\xff\x10\x04Too many connections", "1040|Too many connections"),
            "cut": (b"\x08\0\0\0\x0a9.7.4\0\x01", "."),
            "http": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "."),
        }
        for name, (greeting, words) in greetings.items():
            with self.subTest(name=name):
                self.attack(words, greeting=greeting)


if __name__ == "__main__":
    unittest.main(verbosity=2)

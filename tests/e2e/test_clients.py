"""What people and tools type: real clients log in to binlogd and ask it things."""
import re
import signal
import socket
import struct
import subprocess
import unittest

import lab
import myclient
from lab import PASSWORD, Binlogd, Mysql97

NATIVE = {"plugin": "mysql_native_password"}
MARIADB = ["mariadb"]
TRANSACTION = re.compile(r"^[0-9a-f-]{36}:1-\d+$")


def setUpModule():
    Binlogd.binary()
    Mysql97.available()


class Clients(unittest.TestCase):
    """A source at rest, a binlogd with TLS that has all of it, and accounts of both kinds."""

    server = {}

    @classmethod
    def setUpClass(cls):
        cls.source = Mysql97("--gtid-mode=ON", "--enforce-gtid-consistency=ON")
        cls.addClassCleanup(cls.source.close)
        cls.source.create_user()
        lab.write_rows(cls.source)
        cls.source.query("FLUSH BINARY LOGS")
        lab.write_rows(cls.source)
        cls.certificates = lab.make_certificates(lab.temp_dir())
        cls.daemon = Binlogd(cls.source, users={
            "repl": lab.account(), "old": lab.account(**NATIVE),
            "boss": lab.account(rights="replicate,status,admin"),
            "plain": lab.account(rights="replicate")}, sections={"server": {
                "ssl_cert": f"{cls.certificates}/server-cert.pem",
                "ssl_key": f"{cls.certificates}/server-key.pem", **cls.server}})
        cls.addClassCleanup(cls.daemon.close)
        lab.wait_caught_up(cls.source, cls.daemon)

    def tearDown(self):
        self.assertIsNone(self.daemon.process.poll(), "binlogd ended")

    def run_client(self, program, *args, user="repl", password=PASSWORD, tcp=True, text=""):
        """(exit code, what it printed, what it complained about)."""
        where = (["--protocol=TCP", "--host=127.0.0.1", f"--port={self.daemon.port()}"] if tcp
                 else ["--protocol=SOCKET", f"--socket={self.daemon.socket}"])
        done = subprocess.run(program + ["--no-defaults", *where, f"--user={user}",
                                         f"--password={password}", *args], input=text, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
        complaint = "\n".join(line for line in done.stderr.splitlines()
                              if "password on the command line" not in line)
        return done.returncode, done.stdout.strip(), complaint

    def answer(self, program, sql, *args, **more):
        code, out, complaint = self.run_client(program, "-N", "-B", *args, text=sql, **more)
        self.assertEqual((code, complaint), (0, ""))
        return [tuple(line.split("\t")) for line in out.splitlines()]


class Logins(Clients):
    def test_mysql_client_logs_in_every_way(self):
        """The 9.x client has no mysql_native_password any more."""
        for args, tcp in ((["--ssl-mode=REQUIRED"], True),
                          (["--ssl-mode=DISABLED", "--get-server-public-key"], True), ([], False)):
            with self.subTest(args=args, tcp=tcp):
                self.assertEqual(self.answer(self.source.client(), "SELECT 1", *args, tcp=tcp),
                                 [("1",)])

    def test_mysql_client_verifies_our_certificate(self):
        args = ["--ssl-mode=VERIFY_IDENTITY", f"--ssl-ca={self.certificates}/ca.pem"]
        rows = self.answer(self.source.client(), "SHOW STATUS LIKE 'Ssl_version'", *args)
        self.assertTrue(not rows or rows[0][1].startswith("TLSv1."), rows)

    def test_public_key_is_asked_for_when_the_password_is_not_cached(self):
        self.daemon.restart()
        rows = self.answer(self.source.client(), "SELECT 1", "--ssl-mode=DISABLED",
                           "--get-server-public-key")
        self.assertEqual(rows, [("1",)])
        rows = self.answer(self.source.client(), "SELECT 2", "--ssl-mode=DISABLED")
        self.assertEqual(rows, [("2",)], "the fast path needs no key")

    def test_mariadb_client_logs_in(self):
        for user in ("repl", "old"):
            for args in (["--ssl"], []):
                with self.subTest(user=user, args=args):
                    rows = self.answer(MARIADB, "SELECT 1", *args, user=user)
                    self.assertEqual(rows, [("1",)])

    def test_wrong_password_and_unknown_user_get_the_same_answer(self):
        said = {}
        for user, password in (("repl", "wrong"), ("nobody", PASSWORD), ("repl", "")):
            for tcp in (True, False):
                code, _, complaint = self.run_client(self.source.client(), "-e", "SELECT 1",
                                                     user=user, password=password, tcp=tcp)
                self.assertEqual(code, 1)
                using = "YES" if password else "NO"
                host = "127.0.0.1" if tcp else "localhost"
                self.assertEqual(complaint, "ERROR 1045 (28000): Access denied for user "
                                 f"'{user}'@'{host}' (using password: {using})")
                said[user, password, tcp] = complaint
        self.assertEqual(len(said), 6)

    def test_clients_that_are_gone_before_the_greeting_do_no_harm(self):
        """They connect and reset the connection while binlogd does not run."""
        ports = ((socket.AF_INET, ("127.0.0.1", self.daemon.port())),
                 (socket.AF_UNIX, self.daemon.socket))
        self.daemon.signal(signal.SIGSTOP)
        for family, address in ports:
            for _ in range(3):
                with socket.socket(family) as client:
                    client.connect(address)
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.daemon.signal(signal.SIGCONT)
        self.assertEqual(self.daemon.query("SELECT 1"), [("1",)])

    def test_wrong_password_of_a_native_account(self):
        code, _, complaint = self.run_client(MARIADB, "-e", "SELECT 1", user="old",
                                             password="wrong")
        self.assertEqual(code, 1)
        self.assertIn("ERROR 1045 (28000): Access denied for user 'old'@'127.0.0.1'", complaint)


class TlsRequired(Clients):
    server = {"require_ssl": "on"}

    def test_tcp_without_tls_is_refused(self):
        code, _, complaint = self.run_client(self.source.client(), "-e", "SELECT 1",
                                             "--ssl-mode=DISABLED", "--get-server-public-key")
        self.assertEqual(code, 1)
        self.assertIn("ERROR 3159 (HY000): Connections using insecure transport are prohibited "
                      "while --require_secure_transport=ON.", complaint)

    def test_tls_and_unix_socket_are_let_in(self):
        self.assertEqual(self.answer(self.source.client(), "SELECT 1", "--ssl-mode=REQUIRED"),
                         [("1",)])
        self.assertEqual(self.answer(self.source.client(), "SELECT 1", tcp=False), [("1",)])


class Statements(Clients):
    def both(self, sql):
        """The same statement answered by binlogd and by its source."""
        return self.daemon.query(sql), self.source.query(sql)

    def test_versions(self):
        version = self.source.query("SELECT VERSION()")[0][0]
        for sql in ("SELECT VERSION()", "SELECT @@version", "select @@global.version"):
            self.assertEqual(self.daemon.query(sql), [(f"{version}-binlogd",)])
        self.assertEqual(self.daemon.connect().server_version, f"{version}-binlogd")

    def test_mysql_client_greets(self):
        code, out, complaint = self.run_client(self.source.client(), "--commands",
                                               "-e", "status")
        self.assertEqual((code, complaint), (0, ""))
        self.assertIn("-binlogd", out)

    def test_binary_logs_and_their_status(self):
        ours, theirs = self.both("SHOW BINARY LOGS")
        self.assertEqual(ours, theirs)
        ours, theirs = self.both("SHOW BINARY LOG STATUS")
        self.assertEqual(ours[0][:2] + ours[0][4:], theirs[0][:2] + theirs[0][4:])
        self.assertRegex(ours[0][4], TRANSACTION)
        self.assertEqual(self.daemon.query("SHOW MASTER STATUS"), ours)

    def test_columns_are_the_sources(self):
        for sql in ("SHOW BINARY LOGS", "SHOW BINARY LOG STATUS", "SHOW REPLICAS",
                    "SHOW PROCESSLIST", "SHOW VARIABLES LIKE 'server_id'",
                    "SHOW GLOBAL STATUS LIKE 'Uptime'", "SELECT @@server_id, @@global.version v"):
            with self.subTest(sql=sql), self.source.connect() as theirs, \
                    self.daemon.connect() as ours:
                theirs.query(sql)
                ours.query(sql)
                self.assertEqual(ours.columns, theirs.columns)

    def test_binlog_events(self):
        for tail in ("", " IN 'mysql-bin.000001'", " IN 'mysql-bin.000002' LIMIT 3",
                     " IN 'mysql-bin.000001' FROM 4 LIMIT 2, 4"):
            with self.subTest(tail=tail):
                ours, theirs = self.both("SHOW BINLOG EVENTS" + tail)
                self.assertEqual([row[:2] + row[3:5] for row in ours],
                                 [row[:2] + row[3:5] for row in theirs])
                self.assertEqual([row[2] for row in ours], [row[2] for row in theirs])

    def test_statement_behind_one_that_takes_its_time_waits(self):
        """What is sent before the answer to the last is answered in its turn."""
        with self.daemon.connect() as client:
            whole = client.query("SHOW BINLOG EVENTS")
            for _ in range(3):
                client.command(bytes([myclient.COM_QUERY]) + b"SHOW BINLOG EVENTS")
                client.command(bytes([myclient.COM_QUERY]) + b"SELECT 7")
            answers = []
            for _ in range(6):
                client.seq = 1
                answers.append(client._read_result())
        self.assertEqual(answers, [whole, [("7",)]] * 3)

    def test_variables_of_a_source(self):
        for name in ("binlog_checksum", "binlog_format", "log_bin", "gtid_mode", "gtid_executed",
                     "gtid_purged", "binlog_row_image"):
            with self.subTest(name=name):
                ours, theirs = self.both(f"SELECT @@global.{name}")
                self.assertEqual(ours, theirs)
                ours, theirs = self.both(f"SHOW GLOBAL VARIABLES LIKE '{name}'")
                self.assertEqual(ours, theirs)
        uuid = lab.read_text(f"{self.daemon.storage}/server-uuid").strip()
        self.assertEqual(self.daemon.query("SELECT @@server_uuid, @@server_id"), [(uuid, "4711")])

    def test_statements_of_replicas_and_readers(self):
        for sql in ("SELECT UNIX_TIMESTAMP()", "SELECT @@GLOBAL.SERVER_ID",
                    "SELECT @@GLOBAL.GTID_MODE", "select @@version_comment limit 1",
                    "SELECT DATABASE()", "select USER()", "SHOW VARIABLES LIKE 'SERVER_ID'",
                    "SHOW VARIABLES WHERE Variable_name IN ('server_id', 'server_uuid')",
                    "show global variables like 'binlog_checksum'", "SHOW WARNINGS",
                    "SHOW SLAVE HOSTS", "/* hello */ SELECT 1 -- bye", "  select   1 ; ",
                    "SELECT @never_set", "SELECT 1", "SHOW MASTER STATUS"):
            with self.subTest(sql=sql):
                self.daemon.query(sql)
        with self.daemon.connect() as client:
            for sql in ("SET NAMES utf8mb4", "SET @master_heartbeat_period= 1000",
                        "SET @a = 1, @B='two'", "SET autocommit=1"):
                with self.subTest(sql=sql):
                    self.assertEqual(client.query(sql), [])
            self.assertEqual(client.query("SELECT @a, @b, @c"), [("1", "two", None)])

    def test_registered_replica_is_listed_with_its_uuid(self):
        uuid = "11111111-2222-3333-4444-555555555555"
        with self.daemon.connect() as client:
            client.query(f"SET @slave_uuid = '{uuid}', @replica_uuid = '{uuid}'")
            client.command(b"\x15" + struct.pack("<I", 99) + b"\x02r1\0\0" +
                           struct.pack("<HII", 3307, 0, 0))
            self.assertEqual(client.read_packet()[0], 0)
            self.assertIn(("99", "r1", "3307", "4711", uuid), self.daemon.query("SHOW REPLICAS"))

    def test_replicas_are_listed(self):
        with Mysql97(*lab.WITH_GTIDS, server_id=321) as replica:
            replica.query("SET GLOBAL server_id=321")
            replica.replicate_from(self.daemon.port(), ("mysql-bin.000001", 4))
            # A replica counts as receiving from its login on, before it registers.
            row = lab.wait_until(lambda: [row for row in self.daemon.query("SHOW REPLICAS")
                                          if row[0] == "321"], 20, "the replica's row")[0]
            self.assertEqual(row[4], replica.query("SELECT @@server_uuid")[0][0])
            self.assertEqual(row[2], str(replica.port))
            rows = lab.wait_until(lambda: [row for row in self.daemon.query("SHOW PROCESSLIST")
                                           if row[4].startswith("Binlog Dump")], 20, "a dump")
            self.assertEqual([row[1] for row in rows], ["repl"])

    def test_unknown_things_get_the_sources_error(self):
        for sql in ("SELECT @@no_such_thing", "SELECT @@global.no_such_thing",
                    "SET GLOBAL no_such_thing=1", "garbage", "SELEC 1", "", ";", "SELECT",
                    "SELECT 1,", "SHOW", "SHOW NONSENSE", "SELECT 'open", "KILL",
                    "SHOW BINLOG EVENTS IN 'mysql-bin.777777'", "KILL 99999999"):
            with self.subTest(sql=sql), self.daemon.connect() as client:
                with self.assertRaises(myclient.MyError) as theirs:
                    self.source.query(sql)
                with self.assertRaises(myclient.MyError) as ours:
                    client.query(sql)
                self.assertEqual(ours.exception.code, theirs.exception.code)
                if ours.exception.code != 1064:
                    self.assertEqual(ours.exception.text, theirs.exception.text)
                client.ping()
                self.assertEqual(client.query("SELECT 1"), [("1",)])

    def test_statements_we_do_not_have_leave_the_session_alive(self):
        with self.daemon.connect() as client:
            for sql in ("CREATE TABLE a.b (c INT)", "SELECT * FROM mysql.user", "\x00\x01\xff",
                        "SELECT " + "(" * 5000, "x" * 1000000, "LOAD DATA LOCAL INFILE 'x'",
                        "SHUTDOWN", "RESET BINARY LOGS AND GTIDS"):
                with self.subTest(sql=sql[:30]):
                    with self.assertRaises(myclient.MyError) as caught:
                        client.query(sql)
                    self.assertIn(caught.exception.code, (1064, 1227, 1142, 1046, 1235, 1193))
                    client.ping()

    def test_kill_ends_another_session(self):
        for sql in ("KILL {}", "KILL CONNECTION {}"):
            with self.subTest(sql=sql), self.daemon.connect("boss") as boss:
                victim = self.daemon.connect()
                self.assertEqual(boss.query(sql.format(victim.connection_id)), [])
                with self.assertRaises(myclient.LostConnection):
                    for _ in range(20):
                        victim.ping()
                ids = [row[0] for row in boss.query("SHOW PROCESSLIST")]
                self.assertNotIn(str(victim.connection_id), ids)

    def test_kill_of_others_needs_the_right(self):
        with self.daemon.connect("plain") as plain, self.daemon.connect("boss") as boss:
            with self.assertRaises(myclient.MyError) as caught:
                plain.query(f"KILL {boss.connection_id}")
            self.assertIn(caught.exception.code, (1094, 1095, 1227))
            boss.ping()

    def test_processlist_shows_all_sessions(self):
        with self.daemon.connect() as one, self.daemon.connect("boss") as two:
            ids = {row[0] for row in two.query("SHOW PROCESSLIST")}
            self.assertTrue({str(one.connection_id), str(two.connection_id)} <= ids, ids)


class Mysqladmin(Clients):
    def admin(self, *words):
        code, out, complaint = self.run_client(self.source.mysqladmin(), *words)
        self.assertEqual((code, complaint), (0, ""))
        return out

    def test_ping(self):
        self.assertEqual(self.admin("ping"), "mysqld is alive")

    def test_status(self):
        self.assertRegex(self.admin("status"), r"^Uptime: \d+ +Threads: \d+ +Questions: \d+ ")

    def test_variables(self):
        self.assertRegex(self.admin("variables"), r"\| server_uuid +\|")

    def test_extended_status(self):
        self.assertRegex(self.admin("extended-status"), r"\| Uptime +\|")

    def test_processlist(self):
        self.assertRegex(self.admin("processlist"), r"\| repl +\|")

    def test_version(self):
        self.assertRegex(self.admin("version"), r"-binlogd")


if __name__ == "__main__":
    unittest.main(verbosity=2)

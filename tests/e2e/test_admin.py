"""Administration over the protocol: each statement is sent to binlogd and to a real server.

Compared are the names and types of columns, error numbers and, but for errors of the syntax, their
texts. The servers are replicas of the source that binlogd copies, so that each says what it says of
a connection to that source.
"""
import os
import subprocess
import unittest

import lab
import myclient
from lab import PASSWORD, Binlogd, Mysql56, Mysql97

# Accounts of binlogd by their rights, and what a server grants for the same.
ACCOUNTS = {"boss": ("admin", "ALL"), "viewer": ("status", "REPLICATION CLIENT, PROCESS"),
            "reader": ("replicate", "REPLICATION SLAVE")}

# (statement, who: all accounts when None). The connection to the source runs.
RUNNING = [
    "SHOW REPLICA STATUS", "SHOW REPLICA STATUS FOR CHANNEL ''",
    "SHOW REPLICA STATUS FOR CHANNEL 'x'", "SHOW REPLICA STATUS FOR CHANNEL x",
    "SHOW REPLICA STATUS NOLOCK", "SHOW REPLICA STATUS LIKE 'a'", "SHOW REPLICAS",
    "SHOW BINARY LOGS", "SHOW BINARY LOG STATUS", "SHOW BINLOG EVENTS LIMIT 1",
    "SHOW BINLOG EVENTS IN 'nosuch'", "SHOW BINLOG EVENTS IN ''", "SHOW BINLOG EVENTS LIMIT 0",
    "SHOW BINLOG EVENTS IN '' FROM 18446744073709551615",
    "SHOW BINLOG EVENTS FROM 18446744073709551615", "SHOW BINLOG EVENTS FROM 9223372036854775807",
    "SHOW BINLOG EVENTS FROM 99999999", "SHOW PROCESSLIST", "SHOW FULL PROCESSLIST",
    "SHOW WARNINGS", "SHOW ERRORS", "SHOW COUNT(*) WARNINGS", "SHOW COUNT(*) ERRORS",
    "SHOW GRANTS", "SHOW GRANTS FOR CURRENT_USER", "SHOW GRANTS FOR CURRENT_USER()",
    "START REPLICA", "SHOW WARNINGS", "START REPLICA IO_THREAD", "START REPLICA FOR CHANNEL 'x'",
    "START REPLICA NONSENSE", "START", "STOP REPLICA FOR CHANNEL 'x'", "STOP REPLICA IO_THREAD,",
    "RESET REPLICA", "RESET REPLICA ALL", "RESET REPLICA FOR CHANNEL 'x'", "RESET NONSENSE",
    "FLUSH LOGS", "FLUSH LOCAL LOGS", "FLUSH ERROR LOGS", "FLUSH NONSENSE", "FLUSH",
    "SET GLOBAL max_connections=300", "SET GLOBAL max_connections='x'",
    "SET @@GLOBAL.max_connections=1.5", "SET GLOBAL max_connections=NULL",
    "SET GLOBAL max_connections=DEFAULT", "SET GLOBAL nosuch=1", "SET GLOBAL a.b=1",
    "SET max_connections=3", "SET GLOBAL max_connections=7, GLOBAL nosuch=1",
    "SET GLOBAL max_connections=300, max_connections=301", "SET GLOBAL max_connections=7, nosuch=1",
    "SET GLOBAL max_connections=300, @a=1, NAMES utf8, max_connections=301",
    "SET GLOBAL max_connections=300, SESSION max_connections=3",
    "SET GLOBAL max_connections=300, @@max_connections=3",
    "SET @@GLOBAL.max_connections=300, max_connections=3",
    "SET GLOBAL max_connections=300, @@session.autocommit=1, max_connections=301",
    "CHANGE REPLICATION SOURCE TO SOURCE_HOST='x'", "CHANGE REPLICATION SOURCE TO",
    "CHANGE REPLICATION SOURCE TO NONSENSE=1", "CHANGE REPLICATION SOURCE TO SOURCE_PORT='x'",
    "CHANGE REPLICATION SOURCE TO SOURCE_HEARTBEAT_PERIOD=99999999",
    "CHANGE REPLICATION SOURCE TO SOURCE_HEARTBEAT_PERIOD=-1",
    "CHANGE REPLICATION SOURCE TO SOURCE_BIND='' x", "CHANGE",
    "PURGE BINARY LOGS TO 'nosuch'", "PURGE BINARY LOGS TO 'mysql-bin.000001'",
    "PURGE BINARY LOGS BEFORE '2020-01-01 00:00:00'", "PURGE BINARY LOGS", "PURGE BINARY LOGS TO",
    "PURGE BINARY LOGS BEFORE NOW() - INTERVAL 3 DAY", "PURGE BINARY LOGS BEFORE 'abc'",
    "FLUSH RELAY LOGS", "FLUSH ENGINE LOGS, ERROR LOGS", "SHUTDOWN NOW", "KILL", "KILL 99999999",
    "KILL QUERY CONNECTION_ID()", "USE ``",
    "", ";", " ; ;", "/* nothing */", "/* nothing */;", "-- nothing", "# nothing", "# nothing\n;",
    "/*!99999 nothing */", "/*!99999 nothing /* more */ */", "/*!99999 nothing /* more */",
    "/*!99999 nothing */ SHOW REPLICAS", "/*!90704 SHOW REPLICAS */", "/*!90705 SHOW REPLICAS */",
    "/*!9999 SHOW REPLICAS */", "/*!40101 SET NAMES utf8 */;",
]
STOPPED = [
    "CHANGE REPLICATION SOURCE TO SOURCE_HOST=''",
    "CHANGE REPLICATION SOURCE TO SOURCE_AUTO_POSITION=1, SOURCE_LOG_FILE='x.000001'",
    "CHANGE REPLICATION SOURCE TO SOURCE_CONNECT_RETRY=7, SOURCE_HEARTBEAT_PERIOD=0.5",
    "CHANGE REPLICATION SOURCE TO IGNORE_SERVER_IDS=()",
    "CHANGE REPLICATION SOURCE TO ASSIGN_GTIDS_TO_ANONYMOUS_TRANSACTIONS=OFF",
    "CHANGE REPLICATION SOURCE TO ASSIGN_GTIDS_TO_ANONYMOUS_TRANSACTIONS=ON",
    "CHANGE REPLICATION SOURCE TO IGNORE_SERVER_IDS=(,)",
    "CHANGE REPLICATION SOURCE TO IGNORE_SERVER_IDS=1",
    "CHANGE REPLICATION SOURCE TO SOURCE_SSL_CAPATH='', SOURCE_DELAY=0, GET_SOURCE_PUBLIC_KEY=1",
    "STOP REPLICA", "SHOW WARNINGS", "STOP REPLICA IO_THREAD", "STOP REPLICA SQL_THREAD",
    "SHOW REPLICA STATUS", "RESET REPLICA", "SHOW REPLICA STATUS", "RESET REPLICA ALL",
]
# The older words, for a server that has no others.
RUNNING_OLD = [
    "SHOW SLAVE STATUS", "SHOW SLAVE HOSTS", "SHOW MASTER LOGS", "SHOW MASTER STATUS",
    "SHOW ALL SLAVES STATUS", "", "-- nothing", "# nothing", "/* nothing */;",
    "/*!50624 SHOW SLAVE HOSTS */", "/*!50625 SHOW SLAVE HOSTS */", "START SLAVE IO_THREAD", "SHOW WARNINGS", "RESET SLAVE",
    "RESET SLAVE ALL", "FLUSH LOGS", "FLUSH HOSTS", "FLUSH NONSENSE", "START SLAVE NONSENSE",
    "CHANGE MASTER TO MASTER_HOST='x'", "CHANGE MASTER TO", "CHANGE MASTER TO NONSENSE=1",
    "CHANGE MASTER TO MASTER_HEARTBEAT_PERIOD=99999999",
]
STOPPED_OLD = ["STOP SLAVE", "SHOW WARNINGS", "SHOW SLAVE STATUS", "RESET SLAVE"]


def setUpModule():
    Binlogd.binary()


def answer(client, sql):
    """What a statement gets, without the rows: ("ERR", number, text) or columns and types."""
    try:
        client.query(sql)
    except myclient.MyError as error:
        return "ERR", error.code, "" if error.code == 1064 else error.text
    return client.columns, client.types


class Compared(unittest.TestCase):
    def compare(self, replica, daemon, statements, accounts=ACCOUNTS):
        for user in accounts:
            with replica.connect(user, PASSWORD) as theirs, daemon.connect(user) as ours:
                for sql in statements:
                    with self.subTest(user=user, sql=sql):
                        expected = answer(theirs, sql)
                        self.assertEqual(answer(ours, sql), expected)

    def make(self, server, *options, **keys):
        """A source, a replica of it, and a binlogd that copies it, with the accounts."""
        source = server(*options)
        self.addCleanup(source.close)
        source.create_user()
        replica = server(*options, server_id=2)
        self.addCleanup(replica.close)
        for user, (_, grant) in ACCOUNTS.items():
            replica.create_user(user, grant=grant)
        lab.write_rows(source)
        replica.replicate_from(source.port)
        replica.wait_receiving()
        daemon = Binlogd(source, users={user: lab.account(rights=rights)
                                        for user, (rights, _) in ACCOUNTS.items()}, **keys)
        self.addCleanup(daemon.close)
        daemon.wait_for(r"status: state=(PROTECTING|ASYNC|CATCHING_UP)")
        return source, replica, daemon

    def test_9_7_and_binlogd_answer_alike(self):
        source, replica, daemon = self.make(Mysql97, *lab.WITH_GTIDS)
        self.compare(replica, daemon, RUNNING)
        lab.wait_until(lambda: daemon.status().get("gtids") == source.query(
            "SELECT @@gtid_executed")[0][0], 20, "all transactions")
        for server in (replica, daemon):
            with server.connect("boss", PASSWORD) as client:
                client.query("STOP REPLICA")
        self.compare(replica, daemon, STOPPED, ["boss"])

    def test_5_6_and_binlogd_answer_alike(self):
        _, replica, daemon = self.make(Mysql56, *lab.WITH_GTIDS, "--log-slave-updates")
        self.compare(replica, daemon, RUNNING_OLD, ["boss"])
        for server in (replica, daemon):
            with server.connect("boss", PASSWORD) as client:
                client.query("STOP SLAVE")
        self.compare(replica, daemon, STOPPED_OLD, ["boss"])


class WithSource(unittest.TestCase):
    """A source, and a binlogd that has all of it."""

    @classmethod
    def setUpClass(cls):
        cls.source = Mysql97(*lab.WITH_GTIDS)
        cls.addClassCleanup(cls.source.close)
        cls.source.create_user()
        lab.write_rows(cls.source)

    def setUp(self):
        self.daemon = Binlogd(self.source, users={"repl": lab.account(),
                                                  "boss": lab.account(rights="admin")})
        self.addCleanup(self.daemon.close)
        lab.wait_caught_up(self.source, self.daemon)

    def boss(self, sql):
        with self.daemon.connect("boss") as client:
            return client.query(sql)

    def shown(self):
        with self.daemon.connect("boss") as client:
            return client.query_dicts("SHOW REPLICA STATUS")[0]


class Source(WithSource):
    """What the statements say and do."""

    def test_status_of_a_connection_that_is_up_to_date(self):
        file, position = self.source.position()
        self.daemon.wait_for(r"status: state=ASYNC")
        row = self.shown()
        uuid, executed = self.source.query("SELECT @@server_uuid, @@gtid_executed")[0]
        expected = {
            "Replica_IO_State": "Waiting for source to send event", "Source_Host": "127.0.0.1",
            "Source_User": "repl", "Source_Port": str(self.source.port), "Source_Log_File": file,
            "Read_Source_Log_Pos": str(position), "Relay_Source_Log_File": file,
            "Exec_Source_Log_Pos": str(position), "Replica_IO_Running": "Yes",
            "Replica_SQL_Running": "No", "Seconds_Behind_Source": "0", "Last_IO_Errno": "0",
            "Last_IO_Error": "", "Source_Server_Id": "1", "Source_UUID": uuid,
            "Executed_Gtid_Set": executed, "Retrieved_Gtid_Set": executed, "Auto_Position": "1"}
        self.assertEqual({key: row[key] for key in expected}, expected)

    def test_stop_ends_the_connection_and_start_goes_on(self):
        before = self.daemon.copies()
        self.boss("STOP REPLICA")
        lab.wait_until(lambda: not self.source.sees_replica(4711), 20, "the dump's end")
        self.assertEqual(self.daemon.status().get("state"), "STOPPED")
        row = self.shown()
        self.assertEqual((row["Replica_IO_Running"], row["Replica_IO_State"],
                          row["Seconds_Behind_Source"]), ("No", "", None))
        lab.write_rows(self.source)
        self.boss("RESET REPLICA ALL")
        self.assertEqual(self.daemon.copies(), before)
        self.boss("START REPLICA")
        lab.assert_copied(self.source, self.daemon)

    def test_status_tells_why_there_is_no_connection(self):
        self.boss("STOP REPLICA")
        self.daemon.sections["dumper"]["password"] = "wrong"
        self.daemon.write_config()
        self.daemon.signal(1)
        self.daemon.wait_for("configuration reloaded")
        self.boss("START REPLICA")
        lab.wait_until(lambda: self.shown()["Last_IO_Errno"] == "1045", 20, "the refusal")
        row = self.shown()
        self.assertIn("Access denied for user 'repl'", row["Last_IO_Error"])
        self.assertRegex(row["Last_IO_Error_Timestamp"], r"^\d{6} \d\d:\d\d:\d\d$")
        self.assertEqual(row["Replica_IO_Running"], "Connecting")

    def test_set_global_is_all_or_nothing_and_leaves_the_dump_alone(self):
        limits = "SELECT @@max_connections, @@dumper.retry_max"
        self.boss("SET GLOBAL max_connections=77, GLOBAL dumper.retry_max=2.5, "
                  "GLOBAL log.level=INFO")
        self.assertEqual(self.boss(limits), [("77", "2.5")])
        for wrong in ("dumper.retry_max=0", "log.file='/nosuch/file'",
                      "server.ssl_cert='/nosuch/file'"):
            with self.subTest(wrong=wrong):
                with self.assertRaises(myclient.MyError) as caught:
                    self.boss(f"SET GLOBAL max_connections=99, GLOBAL {wrong}")
                self.assertEqual(caught.exception.code, 1231)
                self.assertEqual(self.boss(limits), [("77", "2.5")])
        self.assertIn("[dumper] retry_max=2.5", self.daemon.log_text())
        self.daemon.signal(1)
        self.daemon.wait_for("configuration reloaded")
        self.assertEqual(self.boss(limits), [("1000", "5")])
        self.assertEqual(self.daemon.log_text().count("connected to MySQL"), 1)

    def test_replicas_to_wait_for_are_set_by_mysqls_name(self):
        count = "rpl_semi_sync_source_wait_for_replica_count"
        self.boss(f"SET GLOBAL {count}=2")
        self.assertEqual(self.boss(f"SELECT @@{count}, @@server.wait_for_replicas"),
                         [("2", "2")])

    def test_max_connections_takes_effect_at_once(self):
        with self.daemon.connect("boss") as boss:
            boss.query("SET GLOBAL max_connections=1")
            with self.assertRaises(myclient.MyError) as caught:
                self.daemon.connect()
            self.assertEqual(caught.exception.code, 1040)
            boss.query("SET GLOBAL max_connections=DEFAULT")
            self.daemon.connect().close()

    def test_purge_removes_the_files_before_one(self):
        for _ in range(5):
            self.source.query("FLUSH BINARY LOGS")
        lab.write_rows(self.source)
        lab.assert_copied(self.source, self.daemon)
        first, second = self.daemon.copies()[:2]
        self.boss(f"PURGE BINARY LOGS TO '{second}'")
        self.assertEqual(self.boss("SHOW BINARY LOGS")[0][0], second)
        lab.wait_until(lambda: first not in self.daemon.copies(), 20, "the file's removal")
        with self.daemon.connect("boss") as boss:
            newest = self.daemon.copies()[-1]
            boss.query(f"PURGE BINARY LOGS TO '{newest}'")
            (level, code, text), = boss.query("SHOW WARNINGS")
            self.assertEqual((level, code), ("Warning", "1868"))
            self.assertIn("one of the newest 2 files", text)

    def test_shutdown_ends_cleanly_after_its_answer(self):
        self.assertEqual(self.boss("SHUTDOWN"), [])
        self.assertEqual(self.daemon.wait_exit(), 0)

    def test_who_kills_himself_is_told_and_gone(self):
        for sql in ("KILL CONNECTION_ID()", "KILL CONNECTION CONNECTION_ID()"):
            for server in (self.source, self.daemon):
                with self.subTest(sql=sql, server=server):
                    client = server.connect("repl", PASSWORD)
                    self.addCleanup(client.drop)
                    self.assertEqual(answer(client, sql),
                                     ("ERR", 1317, "Query execution was interrupted"))
                    with self.assertRaises(myclient.LostConnection):
                        client.query("SELECT 1")

    def test_kill_query_leaves_an_idle_session_alone(self):
        for server in (self.source, self.daemon):
            with self.subTest(server=server), server.connect("repl", PASSWORD) as idle, \
                    server.connect("repl", PASSWORD) as other:
                (number,), = idle.query("SELECT CONNECTION_ID()")
                other.query(f"KILL QUERY {number}")
                self.assertEqual(other.query("SELECT 1"), [("1",)])
                self.assertEqual(idle.query("SELECT 1"), [("1",)])

    def test_login_into_a_database_that_is_not_there_is_refused(self):
        for server in (self.source, self.daemon):
            for name in ("nosuch", "information_schema", ""):
                with self.subTest(server=server, name=name):
                    login = {"unix_socket": server.socket, "user": "root", "database": name}
                    if server is self.daemon:
                        login.update(user="boss", password=PASSWORD)
                    if name != "nosuch":
                        myclient.Client(**login).close()
                        continue
                    with self.assertRaises(myclient.MyError) as caught:
                        myclient.Client(**login)
                    self.assertEqual((caught.exception.code, caught.exception.text),
                                     (1049, "Unknown database 'nosuch'"))

    def test_flush_logs_opens_the_log_file_anew(self):
        path = f"{self.daemon.dir}/own.log"
        self.daemon.sections["log"]["file"] = path
        self.daemon.restart()
        lab.wait_until(lambda: "listening on unix:" in lab.read_text(path), 20, "the log file")
        os.rename(path, path + ".1")
        client = myclient.Client(self.daemon.socket, user="boss", password=PASSWORD)
        self.addCleanup(client.close)
        client.query("FLUSH LOGS")
        self.assertIn("log reopened", lab.read_text(path))


class Change(WithSource):
    """CHANGE REPLICATION SOURCE TO, and what is kept of it."""

    def change(self, options, start=True):
        for sql in ("STOP REPLICA", f"CHANGE REPLICATION SOURCE TO {options}"):
            self.boss(sql)
        if start:
            self.boss("START REPLICA")

    def check(self):
        return subprocess.run([Binlogd.binary(), "check", "-c", self.daemon.config], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def told(self):
        return f"{self.daemon.storage}/source.ini"

    def test_it_is_kept_shown_and_forgotten(self):
        self.source.create_user("other", "another")
        self.change("SOURCE_HOST='localhost', SOURCE_USER='other', SOURCE_PASSWORD='s3cret', "
                    "SOURCE_CONNECT_RETRY=3, SOURCE_HEARTBEAT_PERIOD=1.5")
        lab.wait_until(lambda: self.shown()["Last_IO_Errno"] == "1045", 20, "the wrong password")
        for wrong in ("s3cret ;x", " s3cret", "s3cret "):
            with self.assertRaises(myclient.MyError) as caught:
                self.change(f"SOURCE_PASSWORD='{wrong}'")
            self.assertEqual(caught.exception.code, 1210)
            self.assertNotIn("s3cret", caught.exception.text)
        self.source.unlogged("ALTER USER other IDENTIFIED BY 's3cret'")
        self.boss("START REPLICA")
        lab.write_rows(self.source)
        lab.assert_copied(self.source, self.daemon)
        row = self.shown()
        self.assertEqual((row["Source_Host"], row["Source_User"], row["Connect_Retry"]),
                         ("localhost", "other", "3"))
        self.assertEqual(os.stat(self.told()).st_mode & 0o777, 0o600)
        done = self.check()
        self.assertEqual(done.returncode, 0)
        for line in ("host=localhost", "user=other", "password=********", "retry_max=3",
                     "heartbeat_period=1.5"):
            self.assertIn(line, done.stdout.splitlines())
        self.assertIn("sets host, user, password, heartbeat_period, retry_max\n", done.stdout)
        self.daemon.restart()
        self.daemon.wait_for(r"status: state=(ASYNC|PROTECTING)")
        self.assertEqual(self.shown()["Source_User"], "other")
        self.assertNotIn("s3cret", self.daemon.log_text())
        for sql in ("STOP REPLICA", "RESET REPLICA ALL"):
            self.boss(sql)
        row = self.shown()
        self.assertEqual((row["Source_User"], row["Source_UUID"]), ("repl", ""))
        self.assertNotIn("s3cret", lab.read_text(self.told()))
        self.boss("START REPLICA")
        lab.write_rows(self.source)
        lab.assert_copied(self.source, self.daemon)

    def test_what_cannot_be_changes_nothing(self):
        self.boss("STOP REPLICA")
        before = self.shown()
        for options, text in (
                ("SOURCE_PORT=99999", "[dumper] port"), ("SOURCE_SSL=1, SOURCE_SSL_CA='/nosuch'", "/nosuch"),
                ("SOURCE_SSL=1, SOURCE_SSL_VERIFY_SERVER_CERT=1", "need ssl_ca"),
                ("SOURCE_HEARTBEAT_PERIOD=0", "heartbeat_period"),
                ("SOURCE_HOST='a', SOURCE_SSL_CERT='/x'", "ssl_cert and ssl_key"),
                ("SOURCE_LOG_FILE='mysql-bin.000001', SOURCE_LOG_POS=4", "copying goes on there")):
            with self.subTest(options=options):
                with self.assertRaises(myclient.MyError) as caught:
                    self.boss(f"CHANGE REPLICATION SOURCE TO {options}")
                self.assertEqual(caught.exception.code, 1210)
                self.assertIn(text, caught.exception.text)
                self.assertEqual(self.shown(), before)
                self.assertFalse(os.path.exists(self.told()))
        for control in ("\\n", "\\r", "\\0", "\n", "\t", "\x7f"):
            for name in ("PASSWORD", "USER", "HOST", "LOG_FILE", "SSL_CA", "PUBLIC_KEY_PATH"):
                with self.subTest(control=control, name=name):
                    with self.assertRaises(myclient.MyError) as caught:
                        self.boss("CHANGE REPLICATION SOURCE TO "
                                  f"SOURCE_{name}='a{control}heartbeat_period=7'")
                    self.assertEqual(caught.exception.code, 1210)
                    self.assertIn("control character", caught.exception.text)
                    self.assertFalse(os.path.exists(self.told()))
        file, position = self.daemon.position()
        self.boss(f"CHANGE REPLICATION SOURCE TO SOURCE_LOG_FILE='{file}', "
                  f"SOURCE_LOG_POS={position}")

    def test_another_server_is_found_out(self):
        with Mysql97(*lab.WITH_GTIDS) as other:
            other.create_user()
            self.change(f"SOURCE_PORT={other.port}")
            self.assertEqual(self.daemon.wait_exit(), 4)

    def test_damaged_file_is_named(self):
        self.assertEqual(self.daemon.stop(), 0)
        for damage in ("", "[dumper]\nhost\n", "[dumper]\nserver_id=7\n", "[log]\nlevel=debug\n"):
            with self.subTest(damage=damage), open(self.told(), "w") as file:
                file.write(damage)
                file.flush()
                done = self.check()
                self.assertEqual(done.returncode, 2)
                self.assertIn(self.told(), done.stderr)
        with open(self.told(), "w") as file:
            file.write("[dumper]\npassword=x\n")
        os.chmod(self.told(), 0o640)
        self.assertIn(f"chmod 600 {self.told()}", self.check().stderr)

    def test_an_empty_store_begins_where_it_is_told(self):
        self.source.query("FLUSH BINARY LOGS")
        lab.write_rows(self.source)
        file, position = self.source.position()
        with Binlogd(self.source, port=lab.free_port(),
                     users={"boss": lab.account(rights="admin")}) as daemon:
            daemon.wait_for("status: state=")
            with daemon.connect("boss") as boss:
                boss.query("STOP REPLICA")
                boss.query(f"CHANGE REPLICATION SOURCE TO SOURCE_PORT={self.source.port}, "
                           f"SOURCE_LOG_FILE='{file}', SOURCE_LOG_POS={position}")
                boss.query("START REPLICA")
            lab.wait_until(lambda: daemon.epoch() and daemon.copies() == [file], 20, "the file")
            lab.wait_caught_up(self.source, daemon)


if __name__ == "__main__":
    unittest.main(verbosity=2)

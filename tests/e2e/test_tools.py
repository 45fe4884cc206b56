"""The programs that people already run against a server, run against binlogd."""
import json
import os
import shutil
import subprocess
import unittest
import urllib.request

import fetch
import lab
from lab import PASSWORD, Binlogd, Mysql97

EXPORTER = "prometheus-mysqld-exporter"
# What has something to tell here, beside the exporter's default collectors.
COLLECTORS = ["binlog_size", "slave_hosts", "info_schema.processlist", "engine_innodb_status",
              "info_schema.tables"]

MYSQL2 = """
const mysql = require('mysql2/promise');
const [user, password, port, socketPath] = process.argv.slice(1);
async function ask(where) {
  const c = await mysql.createConnection({user, password, ...where});
  const [logs] = await c.query('SHOW BINARY LOGS');
  const [status] = await c.query('SHOW REPLICA STATUS');
  const [[row]] = await c.query('SELECT @@server_id AS id, @@global.read_only AS ro LIMIT 1');
  const [threads] = await c.query('SELECT * FROM information_schema.processlist');
  let code = 0;
  await c.query('garbage').catch(error => { code = error.errno; });
  await c.ping();
  await c.end();
  return {logs: logs.map(log => [log.Log_name, log.File_size]), id: row.id, ro: row.ro, code,
          running: status[0].Replica_IO_Running, threads: threads.length};
}
(async () => {
  const answers = [];
  for (const where of [{host: '127.0.0.1', port}, {socketPath}, {host: '127.0.0.1', port,
       ssl: {rejectUnauthorized: false}}])
    answers.push(await ask(where));
  console.log(JSON.stringify(answers));
})().catch(error => { console.error(error); process.exit(1); });
"""

# What orchestrator and ProxySQL's monitor ask; the columns that they read.
MONITORS = [
    ("select @@global.hostname, ifnull(@@global.report_host, ''), @@global.server_id, "
     "@@global.version, @@global.version_comment, @@global.read_only, @@global.binlog_format, "
     "@@global.log_bin, @@global.log_slave_updates", 9),
    ("select @@global.gtid_mode, @@global.server_uuid, @@global.gtid_executed, "
     "@@global.gtid_purged, @@global.binlog_row_image", 5),
    ("show variables like 'maxscale%'", None), ("show global status like 'Uptime'", 2),
    ("show master status", 5), ("show slave status", 57), ("show slave hosts", None),
    ("show global status like 'rpl_semi_sync_%_status'", 2), ("show processlist", 8),
    ("select substring_index(host, ':', 1) as slave_hostname from "
     "information_schema.processlist where command IN ('Binlog Dump', 'Binlog Dump GTID')", None),
    ("SELECT @@global.read_only read_only", 1), ("SHOW REPLICA STATUS", 60),
    ("SET wait_timeout=2000", None),
    ("SELECT @@global.innodb_read_only read_only", 1),
    ("SELECT VARIABLE_VALUE FROM performance_schema.global_status WHERE "
     "VARIABLE_NAME='Uptime'", 1),
]


def setUpModule():
    Binlogd.binary()
    Mysql97.available()


class Tools(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.source = Mysql97(*lab.WITH_GTIDS)
        cls.addClassCleanup(cls.source.close)
        cls.source.create_user()
        lab.write_rows(cls.source)
        cls.daemon = Binlogd(cls.source, users={
            "monitor": lab.account(), "old": lab.account(plugin="mysql_native_password"),
            "boss": lab.account(rights="admin")})
        cls.addClassCleanup(cls.daemon.close)
        lab.wait_caught_up(cls.source, cls.daemon)

    def metrics(self, port):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                return answer.read().decode()
        except OSError:
            return None

    def scrape(self, *options):
        """What the exporter shows, and its log."""
        program = shutil.which(EXPORTER)
        if not program:
            self.skipTest(f"skipped: no {EXPORTER}")
        port = lab.free_port()
        directory = lab.temp_dir()
        config, log = f"{directory}/my.cnf", f"{directory}/log"
        with open(config, "w") as file:
            file.write(f"[client]\nuser=monitor\npassword={PASSWORD}\nhost=127.0.0.1\n"
                       f"port={self.daemon.port()}\n")
        exporter = lab.spawn([program, f"--config.my-cnf={config}",
                              f"--web.listen-address=127.0.0.1:{port}", *options], log)
        self.addCleanup(exporter.wait)
        self.addCleanup(exporter.kill)
        text = lab.wait_until(lambda: self.metrics(port), 30, "the exporter")
        return text, lab.read_text(log)

    def test_exporter_scrapes_without_errors(self):
        for options in ([], [f"--collect.{name}" for name in COLLECTORS]):
            with self.subTest(options=options):
                text, log = self.scrape(*options)
                self.assertNotRegex(log, r"level=(error|warn)")
                self.assertRegex(text, r"(?m)^mysql_up 1$")
                self.assertRegex(text, r"(?m)^mysql_exporter_last_scrape_error 0$")
                self.assertNotRegex(text, r"(?m)^mysql_exporter_collector_success\S* 0$")
                self.assertRegex(text, r"(?m)^mysql_slave_status_slave_io_running\{.* 1$")
                self.assertRegex(text, r"(?m)^mysql_global_status_uptime \d")
                if options:
                    self.assertRegex(text, r"(?m)^mysql_binlog_files 1$")

    def test_mysqladmin_of_both_families(self):
        mysqladmins = [self.source.mysqladmin(), ["mariadb-admin"]]
        for program in mysqladmins:
            for word, expected in (("ping", "mysqld is alive"), ("status", r"^Uptime: \d+"),
                                   ("extended-status", r"\| Uptime +\|"),
                                   ("variables", r"\| server_uuid +\|"),
                                   ("processlist", r"\| old +\||\| monitor +\|"),
                                   ("version", "-binlogd")):
                user = "old" if program == ["mariadb-admin"] else "monitor"
                with self.subTest(program=program[-1], word=word):
                    done = subprocess.run(
                        program + ["--no-defaults", "--protocol=SOCKET",
                                   f"--socket={self.daemon.socket}", f"--user={user}",
                                   f"--password={PASSWORD}", word],
                        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertRegex(done.stdout, expected)

    def test_mysqladmin_of_both_families_shuts_down(self):
        for program, user in ((self.source.mysqladmin(), "boss"), (["mariadb-admin"], "old")):
            with self.subTest(program=program[-1]), Binlogd(self.source, server_id=77, users={
                    "old": lab.account(plugin="mysql_native_password", rights="admin"),
                    "boss": lab.account(rights="admin")}) as daemon:
                daemon.wait_for("status: state=")
                subprocess.run(program + ["--no-defaults", "--protocol=SOCKET",
                                          f"--socket={daemon.socket}", f"--user={user}",
                                          f"--password={PASSWORD}", "shutdown"],
                               stderr=subprocess.DEVNULL, check=True, timeout=30)
                self.assertEqual(daemon.wait_exit(), 0)

    def test_mysql2_of_node(self):
        if not shutil.which("node"):
            self.skipTest("skipped: no node")
        try:
            modules = fetch.mysql2_modules()
        except fetch.FetchError as error:
            self.skipTest(f"skipped: {error}")
        for user in ("monitor", "old"):
            with self.subTest(user=user):
                done = subprocess.run(
                    ["node", "-e", MYSQL2, "--", user, PASSWORD, str(self.daemon.port()),
                     self.daemon.socket], text=True, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE, timeout=60, env={**os.environ, "NODE_PATH": modules})
                self.assertEqual(done.returncode, 0, done.stderr)
                file, size = self.source.position()
                for answer in json.loads(done.stdout):
                    self.assertEqual(answer["logs"], [[file, size]])
                    self.assertEqual((answer["id"], answer["ro"], answer["code"],
                                      answer["running"]), (4711, 1, 1064, "Yes"))
                    self.assertGreaterEqual(answer["threads"], 1)

    def test_queries_of_monitors(self):
        with self.daemon.connect("monitor") as client:
            for sql, columns in MONITORS:
                with self.subTest(sql=sql):
                    rows = client.query(sql)
                    if columns:
                        self.assertTrue(rows)
                        self.assertEqual(len(rows[0]), columns)

    def test_interactive_client_shows_a_note(self):
        done = subprocess.run(
            self.source.client() + ["--no-defaults", f"--socket={self.daemon.socket}",
                                    "--user=boss", f"--password={PASSWORD}", "-t",
                                    "--show-warnings"], input="START REPLICA; SELECT 1;",
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Note (Code 3083)", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""What an operator sees: `binlogd status`, the metrics in a real Prometheus, the log, all alike.

The pages are tried as they are written: each line of the screen, each member of the JSON and each
metric has to be documented and there; each alert and each query of the dashboard is run.
"""
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import lab
from lab import WITH_GTIDS, Binlogd, Mysql97

NOBODY = 65534
DOCS = os.path.join(lab.TOP, "docs")


def setUpModule():
    global SOURCE
    Binlogd.binary()
    Mysql97.available()
    SOURCE = Mysql97(*Mysql97.semisync_options(), *WITH_GTIDS)
    unittest.addModuleCleanup(SOURCE.close)
    SOURCE.create_user(grant="REPLICATION SLAVE, REPLICATION CLIENT")
    SOURCE.unlogged("CREATE DATABASE lab", "CREATE TABLE lab.t (id INT AUTO_INCREMENT PRIMARY KEY, "
                    "v LONGBLOB)")


def operations():
    return lab.read_text(os.path.join(DOCS, "operations.md"))


def part(title):
    """One chapter of operations.md."""
    return re.search(rf"(?ms)^## {title}$(.*?)(?=^## |\Z)", operations()).group(1)


class Daemon(Binlogd):
    def __init__(self, source=None, **more):
        more.setdefault("users", lab.REPLICA_USER)
        sections = {"metrics": {"listen": "127.0.0.1:0"}, **more.pop("sections", {})}
        super().__init__(source or SOURCE, sections=sections, **more)

    def wait_safe(self):
        lab.wait_until(lambda: self.ask().returncode == 0, 20, "PROTECTING")
        return self


class Status(unittest.TestCase):
    def test_screen_is_as_documented(self):
        sample = re.search(r"(?ms)^    SAFE since.*?\n\n(?=\|)", part("binlogd status")).group(0)
        table = part("binlogd status").split("| first |", 1)[1].split("\n\n", 1)[0]
        explained = re.findall(r"(?m)^\| `([\w ]+)` \|", table)
        names = [line[4:16].strip() for line in sample.splitlines()[2:] if line[4:16].strip()]
        self.assertEqual(names, explained)
        with Daemon() as daemon:
            daemon.wait_safe()
            SOURCE.query("INSERT INTO lab.t (v) VALUES ('x')")
            done = daemon.ask()
            lines = done.stdout.splitlines()
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertRegex(lines[0], r"^SAFE since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d: "
                             "every acknowledged commit is on this disk$")
            shown = [line[:12].strip() for line in lines[2:] if line[:12].strip()]
            self.assertEqual(shown, [name for name in names
                                     if name not in ("Catching up", "Chain")])
            self.assertEqual([line for line in lines if len(line) > 80], [])
            self.assertIn("State       PROTECTING: ", done.stdout)
            self.assertIn("running as root" if os.geteuid() == 0 else "none since", done.stdout)

    def test_log_json_and_metrics_say_the_same(self):
        with Daemon() as daemon:
            daemon.wait_safe()
            for _ in range(3):
                SOURCE.query("INSERT INTO lab.t (v) VALUES ('x')")
            name, position = SOURCE.position()
            lab.wait_until(lambda: daemon.status().get("durable") == f"{name}:{position}", 5,
                           "the end in the log")
            line, found, metrics = daemon.status(), daemon.json(), daemon.metrics()
            self.assertTrue(found["safe"])
            self.assertEqual(metrics['binlogd_state{state="PROTECTING"}'], 1)
            self.assertEqual(sum(value for key, value in metrics.items()
                                 if key.startswith("binlogd_state{")), 1)
            self.assertEqual(line["state"], found["state"])
            self.assertEqual(line["source"], found["source"]["address"])
            self.assertEqual(line["gtids"], found["gtids"])
            for key in ("received", "durable"):
                self.assertEqual(found[key], {"file": name, "position": position})
                self.assertEqual(line[key], f"{name}:{position}")
                self.assertEqual(metrics[f"binlogd_{key}_position_bytes"], position)
                self.assertEqual(metrics[f"binlogd_{key}_file_number"], int(name[-6:]))
            acks = found["acks_sent"]
            self.assertGreaterEqual(acks, 3)
            for value in (int(line["acks"]), found["ack_time"]["count"],
                          metrics["binlogd_acks_sent_total"],
                          metrics["binlogd_ack_duration_seconds_count"],
                          metrics['binlogd_ack_duration_seconds_bucket{le="+Inf"}']):
                self.assertEqual(value, acks)
            logs = SOURCE.logs()
            for value in (int(line["bytes"]), found["storage"]["bytes"],
                          metrics["binlogd_files_bytes"]):
                self.assertEqual(value, sum(size for _, size in logs))
            self.assertEqual(metrics["binlogd_files"], len(logs))
            self.assertEqual(metrics["binlogd_received_events_total"], found["events"]["received"])
            now = int(SOURCE.query("SELECT UNIX_TIMESTAMP()")[0][0])
            self.assertLess(abs(found["events"]["newest"] - now), 5)
            self.assertLess(abs(found["time"] - time.time()), 5)
            self.assertEqual(found["pid"], daemon.pid())

    def test_json_is_as_documented(self):
        rows = re.findall(r"(?m)^\| ((?:`\w+`(?:, )?)+) \| (.*) \|$",
                          part("binlogd status").split("`--json`", 1)[1])
        documented = {}
        for names, meaning in rows:
            for name in re.findall(r"`(\w+)`", names):
                documented[name] = set(re.findall(r"`(\w+)`", meaning))
        with Daemon() as daemon:
            daemon.wait_safe()
            with daemon.connect() as client:
                stream = subprocess.Popen(
                    SOURCE.mysqlbinlog() + ["--read-from-remote-server", "--stop-never", "-h",
                                            "127.0.0.1", "-P", str(daemon.port()), "-urepl",
                                            f"-p{lab.PASSWORD}", "--raw", SOURCE.position()[0]],
                    cwd=lab.temp_dir(), stderr=subprocess.DEVNULL)
                self.addCleanup(stream.wait)
                self.addCleanup(stream.kill)
                lab.wait_until(lambda: daemon.json()["replicas"], 10, "the reader")
                client.query("SELECT 1")
                found = daemon.json()
        self.assertEqual(set(found), set(documented))
        for key, members in documented.items():
            value = found[key][0] if isinstance(found[key], list) and found[key] else found[key]
            if isinstance(value, dict):
                self.assertEqual(set(value), members, key)

    def test_metrics_are_as_documented(self):
        documented = set(re.findall(r"`((?:binlogd|process)_\w+)`", part("Prometheus")))
        with Daemon() as daemon:
            text = daemon.get("/metrics")[1]
        self.assertEqual(set(re.findall(r"(?m)^# TYPE (\w+) ", text)), documented)

    def test_source_gone_is_not_safe(self):
        with Mysql97(*Mysql97.semisync_options()) as source:
            source.create_user()
            with Daemon(source) as daemon:
                daemon.wait_safe()
                self.assertEqual(daemon.get("/healthz")[0], 200)
                safe_since = daemon.json()["safe_changed"]
                source.kill()
                lab.wait_until(lambda: daemon.ask().returncode == 1, 10, "the end of safety")
                found = daemon.json()
                self.assertFalse(found["safe"])
                self.assertFalse(found["source"]["connected"])
                self.assertGreater(found["safe_changed"], safe_since)
                self.assertIsNone(found["behind"]["bytes"])
                self.assertGreater(found["errors"]["source"], 0)
                self.assertIn(f"127.0.0.1:{source.port}", found["problems"][0]["text"])
                status, body = daemon.get("/healthz")
                self.assertEqual(status, 503)
                self.assertEqual(body, daemon.ask().stdout.splitlines()[0] + "\n")
                self.assertRegex(body, "^NOT SAFE since .*: state CONNECTING\n$")
                source.start()
                daemon.wait_safe()
                self.assertGreater(daemon.json()["safe_changed"], found["safe_changed"])
                self.assertEqual(daemon.metrics()["binlogd_source_connects_total"], 2)

    def test_without_daemon_tells_what_the_directory_shows(self):
        with Daemon() as daemon:
            daemon.wait_safe()
            size = sum(size for _, size in SOURCE.logs())
            path = os.path.join(daemon.storage, "binlogd.sock")
            for end in (daemon.stop, daemon.kill9):  # the second leaves the socket behind
                end()
                self.assertEqual(os.path.exists(path), end == daemon.kill9)
                done = daemon.ask()
                self.assertEqual(done.returncode, 1)
                self.assertTrue(done.stdout.startswith("NOT SAFE: binlogd is not running\n"))
                self.assertIn(f"{len(SOURCE.logs())} with {size} bytes in ", done.stdout)
                done = daemon.ask("--json")
                self.assertEqual(done.returncode, 1)
                found = json.loads(done.stdout)
                self.assertEqual((found["running"], found["safe"]), (False, False))
                self.assertEqual(found["storage"]["newest"], SOURCE.position()[0])
                daemon.start()
                daemon.wait_safe()

    def test_directory_with_a_long_path(self):
        with Daemon(run=False) as daemon:
            daemon.storage = os.path.join(daemon.dir, "d" * 140)
            daemon.sections["storage"]["directory"] = daemon.storage
            os.mkdir(daemon.storage, 0o750)
            daemon.start()
            daemon.wait_safe()

    def test_bad_usage_and_configuration(self):
        with Daemon(run=False) as daemon:
            self.assertEqual(daemon.ask().returncode, 2)  # there is no file yet
            daemon.sections["storage"]["directory"] = "/nonexistent/data"
            daemon.write_config()
            done = daemon.ask()
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertEqual(done.stderr, "binlogd: no status from the daemon of /nonexistent/data:"
                             " No such file or directory\n")
            self.assertEqual(daemon.ask("--jsno").returncode, 2)

    def test_daemon_that_does_not_answer_is_given_up(self):
        with Daemon() as daemon:
            daemon.wait_safe()
            daemon.signal(signal.SIGSTOP)
            try:
                begun = time.monotonic()
                done = daemon.ask()
                self.assertLess(time.monotonic() - begun, 8)
            finally:
                daemon.signal(signal.SIGCONT)
            self.assertEqual(done.returncode, 1)
            self.assertIn("no answer within 5 s", done.stderr)

    def test_others_are_not_heard(self):
        with Daemon() as daemon:
            daemon.wait_safe()
            path = os.path.join(daemon.storage, "binlogd.sock")
            self.assertEqual(os.stat(path).st_mode & 0o7777, 0o600)
            if os.geteuid() != 0:
                self.skipTest("skipped: needs root to become somebody else")
            for opened in (daemon.dir, daemon.storage, path):
                os.chmod(opened, 0o777)
            script = ("import socket, sys\ns = socket.socket(socket.AF_UNIX)\n"
                      "s.connect(sys.argv[1])\n"
                      "try:\n s.sendall(b'json\\n')\n sys.exit(len(s.recv(10)))\n"
                      "except OSError:\n pass\n")
            subprocess.run(["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY),
                            "--clear-groups", "python3", "-c", script, path], check=True)
            daemon.wait_for("warn app: a connection to binlogd.sock is refused")

    def test_nonsense_on_the_socket_ends_it(self):
        with Daemon() as daemon:
            daemon.wait_safe()
            for text in (b"xml\n", b"\n", b"json\0\n", b"j" * 500):
                with socket.socket(socket.AF_UNIX) as sock:
                    sock.settimeout(10)
                    sock.connect(os.path.join(daemon.storage, "binlogd.sock"))
                    sock.sendall(text)
                    try:
                        self.assertEqual(sock.recv(100), b"", text)
                    except ConnectionResetError:
                        pass
            with socket.socket(socket.AF_UNIX) as sock:  # who says nothing is not waited for
                sock.settimeout(15)
                sock.connect(os.path.join(daemon.storage, "binlogd.sock"))
                self.assertEqual(sock.recv(100), b"")
            self.assertEqual(daemon.ask().returncode, 0)

    def test_watch_shows_the_progress(self):
        """A backlog of some 60 MB on a disk that takes its time."""
        with Mysql97() as source:
            source.create_user(grant="REPLICATION SLAVE, REPLICATION CLIENT")
            with source.connect() as client:
                client.query("CREATE DATABASE lab")
                client.query("CREATE TABLE lab.t (v LONGBLOB)")
                for _ in range(60):
                    client.query("INSERT INTO lab.t VALUES (REPEAT('x', 1000000))")
            slow = ["strace", "-f", "-q", "-o", "/dev/null", "-e", "trace=fdatasync",
                    "-e", "inject=fdatasync:delay_enter=700000:when=3+"]
            with Daemon(source, run=False, wrapper=slow) as daemon:
                daemon.write_config()
                ours, theirs = pty.openpty()
                self.addCleanup(os.close, ours)
                daemon.start()
                daemon.wait_for("copying from")
                watch = subprocess.Popen(
                    [daemon.binary(), "status", "--watch", "-c", daemon.config], stdout=theirs)
                os.close(theirs)
                self.addCleanup(watch.wait)
                self.addCleanup(watch.kill)
                text = ""
                while "State       ASYNC" not in text:
                    text += os.read(ours, 65536).decode()
        screens = [screen.replace("\r\n", "\n") for screen in text.split("\x1b[H\x1b[2J")[1:]]
        self.assertGreaterEqual(len(screens), 3)
        found = [re.search(r"Catching up \[(#*\.*)\] +(\d+) %\n +[\d.]+ MiB/s, (\d+) s left\n",
                           screen) for screen in screens]
        shares = [int(match.group(2)) for match in found if match]
        self.assertGreaterEqual(len(shares), 2, text)
        self.assertEqual(shares, sorted(shares))
        for match in found:
            self.assertTrue(not match or len(match.group(1)) == 40)
        self.assertNotIn("Catching up", screens[-1])


class Http(unittest.TestCase):
    def test_reload_moves_it(self):
        with Daemon() as daemon:
            first = daemon.metrics_port()
            daemon.sections["metrics"]["listen"] = "127.0.0.1:0,[::1]:0"
            daemon.write_config()
            daemon.signal(signal.SIGHUP)
            second = int(daemon.wait_for(r"http://\[::1\]:(\d+)/metrics", 5).group(1))
            self.assertEqual(daemon.get("/metrics", first)[0], 200)
            self.assertTrue(second)
            daemon.sections["metrics"]["listen"] = "192.0.2.1:1"
            daemon.sections["log"]["level"] = "error"
            daemon.write_config()
            daemon.signal(signal.SIGHUP)
            daemon.wait_for(r"not reloaded.*\[metrics\] listen: cannot listen on 192\.0\.2\.1:1", 5)
            self.assertEqual(daemon.get("/metrics", first)[0], 200)
            daemon.sections["metrics"]["listen"] = None
            daemon.write_config()
            daemon.signal(signal.SIGHUP)
            lab.wait_until(lambda: not is_open(first), 5, "the port to be closed")
            self.assertEqual(daemon.stop(), 0)

    def test_address_in_use_is_told_at_the_start(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            where = f"127.0.0.1:{taken.getsockname()[1]}"
            with Daemon(sections={"metrics": {"listen": where}}) as daemon:
                self.assertEqual(daemon.wait_exit(), 1)
                self.assertIn(f"error app: [metrics] listen: cannot listen on {where}: "
                              "Address already in use", daemon.log_text())

    def test_many_who_say_nothing_do_not_disturb(self):
        """Nor do they fill the log: 30 lines, and then how many more there were."""
        with Daemon() as daemon:
            daemon.wait_safe()
            idle = [socket.create_connection(("127.0.0.1", daemon.metrics_port()))
                    for _ in range(100)]
            SOURCE.query("INSERT INTO lab.t (v) VALUES ('x')")
            lab.wait_until(lambda: get_or_none(daemon), 20, "an answer when the idle are ended")
            for sock in idle:
                sock.close()
            self.assertEqual(daemon.stop(), 0)  # tells of what it kept back
            told = len(re.findall("warn metrics: .* is refused: 16 connections are open",
                                  daemon.log_text()))
            kept = [int(count) for count in re.findall(
                r"warn metrics: repeated (\d+) times more within 10 s, the last: ",
                daemon.log_text())]
            self.assertGreaterEqual(told, 30)
            self.assertGreaterEqual(sum(kept), 50)
            self.assertLess(told, 60)


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def get_or_none(daemon):
    try:
        return daemon.get("/healthz")
    except OSError:
        return None


class Prometheus(unittest.TestCase):
    """The real one, scraping a daemon with a source and a replica."""

    @classmethod
    def setUpClass(cls):
        if not shutil.which("prometheus") or not shutil.which("promtool"):
            raise unittest.SkipTest("skipped: prometheus is not installed")
        cls.daemon = Daemon(sections={"server": {"wait_for_replicas": 1}})
        cls.addClassCleanup(cls.daemon.close)
        cls.replica = Mysql97(*WITH_GTIDS, "--plugin-load-add=semisync_replica.so",
                              "--rpl-semi-sync-replica-enabled=ON", server_id=101)
        cls.addClassCleanup(cls.replica.close)
        cls.replica.replicate_from(cls.daemon.port())
        cls.daemon.wait_safe()
        cls.start_prometheus()

    @classmethod
    def start_prometheus(cls):
        """As the documentation configures it, but faster."""
        home, cls.port = lab.temp_dir(), lab.free_port()
        sample = re.search(r"(?ms)^    (scrape_configs:.*?)\n\n", part("Prometheus") + "\n").group(1)
        sample = sample.replace("\n    ", "\n").replace("backup1:9104",
                                                        f"127.0.0.1:{cls.daemon.metrics_port()}")
        with open(f"{home}/prometheus.yml", "w", encoding="utf-8") as file:
            file.write("global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
                       f"rule_files: ['{DOCS}/prometheus-alerts.yml']\n{sample}\n")
        subprocess.run(["promtool", "check", "config", f"{home}/prometheus.yml"], check=True,
                       stdout=subprocess.DEVNULL)
        process = lab.spawn(["prometheus", f"--config.file={home}/prometheus.yml",
                             f"--storage.tsdb.path={home}/data",
                             f"--web.listen-address=127.0.0.1:{cls.port}"], f"{home}/log")
        cls.addClassCleanup(process.wait)
        cls.addClassCleanup(process.kill)
        lab.wait_until(cls.is_ready, 30, "Prometheus")
        lab.wait_until(lambda: cls.value("count_over_time(up[1m])") >= 4, 30, "four scrapes")

    @classmethod
    def is_ready(cls):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{cls.port}/-/ready", timeout=10):
                return True
        except OSError:
            return False

    @classmethod
    def query(cls, expression):
        """The samples; an error of the expression fails the test."""
        url = f"http://127.0.0.1:{cls.port}/api/v1/query?" + urllib.parse.urlencode(
            {"query": expression})
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{expression}: {error.read().decode()}") from error
        assert found["status"] == "success", found
        return found["data"]["result"]

    @classmethod
    def value(cls, expression):
        samples = cls.query(expression)
        return float(samples[0]["value"][1]) if samples else 0

    def test_promtool_has_nothing_to_say(self):
        text = self.daemon.get("/metrics")[1]
        done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_scrape_is_whole(self):
        self.assertEqual(self.value('up{job="binlogd"}'), 1)
        self.assertEqual(self.value('binlogd_state{state="PROTECTING"}'), 1)
        lab.wait_until(lambda: self.query('binlogd_replica_lag_bytes{server_id="101"}'), 10,
                       "the replica")

    def test_alert_rules_are_right(self):
        for command in (["check", "rules", f"{DOCS}/prometheus-alerts.yml"],
                        ["test", "rules", os.path.join(lab.TOP, "tests/e2e/alerts_test.yml")]):
            done = subprocess.run(["promtool", *command], text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
            self.assertEqual(done.returncode, 0, done.stdout)
        rules = self.rules()
        tested = lab.read_text(os.path.join(lab.TOP, "tests/e2e/alerts_test.yml"))
        for rule in rules:
            self.assertRegex(tested, rf'alertname: ?="?{rule["name"]}"|alertname="{rule["name"]}"')

    def rules(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/rules") as answer:
            return json.load(answer)["data"]["groups"][0]["rules"]

    def test_every_alert_has_its_data(self):
        rules = self.rules()
        self.assertGreater(len(rules), 10)
        for rule in rules:
            self.query(rule["query"])
            for name in set(re.findall(r"\b(?:binlogd|process)_\w+|\bup\b", rule["query"])):
                self.assertTrue(self.query(name), f'{rule["name"]}: {name}')
        firing = [rule["name"] for rule in self.rules() if rule["state"] == "firing"]
        self.assertEqual(firing, [])
        self.assertEqual([rule["lastError"] for rule in self.rules() if rule.get("lastError")], [])

    def test_every_query_of_the_dashboard_has_data(self):
        with open(f"{DOCS}/grafana-dashboard.json", encoding="utf-8") as file:
            dashboard = json.load(file)
        used = ""
        SOURCE.query("INSERT INTO lab.t (v) VALUES ('x')")
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                used += target["expr"]
                expression = target["expr"].replace("$instance", ".*")
                expression = expression.replace("$__rate_interval", "30s")
                self.assertNotIn("$", expression)
                lab.wait_until(lambda: self.query(expression), 10, expression)
        names = set(re.findall(r"`((?:binlogd|process)_\w+)`", part("Prometheus")))
        forgotten = {name for name in names if name not in used} - {"binlogd_build_info"}
        self.assertEqual(forgotten, set())

    def test_loss_of_the_source_is_alerted(self):
        SOURCE.kill()
        try:
            lab.wait_until(lambda: self.query('ALERTS{alertname="BinlogdNotProtecting"}'), 20,
                           "the alert")
        finally:
            SOURCE.start()
        self.daemon.wait_safe()
        lab.wait_until(lambda: not self.query('ALERTS{alertname="BinlogdNotProtecting"}'), 20,
                       "the end of the alert")


if __name__ == "__main__":
    unittest.main(verbosity=2)

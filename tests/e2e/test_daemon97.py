"""The daemon as its operator meets it: signals, service manager, log, secrets, account, installation.

The source is a real MySQL 9.x. What an operator reads in the documentation is tried here as it
is written there: the keys of the status line, the commands, the sample configuration.
"""
import glob
import grp
import os
import pwd
import re
import select
import shutil
import signal
import socket
import subprocess
import time
import unittest
import urllib.error
import urllib.request

import lab
import ledger
from lab import Binlogd, Mysql97

NOBODY = 65534
GTIDS = ["--gtid-mode=ON", "--enforce-gtid-consistency=ON"]
RECORD = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d (error|warn|info|debug) "
                    r"[a-z_]+: \S.*")


def setUpModule():
    global SOURCE
    Binlogd.binary()
    Mysql97.available()
    SOURCE = Mysql97("--bind-address=127.0.0.1,::1")
    unittest.addModuleCleanup(SOURCE.close)
    SOURCE.create_user()
    lab.write_rows(SOURCE)


class Daemon(Binlogd):
    """A daemon that is started by programs which become it, such as env and setpriv."""

    def pid(self):
        return self.process.pid

    def set(self, section, **keys):
        """Change keys in the file; None leaves a key out. The daemon is not told."""
        self.sections.setdefault(section, {}).update(keys)
        self.write_config()

    def wait_copying(self):
        """Until this run of it has connected, and has everything."""
        self.wait_for("copying from")
        lab.wait_caught_up(SOURCE, self)

    def reload(self, words):
        """SIGHUP, and wait for a new line of the log that matches."""
        mark = len(self.log_text())
        self.signal(signal.SIGHUP)
        lab.wait_until(lambda: re.search(words, self.log_text()[mark:]), 5,
                       f"{words!r} after SIGHUP")
        return self.log_text()[mark:]

    def files(self):
        """All regular files below the data directory."""
        paths = [os.path.join(top, name) for top, _, names in os.walk(self.storage)
                 for name in names]
        return [path for path in paths if os.path.isfile(path)]


def logrotate_program():
    path = shutil.which("logrotate") or shutil.which("logrotate", path="/usr/sbin")
    if not path:
        raise unittest.SkipTest("skipped: logrotate is not installed")
    return path


def records(text, level=None):
    return [line for line in text.splitlines() if level is None or f" {level} " in line[:45]]


def status_lines(text):
    return [line for line in text.splitlines() if " status: " in line]


class Reload(unittest.TestCase):
    """SIGHUP: all or nothing."""

    def test_level_and_interval_take_effect(self):
        with Daemon(SOURCE, sections={"log": {"level": "warn", "status_interval": 3600}}) as daemon:
            lab.wait_caught_up(SOURCE, daemon)
            self.assertEqual(records(daemon.log_text(), "info"), [])
            daemon.set("log", level="info", status_interval=1)
            daemon.reload("configuration reloaded")
            lab.wait_until(lambda: len(status_lines(daemon.log_text())) >= 3, 6, "status lines")
            daemon.set("log", level="error")
            daemon.signal(signal.SIGHUP)
            time.sleep(0.3)
            before = daemon.log_text()
            time.sleep(1.5)
            self.assertEqual(daemon.log_text(), before)
            self.assertEqual(daemon.stop(), 0)

    def test_signals_while_it_starts_are_taken_later(self):
        daemon = Binlogd(SOURCE, run=False)
        self.addCleanup(daemon.close)
        daemon.wrapper = ["strace", "-f", "-q", "-o", "/dev/null", "-P", daemon.config,
                          "-e", "trace=openat", "-e", "inject=openat:delay_enter=1000000"]
        daemon.start()
        lab.wait_until(lambda: signal.SIGPIPE in daemon.signals("SigIgn"), 20, "it to begin")
        for number in (signal.SIGHUP, signal.SIGUSR1):
            os.kill(daemon.pid(), number)
        self.assertEqual(daemon.log_text(), "")
        daemon.wait_for("configuration reloaded")
        lab.wait_caught_up(SOURCE, daemon)
        os.kill(daemon.pid(), signal.SIGTERM)
        self.assertEqual(daemon.wait_exit(), 0)

    def test_mended_password_is_tried_at_once(self):
        """Also where the wait for the next try would be long."""
        for by_file in (False, True):
            with self.subTest(password_file=by_file), \
                    Daemon(SOURCE, run=False, password="wrong", retry_max=600) as daemon:
                path = os.path.join(daemon.dir, "password")
                if by_file:
                    daemon.set("dumper", password=None, password_file=path)
                    self.write_secret(path, "wrong")
                daemon.start()
                daemon.wait_for("warn dumper: .*Access denied")
                time.sleep(1.7)  # the next try is due after 3.1 s
                daemon.reload("(?s)configuration reloaded.*Access denied")
                time.sleep(0.8)  # and now 1.5 s after the reload
                self.write_secret(path, lab.PASSWORD)
                daemon.set("dumper", **({} if by_file else {"password": lab.PASSWORD}))
                daemon.reload("configuration reloaded")
                lab.wait_caught_up(SOURCE, daemon, 0.6)
                self.assertEqual(daemon.stop(), 0)

    @staticmethod
    def write_secret(path, text):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text + "\n")

    def test_new_password_serves_next_connection(self):
        SOURCE.create_user("changing", "Old-secret_1")
        with Daemon(SOURCE, user="changing", password="Old-secret_1") as daemon:
            daemon.wait_copying()
            SOURCE.unlogged("ALTER USER 'changing'@'%' IDENTIFIED BY 'New-secret_2'")
            daemon.set("dumper", password="New-secret_2")
            daemon.reload("configuration reloaded")
            mark = len(daemon.log_text())
            thread = SOURCE.query("SELECT processlist_id FROM performance_schema.threads "
                                  "WHERE processlist_user='changing'")[-1][0]
            SOURCE.unlogged(f"KILL {thread}")
            lab.wait_until(lambda: "copying from" in daemon.log_text()[mark:], 10, "a new dump")
            self.assertNotIn("Access denied", daemon.log_text())

    def test_bad_file_changes_nothing(self):
        with Daemon(SOURCE, sections={"log": {"level": "info"}}) as daemon:
            daemon.wait_copying()
            daemon.set("log", level="debug")
            daemon.set("dumper", hots="a")
            self.assertRegex(daemon.reload("not reloaded"), r"error app: .*binlogd\.ini.*hots")
            daemon.set("dumper", hots=None)
            os.chmod(daemon.config, 0o644)
            self.assertRegex(daemon.reload("not reloaded"), "readable by group or others")
            os.rename(daemon.config, daemon.config + ".away")
            self.assertRegex(daemon.reload("not reloaded"), "No such file")
            daemon.set("log", file="/nonexistent/binlogd.log")
            self.assertRegex(daemon.reload("not reloaded"), "/nonexistent/binlogd.log")
            daemon.set("log", file=None)
            lab.write_rows(SOURCE)
            daemon.wait_copying()
            self.assertEqual(records(daemon.log_text(), "debug"), [])
            daemon.reload("configuration reloaded")
            self.assertEqual(daemon.stop(), 0)

    def test_key_that_needs_restart_is_named(self):
        changes = [("dumper", "host", "localhost"), ("dumper", "port", "1"),
                   ("dumper", "user", "other"), ("dumper", "server_id", "99"),
                   ("dumper", "semi_sync", "off"), ("dumper", "start", "latest"),
                   ("dumper", "ssl_mode", "required"), ("dumper", "heartbeat_period", "1"),
                   ("storage", "directory", "/tmp"), ("server", "listen", "127.0.0.1:1")]
        with Daemon(SOURCE, sections={"log": {"level": "info"}}) as daemon:
            daemon.wait_copying()
            for section, key, value in changes:
                with self.subTest(key=key):
                    old = daemon.sections.get(section, {}).get(key)
                    daemon.set("log", level="debug")
                    daemon.set(section, **{key: value})
                    line = daemon.reload("not reloaded")
                    self.assertRegex(line, rf"error app: .*\[?{section}\]?.*{key}.*restart")
                    daemon.set(section, **{key: old})
            self.assertEqual(records(daemon.log_text(), "debug"), [])
            self.assertEqual(daemon.stop(), 0)


class LogFile(unittest.TestCase):
    """[log] file, and the log itself."""

    def start(self, level="info"):
        daemon = Daemon(SOURCE, run=False, sections={"log": {"level": level}})
        self.addCleanup(daemon.close)
        daemon.stderr = daemon.log
        daemon.log = os.path.join(daemon.dir, "own.log")
        daemon.sections["log"]["file"] = daemon.log
        daemon.write_config()
        daemon.process = lab.spawn([Binlogd.binary(), "-c", daemon.config], daemon.stderr)
        daemon.wait_copying()
        return daemon

    def test_renamed_log_is_begun_anew(self):
        daemon = self.start()
        old = daemon.log + ".1"
        os.rename(daemon.log, old)
        daemon.signal(signal.SIGUSR1)
        daemon.wait_for("info app: log reopened", 5)
        size = os.path.getsize(old)
        daemon.wait_for("status: state=", 5)
        self.assertEqual(os.path.getsize(old), size)
        self.assertEqual(os.stat(daemon.log).st_mode & 0o777, 0o640)
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(lab.read_text(daemon.stderr), "")

    def test_log_that_cannot_be_reopened_goes_on(self):
        daemon = self.start()
        away = daemon.dir + ".away"
        self.addCleanup(shutil.rmtree, away, True)
        os.rename(daemon.dir, away)
        daemon.signal(signal.SIGUSR1)
        lab.wait_until(lambda: "error app: cannot open the log file" in
                       lab.read_text(f"{away}/own.log"), 5, "the failure in the old log")
        os.rename(away, daemon.dir)
        lab.write_rows(SOURCE)
        daemon.wait_copying()
        self.assertEqual(daemon.stop(), 0)

    def test_reload_moves_the_log(self):
        daemon = self.start()
        old = daemon.log
        daemon.log = daemon.log + ".new"
        daemon.set("log", file=daemon.log)
        daemon.reload("configuration reloaded")
        self.assertNotIn("reloaded", lab.read_text(old))

    def logrotate(self, daemon, **changes):
        """One run with what the documentation shows; `changes` replace a directive by another."""
        text = lab.read_text(os.path.join(lab.TOP, "docs", "operations.md"))
        text = re.search(r"(?ms)^    (/var/log/binlogd/binlogd.log \{.*?^    \})", text).group(1)
        mine = pwd.getpwuid(os.geteuid()).pw_name
        for old, new in (("/var/log/binlogd/binlogd.log", daemon.log),
                         ("binlogd binlogd", f"{mine} {grp.getgrgid(os.getegid()).gr_name}"),
                         ("systemctl kill --kill-whom=main --signal=USR1 binlogd",
                          f"kill -USR1 {daemon.pid()}")):
            self.assertIn(old, text)
            text = text.replace(old, new)
        for old, new in changes.items():
            text = re.sub(rf"(?m)^ *{old}\b.*$", new, text)
        path = os.path.join(daemon.dir, "logrotate.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(re.sub(r"(?m)^    ", "", text) + "\n")
        subprocess.run([logrotate_program(), "-f", "-s", f"{daemon.dir}/state", path], check=True)

    def test_logrotate_loses_nothing(self):
        for changes in ({}, {"create": "copytruncate", "postrotate": "", "endscript": "",
                             "kill": ""}):
            with self.subTest(changes=changes):
                daemon = self.start()
                self.logrotate(daemon, **changes)
                if not changes:
                    daemon.wait_for("info app: log reopened", 5)
                daemon.wait_for("status: state=", 5)
                self.assertIn("copying from", lab.read_text(daemon.log + ".1"))
                self.assertNotIn("copying from", lab.read_text(daemon.log))
                self.assertNotIn("\0", lab.read_text(daemon.log))
                self.assertEqual(os.stat(daemon.log).st_mode & 0o777, 0o640)
                self.assertEqual(daemon.stop(), 0)
                self.assertIn("stopped with exit code 0", lab.read_text(daemon.log))

    def test_journal_gets_the_level_of_each_line(self):
        """As systemd starts it: the variable names the stream that standard error is."""
        wrapper = ["sh", "-c", 'JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/2) exec "$@"', "sh"]
        with Daemon(SOURCE, wrapper=wrapper, password="wrong") as daemon:
            daemon.wait_for("Access denied")
            lines = [line for line in records(daemon.log_text()) if " debug " not in line[:60]]
            for line in lines:
                level, rest = re.fullmatch(r"<(\d)>(.*)", line).groups()
                self.assertEqual({"4": "warn", "6": "info"}[level],
                                 RECORD.fullmatch(rest).group(1))
            self.assertIn("<4>", "".join(lines))

    def test_every_line_has_the_form(self):
        daemon = self.start("debug")
        daemon.reload("configuration reloaded")
        self.assertEqual(daemon.stop(), 0)
        wrong = [line for line in records(daemon.log_text()) if not RECORD.fullmatch(line)]
        self.assertEqual(wrong, [])

    def test_time_has_the_zone(self):
        with Daemon(SOURCE, wrapper=["env", "TZ=IST-5:30"]) as daemon:
            daemon.wait_for("status: ")
            line = records(daemon.log_text())[0]
            self.assertIn("+05:30 ", line)
            there = time.strftime("%Y-%m-%dT%H:", time.gmtime(time.time() + 5.5 * 3600))
            before = time.strftime("%Y-%m-%dT%H:", time.gmtime(time.time() + 5.5 * 3600 - 60))
            self.assertTrue(line.startswith((there, before)), line)


class SemiSync(unittest.TestCase):
    """What needs a source that waits."""

    @classmethod
    def setUpClass(cls):
        cls.source = Mysql97(*Mysql97.semisync_options(), *GTIDS)
        cls.addClassCleanup(cls.source.close)
        cls.source.create_user()
        cls.source.unlogged("CREATE DATABASE lab", "CREATE TABLE lab.ledger (client INT, seq INT, "
                            "value VARCHAR(64), pad LONGBLOB, PRIMARY KEY (client, seq))")

    def stop_under_load(self, number, pad, first_client):
        with Daemon(self.source) as daemon:
            self.source.wait_semisync_client()
            load = ledger.Load(self.source, 4, pad=pad, first_client=first_client)
            self.addCleanup(load.stop)
            load.start()
            load.wait_commits(40)
            mark = len(daemon.log_text())
            daemon.signal(number)
            self.assertEqual(daemon.wait_exit(10), 0)
            self.assertRegex(daemon.log_text()[mark:], "stopped with exit code 0")
            entries = dict(load.entries)
            lab.check_copies(self.source, daemon, live=True)
            rows = [row for row in ledger.rows_in(
                [daemon.copy_path(name) for name in daemon.copies()], self.source.mysqlbinlog(),
                torn=True) if 0 <= row[0] - first_client < 4]
            self.assertEqual(ledger.problems(entries, rows), [])
            daemon.start()
            load.wait_commits(40)
            load.stop()
            lab.assert_copied(self.source, daemon)
            self.assertEqual(self.source.semisync()["no_tx"], 0)
            self.assertEqual(daemon.stop(), 0)

    def test_sigterm_under_load_keeps_all_that_was_answered(self):
        self.stop_under_load(signal.SIGTERM, 0, 0)

    def test_sigint_amid_large_events_keeps_all_that_was_answered(self):
        self.stop_under_load(signal.SIGINT, 300000, 100)

    def test_status_line_has_the_documented_keys(self):
        text = lab.read_text(os.path.join(lab.TOP, "docs", "operations.md"))
        sample = re.search(r"(?m)^    status: (.*)", text).group(1)
        keys = re.findall(r"(\w+)=", sample)
        states = re.findall(r"(?m)^\| ([A-Z_]+) \|", text)
        with Daemon(self.source) as daemon:
            self.source.wait_semisync_client()
            with self.source.connect() as client:
                client.query("INSERT INTO lab.ledger VALUES (999, 1, '', '')")
            lab.wait_until(lambda: daemon.status().get("acks", "0") != "0", 5, "acks")
            lab.wait_caught_up(self.source, daemon)
            name, position = self.source.position()
            lab.wait_until(lambda: daemon.status().get("durable") == f"{name}:{position}", 5,
                           "the end in the status line")
            status = daemon.status()
            self.assertEqual(list(status), keys)
            self.assertIn(status["state"], states)
            self.assertEqual(status["state"], "PROTECTING")
            self.assertEqual(status["source"], f"127.0.0.1:{self.source.port}")
            self.assertEqual(status["received"], f"{name}:{position}")
            self.assertEqual(int(status["files"]), len(daemon.copies()))
            self.assertEqual(int(status["bytes"]), sum(size for _, size in self.source.logs()))
            executed = self.source.query("SELECT @@global.gtid_executed")[0][0]
            self.assertEqual(status["gtids"], executed.replace("\n", ""))
            for key in ("ack_us", "sync_us", "replicas", "seconds_behind"):
                self.assertRegex(status[key], r"^\d+$")


class Drain(unittest.TestCase):
    """A stop while the disk is slow."""

    def test_all_that_was_received_is_synced(self):
        trace = os.path.join(lab.temp_dir(), "trace")
        slow = ["strace", "-f", "-y", "-q", "-o", trace, "-e",
                "trace=fdatasync,write,pwrite64,writev,pwritev",
                "-e", "inject=fdatasync:delay_enter=1500000:when=6+"]
        with Binlogd(SOURCE, wrapper=slow) as daemon:
            lab.wait_caught_up(SOURCE, daemon)
            for _ in range(3):
                lab.write_rows(SOURCE)
                time.sleep(0.1)
            name, position = SOURCE.position()
            lab.wait_until(lambda: daemon.status().get("received") == f"{name}:{position}", 5,
                           "the end to be received", 0.005)
            self.assertNotEqual(daemon.status()["durable"], daemon.status()["received"])
            self.assertEqual(daemon.stop(), 0)
            lab.check_copies(SOURCE, daemon)
        calls = [line for line in lab.read_text(trace).splitlines()
                 if f"/{name}>" in line and "resumed" not in line]
        self.assertRegex(calls[-1], r" fdatasync\(")


class ServiceManager(unittest.TestCase):
    """The messages to $NOTIFY_SOCKET."""

    def start(self, watchdog=""):
        path = os.path.join(lab.temp_dir(), "notify")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.notify.close)
        self.notify.bind(path)
        daemon = Daemon(SOURCE, wrapper=["env", f"NOTIFY_SOCKET={path}", "sh", "-c",
                                         watchdog + ' exec "$@"', "sh"])
        self.addCleanup(daemon.close)
        return daemon

    def collect(self, enough, timeout=10):
        """[(time, message)] until enough(messages)."""
        came, deadline = [], time.monotonic() + timeout
        while not enough([text for _, text in came]):
            if not select.select([self.notify], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"only these messages came: {came}")
            came.append((time.monotonic(), self.notify.recv(65536).decode()))
        return came

    def test_life_is_told(self):
        daemon = self.start("export WATCHDOG_USEC=1000000 WATCHDOG_PID=$$;")
        came = self.collect(lambda texts: texts.count("WATCHDOG=1") >= 4 and
                            any("durable=mysql-bin" in text for text in texts))
        texts = [text for _, text in came]
        self.assertEqual(texts[0], "READY=1")
        self.assertTrue(any(re.match(r"STATUS=state=[A-Z_]+ source=", text) for text in texts))
        beats = [when for when, text in came if text == "WATCHDOG=1"]
        self.assertLess(max(b - a for a, b in zip(beats, beats[1:])), 0.9)
        daemon.signal(signal.SIGHUP)
        self.collect(lambda texts: "RELOADING=1" in texts and texts[-1] == "READY=1")
        daemon.signal(signal.SIGTERM)
        self.collect(lambda texts: "STOPPING=1" in texts)
        self.assertEqual(daemon.wait_exit(), 0)

    def test_watchdog_of_another_process_is_not_fed(self):
        daemon = self.start("export WATCHDOG_USEC=200000 WATCHDOG_PID=1;")
        came = self.collect(lambda texts: sum("STATUS=" in text for text in texts) >= 4)
        self.assertNotIn("WATCHDOG=1", [text for _, text in came])
        self.assertEqual(daemon.stop(), 0)

    def test_refused_start_is_not_ready(self):
        daemon = self.start()
        self.collect(lambda texts: "READY=1" in texts)
        other = Daemon(SOURCE, wrapper=daemon.wrapper,
                       sections={"storage": {"directory": daemon.storage}})
        self.addCleanup(other.close)
        self.assertEqual(other.wait_exit(), 1)
        self.assertEqual(daemon.stop(), 0)
        came = self.collect(lambda texts: "STOPPING=1" in texts)
        self.assertNotIn("READY=1", [text for _, text in came])


class Secrets(unittest.TestCase):
    """Passwords are nowhere but in the files that hold them."""

    MARKS = ("Marker-zebra_41", "Marker-okapi_42", "Marker-tapir_43")

    def assert_absent(self, where, data):
        for mark in self.MARKS:
            self.assertNotIn(mark.encode(), data, f"{mark} in {where}")

    def look_everywhere(self, daemon):
        for name in ("cmdline", "environ", "comm"):
            with open(f"/proc/{daemon.pid()}/{name}", "rb") as file:
                self.assert_absent(name, file.read())
        for path in [daemon.log, *daemon.files()]:
            with open(path, "rb") as file:
                self.assert_absent(path, file.read())
        done = subprocess.run([Binlogd.binary(), "check", "-c", daemon.config],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn(b"password=********", done.stdout)
        self.assert_absent("check", done.stdout)
        for options in ([], ["--json"]):
            done = subprocess.run([Binlogd.binary(), "status", "-c", daemon.config, *options],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertIn(f"127.0.0.1:{SOURCE.port}".encode(), done.stdout)
            self.assert_absent("status", done.stdout)
        port = daemon.wait_for(r"listening on http://127\.0\.0\.1:(\d+)/").group(1)
        for path in ("/metrics", "/healthz", "/"):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
                    self.assert_absent(path, answer.read())
            except urllib.error.HTTPError as error:
                self.assert_absent(path, error.read())

    def test_passwords_are_not_told(self):
        good, wrong, users = self.MARKS
        SOURCE.create_user("marked", good)
        with Daemon(SOURCE, user="marked", password=wrong,
                    sections={"user app": {"password": users},
                              "metrics": {"listen": "127.0.0.1:0"}}) as daemon:
            daemon.wait_for("Access denied")
            self.look_everywhere(daemon)
            for ssl_mode in ("disabled", "required"):
                daemon.stop()
                daemon.set("dumper", password=good, ssl_mode=ssl_mode)
                SOURCE.query("FLUSH LOCAL PRIVILEGES")
                daemon.start()
                daemon.wait_copying()
                self.look_everywhere(daemon)
            daemon.set("dumper", password=wrong, port=1)
            daemon.reload("not reloaded")
            daemon.set("dumper", port=SOURCE.port)
            daemon.reload("configuration reloaded")
            self.look_everywhere(daemon)
            self.assertEqual(daemon.stop(), 0)

    def test_mistakes_do_not_quote_passwords(self):
        with Daemon(SOURCE, run=False) as daemon:
            mark = self.MARKS[0]
            for line in (f"password=a\npassword={mark}", f"pasword={mark}", f"password={mark} ;x",
                         f"password={mark}\npassword_file=/nonexistent", f" password={mark}",
                         f"password={mark}" + "x" * 200, f"{mark}", f"password {mark}",
                         f"password=\x01{mark}", f"[user a]\npassword={mark}\nrights=bad"):
                daemon.sections["dumper"]["password"] = None
                daemon.write_config()
                with open(daemon.config, "a", encoding="utf-8") as file:
                    file.write(f"[dumper]\n{line}\n")
                for command in ([], ["check"]):
                    done = subprocess.run([Binlogd.binary(), *command, "-c", daemon.config],
                                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                    self.assertEqual(done.returncode, 2, (line, done.stdout))
                    self.assert_absent(line, done.stdout)

    def test_no_core_is_written(self):
        with Daemon(SOURCE) as daemon:
            daemon.wait_copying()
            limits = lab.read_text(f"/proc/{daemon.pid()}/limits")
            self.assertRegex(limits, r"(?m)^Max core file size +0 +0 ")


class Account(unittest.TestCase):
    """An account that may do nothing but write its own directory."""

    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("skipped: needs root to become somebody else")

    @staticmethod
    def daemon(**more):
        """The program is copied, for the build may lie where others cannot look."""
        daemon = Daemon(SOURCE, run=False, **more)
        program = os.path.join(daemon.dir, "program")
        shutil.copy(Binlogd.binary(), program)
        daemon.binary = lambda: program
        daemon.wrapper = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY),
                          "--clear-groups", "--no-new-privs", "--bounding-set=-all",
                          "--inh-caps=-all", "sh", "-c", 'umask 0; exec "$@"', "sh"]
        os.chmod(daemon.dir, 0o755)
        os.chown(daemon.storage, NOBODY, NOBODY)
        daemon.write_config()
        os.chown(daemon.config, NOBODY, NOBODY)
        return daemon

    def test_nobody_copies(self):
        with self.daemon() as daemon:
            daemon.start()
            daemon.wait_copying()
            SOURCE.query("FLUSH BINARY LOGS")
            lab.write_rows(SOURCE)
            daemon.wait_copying()
            status = lab.read_text(f"/proc/{daemon.pid()}/status")
            self.assertRegex(status, rf"(?m)^Uid:\s+{NOBODY}\s+{NOBODY}\s")
            self.assertRegex(status, r"(?m)^CapEff:\s+0+$")
            self.assertNotIn("root", daemon.log_text())
            asked = subprocess.run([*daemon.wrapper, daemon.binary(), "status", "-c",
                                    daemon.config], stdout=subprocess.PIPE, text=True)
            self.assertRegex(asked.stdout, "^NOT SAFE since .*: state (ASYNC|CATCHING_UP)\n")
            self.assertEqual(asked.returncode, 1)
            self.assertEqual(daemon.stop(), 0)
            lab.check_copies(SOURCE, daemon)
            for path in daemon.files():
                found = os.stat(path)
                self.assertEqual((oct(found.st_mode & 0o7777), found.st_uid),
                                 (oct(0o640), NOBODY), path)
            self.assertEqual(os.stat(daemon.epoch()).st_mode & 0o7777, 0o750)
            names = {os.path.basename(path) for path in daemon.files()}
            self.assertLessEqual({"binlogd.lock", "server-uuid", "mysql-bin.index"}, names)

    def test_foreign_directory_is_refused(self):
        with self.daemon() as daemon:
            os.chown(daemon.storage, 0, 0)
            daemon.start()
            self.assertIn(daemon.wait_exit(), (1, 3))
            self.assertRegex(daemon.log_text(), rf"error .*{daemon.storage}.*Permission denied")

    def test_root_is_advised_against(self):
        with Daemon(SOURCE) as daemon:
            daemon.wait_for("warn app: running as root")


class Source(unittest.TestCase):
    """Ways to say where the source is and where to begin."""

    def assert_copies(self, **keys):
        with Daemon(SOURCE, **keys) as daemon:
            lab.assert_copied(SOURCE, daemon)
            self.assertEqual(daemon.stop(), 0)
            return daemon.log_text()

    def test_ipv6_address_copies(self):
        self.assertIn(f"source=[::1]:{SOURCE.port} ", self.assert_copies(host="::1"))

    def test_refused_ipv6_address_is_named(self):
        with Daemon(SOURCE, host="::1", port=lab.free_port()) as daemon:
            daemon.wait_for(r"warn dumper: source \[::1\]:\d+: .*refused")

    def test_pinned_key_copies(self):
        SOURCE.query("FLUSH LOCAL PRIVILEGES")
        self.assert_copies(ssl_mode="disabled", get_public_key="off",
                           public_key_file=self.key_file())

    @staticmethod
    def key_file():
        path = os.path.join(lab.temp_dir(), "public_key.pem")
        shutil.copy(os.path.join(SOURCE.datadir, "public_key.pem"), path)
        return path

    def test_pinned_key_of_another_server_is_refused(self):
        """Nothing is asked for that the key was to save us from trusting."""
        SOURCE.query("FLUSH LOCAL PRIVILEGES")
        directory = lab.temp_dir()
        subprocess.run("openssl genrsa -out k 2048 && openssl rsa -in k -pubout -out p",
                       shell=True, check=True, cwd=directory, stderr=subprocess.DEVNULL)
        with Daemon(SOURCE, ssl_mode="disabled", get_public_key="off",
                    public_key_file=f"{directory}/p") as daemon:
            daemon.wait_for("warn dumper: .*Access denied|warn dumper: .*key")
            self.assertEqual(daemon.copies(), [])

    def test_bad_key_file_is_refused(self):
        path = os.path.join(lab.temp_dir(), "key")
        for text in (None, "", "no key\n"):
            if text is not None:
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
            with self.subTest(text=text), Daemon(SOURCE, run=False, ssl_mode="disabled",
                                                 public_key_file=path) as daemon:
                daemon.write_config()
                for command in ([], ["check"]):
                    done = subprocess.run([Binlogd.binary(), *command, "-c", daemon.config],
                                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                          text=True, timeout=10)
                    self.assertEqual(done.returncode, 2, done.stdout)
                    self.assertIn("public_key_file", done.stdout)

    def test_start_within_a_file_copies_the_whole_file(self):
        SOURCE.query("FLUSH BINARY LOGS")
        lab.write_rows(SOURCE)
        name, position = SOURCE.position()
        for at in (position, 157, 200):
            with self.subTest(at=at), Daemon(SOURCE, start=f"{name}:{at}") as daemon:
                lab.wait_caught_up(SOURCE, daemon)
                self.assertEqual(daemon.copies(), [name])
                self.assertIsNone(lab.same_bytes(SOURCE.log_path(name), daemon.copy_path(name)))

    def test_start_counts_only_for_an_empty_store(self):
        """One that holds something goes on where it ended."""
        with Daemon(SOURCE) as daemon:
            daemon.wait_copying()
            daemon.stop()
            SOURCE.query("FLUSH BINARY LOGS")
            SOURCE.query("FLUSH BINARY LOGS")
            daemon.set("dumper", start=f"{SOURCE.position()[0]}:4")
            daemon.start()
            lab.assert_copied(SOURCE, daemon)


class BackOff(unittest.TestCase):
    """A source that is away."""

    def setUp(self):
        self.source = Mysql97()
        self.addCleanup(self.source.close)
        self.source.create_user()

    def attempts(self, seconds):
        """Times of the connections in so many seconds; each is closed at once."""
        times, deadline = [], time.monotonic() + seconds
        with socket.create_server(("127.0.0.1", self.source.port)) as listener:
            while (left := deadline - time.monotonic()) > 0:
                if select.select([listener], [], [], left)[0]:
                    times.append(time.monotonic())
                    listener.accept()[0].close()
        return times

    def test_tries_double_up_to_retry_max(self):
        with Daemon(self.source, retry_max=1) as daemon:
            lab.assert_copied(self.source, daemon)
            self.source.kill()
            mark = len(daemon.log_text())
            times = self.attempts(4)
            gaps = [b - a for a, b in zip(times, times[1:])]
            self.assertGreaterEqual(len(gaps), 4, gaps)
            # The source may have been down for a try or two before the listener was there.
            wanted = [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 1.0, 1.0]
            self.assertTrue(any(all(-0.02 < gap - want < 0.35 for gap, want in
                                    zip(gaps, wanted[skip:])) for skip in range(4)), gaps)
            warnings = [re.sub(r"^.*?warn ", "", line)
                        for line in records(daemon.log_text()[mark:], "warn")]
            # The end of the dump, nobody there, and then one for all of our attempts.
            self.assertLessEqual(len(warnings), 3, warnings)
            self.source.start()
            back = time.monotonic()
            lab.write_rows(self.source)
            lab.assert_copied(self.source, daemon)
            self.assertLess(time.monotonic() - back, 2.5)
            self.assertEqual(daemon.stop(), 0)

    def test_waits_begin_short_again_after_a_dump(self):
        with Daemon(self.source, retry_max=30) as daemon:
            lab.assert_copied(self.source, daemon)
            for _ in range(2):
                self.source.kill()
                self.assertGreaterEqual(len(self.attempts(0.8)), 2)
                self.source.start()
                lab.assert_copied(self.source, daemon)


class Documentation(unittest.TestCase):
    """The commands of README.md and docs, as far as a test can run them."""

    @classmethod
    def setUpClass(cls):
        cls.build = os.path.dirname(Binlogd.binary())
        if not os.path.exists(os.path.join(cls.build, "cmake_install.cmake")):
            raise unittest.SkipTest("skipped: BINLOGD is not in a build directory")
        cls.root = lab.temp_dir()
        os.chmod(cls.root, 0o755)
        cls.install()

    @classmethod
    def install(cls):
        text = lab.read_text(os.path.join(lab.TOP, "README.md"))
        command = re.search(r"(?m)^    cmake --install build (.*)$", text).group(1).split()
        subprocess.run(["cmake", "--install", cls.build, *command], check=True,
                       env=dict(os.environ, DESTDIR=cls.root), stdout=subprocess.DEVNULL)

    def path(self, name):
        return os.path.join(self.root, name)

    def test_installed_files_are_where_the_readme_says(self):
        for name in ("usr/sbin/binlogd", "etc/binlogd/binlogd.ini",
                     "usr/lib/systemd/system/binlogd.service", "usr/lib/sysusers.d/binlogd.conf",
                     "usr/share/doc/binlogd/README.md", "usr/share/doc/binlogd/minimal.ini",
                     "usr/share/doc/binlogd/operations.md", "usr/share/man/man8/binlogd.8"):
            self.assertTrue(os.path.isfile(self.path(name)), name)
            self.assertTrue(os.stat(self.path(name)).st_mode & 0o004, f"{name} is not for all")
        service = lab.read_text(self.path("usr/lib/systemd/system/binlogd.service"))
        self.assertIn("/usr/sbin/binlogd -c /etc/binlogd/binlogd.ini", service)

    def test_manual_page_names_all_that_the_help_does(self):
        """Commands, options and exit codes, the one as the other."""
        page = lab.read_text(os.path.join(lab.TOP, "docs", "binlogd.8")).replace("\\-", "-")
        text = subprocess.run([Binlogd.binary(), "-h"], stdout=subprocess.PIPE, text=True,
                              check=True).stdout
        options = r"(?<![\w-])--?[a-zA-Z][a-z-]*"
        self.assertEqual(set(re.findall(options, page)), set(re.findall(options, text)))
        self.assertEqual(set(re.findall(r"(?m)^\.B binlogd (\w+)", page)),
                         set(re.findall(r"(?m)^  binlogd (\w+)", text)))
        codes = text[text.index("Exit codes"):]
        self.assertEqual(re.findall(r"(?m)^\.B (\d)$", page), re.findall(r"(?m)\b(\d) ", codes))

    def test_edited_configuration_survives_an_upgrade(self):
        with open(self.path("etc/binlogd/binlogd.ini"), "a", encoding="utf-8") as file:
            file.write("[log]\nlevel=debug\n")
        self.install()
        self.assertIn("level=debug", lab.read_text(self.path("etc/binlogd/binlogd.ini")))

    def test_minimal_configuration_copies(self):
        """With the four values that a reader has to change, as the account of the unit would."""
        text = lab.read_text(self.path("usr/share/doc/binlogd/minimal.ini"))
        home = lab.temp_dir()
        secret, config = os.path.join(home, "source.password"), os.path.join(home, "binlogd.ini")
        Reload.write_secret(secret, lab.PASSWORD)
        for old, new in (("db1.example.com", "127.0.0.1"), ("user=binlogd", "user=repl"),
                         ("/etc/binlogd/source.password", secret),
                         ("server_id=4001", f"server_id=4001\nport={SOURCE.port}")):
            self.assertIn(old, text)
            text = text.replace(old, new)
        storage = os.path.join(home, "data")
        os.mkdir(storage, 0o750)
        text += f"[storage]\ndirectory={storage}\n[server]\nlisten=127.0.0.1:0\n"
        with open(config, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(config, 0o644)
        command = [self.path("usr/sbin/binlogd")]
        if os.geteuid() == 0:
            for path in (home, secret, storage):
                os.chown(path, NOBODY, NOBODY)
            command = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY),
                       "--clear-groups", *command]
        done = subprocess.run([*command, "check", "-c", config], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)
        with Daemon(SOURCE, run=False) as daemon:
            daemon.config, daemon.storage = config, storage
            daemon.process = lab.spawn([*command, "-c", config], daemon.log)
            lab.assert_copied(SOURCE, daemon)
            self.assertEqual(daemon.stop(), 0)

    def test_sample_configuration_shows_the_defaults(self):
        """Uncommented it is what `check` prints for a file without any of its keys."""
        text = lab.read_text(os.path.join(lab.TOP, "conf", "binlogd.ini"))
        keys = re.findall(r"(?m)^#(\w+)=", text)
        text = re.sub(r"(?s)#\[user replica\].*?\n\n", "", text)
        table = lab.read_text(os.path.join(lab.TOP, "docs", "configuration.md"))
        documented = re.findall(r"(?m)^\| `(\w+)` \|", table)
        self.assertEqual(keys, documented)
        path = os.path.join(lab.temp_dir(), "a.ini")
        shown = []
        for body in (text, re.sub(r"(?m)^#(\w+=.+)$", r"\1", text)):
            body = body.replace("#host=", "host=h").replace("#user=", "user=u")
            body = body.replace("#server_id=", "server_id=1")
            Reload.write_secret(path, body)
            done = subprocess.run([Binlogd.binary(), "check", "-c", path], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual(done.returncode, 0, done.stdout)
            shown.append(done.stdout)
        self.assertEqual(shown[0], shown[1])

    def test_statements_of_the_readme_prepare_a_source(self):
        text = lab.read_text(os.path.join(lab.TOP, "README.md"))
        statements = [part.strip() for line in re.findall(
            r"(?m)^       ((?:CREATE|GRANT|INSTALL|SET) .*;)$", text)
            for part in line.split(";") if part.strip()]
        self.assertEqual(len(statements), 5)
        with Mysql97() as source:
            with source.connect() as client:
                for statement in statements:
                    client.query(statement.replace("…", lab.PASSWORD))
            with Daemon(source, user="binlogd") as daemon:
                daemon.wait_for("status: state=PROTECTING")
                source.wait_semisync_client()
                lab.write_rows(source)
                self.assertGreater(source.semisync()["yes_tx"], 0)
                self.assertEqual([line for line in records(daemon.log_text(), "warn")
                                  if "running as root" not in line], [])

    def test_scripts_of_the_readme_are_there(self):
        text = lab.read_text(os.path.join(lab.TOP, "README.md"))
        for name in set(re.findall(r"(?m)^    (tests/\w+)", text)):
            self.assertTrue(os.access(os.path.join(lab.TOP, name), os.X_OK), name)
            subprocess.run(["bash", "-n", os.path.join(lab.TOP, name)], check=True)

    def test_unit_is_valid(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("skipped: no systemd-analyze")
        root = os.path.join(lab.temp_dir(), "root")
        shutil.copytree(self.root, root)
        system = os.path.join(root, "usr/lib/systemd/system")
        for path in glob.glob("/usr/lib/systemd/system/*.target"):
            if not os.path.exists(os.path.join(system, os.path.basename(path))):
                shutil.copy(path, system, follow_symlinks=False)
        os.makedirs(os.path.join(root, "bin"))
        shutil.copy("/bin/kill", os.path.join(root, "bin"))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
                               f"--root={root}", "binlogd.service"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        wrong = [line for line in done.stdout.splitlines() if "binlogd" in line]
        self.assertEqual((wrong, done.returncode), ([], 0), done.stdout)

    def test_account_is_made(self):
        if not shutil.which("systemd-sysusers"):
            self.skipTest("skipped: no systemd-sysusers")
        done = subprocess.run(["systemd-sysusers", "--dry-run",
                               self.path("usr/lib/sysusers.d/binlogd.conf")], check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        known = any(entry.pw_name == "binlogd" for entry in pwd.getpwall())
        self.assertTrue(known or "binlogd" in done.stdout, done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)

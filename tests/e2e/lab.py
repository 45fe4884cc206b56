"""The test lab: real servers to copy from and the daemon under test, each in its own directory.

Everything listens on 127.0.0.1 or on a unix socket inside a temporary directory, is started
with --no-defaults and is stopped by its own pid, also when the test run itself is killed.
Servers are copied from a data directory that was initialised once and kept in the cache.
What the tests compare byte by byte and wait for is at the end of the file.
"""
import atexit
import contextlib
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import fetch
import myclient

PASSWORD = "Repl-secret_7"
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IN_USE_OFFSET = 4 + 17
# Both are said in full: which of them is the default changed within 9.x.
WITH_GTIDS = ["--gtid-mode=ON", "--enforce-gtid-consistency=ON"]
WITHOUT_GTIDS = ["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"]
_started = []


def _stop_all():
    for process in _started:
        if process.poll() is None:
            process.kill()
            process.wait()


atexit.register(_stop_all)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def spawn(command, output):
    """Start a program that dies with us, its output appended to the file `output`."""
    with open(output, "ab") as log:
        process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    _started.append(process)
    return process


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, timeout=20, what="condition", step=0.02):
    """Poll until condition() is true and return its value; AssertionError after `timeout` s."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s for {what}")
        time.sleep(step)


def temp_dir():
    """A short path (unix sockets allow 107 bytes), removed when the process ends."""
    path = tempfile.mkdtemp(prefix="bl-")
    atexit.register(shutil.rmtree, path, True)
    return path


@contextlib.contextmanager
def tmpfs(path, options):
    """A file system of its own on the directory `path`, as long as the context lasts."""
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path],
                                           stderr=subprocess.DEVNULL).returncode:
        raise unittest.SkipTest("skipped: cannot mount a tmpfs")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", path], check=False)


def read_text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def cpu_seconds(pid):
    """CPU time that a process has used so far, in seconds."""
    fields = read_text(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _quiet(command, cwd=None, text=""):
    done = subprocess.run(command, cwd=cwd, input=text, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed ({done.returncode}): {done.stdout[-800:]}")
    return done.stdout


class Server:
    """A source server. Subclasses say how its programs are called and which names it uses."""

    family = ""
    status_statement = "SHOW MASTER STATUS"
    semisync_prefix = "Rpl_semi_sync_master"

    def __init__(self, *options, server_id=1, start=True, log_bin=True):
        self.dir = temp_dir()
        self.datadir = os.path.join(self.dir, "data")
        self.socket = os.path.join(self.datadir, "s.sock")
        self.general_log = os.path.join(self.dir, "general.log")
        self.error_log = os.path.join(self.dir, "error.log")
        self.port = free_port()
        self.server_id = server_id
        self.options = list(options)
        self.log_bin = log_bin
        self.process = None
        shutil.copytree(self.template(), self.datadir)
        for name in glob.glob(os.path.join(self.datadir, "auto.cnf")):
            os.unlink(name)
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # How the programs of this family are called; filled in by subclasses.
    def mysqld(self):
        raise NotImplementedError

    def client(self):
        return ["mariadb"]

    def mysqlbinlog(self):
        return ["mariadb-binlog"]

    def initialise(self, datadir):
        raise NotImplementedError

    def template(self):
        """The initialised data directory in the cache, made at the first use."""
        name = "template-" + re.sub(r"[^A-Za-z0-9.]+", "-", self.version())

        def build(tmp):
            os.chmod(tmp, 0o700)
            self.initialise(tmp)
        return fetch.cached(name, build)

    def bootstrap(self, datadir, statements):
        """Run SQL in a server that has no network, no accounts and ends afterwards."""
        user = ["--user=root"] if os.geteuid() == 0 else []
        _quiet(self.mysqld() + ["--bootstrap", f"--datadir={datadir}", "--skip-log-bin"] + user,
               text=statements + "\n")

    @classmethod
    def version(cls):
        """One line that names the product and the version."""
        text = _quiet(cls.__new__(cls).mysqld() + ["--version"])
        number = re.search(r"Ver (\S+)", text).group(1)
        return f"{cls.family} {number}"

    @classmethod
    def available(cls):
        """Skip the calling test when the server cannot be had; print its version otherwise."""
        try:
            print(f"server: {cls.version()}", flush=True)
        except (fetch.FetchError, OSError, RuntimeError) as error:
            raise unittest.SkipTest(f"skipped: {error}") from error

    def common_options(self):
        options = [f"--datadir={self.datadir}", f"--socket={self.socket}",
                   f"--pid-file={self.dir}/pid", f"--port={self.port}",
                   "--bind-address=127.0.0.1", f"--server-id={self.server_id}",
                   f"--log-error={self.error_log}", "--general-log=ON",
                   f"--general-log-file={self.general_log}", "--sync-binlog=1",
                   "--innodb-flush-log-at-trx-commit=1", "--binlog-format=ROW"]
        options += ["--log-bin=mysql-bin"] if self.log_bin else ["--skip-log-bin"]
        return options + (["--user=root"] if os.geteuid() == 0 else [])

    def start(self, *extra):
        self.launch(*extra)
        return self.wait_ready()

    def launch(self, *extra):
        """The first half of start(): does not wait until the server answers."""
        command = self.mysqld() + self.common_options() + self.options + list(extra)
        self.process = spawn(command, os.path.join(self.dir, "stdout.log"))

    def wait_ready(self):
        wait_until(self._ready, 60, f"{self.family} to start", 0.05)
        return self

    def _ready(self):
        if self.process.poll() is not None:
            tail = (read_text(self.error_log) + read_text(os.path.join(self.dir, "stdout.log")))
            raise RuntimeError(f"{self.family} did not start: {tail[-1500:]}")
        try:
            self.connect().close()
        except (myclient.MyError, myclient.LostConnection):
            return False
        return True

    def connect(self, user="root", password="", database=None, timeout=30):
        """A persistent connection through the unix socket."""
        return myclient.Client(self.socket, user=user, password=password, database=database,
                               timeout=timeout)

    def sql(self, text):
        """Run statements through the server's own command line client; rows as tuples."""
        done = subprocess.run(
            self.client() + ["--no-defaults", f"--socket={self.socket}", "-uroot", "-N", "-B"],
            input=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != 0:
            raise RuntimeError(f"{text!r}: {done.stderr.strip()}")
        return [tuple(line.split("\t")) for line in done.stdout.splitlines()]

    def query(self, text):
        """Run one statement through a connection of our own client; rows as tuples."""
        with self.connect() as client:
            return client.query(text)

    def stop(self):
        """Clean stop; the source writes its Stop event."""
        self._end(signal.SIGTERM, 60)

    def kill(self):
        self._end(signal.SIGKILL, 20)

    def _end(self, how, timeout):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout)

    def restart(self, *extra):
        self.stop()
        return self.start(*extra)

    def close(self):
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def logs(self):
        """[(name, size)] of the binary logs, oldest first."""
        return [(row[0], int(row[1])) for row in self.query("SHOW BINARY LOGS")]

    def log_path(self, name):
        return os.path.join(self.datadir, name)

    def index_names(self):
        """Names in the source's own index file; works while it is down."""
        text = read_text(os.path.join(self.datadir, "mysql-bin.index"))
        return [os.path.basename(line) for line in text.splitlines()]

    def position(self):
        """(file, position) at which the source writes."""
        row = self.query(self.status_statement)[0]
        return row[0], int(row[1])

    def create_user(self, name="repl", password=PASSWORD, plugin=None,
                    grant="REPLICATION SLAVE"):
        """An account that may replicate; the family's default plugin unless one is named."""
        how = f"IDENTIFIED WITH {plugin} BY" if plugin else "IDENTIFIED BY"
        self.unlogged(f"CREATE USER '{name}'@'%' {how} '{password}'",
                      *([f"GRANT {grant} ON *.* TO '{name}'@'%'"] if grant else []))

    def unlogged(self, *statements):
        """Run statements outside the binary log: they never wait for a semi-sync ACK."""
        with self.connect() as client:
            client.query("SET sql_log_bin=0")
            for statement in statements:
                client.query(statement)

    def semisync_options(self, timeout_ms=3600000):
        raise unittest.SkipTest(f"skipped: {self.family} here has no semi-sync")

    def semisync(self):
        """The source's semi-sync counters: {'yes_tx': 12, 'status': 'ON', ...}."""
        rows = self.query(f"SHOW GLOBAL STATUS LIKE '{self.semisync_prefix}%'")
        found = {}
        for name, value in rows:
            key = name[len(self.semisync_prefix) + 1:].lower()
            found[key] = int(value) if value.isdigit() else value
        return found

    def wait_semisync_client(self, timeout=20):
        wait_until(lambda: self.semisync().get("clients") == 1, timeout, "a semi-sync client")

    def sees_replica(self, server_id):
        """Whether the source lists a replica with this server_id."""
        return any(row[0] == str(server_id) for row in self.query(self.replicas_statement))

    replicas_statement = "SHOW SLAVE HOSTS"

    # How a server of this family is made a replica; the old words, unless a subclass has others.
    replica_words = {"CHANGE": "CHANGE MASTER TO", "SOURCE": "MASTER", "REPLICA": "SLAVE"}
    change_extra = {}

    def replicate_from(self, port, at=None, start=True, **keys):
        """Make it a replica of the server at `port`; `at` is (file, position), None for GTIDs.

        More keys are those of CHANGE … TO without the word for the source, as ssl=1.
        """
        words = self.replica_words
        values = {"host": "127.0.0.1", "port": port, "user": "repl", "password": PASSWORD,
                  "connect_retry": 1, **self.change_extra, **keys}
        values.update({"log_file": at[0], "log_pos": at[1]} if at else self.by_gtid)
        texts = []
        for key, value in values.items():
            name = {"get_public_key": f"GET_{words['SOURCE']}_PUBLIC_KEY"}.get(
                key, f"{words['SOURCE']}_{key.upper()}")
            texts.append(f"{name}={value}" if isinstance(value, int) or key == "use_gtid"
                         else f"{name}='{value}'")
        self.query(f"{words['CHANGE']} {', '.join(texts)}")
        if start:
            self.start_replica()

    by_gtid = {"auto_position": 1}

    def start_replica(self, thread=""):
        self.query(f"START {self.replica_words['REPLICA']} {thread}")

    def stop_replica(self, thread=""):
        """An applier in the middle of a transaction may wait 60 s for the rest of it."""
        with self.connect(timeout=100) as client:
            client.query(f"STOP {self.replica_words['REPLICA']} {thread}")

    def promote(self):
        """End being a replica and take writes."""
        self.stop_replica()
        self.query(f"RESET {self.replica_words['REPLICA']} ALL")
        self.query("SET GLOBAL read_only=OFF")

    def replica_status(self):
        """SHOW REPLICA STATUS with the new names of columns; {} when it is no replica."""
        with self.connect() as client:
            rows = client.query_dicts(f"SHOW {self.replica_words['REPLICA']} STATUS")
        if not rows:
            return {}
        return {key.replace("Master", "Source").replace("Slave", "Replica"): value
                for key, value in rows[0].items()}

    def executed(self):
        """(file, position) of the source up to which this replica has executed."""
        status = self.replica_status()
        return status["Relay_Source_Log_File"], int(status["Exec_Source_Log_Pos"])

    def wait_receiving(self, timeout=20):
        """Wait until the receiver has connected; its error when it gave up."""
        def receiving():
            status = self.replica_status()
            if status["Replica_IO_Running"] == "No":
                raise AssertionError(f"the receiver stopped: {status['Last_IO_Error']}")
            return status["Replica_IO_Running"] == "Yes"
        wait_until(receiving, timeout, "the receiver to connect", 0.05)

    def wait_executed(self, goal, timeout=40):
        """Wait until everything up to `goal`, a (file, position), is executed here."""
        def done():
            status = self.replica_status()
            if status["Last_SQL_Error"] or status["Last_IO_Errno"] == "1236":
                raise AssertionError(f"replica: {status['Last_SQL_Error']} "
                                     f"{status['Last_IO_Error']}")
            at = status["Relay_Source_Log_File"], int(status["Exec_Source_Log_Pos"])
            return at == (goal[0], int(goal[1]))
        try:
            wait_until(done, timeout, f"the replica to execute up to {goal}", 0.05)
        except AssertionError as error:
            status = self.replica_status()
            keys = ("Replica_IO_State", "Source_Log_File", "Read_Source_Log_Pos", "Last_IO_Error",
                    "Relay_Source_Log_File", "Exec_Source_Log_Pos", "Replica_SQL_Running_State")
            raise AssertionError(f"{error}: { {key: status.get(key) for key in keys} }") from error

    def checksums(self):
        """{table: (rows, CHECKSUM TABLE)} of everything that is not the server's own."""
        with self.connect() as client:
            names = [".".join(row) for row in client.query(
                "SELECT table_schema, table_name FROM information_schema.tables WHERE "
                "table_type='BASE TABLE' AND table_schema NOT IN ('mysql', 'sys', "
                "'performance_schema', 'information_schema') ORDER BY 1, 2")]
            return {name: (client.query(f"SELECT COUNT(*) FROM {name}")[0][0],
                           client.query(f"CHECKSUM TABLE {name}")[0][1]) for name in names}


class Mysql97(Server):
    """MySQL 9.x of Debian unstable, run by its own loader beside the system."""

    family = "mysql97"
    status_statement = "SHOW BINARY LOG STATUS"
    semisync_prefix = "Rpl_semi_sync_source"
    replicas_statement = "SHOW REPLICAS"
    replica_words = {"CHANGE": "CHANGE REPLICATION SOURCE TO", "SOURCE": "SOURCE",
                     "REPLICA": "REPLICA"}
    change_extra = {"get_public_key": 1}

    @staticmethod
    def program(path):
        root = fetch.mysql97_root()
        return [f"{root}/usr/lib64/ld-linux-x86-64.so.2", "--library-path",
                f"{root}/usr/lib/x86_64-linux-gnu", f"{root}/usr/{path}"]

    def mysqld(self):
        usr = fetch.mysql97_root() + "/usr"
        return self.program("sbin/mysqld") + [
            "--no-defaults", f"--basedir={usr}", f"--lc-messages-dir={usr}/share/mysql",
            f"--plugin-dir={usr}/lib/mysql/plugin", "--secure-file-priv=NULL", "--mysqlx=OFF",
            f"--character-sets-dir={usr}/share/mysql/charsets"]

    def common_options(self):
        """GTIDs are on by default since 9.x; here only where a test says so."""
        return super().common_options() + ["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"]

    def client(self):
        return self.program("bin/mysql")

    def mysqlbinlog(self):
        return self.program("bin/mysqlbinlog")

    def mysqladmin(self):
        return self.program("bin/mysqladmin")

    def initialise(self, datadir):
        user = ["--user=root"] if os.geteuid() == 0 else []
        _quiet(self.mysqld() + ["--initialize-insecure", f"--datadir={datadir}"] + user)

    @staticmethod
    def semisync_options(timeout_ms=3600000):
        return ["--plugin-load-add=semisync_source.so", "--rpl-semi-sync-source-enabled=ON",
                f"--rpl-semi-sync-source-timeout={timeout_ms}"]


class Mysql56(Server):
    """MySQL 5.6.24 of npm; no semi-sync plugin, mysql_native_password only."""

    family = "mysql56"

    def mysqld(self):
        root = fetch.mysql56_root()
        return ["env", f"LD_LIBRARY_PATH={root}", f"{root}/mysqld", "--no-defaults",
                f"--basedir={root}", f"--lc-messages-dir={root}/share", "--skip-ssl",
                "--innodb-log-file-size=48M"]

    def initialise(self, datadir):
        ready_made = os.path.join(fetch.mysql56_root(), "data", "mysql")
        shutil.copytree(ready_made, datadir, dirs_exist_ok=True)
        self.bootstrap(datadir, "DELETE FROM mysql.user WHERE User='';")


class MariaDB(Server):
    """MariaDB of the system; semi-sync is built in under the old names."""

    family = "mariadb"
    by_gtid = {"use_gtid": "slave_pos"}

    def mysqld(self):
        path = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")
        if not path:
            raise fetch.FetchError("mariadb-server is not installed")
        return [path, "--no-defaults"]

    def initialise(self, datadir):
        user = ["--user=root"] if os.geteuid() == 0 else []
        _quiet(["mariadb-install-db", "--no-defaults", f"--datadir={datadir}",
                "--auth-root-authentication-method=normal", "--skip-test-db"] + user)
        self.bootstrap(datadir, "DELETE FROM mysql.global_priv WHERE User='';")

    @staticmethod
    def semisync_options(timeout_ms=3600000):
        return ["--rpl-semi-sync-master-enabled=ON", f"--rpl-semi-sync-master-timeout={timeout_ms}",
                "--rpl-semi-sync-master-wait-point=AFTER_SYNC"]


def account(password=PASSWORD, rights="replicate,status", **more):
    """Keys of an account for replicas."""
    return {"password": password, "rights": rights, **more}


REPLICA_USER = {"repl": account()}


def make_certificates(directory, host="127.0.0.1"):
    """A CA, a server key and certificate for `host`, and a second CA that signed nothing."""
    def openssl(*args):
        _quiet(["openssl", *args], cwd=directory)

    def authority(name):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
                "-subj", f"/CN=lab {name}", "-keyout", f"{name}-key.pem", "-out", f"{name}.pem")

    authority("ca")
    authority("other-ca")
    kind = "IP" if re.fullmatch(r"[0-9.]+", host) else "DNS"
    with open(os.path.join(directory, "ext"), "w") as ext:
        ext.write(f"subjectAltName={kind}:{host}\n")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=lab server",
            "-keyout", "server-key.pem", "-out", "server.csr")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem",
            "-CAcreateserial", "-days", "30", "-extfile", "ext", "-out", "server-cert.pem")
    return directory


def tls_options(directory):
    """Server options that use the certificates of make_certificates()."""
    return [f"--ssl-ca={directory}/ca.pem", f"--ssl-cert={directory}/server-cert.pem",
            f"--ssl-key={directory}/server-key.pem"]


class Binlogd:
    """The daemon under test with its own configuration and data directory."""

    def __init__(self, source=None, sections=None, wrapper=(), run=True, users=None, **dumper):
        """`users` are accounts for replicas: {name: {key: value}}; see account()."""
        self.dir = temp_dir()
        self.socket = os.path.join(self.dir, "s.sock")
        self.storage = os.path.join(self.dir, "data")
        os.mkdir(self.storage, 0o750)
        self.config = os.path.join(self.dir, "binlogd.ini")
        self.log = os.path.join(self.dir, "binlogd.log")
        self.wrapper = list(wrapper)
        self.process = None
        self.log_mark = 0
        self.sections = {
            "dumper": {"user": "repl", "password": PASSWORD, "server_id": 4711,
                       "ssl_mode": "disabled", "get_public_key": "on"},
            "storage": {"directory": self.storage}, "server": {"listen": "127.0.0.1:0"},
            "log": {"level": "debug", "status_interval": 1}}
        if source:
            self.sections["dumper"].update(host="127.0.0.1", port=source.port)
        self.sections["dumper"].update(dumper)
        for name, keys in (users or {}).items():
            self.sections[f"user {name}"] = keys
            self.sections["server"]["socket"] = self.socket
        for name, keys in (sections or {}).items():
            self.sections.setdefault(name, {}).update(keys)
        if run:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        if kind and not issubclass(kind, unittest.SkipTest):
            print(f"--- end of the daemon's log\n{read_text(self.log)[-3000:]}---", flush=True)
        self.close()

    @staticmethod
    def binary():
        path = os.environ.get("BINLOGD") or os.path.join(TOP, "build", "binlogd")
        if not os.access(path, os.X_OK):
            raise unittest.SkipTest(f"skipped: no binlogd at {path}")
        return os.path.abspath(path)

    def write_config(self):
        """Write the sections; a value of None leaves the key out."""
        lines = []
        for section, keys in self.sections.items():
            lines.append(f"[{section}]")
            lines += [f"{key}={value}" for key, value in keys.items() if value is not None]
        descriptor = os.open(self.config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write("\n".join(lines) + "\n")

    def start(self):
        self.write_config()
        self.log_mark = len(read_text(self.log))
        self.process = spawn(self.wrapper + [self.binary(), "-c", self.config], self.log)
        return self

    def pid(self):
        """Pid of the daemon itself, also when it runs under a wrapper such as strace."""
        if not self.wrapper:
            return self.process.pid
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        return int(wait_until(lambda: read_text(children).split(), 10, "the daemon's pid")[0])

    def log_text(self):
        """What the daemon has logged since the last start()."""
        return read_text(self.log)[self.log_mark:]

    def wait_for(self, what, timeout=20):
        """Wait for a log line that matches a regular expression, or for a callable."""
        if callable(what):
            return wait_until(what, timeout, getattr(what, "__name__", "condition"))
        return wait_until(lambda: re.search(what, self.log_text()), timeout,
                          f"{what!r} in the daemon's log:\n{self.log_text()[-1500:]}")

    def port(self):
        """The TCP port that replicas connect to."""
        return int(self.wait_for(r"listening on 127\.0\.0\.1:(\d+)").group(1))

    def keep_port(self):
        """Listen on the same port after the next start."""
        self.sections["server"]["listen"] = f"127.0.0.1:{self.port()}"

    def connect(self, user="repl", password=PASSWORD, timeout=30):
        """A session through the unix socket."""
        self.wait_for("listening on unix:")
        return myclient.Client(self.socket, user=user, password=password, timeout=timeout)

    def query(self, text):
        """Run one statement in a session of its own; rows as tuples."""
        with self.connect() as client:
            return client.query(text)

    def position(self):
        """(file, position) of what it serves."""
        old = "MariaDB" in self.query("SELECT VERSION()")[0][0]
        row = self.query("SHOW MASTER STATUS" if old else "SHOW BINARY LOG STATUS")[0]
        return row[0], int(row[1])

    def status(self):
        """The newest status line as a dictionary; empty before the first one."""
        lines = re.findall(r"status: (.*)", self.log_text())
        if not lines:
            return {}
        return {key: value.strip('"')
                for key, value in re.findall(r'(\w+)=("[^"]*"|\S*)', lines[-1])}

    def ask(self, *options, timeout=20):
        """Run `binlogd status`."""
        return subprocess.run([self.binary(), "status", "-c", self.config, *options],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=timeout)

    def json(self):
        """What `binlogd status --json` says."""
        return json.loads(self.ask("--json").stdout)

    def metrics_port(self):
        """With [metrics] listen."""
        return int(self.wait_for(r"listening on http://127\.0\.0\.1:(\d+)/metrics").group(1))

    def get(self, path, port=None):
        """(status, body) of a request to it."""
        try:
            with urllib.request.urlopen(
                    f"http://127.0.0.1:{port or self.metrics_port()}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metrics(self):
        """{name with labels: value}."""
        lines = [line for line in self.get("/metrics")[1].splitlines() if not line.startswith("#")]
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines}

    def epoch(self):
        """The newest epoch folder, or None."""
        folders = sorted(glob.glob(os.path.join(self.storage, "[0-9][0-9][0-9][0-9]-*")))
        return folders[-1] if folders else None

    def copies(self):
        """Names of the copied binary logs, oldest first."""
        if not self.epoch():
            return []
        names = [name for name in os.listdir(self.epoch())
                 if re.search(r"^[^.].*\.[0-9]{6,10}$", name)]
        return sorted(names, key=lambda name: int(name.rsplit(".", 1)[1]))

    def copy_path(self, name):
        return os.path.join(self.epoch(), name)

    def index_names(self):
        """Base names in the index file of the newest epoch."""
        indexes = [path for path in glob.glob(os.path.join(self.epoch(), "*.index"))
                   if not path.endswith(".gtid.index")]
        text = read_text(indexes[0]) if indexes else ""
        return [os.path.basename(line) for line in text.splitlines()]

    def wait_exit(self, timeout=20):
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"daemon still runs after {timeout} s") from None

    def signal(self, number):
        """Once it can take them; before that they would end the process that is being loaded."""
        if number != signal.SIGKILL:
            wait_until(lambda: self.signals("SigBlk", "SigCgt") & {signal.SIGTERM, None}, 20,
                       "the daemon to take signals")
        os.kill(self.pid(), number)

    def signals(self, *masks):
        """Those in the masks of /proc/PID/status; {None} of a process that has ended."""
        found = re.findall(rf"^(?:{'|'.join(masks)}):\s*([0-9a-f]+)",
                           read_text(f"/proc/{self.pid()}/status"), re.MULTILINE)
        return {number for number in range(1, 65) for mask in found
                if int(mask, 16) >> number - 1 & 1} if found else {None}

    def stop(self, timeout=20):
        """SIGTERM and its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait_exit(timeout)

    def kill9(self):
        self.signal(signal.SIGKILL)
        self.process.wait(20)

    def restart(self):
        self.stop()
        return self.start()

    def close(self):
        if self.process and self.process.poll() is None:
            try:
                self.kill9()
            except (ProcessLookupError, AssertionError):
                self.process.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


def same_bytes(source_file, copy, prefix=False):
    """None when equal, else the first difference in words. The in-use flag does not count.

    With prefix=True the copy may be shorter than the source's file.
    """
    with open(source_file, "rb") as left, open(copy, "rb") as right:
        size = os.fstat(right.fileno()).st_size
        missing = os.fstat(left.fileno()).st_size - size
        if missing < 0 or (missing > 0 and not prefix):
            return f"sizes differ: the copy lacks {missing} of the source's bytes"
        for offset in range(0, size, 1 << 20):
            step = min(1 << 20, size - offset)
            block, other = left.read(step), right.read(step)
            if offset == 0:
                block, other = _mask_in_use(block), _mask_in_use(other)
            if block != other:
                return _difference(offset, block, other)
    return None


def _mask_in_use(block):
    if len(block) <= IN_USE_OFFSET:
        return block
    masked = bytearray(block)
    masked[IN_USE_OFFSET] &= 0xFE
    return bytes(masked)


def _difference(offset, block, other):
    at = next(at for at, pair in enumerate(zip(block, other)) if pair[0] != pair[1])
    return f"differs at {offset + at}: source {block[at]:02x}, copy {other[at]:02x}"


def caught_up(source, daemon):
    """Whether the newest copy ends where the source writes."""
    name, position = source.position()
    if name not in daemon.copies():
        return False
    return os.path.getsize(daemon.copy_path(name)) == position


def wait_caught_up(source, daemon, timeout=30):
    wait_until(lambda: caught_up(source, daemon), timeout, "the copies to catch up", 0.05)
    wait_until(lambda: daemon.index_names() == daemon.copies(), 5, "the index to name all copies")


def check_copies(source, daemon, live=False):
    """Assert that the copies equal the source's files; a live active file may be a prefix."""
    copies = daemon.copies()
    index = daemon.index_names()
    names = [name for name, _ in source.logs()]
    if live:
        assert copies == names[:len(copies)], (names, copies)
        assert index == copies[:len(index)] and len(copies) - len(index) <= 1, (copies, index)
    else:
        assert copies == names == index, (names, copies, index)
    for name in copies:
        prefix = live and name == copies[-1]
        wrong = same_bytes(source.log_path(name), daemon.copy_path(name), prefix)
        assert wrong is None, f"{name}: {wrong}"


def assert_copied(source, daemon, timeout=30):
    """Wait until the copies have caught up and compare all of them."""
    wait_caught_up(source, daemon, timeout)
    check_copies(source, daemon)


def start_together(*servers):
    """Start servers that were made with start=False, all at the same time."""
    for server in servers:
        server.launch()
    for server in servers:
        server.wait_ready()


def write_rows(source, rows=5):
    """A few transactions with a table of their own."""
    with source.connect() as client:
        client.query("CREATE DATABASE IF NOT EXISTS lab")
        client.query("CREATE TABLE IF NOT EXISTS lab.t (id INT AUTO_INCREMENT PRIMARY KEY, "
                     "v VARCHAR(200))")
        for _ in range(rows):
            client.query("INSERT INTO lab.t (v) VALUES (UUID()), (UUID())")

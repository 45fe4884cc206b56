"""What is kept: expire_days, max_size, min_free, `binlogd purge`, and what keeps files.

The source is a real MySQL 9.x whose files begin at times of our choosing (SET timestamp holds for
FLUSH BINARY LOGS too). It purges the same files itself, so that lists, GTID sets and errors can be
compared; what is left must be its bytes.
"""
import os
import re
import signal
import socket
import subprocess
import time
import unittest

import acktrace
import lab
import ledger
import serving
from lab import REPLICA_USER, WITH_GTIDS, Binlogd, Mysql97
from test_dump_errors import by_position

DAY = 86400


def setUpModule():
    serving.require_servers()


def fill_files(client, count, size=0, days_ago=0):
    """So many files more, each with a transaction of its own; begun so many days ago."""
    client.query("CREATE DATABASE IF NOT EXISTS lab")
    client.query("CREATE TABLE IF NOT EXISTS lab.r (id INT AUTO_INCREMENT PRIMARY KEY, v LONGBLOB)")
    if days_ago:
        client.query(f"SET timestamp={int(time.time()) - days_ago * DAY}")
    for _ in range(count):
        client.query(f"INSERT INTO lab.r (v) VALUES (REPEAT('x', {size}))")
        client.query("FLUSH BINARY LOGS")
    client.query("SET timestamp=DEFAULT")


class Case(unittest.TestCase):
    def make_source(self, *options):
        self.source = Mysql97(*WITH_GTIDS, *options)
        self.addCleanup(self.source.close)
        self.source.create_user()
        return self.source

    def fill(self, count, **how):
        with self.source.connect() as client:
            fill_files(client, count, **how)

    def make_daemon(self, **storage):
        listen = f"127.0.0.1:{lab.free_port()}"  # the same one after a restart
        daemon = Binlogd(self.source, users=REPLICA_USER,
                         sections={"storage": storage, "server": {"listen": listen}})
        self.addCleanup(daemon.close)
        lab.wait_caught_up(self.source, daemon)
        return daemon

    def reconfigure(self, daemon, **storage):
        daemon.sections["storage"].update(storage)
        daemon.write_config()
        daemon.signal(signal.SIGHUP)

    def wait_files(self, daemon, names, timeout=10):
        lab.wait_until(lambda: daemon.copies() == names and daemon.index_names() == names, timeout,
                       f"{names}, there are {daemon.copies()}")

    def tool(self, daemon, *args):
        return subprocess.run([Binlogd.binary(), "purge", "-c", daemon.config, *args],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def names_of(self, text):
        return re.findall(r"(?m)^(?:would purge|purges) (\S+) \(\d+ bytes\): ", text)

    def purge_source_to(self, name):
        self.source.query(f"PURGE BINARY LOGS TO '{name}'")

    def assert_like_source(self, daemon):
        """The source has purged the same: lists, sets and bytes are the same."""
        lab.assert_copied(self.source, daemon)
        self.wait_executed(daemon)
        for question in ("SHOW BINARY LOGS", "SELECT @@global.gtid_purged"):
            self.assertEqual(daemon.query(question), self.source.query(question), question)

    def wait_executed(self, daemon):
        """What has arrived is served a little later, when it is durable."""
        question = "SELECT @@global.gtid_executed"
        lab.wait_until(lambda: daemon.query(question) == self.source.query(question), 5,
                       "all to be durable")


class Rules(Case):
    def test_expire_days_removes_what_is_older_and_the_dry_run_says_so(self):
        self.make_source()
        self.fill(3, days_ago=10)
        self.fill(6)
        daemon = self.make_daemon()
        names = daemon.copies()
        daemon.sections["storage"]["expire_days"] = 5
        daemon.write_config()
        dry = self.tool(daemon, "--dry-run")
        self.assertEqual(dry.returncode, 0, dry.stderr)
        # The fourth file begins ten days ago, and goes on until now.
        self.assertEqual(self.names_of(dry.stdout), names[:3])
        self.assertEqual(daemon.copies(), names)
        self.reconfigure(daemon)
        self.wait_files(daemon, names[3:])
        daemon.wait_for(f"info app: purging {names[0]} to {names[2]} "
                        r"\(3, \d+ bytes\): expire_days")
        self.purge_source_to(names[3])
        self.assert_like_source(daemon)
        self.fill(2)
        self.assert_like_source(daemon)
        daemon.restart()
        daemon.wait_for("copying from")
        self.fill(1)
        self.assert_like_source(daemon)
        self.assertEqual(daemon.stop(), 0)

    def test_expire_days_of_a_source_whose_events_are_old_keeps_all(self):
        """Our clock alone makes nothing old."""
        self.make_source()
        self.source.query("SET GLOBAL binlog_expire_logs_auto_purge=OFF")
        with self.source.connect() as client:
            client.query(f"SET timestamp={int(time.time()) - 20 * DAY}")
            client.query("RESET BINARY LOGS AND GTIDS")
            for _ in range(4):
                client.query("FLUSH BINARY LOGS")
        daemon = self.make_daemon(expire_days=5)
        names = daemon.copies()
        dry = self.tool(daemon, "--dry-run")
        self.assertEqual(self.names_of(dry.stdout), [])
        time.sleep(2.5)  # two looks
        self.assertEqual(daemon.copies(), names)
        self.fill(1)  # now its clock says so too
        lab.wait_until(lambda: daemon.copies()[0] != names[0], 10, "a purge")

    def test_expire_days_takes_half_of_the_files_at_once(self):
        self.make_source()
        self.fill(7, days_ago=10)
        self.fill(1)
        daemon = self.make_daemon(expire_days=5)
        names = [name for name, _ in self.source.logs()]
        self.wait_files(daemon, names[len(names) // 2:])
        daemon.wait_for("warn app: expire_days wants more than half of the files")
        time.sleep(2.5)  # two looks
        self.assertEqual(len(daemon.copies()), len(names) - len(names) // 2)

    def test_max_size_removes_the_oldest_as_files_come(self):
        self.make_source()
        self.fill(5, size=100000)
        daemon = self.make_daemon()
        names = daemon.copies()
        self.reconfigure(daemon, max_size=400000)
        self.wait_files(daemon, names[2:])
        self.fill(3, size=100000)
        lab.wait_until(lambda: daemon.copies()[:1] == [names[5]], 10, "three more to go")
        daemon.wait_for(r"info app: purging \S+ .*: max_size")
        self.purge_source_to(names[5])
        self.assert_like_source(daemon)
        lab.wait_until(lambda: int(daemon.status()["bytes"]) <= 400000, 5, "the status line")

    def test_rules_never_take_the_newest_two(self):
        self.make_source()
        self.fill(4)
        daemon = self.make_daemon(max_size=1)
        names = [name for name, _ in self.source.logs()]
        for _ in range(2):
            daemon.signal(signal.SIGHUP)  # half of them each time
            daemon.wait_for("warn app: max_size wants")
        daemon.signal(signal.SIGHUP)
        self.wait_files(daemon, names[-2:])
        daemon.wait_for(f"max_size wants {names[-2]} to be purged, but the newest 2 files stay")
        self.purge_source_to(names[-2])
        self.assert_like_source(daemon)

    def test_min_free_makes_room_on_a_full_disk(self):
        self.make_source()
        self.fill(8, size=4000000)
        daemon = Binlogd(self.source, users=REPLICA_USER, run=False)
        self.addCleanup(daemon.close)
        with lab.tmpfs(daemon.storage, "size=64m,mode=0750"):
            daemon.sections["storage"]["min_free"] = "12M"
            daemon.start()
            lab.wait_caught_up(self.source, daemon)
            names = daemon.copies()
            self.assertEqual(len(names), 9)
            filler = os.path.join(daemon.storage, "filler")
            with open(filler, "wb") as file, self.assertRaises(OSError):
                while True:
                    file.write(bytes(1 << 20))
                    file.flush()
            self.fill(1, size=1000000)
            lab.wait_caught_up(self.source, daemon)
            left = daemon.copies()
            daemon.wait_for(r"info app: purging \S+ .*: min_free")
            self.assertIn(left[0], names[3:5])
            self.purge_source_to(left[0])
            self.assert_like_source(daemon)
            self.assertEqual(daemon.stop(), 0)


class Readers(Case):
    def stalled_dump(self, daemon, name):
        """A replica that has asked for all from that file on and reads nothing."""
        client = daemon.connect()
        self.addCleanup(client.drop)
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.query("SET @source_binlog_checksum='CRC32'")
        client.command(by_position(name, 4, flags=0))
        lab.wait_until(lambda: int(daemon.status().get("replicas", 0)) == 1, 5, "the dump")
        return client

    def test_file_that_a_replica_reads_stays(self):
        self.make_source()
        self.fill(1, size=4000000)
        self.fill(6, size=4000000)
        daemon = self.make_daemon()
        names = daemon.copies()
        client = self.stalled_dump(daemon, names[1])
        self.reconfigure(daemon, max_size=10000000)
        self.wait_files(daemon, names[1:])
        daemon.wait_for(f"max_size wants {names[1]} to be purged, which a replica reads")
        client.drop()
        lab.wait_until(lambda: daemon.status()["replicas"] == "0", 5, "its end")
        daemon.signal(signal.SIGHUP)
        lab.wait_until(lambda: daemon.index_names()[0] != names[1], 5, "the next to go")
        self.wait_files(daemon, daemon.index_names())
        self.purge_source_to(daemon.copies()[0])
        self.assert_like_source(daemon)

    def test_replica_that_needs_purged_files_gets_the_sources_words(self):
        self.make_source()
        self.fill(6)
        daemon = self.make_daemon()
        names = daemon.copies()
        self.reconfigure(daemon, max_size=1)
        self.wait_files(daemon, names[3:])
        self.purge_source_to(names[3])
        replica, other = serving.make_replicas(self, 2)
        said = []
        for server, port in ((replica, self.source.port), (other, daemon.port())):
            server.replicate_from(port)
            status = lab.wait_until(lambda: (lambda s: s["Last_IO_Errno"] != "0" and s)(
                server.replica_status()), 20, "an error")
            said.append((status["Last_IO_Errno"], status["Last_IO_Error"]))
        print(f"said: {said[1]}", flush=True)
        self.assertIn("purged required binary logs", said[0][1])
        self.assertEqual(said[0], said[1])

    def test_replica_goes_on_while_files_behind_it_go(self):
        self.make_source()
        self.fill(3)
        daemon = self.make_daemon(max_size=300000)
        replica, = serving.make_replicas(self, 1)
        replica.replicate_from(daemon.port())
        replica.wait_receiving()
        for _ in range(3):
            self.fill(2, size=100000)
        replica.wait_executed(self.source.position())
        self.assertEqual(replica.checksums(), self.source.checksums())
        lab.wait_until(lambda: len(daemon.copies()) < len(self.source.logs()), 10, "a purge")


class Tool(Case):
    """`binlogd purge` with no daemon running."""

    def setUp(self):
        self.make_source()
        self.fill(2, days_ago=10)
        self.fill(2, days_ago=5)
        self.fill(4)
        self.daemon = self.make_daemon()
        self.names = self.daemon.copies()

    def both(self, *args):
        """The same is said in a dry run and done without."""
        dry, done = self.tool(self.daemon, *args, "--dry-run"), self.tool(self.daemon, *args)
        self.assertEqual((dry.returncode, done.returncode), (0, 0), dry.stderr + done.stderr)
        self.assertEqual(dry.stdout.replace("would purge", "purges"), done.stdout)
        return self.names_of(done.stdout)

    def test_running_daemon_is_not_purged_behind_its_back(self):
        done = self.tool(self.daemon, "--to", self.names[2])
        self.assertEqual(done.returncode, 1)
        self.assertIn("PURGE BINARY LOGS", done.stderr)
        dry = self.tool(self.daemon, "--to", self.names[2], "--dry-run")
        self.assertEqual(self.names_of(dry.stdout), self.names[:2])
        self.assertEqual(self.daemon.copies(), self.names)

    def test_to_before_and_by_rules(self):
        self.assertEqual(self.daemon.stop(), 0)
        self.assertEqual(self.both("--to", self.names[1]), self.names[:1])
        self.wait_files(self.daemon, self.names[1:])
        day = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() - 7 * DAY))
        self.assertEqual(self.both("--before", day), self.names[1:2])
        self.daemon.sections["storage"]["expire_days"] = 2
        self.daemon.write_config()
        self.assertEqual(self.both(), self.names[2:4])
        self.assertEqual(self.both("--to", self.names[-1]), self.names[4:-2])
        self.wait_files(self.daemon, self.names[-2:])
        self.assertEqual(self.both(), [])
        self.daemon.start()
        self.fill(1)
        self.purge_source_to(self.names[-2])
        self.assert_like_source(self.daemon)

    def test_mistakes_are_named_and_remove_nothing(self):
        self.assertEqual(self.daemon.stop(), 0)
        for args, code, words in ((["--to", "mysql-bin.999999"], 1,
                                   "Target log not found in binlog index"),
                                  (["--to", "../x"], 1, "Target log not found in binlog index"),
                                  (["--before", "yesterday"], 2, "is no time"),
                                  (["--before", "2020-01-01x"], 2, "is no time"),
                                  (["--to", "a", "--before", "b"], 2, "--to or --before"),
                                  (["--frob"], 2, "frob")):
            done = self.tool(self.daemon, *args)
            self.assertEqual(done.returncode, code, args)
            self.assertIn(words, done.stderr)
        self.assertEqual(self.daemon.copies(), self.names)


class UnderLoad(Case):
    def test_acks_stay_covered_while_files_go(self):
        """Each ACK comes after the syncs that it needs (acktrace.py), also of the index."""
        self.make_source(*Mysql97.semisync_options())
        trace = os.path.join(lab.temp_dir(), "trace")
        daemon = Binlogd(self.source, wrapper=acktrace.strace_command(trace),
                         sections={"storage": {"max_size": 60000}})
        self.addCleanup(daemon.close)
        self.source.wait_semisync_client()
        ledger.create_table(self.source)
        with ledger.Load(self.source, 4) as load:
            for _ in range(100):
                load.wait_commits(40)
                self.source.query("FLUSH BINARY LOGS")
                if daemon.log_text().count("purging") >= 3:
                    break
            load.wait_commits(40)
        lab.wait_caught_up(self.source, daemon)  # and what is being purged is gone
        self.assertEqual(daemon.stop(), 0)
        checker = acktrace.check_trace(trace, daemon.storage, None, ())
        purged = len(re.findall("purging", daemon.log_text()))
        print(f"{len(checker.acks)} ACKs for {load.count('ok')} commits in "
              f"{len(self.source.logs())} files, {purged} purges, {len(daemon.copies())} files left",
              flush=True)
        self.assertEqual(checker.problems[:5], [])
        self.assertGreaterEqual(purged, 3)
        self.assertEqual(daemon.copies(), daemon.index_names())
        names = [name for name, _ in self.source.logs()]
        self.assertEqual(daemon.copies(), names[-len(daemon.copies()):])
        for name in daemon.copies():
            self.assertIsNone(lab.same_bytes(self.source.log_path(name), daemon.copy_path(name)))


class Kills(Case):
    """Killed at a call of a purge: what is left is an unbroken sequence, and goes on."""

    # Counted in each thread: the journal's rename of the index; the worker's calls, an fsync behind
    # each unlink. The first two fsyncs of a thread are the start's, as is the loop's one unlink:
    # for the first of the worker that of its file is meant.
    POINTS = [("renameat", 1), ("unlinkat", 0), ("unlinkat", 2), ("fsync", 3), ("unlinkat", 4),
              ("fsync", 4)]

    def test_kill_at_each_step(self):
        self.make_source()
        self.fill(4, size=200000)
        self.fill(6)
        daemon = self.make_daemon()
        names = daemon.copies()
        self.assertEqual(daemon.stop(), 0)
        keep = os.path.join(daemon.dir, "keep")
        subprocess.run(["cp", "-a", daemon.storage, keep], check=True)
        for call, when in self.POINTS:
            with self.subTest(call=call, when=when):
                subprocess.run(["rm", "-rf", daemon.storage], check=True)
                subprocess.run(["cp", "-a", keep, daemon.storage], check=True)
                self.kill_and_go_on(daemon, names, call, when)

    def kill_and_go_on(self, daemon, names, call, when):
        daemon.sections["storage"]["max_size"] = 100000
        daemon.wrapper = ["strace", "-f", "-o", os.path.join(daemon.dir, "trace"),
                          "-e", f"inject={call}:signal=KILL:when={when or 1}",
                          "-e", f"trace={call}"]
        if not when:
            daemon.wrapper += ["-P", names[0]]
        daemon.start()
        daemon.wait_exit()
        self.assertNotIn("all that was purged is removed", daemon.log_text())
        self.assertIn("purging", daemon.log_text())
        left = daemon.copies()
        print(f"{call} {when}: {len(left)} of {len(names)} files, "
              f"{len(daemon.index_names())} in the index", flush=True)
        self.assertEqual(left, names[-len(left):])
        self.assertGreaterEqual(len(left), 7)
        self.assertTrue(set(daemon.index_names()) <= set(names))
        self.same_bytes(daemon)
        daemon.wrapper = []
        daemon.start()
        lab.wait_until(lambda: len(daemon.copies()) == 7 and
                       daemon.copies() == daemon.index_names(), 20, "the purge")
        lab.write_rows(self.source, 1)
        lab.wait_until(lambda: lab.caught_up(self.source, daemon), 20, "the copy")
        self.same_bytes(daemon)
        self.wait_executed(daemon)
        self.assertEqual(daemon.stop(), 0)

    def same_bytes(self, daemon):
        for name in daemon.copies():
            wrong = lab.same_bytes(self.source.log_path(name), daemon.copy_path(name), True)
            self.assertIsNone(wrong, name)


if __name__ == "__main__":
    unittest.main(verbosity=2)

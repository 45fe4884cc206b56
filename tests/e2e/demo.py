"""The demonstration behind tests/demo: no answered commit is lost, whoever is killed.

Starts a real MySQL 9.x source with semi-sync, a replica of it and binlogd, commits rows, lets the
replica fall behind, kills binlogd with -9 under load and starts it again, and kills the source
with -9 under load. Then the replica is pointed at binlogd, catches up and is promoted: every row
whose commit was answered must be in its tables. At last the copied files are read with the
source's own mysqlbinlog: every such row must be there, too.
"""
import os
import sys
import time
import unittest

import failover
import fetch
import lab
import ledger
from lab import REPLICA_USER, Binlogd, Mysql97

WRITERS = 8
started = time.monotonic()
step_number = 0


def step(text):
    global step_number
    step_number += 1
    print(f"\n[{time.monotonic() - started:5.1f} s] {step_number}. {text}", flush=True)


def say(text):
    print(f"          {text}", flush=True)


def show_commits(load, more, had=None):
    """Wait for more answered commits and print how they come in."""
    goal = (load.count() if had is None else had) + more
    for part in (3, 2, 1, 0):
        load.wait_total(goal - more * part // 4)
        say(f"{load.count()} commits answered")


def show_counters(source):
    counters = source.semisync()
    say(f"source: Rpl_semi_sync_source_yes_tx = {counters['yes_tx']}, "
        f"no_tx = {counters['no_tx']}, status = {counters['status']}")
    return counters


def commit_some(source):
    before = show_counters(source)
    with ledger.Load(source, WRITERS, commits=100) as load:
        show_commits(load, 100 * WRITERS, had=0)
    after = show_counters(source)
    if after["yes_tx"] <= before["yes_tx"] or after["no_tx"] != before["no_tx"]:
        raise AssertionError("commits were answered without an ACK")
    return load


def kill_daemon(source, daemon, load):
    daemon.kill9()
    time.sleep(0.3)
    answered = load.count()
    time.sleep(0.7)
    say(f"while it is away commits wait: {load.count() - answered} answered in 0.7 s")
    if load.count() != answered:
        raise AssertionError("a commit was answered while binlogd was dead")
    daemon.start()
    began = time.monotonic()
    load.wait_commits(1)
    say(f"started again; the next commit was answered {time.monotonic() - began:.2f} s later")
    show_commits(load, 400)
    show_counters(source)


def rescue(replica, daemon, loads):
    """Point the lagging replica at binlogd, promote it, and count."""
    say(f"it has {len(replica.query('SELECT 1 FROM lab.ledger'))} rows")
    failover.repoint(replica, daemon, by_gtid=True)
    began = time.monotonic()
    failover.catch_up(replica, daemon)
    say(f"caught up in {time.monotonic() - began:.2f} s and promoted")
    entries = entries_of(loads)
    wrong = failover.count_rows(replica, entries)
    answered = sum(1 for entry in entries.values() if entry[1] == "ok")
    rows = len(replica.query("SELECT 1 FROM lab.ledger"))
    say(f"it has {rows} rows; {answered} commits were answered")
    if wrong:
        raise AssertionError(f"{len(wrong)} rows are wrong, first: {wrong[:3]}")
    replica.query("INSERT INTO lab.ledger VALUES (-1, 1, 'after the failover', '')")
    say("every answered commit is in its tables, and it takes new ones")


def entries_of(loads):
    entries = {}
    for load in loads:
        entries.update(load.entries)
    return entries


def verify(source, daemon, loads):
    names = daemon.copies()
    for name in names:
        wrong = lab.same_bytes(source.log_path(name), daemon.copy_path(name),
                               prefix=name == names[-1])
        say(f"{name}: {os.path.getsize(daemon.copy_path(name))} bytes, " +
            (wrong or "same bytes as the source's"))
        if wrong:
            raise AssertionError(f"{name}: {wrong}")
    entries = entries_of(loads)
    rows = ledger.rows_in([daemon.copy_path(name) for name in names], source.mysqlbinlog())
    wrong = ledger.problems(entries, rows)
    answered = sum(1 for entry in entries.values() if entry[1] == "ok")
    say(f"{answered} commits were answered, {len(entries) - answered} were cut off unanswered; "
        f"the copies hold {len(rows)} rows")
    if wrong:
        raise AssertionError(f"{len(wrong)} rows are wrong, first: {wrong[:3]}")
    say("every row whose commit was answered is in the copied files")


def run():
    step("MySQL from Debian unstable (about 65 MB, kept in the cache for the next time)")
    say(Mysql97.version())
    step("Start it as a source that answers a commit only after a semi-sync ACK, and as a replica")
    source, (replica,) = failover.start_servers(by_gtid=True, replicas=1)
    with source, replica:
        say(f"source: 127.0.0.1:{source.port}, replica: 127.0.0.1:{replica.port}")
        failover.follow(replica, source.port, by_gtid=True)
        step("Start binlogd")
        with Binlogd(source, users=REPLICA_USER) as daemon:
            source.wait_semisync_client()
            say(f"copying to {daemon.epoch()}, serving at 127.0.0.1:{daemon.port()}")
            ledger.create_table(source)
            step(f"Commit {100 * WRITERS} rows from {WRITERS} writers")
            first = commit_some(source)
            replica.wait_executed(source.position())
            replica.stop_replica("IO_THREAD")
            say("from now on the replica receives nothing more")
            source.query("FLUSH BINARY LOGS")
            with ledger.Load(source, WRITERS, first_client=WRITERS) as second:
                step("Kill binlogd with -9 in mid-load")
                show_commits(second, 400)
                kill_daemon(source, daemon, second)
                step("Kill the source with -9 in mid-load")
                source.kill()
                second.stop()
                say(f"{second.count()} commits of this load were answered")
            step("Point the replica at binlogd and promote it")
            rescue(replica, daemon, [first, second])
            step("Stop binlogd and read its files with the source's own mysqlbinlog")
            code = daemon.stop()
            say(f"binlogd: exit code {code}")
            verify(source, daemon, [first, second])
            if code != 0:
                raise AssertionError(f"binlogd ended with {code}")


def main():
    try:
        run()
    except unittest.SkipTest as error:
        print(f"demo: {error}", flush=True)
        return 1
    except (fetch.FetchError, AssertionError, RuntimeError) as error:
        print(f"\ndemo: FAILED: {error}", flush=True)
        return 1
    print(f"\ndemo: passed in {time.monotonic() - started:.0f} s, nothing is left behind",
          flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

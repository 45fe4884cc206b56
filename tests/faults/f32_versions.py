import concurrent.futures
import itertools
import os

import lab
import ledger
from case import Case
from lab import REPLICA_USER, WITH_GTIDS, WITHOUT_GTIDS, Binlogd, MariaDB, Mysql56, Mysql97

START = ("mysql-bin.000001", 4)
COMMITS = 40
KINDS = {"9.7": Mysql97, "5.6": Mysql56, "MariaDB": MariaDB}
# Who can replicate from whom, by what the vendors support.
PAIRS = (("9.7", "9.7"), ("5.6", "5.6"), ("MariaDB", "MariaDB"), ("5.6", "MariaDB"))
NOT_IN_E2E = (("9.7", "9.7", True, "NONE", True), ("9.7", "9.7", False, "NONE", False),
              ("MariaDB", "MariaDB", True, "NONE", True), ("5.6", "MariaDB", False, "CRC32", False))
SERVER_OPTIONS = {"9.7": ["--skip-replica-start=OFF"], "5.6": ["--log-slave-updates"],
                  "MariaDB": []}


class Versions(Case):
    """Source and replica of each version that go together, GTID on and off, checksums, TLS.

    TLS is used on both ways, from binlogd to the source and from the replica to binlogd. Files
    equal the source's (O2), the tables of a replica that follows from the first event on, through two
    rotations, equal the source's, and it is made writable after the source's death (O3). The short
    form takes combinations that no end-to-end test has; MySQL 5.6 here has no TLS.
    """

    short_rounds = len(NOT_IN_E2E)
    long_rounds = 30
    short_limit_s = 200

    def run(self, rounds):
        Binlogd.binary()
        for kind in KINDS.values():
            kind.available()
        self.certificates = lab.make_certificates(lab.temp_dir())
        cells = list(dict.fromkeys(NOT_IN_E2E + tuple(self.matrix())))[:rounds]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            commits = sum(pool.map(lambda cell: self.cell(*cell), cells))
        return f"{len(cells)} combinations, {commits} commits on each replica: " + ", ".join(
            f"{source}>{replica} {'GTID' if gtid else 'position'} {checksum}{' TLS' if tls else ''}"
            for source, replica, gtid, checksum, tls in cells)

    @staticmethod
    def matrix():
        for (source, replica), gtid, checksum, tls in itertools.product(
                PAIRS, (True, False), ("CRC32", "NONE"), (False, True)):
            if not (tls and "5.6" in (source, replica)) and not (gtid and source != replica):
                yield source, replica, gtid, checksum, tls

    def server(self, name, number, gtid, checksum, tls):
        options = [f"--binlog-checksum={checksum}", *SERVER_OPTIONS[name]]
        if name == "MariaDB":
            options += ["--relay-log=relay"]
        elif name == "5.6":
            options += WITH_GTIDS if gtid else []
        else:
            options += WITH_GTIDS if gtid else WITHOUT_GTIDS
        if tls:
            options += lab.tls_options(self.certificates)
        return KINDS[name](*options, server_id=number)

    def cell(self, source_name, replica_name, gtid, checksum, tls):
        """How many commits the replica has in the end."""
        with self.server(source_name, 1, gtid, checksum, tls) as source, \
                self.server(replica_name, 101, gtid, checksum, False) as replica:
            source.create_user()
            ledger.create_table(source)
            with self.daemon(source, tls) as daemon:
                lab.wait_caught_up(source, daemon)
                self.follow(replica, daemon, gtid, tls)
                with ledger.Load(source, 2, pause=0.005) as load:
                    for _ in range(2):
                        load.wait_commits(COMMITS)
                        source.query("FLUSH BINARY LOGS")
                    load.wait_commits(COMMITS)
                lab.assert_copied(source, daemon)
                goal, want = source.position(), source.checksums()
                source.kill()
                replica.wait_executed(goal)
                assert replica.checksums() == want, f"{source_name} {replica_name}: rows differ"
                if tls:
                    daemon.wait_for(r"login: user=repl .*tls=TLSv1")
                    daemon.wait_for(r"connected to .*TLSv1")
                replica.promote()
                replica.query("INSERT INTO lab.ledger VALUES (9999, 1, 'ab', '')")
                return load.count()

    def daemon(self, source, tls):
        at = self.certificates
        keys = {"ssl_mode": "verify_ca", "ssl_ca": f"{at}/ca.pem"} if tls else {}
        server = {"ssl_cert": f"{at}/server-cert.pem", "ssl_key": f"{at}/server-key.pem",
                  "require_ssl": "on"}
        user = lab.account(plugin="mysql_native_password") if source.family != "mysql97" \
            else REPLICA_USER["repl"]
        return Binlogd(source, users={"repl": user},
                       sections={"server": server} if tls else {}, **keys)

    def follow(self, replica, daemon, gtid, tls):
        keys = {"ssl": 1, "ssl_ca": os.path.join(self.certificates, "ca.pem")} if tls else {}
        replica.replicate_from(daemon.port(), None if gtid else START, **keys)
        replica.wait_receiving()

"""Logins to a real MySQL 9.x source: caching_sha2_password over TLS, RSA, TCP and unix socket.

A login that must not work has to leave the password unsent and say what to change.
"""
import unittest

import lab
from lab import Binlogd, Mysql97


def setUpModule():
    Binlogd.binary()
    Mysql97.available()


class Login(unittest.TestCase):
    """Ways to connect. The source has a certificate for the address 127.0.0.1."""

    @classmethod
    def setUpClass(cls):
        cls.certificates = lab.make_certificates(lab.temp_dir())
        cls.source = Mysql97(*lab.tls_options(cls.certificates))
        cls.addClassCleanup(cls.source.close)
        cls.source.create_user()
        lab.write_rows(cls.source)

    def setUp(self):
        # Forget the password hashes: each login needs the full authentication again.
        self.source.query("FLUSH LOCAL PRIVILEGES")

    def connection_type(self):
        """Of the newest dump; the source notices the end of older ones late."""
        rows = self.source.query("SELECT connection_type FROM performance_schema.threads WHERE "
                                 "processlist_command LIKE 'Binlog%' ORDER BY processlist_id")
        return rows[-1][0]

    def assert_copies(self, connection_type, **keys):
        with Binlogd(self.source, **keys) as daemon:
            lab.assert_copied(self.source, daemon)
            self.assertEqual(self.connection_type(), connection_type)
            self.assertEqual(daemon.stop(), 0)

    def assert_refused(self, words, **keys):
        with Binlogd(self.source, **keys) as daemon:
            daemon.wait_for(rf"(?i) (warn|error) .*({words})", 15)
            self.assertEqual(daemon.copies(), [])
            self.assertIsNone(daemon.process.poll())
            self.assertEqual(daemon.stop(), 0)

    def test_tls_required_copies(self):
        self.assert_copies("SSL/TLS", ssl_mode="required", get_public_key="off")

    def test_tls_preferred_uses_tls(self):
        self.assert_copies("SSL/TLS", ssl_mode="preferred", get_public_key="off")

    def test_rsa_without_tls_copies(self):
        self.assert_copies("TCP/IP", ssl_mode="disabled", get_public_key="on")

    def test_fast_path_without_tls_copies(self):
        self.source.connect("repl", lab.PASSWORD).close()
        self.assert_copies("TCP/IP", ssl_mode="disabled", get_public_key="off")

    def test_full_login_without_tls_or_key_is_refused(self):
        self.assert_refused("ssl_mode|get_public_key|public key", ssl_mode="disabled",
                            get_public_key="off")

    def test_unix_socket_copies(self):
        self.assert_copies("Socket", host=self.source.socket, get_public_key="off")

    def test_verify_ca_good_copies(self):
        self.assert_copies("SSL/TLS", ssl_mode="verify_ca", get_public_key="off",
                           ssl_ca=f"{self.certificates}/ca.pem")

    def test_verify_ca_of_another_ca_is_refused(self):
        self.assert_refused("certificate", ssl_mode="verify_ca",
                            ssl_ca=f"{self.certificates}/other-ca.pem")

    def test_verify_identity_good_copies(self):
        self.assert_copies("SSL/TLS", ssl_mode="verify_identity", get_public_key="off",
                           ssl_ca=f"{self.certificates}/ca.pem")

    def test_verify_identity_of_another_name_is_refused(self):
        self.assert_refused("host ?name|certificate|identity", ssl_mode="verify_identity",
                            host="localhost", ssl_ca=f"{self.certificates}/ca.pem")

    def test_host_name_is_resolved(self):
        self.assert_copies("TCP/IP", host="localhost", ssl_mode="disabled")

    def test_source_without_tls_is_refused_when_required(self):
        with Mysql97("--tls-version=") as source:
            source.create_user()
            with Binlogd(source, ssl_mode="required") as daemon:
                daemon.wait_for(r"(?i)tls|ssl", 15)
                self.assertEqual(daemon.copies(), [])

    def test_empty_password_copies(self):
        self.source.create_user("empty", password="")
        with Binlogd(self.source, user="empty", password="") as daemon:
            lab.assert_copied(self.source, daemon)


if __name__ == "__main__":
    unittest.main(verbosity=2)

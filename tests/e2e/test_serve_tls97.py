"""Real MySQL 9.x replicas that connect with TLS, and without when it is offered."""
import unittest

import lab
from serving import Serving, make_replicas, require_servers


def setUpModule():
    require_servers()


class WithTls(Serving):
    @classmethod
    def daemon_keys(cls):
        cls.certificates = lab.make_certificates(lab.temp_dir())
        return {"sections": {"server": {
            "ssl_cert": f"{cls.certificates}/server-cert.pem",
            "ssl_key": f"{cls.certificates}/server-key.pem"}}}

    def test_replica_that_verifies_the_certificate(self):
        replica, = make_replicas(self, 1)
        replica.replicate_from(self.daemon.port(), ssl=1, ssl_verify_server_cert=1,
                               ssl_ca=f"{self.certificates}/ca.pem", get_public_key=0)
        self.write_with_rotations(1)
        self.assert_follows(replica)

    def test_replica_with_the_wrong_ca_is_not_let_fooled(self):
        replica, = make_replicas(self, 1)
        replica.replicate_from(self.daemon.port(), ssl=1, ssl_verify_server_cert=1,
                               ssl_ca=f"{self.certificates}/other-ca.pem")
        error = lab.wait_until(lambda: replica.replica_status()["Last_IO_Error"], 20, "an error")
        self.assertIn("certificate", error)

    def test_replica_without_tls_takes_the_public_key(self):
        replica, = make_replicas(self, 1)
        replica.replicate_from(self.daemon.port(), ssl=0)
        self.assert_follows(replica)


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""PyMySQL of the system as a client of binlogd."""
import os
import subprocess
import sys
import unittest

import lab
from lab import PASSWORD, Binlogd

SCRIPT = """
import sys
import pymysql

user, password, port, unix_socket = sys.argv[1:]
for more in ({"host": "127.0.0.1", "port": int(port)}, {"unix_socket": unix_socket}):
    with pymysql.connect(user=user, password=password, **more) as connection:
        print(connection.get_server_info())
        with connection.cursor() as cursor:
            cursor.execute("SHOW BINARY LOGS")
            cursor.execute("SELECT @@server_id")
            print(cursor.fetchone()[0])
            try:
                cursor.execute("garbage")
            except pymysql.err.ProgrammingError as error:
                print(error.args[0])
        connection.ping(reconnect=False)
"""


def python_with_pymysql():
    """A Python that has it; the system's may be another than the one that runs this."""
    for python in (sys.executable, "/usr/bin/python3"):
        if os.path.exists(python) and subprocess.run(
                [python, "-c", "import pymysql"], stderr=subprocess.DEVNULL).returncode == 0:
            return python
    raise unittest.SkipTest("skipped: no pymysql")


class PyMySQL(unittest.TestCase):
    def test_logs_in_and_asks(self):
        python = python_with_pymysql()
        users = {"repl": lab.account(), "old": lab.account(plugin="mysql_native_password")}
        with Binlogd(users=users, host="127.0.0.1", port=lab.free_port()) as daemon:
            for user in users:
                with self.subTest(user=user):
                    done = subprocess.run([python, "-c", SCRIPT, user, PASSWORD,
                                           str(daemon.port()), daemon.socket], text=True,
                                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    version, server_id, error = done.stdout.split()[:3]
                    self.assertIn("-binlogd", version)
                    self.assertEqual((server_id, error), ("4711", "1064"))


if __name__ == "__main__":
    unittest.main(verbosity=2)

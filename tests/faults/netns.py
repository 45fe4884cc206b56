"""A network of its own for binlogd, joined to the machine by a pair of virtual interfaces.

Needs root and the right to make network namespaces. What is cut here is cut silently: no packet
tells either side.
"""
import os
import subprocess

from case import Skipped, need_program, need_root

NOBODY = "02:00:00:00:00:99"  # an address that no interface has: who sends there is not heard


def ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise Skipped(f"no network of its own here: ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class Network:
    """`outside` is the machine's address as seen from inside, `wrapper` runs a program inside."""

    def __init__(self):
        need_root()
        need_program("ip")
        tag = os.getpid() % 10000
        self.name, self.here, self.there = f"bl-{tag}", f"bl{tag}a", f"bl{tag}b"
        net = f"198.18.{tag % 250}"
        self.outside, self.inside = f"{net}.1", f"{net}.2"
        self.wrapper = ["ip", "netns", "exec", self.name]

    def __enter__(self):
        ip("netns", "add", self.name)
        try:
            ip("link", "add", self.here, "type", "veth", "peer", "name", self.there,
               "netns", self.name)
            ip("addr", "add", f"{self.outside}/30", "dev", self.here)
            ip("link", "set", self.here, "up")
            for words in (("link", "set", "lo", "up"), ("link", "set", self.there, "up"),
                          ("addr", "add", f"{self.inside}/30", "dev", self.there)):
                ip("-n", self.name, *words)
        except Skipped:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)
        subprocess.run(["ip", "link", "del", self.here], capture_output=True, check=False)

    def down(self):
        ip("link", "set", self.here, "down")

    def up(self):
        ip("link", "set", self.here, "up")

    def deafen_outside(self):
        """What is sent from inside gets lost, the other direction works."""
        ip("-n", self.name, "neigh", "replace", self.outside, "lladdr", NOBODY,
           "dev", self.there, "nud", "permanent")

    def hear_again(self):
        ip("-n", self.name, "neigh", "del", self.outside, "dev", self.there)

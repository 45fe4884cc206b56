"""File systems of a case's own: ext4 and xfs that can lose their power, a memory that can be full.

Each is unmounted when its context ends. Needs root and the right to mount.
"""
import fcntl
import os
import struct
import subprocess

import lab
from case import Skipped, need_program, need_root

SHUTDOWN = 0x8004587D  # the ioctl has one number on ext4 and xfs
NO_LOG_FLUSH = 2  # what the journal has not written yet is lost
PAGE = 4096


def mount(*words):
    done = subprocess.run(["mount", *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise Skipped(f"cannot mount here: {done.stderr.strip().splitlines()[-1:]}")


class Mounted:
    """A directory with a file system in it."""

    def __init__(self, path):
        need_root()
        self.path = path

    def __enter__(self):
        self.mount()
        os.chmod(self.path, 0o750)
        return self

    def __exit__(self, *_):
        self.unmount()

    def mount(self):
        raise NotImplementedError

    def unmount(self):
        done = subprocess.run(["umount", self.path], capture_output=True)
        if done.returncode != 0:
            subprocess.run(["umount", "-l", self.path], check=False)


class Tmpfs(Mounted):
    def __init__(self, path, size):
        super().__init__(path)
        self.size = size

    def mount(self):
        mount("-t", "tmpfs", "-o", f"size={self.size}", "tmpfs", self.path)

    def free_pages(self):
        return os.statvfs(self.path).f_bavail

    def fill(self, name, leave):
        """A file that leaves this many pages free."""
        with open(os.path.join(self.path, name), "wb") as ballast:
            ballast.write(b"\0" * (max(self.free_pages() - leave, 0) * PAGE))


class Disk(Mounted):
    """A file system in an image file; power_cut() loses what no sync has covered."""

    make = ()  # the command that makes one in an image
    megabytes = 0

    def __init__(self, path, megabytes=None, image=None):
        self.need()
        super().__init__(path)
        self.image = image or os.path.join(lab.temp_dir(), "image")
        with open(self.image, "wb") as file:
            file.truncate((megabytes or self.megabytes) << 20)
        subprocess.run([*self.make, self.image], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"})

    @classmethod
    def need(cls):
        need_program(cls.make[0])

    def mount(self):
        mount("-o", "loop", self.image, self.path)

    def power_cut(self):
        """From here on every write and sync fails."""
        top = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(top, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(top)

    def power_on(self):
        """Mount again: the file system's journal is replayed."""
        subprocess.run(["umount", self.path], check=True)
        self.mount()


class Ext4(Disk):
    make = ("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,nodiscard")
    megabytes = 256


class BackedExt4(Ext4):
    """Its own blocks, with its journal, lie on the file system below from the start."""

    make = (*Ext4.make[:-1], "lazy_itable_init=1,nodiscard,packed_meta_blocks=1")
    own = 9 << 20  # bytes of an image of 64 MiB, which begins with them

    def __init__(self, *arguments):
        super().__init__(*arguments)
        with open(self.image, "r+b") as file:
            head = file.read(self.own)
            file.seek(0)
            file.write(head)


class Xfs(Disk):
    make = ("mkfs.xfs", "-q", "-f")
    megabytes = 320  # the least that it takes is 300

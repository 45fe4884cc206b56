"""What a disk may hold after a power cut at any moment of a traced run (O5).

Replays a trace of system calls (acktrace.py) and keeps, for each file, the bytes that a finished
sync covers and the writes since; for each directory the entries that an fsync covers and the
changes since. At each step it yields the images that the disk may show:

    all, none of what is not synced; the directory without the data, the data without the directory
    each single write dropped: the pages that it touched stay as they were before it
    the last write torn at a multiple of 512, of 4096 or anywhere; the rest missing or zeros
    each single change of a directory dropped
"""
import os
import random

import acktrace

PAGE = 4096


class Inode:
    """What is on the disk of one file, and what was written to it since."""

    def __init__(self):
        self.synced = b""
        self.changes = []


class Change:
    """A write of `data` at `start`, or a cut to `start` bytes when data is None."""

    def __init__(self, inode, start, data):
        self.inode, self.start, self.data = inode, start, data

    def apply(self, content):
        if self.data is None:
            return content[:self.start].ljust(self.start, b"\0")
        before = content[:self.start].ljust(self.start, b"\0")
        return before + self.data + content[self.start + len(self.data):]


class Entry:
    """A change of a directory: `file` appears as `path`, and `old` goes; file None: path goes."""

    def __init__(self, path, file, old=None):
        self.path, self.file, self.old = path, file, old

    def apply(self, names):
        if self.old:
            names.pop(self.old, None)
        if self.file is None:
            names.pop(self.path, None)
        else:
            names[self.path] = self.file


class Synced(list):
    """What a sync covers that has begun: the checker's list, with our changes beside it."""

    def __init__(self, items, changes):
        super().__init__(items)
        self.changes = changes


class Disk(acktrace.Checker):
    """Call crash(images, bound) at each step; see images() and bound()."""

    def __init__(self, directory, crash, seed=1):
        self.inodes, self.entries, self.names = {}, [], {}
        self.old_name = None
        self.crash = crash
        self.random = random.Random(seed)
        super().__init__(directory)

    def new_process(self):
        """The traced process was killed, the next line is another one's.

        A write that had begun counts as carried out: what comes next has the same bytes there.
        """
        self.descriptors, self.pending = {}, {}
        for file in self.files.values():
            for extent in file.written:
                extent.done = True

    def inode(self, file):
        return self.inodes.setdefault(id(file), Inode())

    # The steps of the checker that change the disk.
    def begin(self, name, arguments, when):
        token = super().begin(name, arguments, when)
        if name in ("fdatasync", "fsync"):
            descriptor = self.descriptor(arguments)
            if descriptor and descriptor.file is not None:
                return Synced(token, list(self.inode(descriptor.file).changes))
            if descriptor and descriptor.path:
                return Synced(token, [entry for entry in self.entries
                                      if os.path.dirname(entry.path) == descriptor.path])
        return token

    def begin_write(self, name, descriptor, arguments):
        extent = super().begin_write(name, descriptor, arguments)
        inode = self.inode(descriptor.file)
        extent.change = Change(inode, extent.start, acktrace.payload(name, arguments))
        inode.changes.append(extent.change)
        self.step()
        return extent

    def end_write(self, extent, result, descriptor):
        super().end_write(extent, result, descriptor)
        if result is not None:
            extent.change.data = extent.change.data[:max(result, 0)]

    def finish_fdatasync(self, arguments, result, token):
        super().finish_fdatasync(arguments, result, token)
        if result != 0 or not isinstance(token, Synced):
            return
        descriptor = self.descriptor(arguments)
        if descriptor.file is not None:
            inode = self.inode(descriptor.file)
            for change in token.changes:
                inode.synced = change.apply(inode.synced)
            inode.changes = [change for change in inode.changes if change not in token.changes]
        else:
            for entry in token.changes:
                entry.apply(self.names)
            self.entries = [entry for entry in self.entries if entry not in token.changes]
        self.step()

    finish_fsync = finish_fdatasync

    def note_entry(self, path, file):
        super().note_entry(path, file)
        self.entries.append(Entry(path, file, self.old_name))
        self.step()

    def finish_rename(self, arguments, result, token):
        self.old_name = self.path_argument(arguments, 0)
        super().finish_rename(arguments, result, token)
        self.old_name = None

    finish_renameat = finish_renameat2 = finish_rename

    def finish_unlinkat(self, arguments, result, token):
        super().finish_unlinkat(arguments, result, token)
        if result == 0:
            self.entries.append(Entry(self.path_argument(arguments, 0), None))
            self.step()

    def truncate(self, file, size):
        shorter = size < file.size()
        acktrace.Checker.truncate(file, size)
        if shorter:
            inode = self.inode(file)
            inode.changes.append(Change(inode, size, None))
            self.step()

    def judge(self, when, kind, name, position):
        super().judge(when, kind, name, position)
        self.step()

    def step(self):
        if not self.problems:  # else the trace is wrong already, and may hold no sync at all
            self.crash(self.images(), self.bound())

    def bound(self):
        """The highest (file, position) that was acknowledged, by an ACK or a dump request."""
        claims = [(name, position) for _, name, position in self.acks + self.requests
                  if position > 4]
        return max(claims, default=None)

    # Images.
    def images(self):
        """(what was done, {path below the directory: bytes, or None for a folder})"""
        changes = [change for inode in self.inodes.values() for change in inode.changes]
        yield "all", self.image(self.contents(changes), self.entries)
        if changes or self.entries:
            yield "none", self.image(self.contents([]), [])
            yield "names without bytes", self.image(self.contents([]), self.entries)
            yield "bytes without names", self.image(self.contents(changes), [])
        for change in changes:
            yield "write dropped", self.image(self.without(changes, change), self.entries)
        for change in self.last_writes():
            for what, end, size in self.tears(change):
                yield what, self.image(self.torn(changes, change, end, size), self.entries)
        for entry in self.entries:
            others = [other for other in self.entries if other is not entry]
            yield "name dropped", self.image(self.contents(changes), others)

    def contents(self, changes):
        found = {}
        for key, inode in self.inodes.items():
            content = inode.synced
            for change in inode.changes:
                if change in changes:
                    content = change.apply(content)
            found[key] = content
        return found

    def without(self, changes, dropped):
        """The pages that the write touched are not written again after it."""
        found = self.contents(changes)
        key = next(key for key, inode in self.inodes.items() if inode is dropped.inode)
        earlier = dropped.inode.changes[:dropped.inode.changes.index(dropped)]
        before = self.contents([other for other in changes
                                if other.inode is not dropped.inode or other in earlier])[key]
        content = found[key]
        if dropped.data is None:
            found[key] = before
            return found
        first = dropped.start // PAGE * PAGE
        last = -(-(dropped.start + len(dropped.data)) // PAGE) * PAGE
        stale = before[first:last]
        if last < len(content):
            stale = stale.ljust(last - first, b"\0")
        found[key] = content[:first] + stale + content[last:]
        return found

    def last_writes(self):
        """The newest write of each file that has any."""
        for inode in self.inodes.values():
            if inode.changes and inode.changes[-1].data:
                yield inode.changes[-1]

    def tears(self, change):
        start, end = change.start, change.start + len(change.data)
        cuts = {(start // size + 1) * size for size in (512, PAGE)}
        cuts.add(self.random.randint(start, end - 1))
        for cut in sorted(cut for cut in cuts if start <= cut < end):
            yield "last write torn", cut, cut
            yield "last write torn, zeros behind", cut, end
        yield "last write all zeros", start, end

    def torn(self, changes, change, end, size):
        """Of the write only what is below `end` is there, then zeros up to `size`."""
        found = self.contents([other for other in changes if other is not change])
        key = next(key for key, inode in self.inodes.items() if inode is change.inode)
        part = change.data[:end - change.start].ljust(size - change.start, b"\0")
        found[key] = Change(change.inode, change.start, part).apply(found[key])
        return found

    def image(self, contents, entries):
        names = dict(self.names)
        for entry in entries:
            entry.apply(names)
        top = os.path.normpath(self.directory) + "/"
        image = {}
        for path, file in sorted(names.items()):
            parent = os.path.dirname(path)
            if not path.startswith(top) or (parent + "/" != top and parent not in names):
                continue
            folder = self.folders.get(path) is file
            image[path[len(top):]] = None if folder else contents.get(id(file), b"")
        return image

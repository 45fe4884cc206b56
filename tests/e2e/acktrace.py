"""Proof from a system call trace that nothing was acknowledged before it was on disk.

Reads the output of `strace -f -ttt -xx` and replays it: which bytes of which file were written,
which of them a finished fdatasync covers, which directory entries an fsync made durable. For
each semi-sync ACK and each binlog dump request on a socket it demands, at the moment the send
begins: all bytes of the file below the position written and synced, all earlier files synced,
the file's directory entry synced, the index with the file's name renamed in place and synced.
Files from before the trace (`sizes`) count as written but not yet synced.
"""
import os
import re
import sys

SYSCALLS = ("open,openat,creat,write,pwrite64,pwritev,pwritev2,writev,fdatasync,fsync,"
            "sync_file_range,rename,renameat,renameat2,ftruncate,fallocate,copy_file_range,"
            "sendfile,sendto,sendmsg,sendmmsg,socket,connect,close,dup,dup2,dup3,unlink,unlinkat,"
            "lseek,fcntl,io_uring_setup,link,linkat,chdir,mkdir,mkdirat")
FORBIDDEN = {"io_uring_setup", "copy_file_range", "sendfile", "sendmmsg", "link", "linkat"}
COM_BINLOG_DUMP, COM_BINLOG_DUMP_GTID, ACK = 0x12, 0x1E, 0xEF

LINE = re.compile(r"^(\d+) +(\d+\.\d+) (.*)$")
CALL = re.compile(r"^(\w+)\((.*)$")
RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$")
RESULT = re.compile(r"\) *= (-?\d+|\?)[^=]*$")
STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
LOG_NAME = re.compile(r"^(.*)\.(\d{6,10})$")


def strace_command(output, strings=1024):
    """The wrapper to run the daemon under."""
    calls = ",".join("?" + name for name in SYSCALLS.split(","))
    return ["strace", "-f", "-ttt", "-xx", "--seccomp-bpf", "-s", str(strings),
            "-e", "signal=none", "-e", "trace=" + calls, "-o", output]


def unhex(text):
    return bytes.fromhex(text.replace("\\x", ""))


class Extent:
    """One write: [start, end) of a file, done when the call has returned."""

    def __init__(self, start, end, done=False):
        self.start, self.end, self.done = start, end, done


class File:
    def __init__(self, size=0):
        self.written = [Extent(0, size, True)] if size else []
        self.dirty = list(self.written)
        self.content = b""
        self.entry_durable = False

    def write(self, start, length):
        extent = Extent(start, start + length)
        self.written.append(extent)
        self.dirty.append(extent)
        return extent

    def covered(self):
        """End of the bytes that are written without a hole from the start of the file."""
        end = 0
        for extent in sorted((e for e in self.written if e.done), key=lambda e: e.start):
            if extent.start > end:
                break
            end = max(end, extent.end)
        if len(self.written) > 1000 and all(extent.done for extent in self.written):
            whole = Extent(0, end, True)
            self.written = [whole] + [e for e in self.written if e.start > end]
        return end

    def size(self):
        return max((extent.end for extent in self.written), default=0)

    def dirty_below(self, position):
        return any(extent.start < position for extent in self.dirty)


class Descriptor:
    """An open file description: a file with its path and offset, a directory, or a socket."""

    def __init__(self, path=None, file=None, append=False):
        self.path, self.file, self.append, self.offset = path, file, append, 0
        self.stream = b""


class Checker:
    """Feed lines with line(); then read `problems`, `acks` and `requests`."""

    def __init__(self, directory, sizes=None):
        """directory: where the logs are; sizes: {path: bytes} of files from before the trace."""
        self.directory = directory
        self.files, self.folders, self.descriptors, self.pending = {}, {}, {}, {}
        self.index_durable = set()
        self.unsynced_entries = {}
        self.problems, self.acks, self.requests = [], [], []
        self.cwd = "/"
        for path, size in (sizes or {}).items():
            self.files[path] = File(size)
            self.note_entry(path, self.files[path])

    def trust_index(self, names):
        """Names that were in a durable index before the trace began."""
        self.index_durable.update(names)

    def line(self, text):
        match = LINE.match(text)
        if not match:
            return
        pid, when, rest = match.groups()
        resumed = RESUMED.match(rest)
        if resumed:
            name, arguments, token = self.pending.pop(pid, (None, None, None))
            if name:
                self.finish(name, arguments + resumed.group(2), token)
            return
        call = CALL.match(rest)
        if not call:
            return
        name, arguments = call.groups()
        unfinished = arguments.endswith("<unfinished ...>")
        if unfinished:
            arguments = arguments[:-len("<unfinished ...>")]
        token = self.begin(name, arguments, when)
        if unfinished:
            self.pending[pid] = (name, arguments, token)
        else:
            self.finish(name, arguments, token)

    # The start of a call: sends are judged here, writes become dirty here.
    def begin(self, name, arguments, when):
        if name in FORBIDDEN:
            self.problems.append(f"{when}: {name} is not understood by this checker")
        descriptor = self.descriptor(arguments)
        if name in ("write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg"):
            if descriptor and descriptor.file is not None:
                return self.begin_write(name, descriptor, arguments)
            if descriptor:
                data = payload(name, arguments)
                self.judge_stream(descriptor.stream + data, when)
                return data
        if name in ("fdatasync", "fsync") and descriptor:
            if descriptor.file is not None:
                return [extent for extent in descriptor.file.dirty if extent.done]
            return list(self.unsynced_entries.get(descriptor.path, []))
        return None

    def begin_write(self, name, descriptor, arguments):
        data = payload(name, arguments)
        if name.startswith("pwrite"):
            offset = last_number(arguments, name)
        elif descriptor.append:
            offset = descriptor.file.size()
        else:
            offset = descriptor.offset
        content = descriptor.file.content
        if offset <= len(content) < 1 << 20:
            descriptor.file.content = content[:offset] + data + content[offset + len(data):]
        return descriptor.file.write(offset, len(data))

    # The end of a call: its effect, if it succeeded.
    def finish(self, name, arguments, token):
        match = RESULT.search(arguments)
        result = int(match.group(1)) if match and match.group(1) != "?" else None
        handler = getattr(self, "finish_" + name, None)
        if handler:
            handler(arguments, result, token)

    def finish_openat(self, arguments, result, _):
        if result is None or result < 0:
            return
        path = self.path_argument(arguments, 0)
        directory = "O_DIRECTORY" in arguments
        writable = "O_WRONLY" in arguments or "O_RDWR" in arguments
        if path not in self.files and (directory or not writable):
            self.descriptors[result] = Descriptor(path)
            return
        if path not in self.files:
            self.files[path] = File()
            if "O_CREAT" in arguments:
                self.note_entry(path, self.files[path])
        if "O_TRUNC" in arguments:
            self.truncate(self.files[path], 0)
        self.descriptors[result] = Descriptor(path, self.files[path], "O_APPEND" in arguments)

    finish_open = finish_creat = finish_openat

    def note_entry(self, path, file):
        """A directory entry that appears with the next fsync of its directory."""
        file.entry_durable = False
        self.unsynced_entries.setdefault(os.path.dirname(path), []).append((path, file))

    def finish_mkdirat(self, arguments, result, _):
        if result == 0:
            path = self.path_argument(arguments, 0)
            self.folders[path] = File()
            self.note_entry(path, self.folders[path])

    finish_mkdir = finish_mkdirat

    def finish_socket(self, _, result, __):
        if result is not None and result >= 0:
            self.descriptors[result] = Descriptor()

    def finish_close(self, arguments, *_):
        self.descriptors.pop(number(arguments), None)

    def finish_dup(self, arguments, result, _):
        source = self.descriptor(arguments)
        if source and result is not None and result >= 0:
            self.descriptors[result] = source

    finish_dup2 = finish_dup3 = finish_dup

    def finish_fcntl(self, arguments, result, _):
        if "F_DUPFD" in arguments:
            self.finish_dup(arguments, result, None)

    def finish_chdir(self, arguments, result, _):
        if result == 0:
            self.cwd = self.path_argument("AT_FDCWD, " + arguments, 0)

    def finish_lseek(self, arguments, result, _):
        descriptor = self.descriptor(arguments)
        if descriptor and result is not None and result >= 0:
            descriptor.offset = result

    def finish_write(self, arguments, result, token):
        descriptor = self.descriptor(arguments)
        if isinstance(token, Extent):
            self.end_write(token, result, descriptor)
            descriptor.offset = token.end
        elif descriptor and isinstance(token, bytes):
            sent = max(result or 0, 0)
            descriptor.stream = without_whole_packets(descriptor.stream + token[:sent])

    finish_writev = finish_sendto = finish_sendmsg = finish_write

    def finish_pwrite64(self, arguments, result, token):
        if isinstance(token, Extent):
            self.end_write(token, result, self.descriptor(arguments))

    finish_pwritev = finish_pwritev2 = finish_pwrite64

    def end_write(self, extent, result, descriptor):
        if result is None:
            return
        extent.end = extent.start + max(result, 0)
        extent.done = True

    def finish_fdatasync(self, arguments, result, token):
        descriptor = self.descriptor(arguments)
        if result != 0 or not descriptor or token is None:
            return
        if descriptor.file is not None:
            done = set(map(id, token))
            descriptor.file.dirty = [e for e in descriptor.file.dirty if id(e) not in done]
        else:
            self.directory_synced(descriptor.path, token)

    finish_fsync = finish_fdatasync

    def directory_synced(self, path, entries):
        waiting = self.unsynced_entries.get(path, [])
        for entry in entries:
            name, file = entry
            if entry in waiting:
                waiting.remove(entry)
            file.entry_durable = True
            if name.endswith(".index") and not file.dirty:
                lines = file.content.decode("latin-1").split("\n")[:-1]
                self.index_durable.update(os.path.basename(line) for line in lines)

    def finish_rename(self, arguments, result, _):
        if result != 0:
            return
        if arguments.lstrip().startswith('"'):
            old, new = (self.absolute(self.cwd, text) for text in strings(arguments)[:2])
        else:
            old, new = self.path_argument(arguments, 0), self.path_argument(arguments, 1)
        file = self.files.pop(old, None)
        if file is None:
            return
        if file.dirty:
            self.problems.append(f"{os.path.basename(old)} renamed before it was synced")
        self.files[new] = file
        for descriptor in self.descriptors.values():
            if descriptor.file is file:
                descriptor.path = new
        self.note_entry(new, file)

    finish_renameat = finish_renameat2 = finish_rename

    def finish_unlink(self, arguments, result, _):
        if result == 0:
            self.files.pop(self.absolute(self.cwd, strings(arguments)[0]), None)

    def finish_unlinkat(self, arguments, result, _):
        if result == 0:
            self.files.pop(self.path_argument(arguments, 0), None)

    def finish_ftruncate(self, arguments, result, _):
        descriptor = self.descriptor(arguments)
        if result == 0 and descriptor and descriptor.file is not None:
            self.truncate(descriptor.file, int(arguments.split(",")[1].split(")")[0]))

    @staticmethod
    def truncate(file, size):
        for extents in (file.written, file.dirty):
            for extent in extents:
                extent.end = min(extent.end, size)
            extents[:] = [extent for extent in extents if extent.start < size]
        file.content = file.content[:size]

    # Paths and descriptors.
    def descriptor(self, arguments):
        fd = number(arguments)
        return self.descriptors.get(fd) if fd is not None else None

    @staticmethod
    def absolute(base, text):
        return os.path.normpath(os.path.join(base, text))

    def path_argument(self, arguments, which):
        """The which-th (directory fd, name) pair of an *at() call, or the only name."""
        pairs = re.findall(r'(AT_FDCWD|\d+), "((?:\\x[0-9a-f]{2})*)"', arguments)
        if not pairs:
            return self.absolute(self.cwd, strings(arguments)[0])
        base, name = pairs[which]
        if base == "AT_FDCWD":
            directory = self.cwd
        else:
            known = self.descriptors.get(int(base))
            directory = known.path if known and known.path else "/unknown"
        return self.absolute(directory, unhex(name).decode())

    # ACKs and dump requests.
    def judge_stream(self, data, when):
        for sequence, body in packets(data):
            found = parse_claim(sequence, body)
            if found:
                kind, name, position = found
                (self.acks if kind == "ack" else self.requests).append((when, name, position))
                self.judge(when, kind, name, position)

    def judge(self, when, kind, name, position):
        if not name and position <= 4:
            return
        for wrong in self.reasons(name, position, kind):
            self.problems.append(f"{when}: {kind} {name}:{position}: {wrong}")

    def reasons(self, name, position, kind):
        path = self.find(name)
        if kind == "request" and position <= 4 and path is None:
            return
        if path is None:
            yield "no such file"
            return
        file = self.files[path]
        if kind == "request" and position <= 4:
            yield from self.earlier_unsynced(path)
            return
        if file.covered() < position:
            yield f"only {file.covered()} bytes were written"
        if file.dirty_below(position):
            yield "bytes below it are not synced"
        folder = self.folders.get(os.path.dirname(path))
        if not file.entry_durable:
            yield "its directory was not synced after it was created"
        if folder and not folder.entry_durable:
            yield "its folder is not synced into the data directory"
        if os.path.basename(path) not in self.index_durable:
            yield "no durable index names the file"
        yield from self.earlier_unsynced(path)

    def earlier_unsynced(self, path):
        base, own = LOG_NAME.match(path).groups()
        for other, file in self.files.items():
            match = LOG_NAME.match(other)
            if match and match.group(1) == base and int(match.group(2)) < int(own):
                if file.dirty or file.covered() != file.size() or not file.entry_durable:
                    yield f"earlier file {os.path.basename(other)} is not synced"

    def find(self, name):
        """Path of the log with this name below the data directory."""
        top = self.directory.rstrip("/") + "/"
        found = [path for path in self.files
                 if path.startswith(top) and os.path.basename(path) == name]
        return sorted(found)[-1] if found else None


def number(arguments):
    match = re.match(r"\s*(\d+)", arguments)
    return int(match.group(1)) if match else None


def strings(arguments):
    return [unhex(text).decode("latin-1") for text, _ in STRING.findall(arguments)]


def last_number(arguments, name):
    """The offset argument of pwrite64, pwritev, pwritev2."""
    inner = RESULT.sub("", arguments).rstrip().rstrip(")")
    parts = STRING.sub("", inner).split(",")
    return int(parts[-2 if name == "pwritev2" else -1])


def payload(name, arguments):
    """The bytes that a write or send asks for; what strace did not print becomes zeros."""
    if name in ("write", "pwrite64", "sendto"):
        match = STRING.search(arguments)
        size = int(re.match(r"\s*,\s*(\d+)", arguments[match.end():]).group(1))
        return unhex(match.group(1)).ljust(size, b"\0")
    data = b""
    for match in re.finditer(r'iov_base="((?:\\x[0-9a-f]{2})*)"(?:\.\.\.)?, iov_len=(\d+)',
                             arguments):
        data += unhex(match.group(1)).ljust(int(match.group(2)), b"\0")
    return data


def packets(data):
    """Whole packets at the start of the data: (sequence, body)."""
    at = 0
    while at + 4 <= len(data):
        size = int.from_bytes(data[at:at + 3], "little")
        if at + 4 + size > len(data):
            return
        yield data[at + 3], data[at + 4:at + 4 + size]
        at += 4 + size


def without_whole_packets(data):
    at = sum(4 + len(body) for _, body in packets(data))
    return data[at:]


def parse_claim(sequence, body):
    """("ack" or "request", file name, position) when the packet claims durability."""
    if sequence != 0 or not body:
        return None
    if body[0] == ACK and len(body) > 9:
        return "ack", body[9:].decode("latin-1"), int.from_bytes(body[1:9], "little")
    if body[0] == COM_BINLOG_DUMP and len(body) >= 11:
        return "request", body[11:].decode("latin-1"), int.from_bytes(body[1:5], "little")
    if body[0] == COM_BINLOG_DUMP_GTID and len(body) >= 19:
        size = int.from_bytes(body[7:11], "little")
        name = body[11:11 + size].rstrip(b"\0").decode("latin-1")
        return "request", name, int.from_bytes(body[11 + size:19 + size], "little")
    return None


def check_trace(path, directory, sizes=None, index_names=()):
    """Replay a trace file and return the checker with its findings."""
    checker = Checker(directory, sizes)
    checker.trust_index(index_names)
    with open(path, encoding="latin-1") as trace:
        for text in trace:
            checker.line(text.rstrip("\n"))
    return checker


def main():
    checker = check_trace(sys.argv[1], sys.argv[2])
    print(f"{len(checker.acks)} ACKs, {len(checker.requests)} dump requests, "
          f"{len(checker.problems)} problems")
    for problem in checker.problems[:20]:
        print(problem)
    return 1 if checker.problems else 0


if __name__ == "__main__":
    sys.exit(main())

import os
import re
import shutil

import lab
from case import Case
from lab import WITH_GTIDS, Binlogd

CORRUPT = 5


def write(path, text=""):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def rewrite(path, change):
    text = lab.read_text(path)
    write(path, change(text))


# What is done to the folder of the files, and the words of the refusal; "" when it starts.
HARMS = {
    "index lost": (lambda at: os.unlink(at("mysql-bin.index")), ""),
    "index empty": (lambda at: write(at("mysql-bin.index")), ""),
    "index lacks the last": (lambda at: rewrite(
        at("mysql-bin.index"), lambda text: "".join(text.splitlines(True)[:-1])), ""),
    "index names what is not there": (lambda at: rewrite(
        at("mysql-bin.index"), lambda text: text + "./mysql-bin.000099\n"), ""),
    "index in another order": (lambda at: rewrite(
        at("mysql-bin.index"), lambda text: "".join(reversed(text.splitlines(True)))), ""),
    "index full of noise": (lambda at: write(at("mysql-bin.index"), "x" * 70000), ""),
    "index left half written": (lambda at: write(at("mysql-bin.index.tmp"), "./mysql-b"), ""),
    "other files": (lambda at: [write(at(name)) for name in (
        "notes.txt", "mysql-bin.000002.bak", ".mysql-bin.000007", "mysql-bin.12")], ""),
    "a folder": (lambda at: os.mkdir(at("old")), ""),
    "bound lost": (lambda at: os.unlink(at("durable")), ""),
    "next file begun and empty": (lambda at: write(at("mysql-bin.000005")), ""),
    "a file missing": (lambda at: os.unlink(at("mysql-bin.000002")), "no unbroken sequence"),
    "a file from elsewhere": (lambda at: write(at("mysql-bin.000099")), "no unbroken sequence"),
    "a link for a file": (lambda at: link_instead(at("mysql-bin.000004")), "mysql-bin.000004"),
}


def link_instead(path):
    os.rename(path, path + ".moved")
    os.symlink(path + ".moved", path)


class Directory(Case):
    """The directory is harmed between two starts: index lost or wrong, files gone or more.

    What is derived is made anew, what is no log is left alone; what cannot be right is refused in
    words with exit code 5, and nothing is changed. The copying then goes on (O2).
    """

    short_rounds = len(HARMS)
    long_rounds = len(HARMS)

    def run(self, rounds):
        source = self.source(*WITH_GTIDS)
        daemon = Binlogd(source)
        source.unlogged("CREATE TABLE lab.t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(200))")
        with daemon:
            for _ in range(3):
                lab.write_rows(source)
                source.query("FLUSH BINARY LOGS")
            lab.wait_caught_up(source, daemon)
            assert daemon.stop() == 0
            kept = os.path.join(lab.temp_dir(), "kept")
            shutil.copytree(daemon.storage, kept)
            for what, (harm, refusal) in HARMS.items():
                self.one(source, daemon, kept, what, harm, refusal)
        refused = sum(1 for _, refusal in HARMS.values() if refusal)
        return f"{len(HARMS)} harms: {len(HARMS) - refused} mended, {refused} refused in words"

    def one(self, source, daemon, kept, what, harm, refusal):
        shutil.rmtree(daemon.storage)
        shutil.copytree(kept, daemon.storage, symlinks=True)
        folder = daemon.epoch()
        harm(lambda name: os.path.join(folder, name))
        before = listing(folder)
        daemon.start()
        if refusal:
            code = daemon.wait_exit(20)
            assert code == CORRUPT, f"{what}: exit code {code}: {daemon.log_text()[-300:]}"
            assert re.search(f"error .*{refusal}", daemon.log_text()), f"{what}: not told"
            assert listing(folder) == before, f"{what}: the refused directory was changed"
            return
        daemon.wait_for("setup -> streaming")
        lab.wait_caught_up(source, daemon)
        lab.check_copies(source, daemon)
        assert daemon.stop() == 0, what


def listing(folder):
    return sorted((entry.name, entry.stat(follow_symlinks=False).st_size)
                  for entry in os.scandir(folder))

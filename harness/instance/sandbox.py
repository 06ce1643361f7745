"""The stand-in in a machine of its own, in which scripts that nobody knows may be run: host `sandbox`.

Linux namespaces make the machine: users, files, processes, memory, network and name are its own. Its root is a new
filesystem in memory, limited in size; of the real machine it holds the programs (`/usr`, `/opt`), read-only. So a
script finds every tool that is installed here, and can delete, fill or overwrite nothing of it. Its root may not
mount (no CAP_SYS_ADMIN), or a script could make the programs writable again and fill memory with filesystems; nor may
anybody make namespaces in which he might.

Whoever is root here gives the machine 65,536 users that own nothing outside of it; its own root is one of them.
Without root there is one user only, whom the machine calls root: `users` is False then, and what needs two users
cannot be tried. The instance belongs to `irisowner` (51773, as in InterSystems' images).

Why not a container where an engine is there: a script wants the tools of the machine that it was written for, and
an image has others; and an engine as root would have to be asked whom to trust. Namespaces are what it uses itself.

What the stand-in needs and is not below `/usr` (this package, a Python of one's own) is shown at its own path. The
folders above it are the machine's, and everybody may pass through them, whatever their modes are on the real machine:
a checkout below /root is as good as any. What is itself closed to others, as a `umask 077` leaves it, is shown as a
copy that is open.

Whoever calls the harness may have secrets in his environment and his keyrings, which a script is not to see: nothing
that can be inherited comes in (`bare`). The token of the run stays with the process that holds the machine, outside
of it; with that the kernel ends all the others.

Nothing is restored in here; a plan that names this host names another as its target.
"""

from __future__ import annotations

import contextlib
import copy
import io
import os
import shutil
import stat
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.command import Transcript
from harness.containers import TOKEN_VARIABLE
from harness.errors import CommandError, InstanceGone, PreconditionError
from harness.instance.bare import PATH, bare
from harness.instance.base import Machine, Place, PlacedFile, ProgramLimits
from harness.instance.namespaces import (
    STANDIN_BIN,
    NamespacePlace,
    interpreter,
    iris,
    require_namespaces,
)
from harness.instance.within import Within
from harness.plan.model import InstanceSpec

OWNER = 51773
USERS = {"root": 0, "backup": 34, "irisowner": OWNER, "somebody": 1000}
_SOURCE_NAME = "SOURCE"
_PACKAGE = Path(__file__).parent.parent
_UNUSED = {
    "__pycache__",
    "site-packages",
    "dist-packages",
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "ensurepip",
}
_SIZE, _INODES = "256m", "100000"
_USERS_FIRST = 0x60000000
_USERS_COUNT = 0x10000
_RANGES = 0x1000
_COMMANDS = ("iris", "ccontrol", "csession", "irissession")
_DIRECTORIES: dict[str, bytes] = {}
"""GT.M's global directories, as the first machine of this process made them: that takes half a second (layout.py)."""
_STAGE = r"""
umask 022
stage=$1 count=$2
shift 2
mount --make-rslave /
mount -t tmpfs -o mode=755 stage "$stage"
mkdir "$stage/root"
number=0
while [ "$number" -lt "$count" ]; do
    mkdir "$stage/$number"
    mount --rbind "$1" "$stage/$number"
    shift
    number=$((number + 1))
done
exec "$@"
"""
"""Brings what the machine is made of to where everybody can come: its users may not enter the folders above it."""
_STAGES = ("/mnt", "/media", "/srv", "/opt")
_MAPPED = 'echo users && read -r _ && exec setpriv --reuid=0 --regid=0 --clear-groups "$@"'
_NAMESPACES = ("--mount", "--ipc", "--pid", "--net", "--uts")

_WEAKENED = (
    "setpriv",
    "--bounding-set=-sys_admin,-sys_resource",
    "--inh-caps=-sys_admin,-sys_resource",
    "--",
)
"""Root of the machine without mounts, namespaces and a way around limits. Source: capabilities(7)."""
_INIT = r"""
umask 022
stage=$1 size=$2 inodes=$3 home=$4
shift 4
mount --make-rprivate /
mount -t tmpfs -o "size=$size,nr_inodes=$inodes,mode=755" machine "$stage/root"
cd "$stage/root"
mkdir -p dev/shm etc home mnt old opt proc root run/host run/lock srv sys tmp usr/local
mkdir -p var/lib var/log var/spool var/tmp
chmod 1777 tmp var/tmp dev/shm
chmod "$home" root
# a folder with other mounts in it can only be shown with them; then each is made read-only by itself
shown() {
    mkdir -p ".$2"
    mount -o bind,ro "$1" ".$2" 2>/dev/null && return
    mount --rbind "$1" ".$2"
    while read -r _ _ _ _ at _; do
        case $at in "$stage/root$2" | "$stage/root$2"/*) mount -o remount,bind,ro "$at" ;; esac
    done </proc/self/mountinfo
}
seen() { shown "$1" "$1"; }
# programs one by one, so that a name can be taken away or given to another program
listed() {
    mkdir -p "usr/$1" "run/host/$1"
    [ -d "/usr/$1" ] || return 0
    mount -o bind,ro "/usr/$1" "run/host/$1"
    (cd "/usr/$1"; for name in *; do printf '%s\0' "/run/host/$1/$name"; done) | xargs -0r ln -s -t "usr/$1"
}
for path in /usr/*; do
    case $path in
        /usr/bin | /usr/sbin | /usr/local) ;;
        *) if [ -L "$path" ]; then cp -P "$path" usr/; elif [ -d "$path" ]; then seen "$path"; fi ;;
    esac
done
for path in /usr/local/*; do
    case $path in
        /usr/local/bin | /usr/local/sbin) ;;
        *) if [ -L "$path" ]; then cp -P "$path" usr/local/; elif [ -d "$path" ]; then seen "$path"; fi ;;
    esac
done
for name in bin sbin local/bin local/sbin; do listed "$name"; done
for path in /bin /sbin /lib /lib32 /lib64 /libx32; do
    if [ -L "$path" ]; then cp -P "$path" .; elif [ -d "$path" ]; then seen "$path"; fi
done
for path in /opt/*; do [ ! -d "$path" ] || seen "$path"; done
for path in /etc/alternatives /etc/ssl; do [ ! -d "$path" ] || seen "$path"; done
for path in ld.so.cache localtime os-release debian_version protocols services; do
    [ ! -e "/etc/$path" ] || cp -L "/etc/$path" etc/
done
cp "$stage"/0/* etc/
for name in null zero full random urandom; do touch "dev/$name"; mount --bind "/dev/$name" "dev/$name"; done
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
# staged: accounts, the folder that is shared, and what the stand-in needs, read-only
mkdir -p ".$2"
mount --bind "$stage/1" ".$2"
shift 2
number=2
while [ "$1" != -- ]; do
    shown "$stage/$number" "$1"
    number=$((number + 1))
    shift
done
shift
mount -t proc proc proc
pivot_root . old
cd /
umount -l /old
rmdir /old
echo 0 >/proc/sys/user/max_user_namespaces
echo ready
# not `trap`: dash does not hand on that CHLD is ignored, and every orphan would stay as a zombie
exec env -i --ignore-signal=CHLD PATH="$PATH" LC_ALL=C "$@" </dev/null >/dev/null 2>&1
"""


class SandboxHost:
    """Makes one machine, with an instance in it; more can be made there by `iris create`."""

    in_containers = False
    image_digest = ""

    def __init__(self, spec: InstanceSpec, folder: Path, transcript: Transcript | None = None) -> None:
        self._spec = spec
        self._folder = folder
        self._transcript = transcript or Transcript(None)
        self._place: SandboxPlace | None = None

    def probe(self) -> None:
        if self._spec.image != "stand-in" or self._spec.name:
            raise PreconditionError(
                f"host sandbox cannot run image {self._spec.image!r}", "Use image: stand-in, or another host."
            )
        require_namespaces(
            ["unshare", "--user", "--map-root-user", *_NAMESPACES, "--fork"],
            "Allow them: sysctl kernel.unprivileged_userns_clone=1; in a container start it privileged",
            ("setpriv", "util-linux"),
        )

    def root(self) -> Path:
        return self._folder / "inside" / "source"

    def machine(self) -> Machine:
        """A machine without an instance. Raises PreconditionError."""
        self._place = SandboxPlace(self._folder, self._transcript)
        return self._place

    def source(self) -> Place:
        machine = self.machine()
        machine.create(_SOURCE_NAME, self.root())
        return machine

    def target(self, name: str, hidden: Path) -> Place:
        raise PreconditionError(
            "nothing is restored into host sandbox", "Name in the plan where to restore: target."
        )

    def boot(self, name: str, image: Path, root: Path) -> Place:
        raise PreconditionError(
            "nothing is restored into host sandbox", "Name in the plan where to restore: target."
        )

    def environment(self) -> dict[str, str]:
        return {}

    def close(self) -> None:
        if self._place:
            self._place.close()


class SandboxPlace(NamespacePlace):
    """The machine. Its commands (`run`, `open`, …) are run as the owner of the instance."""

    isolated = True

    def __init__(self, folder: Path, transcript: Transcript) -> None:
        self.users = os.geteuid() == 0
        self._first = 0
        inside, accounts, told = folder / "inside", folder / "accounts", folder / "told"
        for made in (inside, accounts, told):
            made.mkdir()
            made.chmod(0o755)
        self.inside, self.told = inside, told
        self._write_accounts(accounts)
        lent = [
            *(_Lent(path, path) for path in (accounts, inside, told)),
            *_lent(folder / "lent", self.users),
        ]
        shown = [one.at for one in lent]
        stage = _stage([*shown, *(one.source for one in lent)])
        sources, paths = [str(one.source) for one in lent], list(map(str, shown))
        home = "711" if any(path.is_relative_to("/root") for path in shown) else "700"
        self._given = {
            "IRISSYS": str(inside / "registry"),
            "IRIS_STANDIN_PYTHON": str(interpreter()),
            "HOME": "/root",
            "LC_ALL": "C",
            **({"gtm_dist": os.environ["gtm_dist"]} if "gtm_dist" in os.environ else {}),
        }
        super().__init__(
            _SOURCE_NAME,
            [
                *(*self._unshare(), "sh", "-euc", _STAGE, "stage", stage, str(len(paths)), *sources),
                *(*self._machine(), "sh", "-euc", _INIT, "init", stage, _SIZE, _INODES, home, *paths),
                *("--", *_WEAKENED, "sleep", "infinity"),
            ],
            [],
            environment={"PATH": PATH},
            transcript=transcript,
            bare=bare({key: os.environ[key] for key in (TOKEN_VARIABLE,) if key in os.environ}),
            begin=self._map_users,
        )
        self._enter = [*self.way_in("irisowner"), "env", "-i", *_settings(self._path_first())]
        self.where = "a machine of its own, made of namespaces"

    def _unshare(self) -> list[str]:
        own = [] if self.users else ["--user", "--map-root-user"]
        # what is unmounted outside goes in here, too: nothing of others is held by a machine
        return ["unshare", *own, "--mount", "--propagation", "slave"]

    def _machine(self) -> list[str]:
        own = ["unshare", *_NAMESPACES, "--fork", "--kill-child"]
        return ["unshare", "--user", "--keep-caps", "sh", "-c", _MAPPED, "sh", *own] if self.users else own

    def _map_users(self, holder: subprocess.Popen[bytes]) -> None:
        if not self.users:
            return
        assert holder.stdin and holder.stdout
        if holder.stdout.readline() != b"users\n":
            return
        # a range of its own for each machine, since the kernel counts a user's processes over all of them
        self._first = _USERS_FIRST + _USERS_COUNT * (int.from_bytes(os.urandom(2), "big") % _RANGES)
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{holder.pid}/{name}").write_text(f"0 {self._first} {_USERS_COUNT}\n")
        os.chown(self.inside, self._first, self._first)
        self.inside.chmod(0o755)
        holder.stdin.write(b"\n")
        holder.stdin.flush()

    def _write_accounts(self, folder: Path) -> None:
        users = USERS if self.users else {"root": 0}
        homes = {"root": "/root"}
        (folder / "passwd").write_text(
            "".join(f"{n}:x:{u}:{u}::{homes.get(n, f'/home/{n}')}:/bin/sh\n" for n, u in users.items())
        )
        (folder / "group").write_text("".join(f"{name}:x:{user}:\n" for name, user in users.items()))
        (folder / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
        (folder / "hosts").write_text("127.0.0.1 localhost\n")
        for file in folder.iterdir():
            file.chmod(0o644)

    def _path_first(self) -> dict[str, str]:
        return {**self._given, "PATH": f"{STANDIN_BIN}:/usr/bin:/bin:/usr/sbin:/sbin"}

    def _found(self, argv: Sequence[str]) -> list[str]:
        return list(argv)

    def way_in(self, user: str) -> list[str]:
        """The words before a command that run it in here as a user, with nothing of whoever calls (`bare`). KeyError
        for one that is not there.
        """
        way = [*bare({}), "nsenter", f"--target={self._pid}", "--user", *_NAMESPACES]
        if not self.users:
            return [*way, "--preserve-credentials", "--"]
        return [*way, f"--setuid={USERS[user]}", f"--setgid={USERS[user]}", "--"]

    def create(self, name: str, root: Path, *options: str, start: bool = True) -> None:
        """Make and start one more instance, with the options of the stand-in's `iris create`. Raises StartError."""
        registry = self.inside / "registry"
        root.mkdir(parents=True)
        registry.mkdir(exist_ok=True)
        for name_, content in _DIRECTORIES.items():
            (registry / name_).write_bytes(content)
            (registry / name_).chmod(0o644)
        for owned in (root, registry):
            if self.users:
                os.chown(owned, self._first + OWNER, self._first + OWNER)
        iris(self, "create", name, f"directory={root}", *options)
        if start:
            iris(self, "start", name)
            _DIRECTORIES.update({made.name: made.read_bytes() for made in registry.glob("*.gld")})

    def instance(self, name: str) -> SandboxPlace:
        """This machine, spoken of as the surroundings of another of its instances."""
        other = copy.copy(self)
        other.name = name
        return other

    def put(self, files: Sequence[PlacedFile]) -> None:
        """Write files into the machine, with the folders above them. Raises CommandError."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for file in files:
                entry = tarfile.TarInfo(file.path.lstrip("/"))
                entry.mode, entry.size = file.mode, len(file.content)
                entry.uid = entry.gid = USERS[file.user] if self.users else 0
                tar.addfile(entry, io.BytesIO(file.content))
        self.require_there()
        done = subprocess.run(
            [*self.way_in("root"), "tar", "-C", "/", "-xp", "--numeric-owner"],
            input=archive.getvalue(),
            capture_output=True,
            timeout=30,
            start_new_session=True,
        )
        if done.returncode:
            raise CommandError(["tar"], done.returncode, 0.0, done.stderr.decode("utf-8", "replace"))

    @property
    def tree(self) -> Within:
        """The files of the machine as it sees them, to be read from outside."""
        return Within(Path(f"/proc/{self._pid}/root"))

    def start_as(
        self,
        user: str,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: str,
        output: int,
        limits: ProgramLimits,
    ) -> subprocess.Popen[bytes]:
        """Start a program in here, with nothing but the given environment, no terminal and empty standard input.

        Args:
            folder: Its working folder.
            output: File descriptor for its standard output and error.
        Raises InstanceGone. The process given back is the way in; the program is its only child.
        """
        self.require_there()
        bounds = [
            f"--nproc={limits.processes}",
            f"--as={limits.memory_bytes}",
            f"--fsize={limits.file_bytes}",
            "--core=0",
        ]
        return subprocess.Popen(
            [
                *self.way_in(user),
                *(_WEAKENED if user == "root" else ()),
                *("prlimit", *bounds, "--"),
                *("env", f"--chdir={folder}", "-i", *_settings(environment)),
                *argv,
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def processes(self) -> list[int]:
        """Every process in the machine, by its number outside. Empty if it has ended."""
        try:
            wanted = Path(f"/proc/{self._pid}/ns/pid").readlink()
        except OSError:
            return []
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (process / "ns" / "pid").readlink() == wanted:
                    found.append(int(process.name))
        return found

    def restart(self) -> None:
        raise InstanceGone("an instance in a sandbox is not restarted")


@dataclass(frozen=True, slots=True)
class _Lent:
    """What a machine is shown: a path of this one, and the path at which the machine has it."""

    source: Path
    at: Path


def _lent(copies: Path, several_users: bool) -> list[_Lent]:
    """What the stand-in needs of this machine and is not below /usr; what other users may not read, as a copy."""
    prefix = interpreter().parent.parent
    copied = {_PACKAGE, prefix, *_dist()}
    environment = [Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent]
    wanted = [*copied, *environment]
    found: dict[Path, _Lent] = {}
    for path in sorted(path for path in set(wanted) if not path.is_relative_to("/usr")):
        # whoever is the only user in there reads what he reads here
        if not several_users or not _closed(path):
            # a folder inside another one that is shown already needs no mount of its own
            if not any(path.is_relative_to(other) for other in found):
                found[path] = _Lent(path, path)
        elif path in copied:
            found[path] = _Lent(_open_copy(path, copies / str(len(found))), path)
    return list(found.values())


def _dist() -> list[Path]:
    return [Path(os.environ["gtm_dist"])] if "gtm_dist" in os.environ else []


@cache
def _closed(path: Path) -> bool:
    """Whether other users may not read all that the stand-in may need there."""
    if not _for_all(path):
        return True
    return any(not _for_all(below) for below in _parts(path))


def _for_all(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    wanted = stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(mode) or mode & stat.S_IXUSR else 0)
    return mode & wanted == wanted


def _parts(path: Path) -> Iterator[Path]:
    """Files and folders of a package or of a Python that the stand-in may need: no other packages, no tests."""
    tops = [path]
    if path not in (_PACKAGE, *_dist()):
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        library = path / "lib" / version
        tops = [path / "bin" / version, library]
        above = (path / "bin", path / "lib", library / "site-packages")
        yield from (part for part in above if part.exists())
        yield from sorted((path / "lib").glob("libpython*.so*"))
    for top in tops:
        if not top.is_dir():
            yield from (top,) if top.exists() else ()
            continue
        for folder, folders, files in os.walk(top):
            folders[:] = [name for name in folders if name not in _UNUSED and not name.startswith("config-")]
            yield Path(folder)
            yield from (Path(folder, name) for name in files)


def _open_copy(path: Path, copy_: Path) -> Path:
    """A copy that everybody may read."""
    copy_.parent.mkdir(exist_ok=True)
    copy_.mkdir()
    for part in _parts(path):
        target = copy_ / part.relative_to(path)
        if part.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(part, target)
            target.chmod(target.stat().st_mode | stat.S_IRGRP | stat.S_IROTH | _executable_for_all(part))
    for folder in (copy_.parent, copy_, *(below for below in copy_.rglob("*") if below.is_dir())):
        folder.chmod(0o755)
    return copy_


def _executable_for_all(path: Path) -> int:
    return stat.S_IXGRP | stat.S_IXOTH if path.stat().st_mode & stat.S_IXUSR else 0


def _stage(paths: Sequence[Path]) -> str:
    """A folder to mount over for the while: one that is there, and has nothing in it that is wanted."""
    free = (
        folder
        for folder in _STAGES
        if Path(folder).is_dir() and not any(path.is_relative_to(folder) for path in paths)
    )
    if (found := next(free, None)) is None:
        raise PreconditionError(f"none of {', '.join(_STAGES)} is free", "Make the folder /mnt.")
    return found


def _settings(environment: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in environment.items()]

"""Every call of GT.M's own programs: mupip, mumps, dse.

Facts measured on GT.M V7.0-005 (Debian package fis-gtm 7.0-005-1):

* `mupip freeze -on -online` switches every journal, flushes, and holds the database files still while
  processes go on updating buffers and journals; `-noautorelease` makes updaters wait when buffers run out
  instead of letting the freeze go. `mupip freeze -off` switches every journal again.
* A second freeze ends with status 10; a thaw without a freeze ends with 0.
* `mupip create` makes a file of mode 0666 whatever the umask is; journals take theirs from the database.
* A copied database keeps the user that froze the live one; for another user `mupip freeze -off` waits for ever
  unless it is told to `-override`.
* A writer that ends as a freeze begins may wait for the end of that freeze and hold the semaphores of its region
  meanwhile, which `mupip freeze -off` waits for (seen by the kill sweep): then neither ever ends. What it committed
  is in shared memory and in the journal, so it may be killed; the kernel gives the semaphores back.
* `dse crit -seize` holds a region's critical section: every updater of it waits, the file stays as it is.
* The header of a copied database names the shared memory of the live one, so a copy may be opened only in an
  IPC namespace of its own; there `mupip rundown -file` and `freeze -off` make it usable.
* The file name in a global directory may hold `$iris_root`, so one global directory serves every instance.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Collection, Sequence
from pathlib import Path

from .layout import DATABASES, Layout, log_message, registry_folder, replace_file

REGIONS = {"one": "DEFAULT", "two": "TWO"}

_SEGMENT = "-allocation=4000 -extension=8000 -global_buffer_count={buffers}"
_GDE = f"""\
change -segment DEFAULT {_SEGMENT} -file="$iris_root/db/one/IRIS.DAT"
add -segment TWO {_SEGMENT} -file="$iris_root/db/two/IRIS.DAT"
add -region TWO -dynamic=TWO
change -region DEFAULT -record_size=1000000 -key_size=255 -stdnullcoll
change -region TWO -record_size=1000000 -key_size=255 -stdnullcoll
add -name RVB* -region=TWO
"""
_GDE_OTHER = """\
add -segment {region} -allocation=500 -file="$iris_root/db/{name}/IRIS.DAT"
add -region {region} -dynamic={region}
add -name {region}* -region={region}
"""
_OTHER_NODES = 1000
"""What another database holds, so that it has blocks to look at."""


_LOCKED_S = 1.0
"""A thaw that takes longer may be waiting for a process that waits for the thaw."""


class GTMError(Exception):
    """A program of GT.M ended with a status that is not an answer; the text is what it said."""


class InUse(Exception):
    """Another process holds a file, so GT.M did not do what was asked: no answer, and no GTMError, which is one."""


def installation() -> Path | None:
    """Folder of the newest GT.M below /usr/lib, or $gtm_dist if set; None if there is none."""
    if chosen := os.environ.get("gtm_dist"):
        return Path(chosen)
    found = sorted(Path("/usr/lib").glob("*/fis-gtm/V*/mupip"))
    return found[-1].parent if found else None


def version(dist: Path) -> str:
    """`GT.M V7.0-005` from the folder's name; no process is started for it."""
    return "GT.M " + dist.name.partition("_")[0]


class Engine:
    """GT.M's programs, with the environment of one instance."""

    def __init__(self, layout: Layout) -> None:
        dist = installation()
        if dist is None:
            raise GTMError("GT.M is not installed: apt-get install fis-gtm")
        self.dist = dist
        self.layout = layout
        self.routines = Path(__file__).parent.parent / "instance" / "agent"
        self.environment = {
            **os.environ,
            "LC_ALL": "C",
            "gtm_dist": str(dist),
            "gtmgbldir": str(layout.gtm / "gtm.gld"),
            "gtmroutines": f"{layout.gtm}({self.routines}) {dist}/libgtmutil.so",
            "iris_root": str(layout.root),
            "gtm_tmp": str(layout.gtm),
            "gtm_chset": "M",
        }

    def mupip(self, *arguments: str, accept: Collection[int] = (0,), timeout_s: float = 60.0) -> str:
        """Run mupip; returns everything it wrote (it uses both streams). Raises GTMError."""
        return self._run([str(self.dist / "mupip"), *arguments], accept, timeout_s)

    def mumps_argv(self, entry: str, *arguments: str) -> list[str]:
        """The argument list that runs a label of a routine; arguments arrive in $ZCMDLINE."""
        return [str(self.dist / "mumps"), "-run", entry, *arguments]

    def compile(self, *routines: str) -> None:
        """Compile routines before several processes ask for them at once."""
        code = " ".join(f'zlink "{routine}"' for routine in routines)
        self._run(self.mumps_argv("%XCMD", code), (0,), 30.0)

    def _run(self, argv: Sequence[str], accept: Collection[int], timeout_s: float, stdin: str = "") -> str:
        try:
            done = subprocess.run(
                argv,
                input=stdin.encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=self.layout.gtm,
                timeout=timeout_s,
            )
        except subprocess.TimeoutExpired as error:
            raise GTMError(f"{argv[0]} {argv[1]} did not end within {timeout_s:.0f} s") from error
        text = done.stdout.decode("utf-8", "replace")
        if done.returncode not in accept:
            raise GTMError(
                f"{Path(argv[0]).name} {' '.join(argv[1:3])} ended with {done.returncode}: {text.strip()}"
            )
        return text

    def create_databases(self) -> None:
        """Make the global directory and those database files that are not there."""
        self._global_directory()
        for name in DATABASES:
            if not self.layout.database_file(name).exists():
                self._create(name, REGIONS[name])
        for name in self.layout.others():
            if not self.layout.database_file(name).exists():
                self._create(name, name.upper())
                code = f"for i=1:1:{_OTHER_NODES} set ^{name.upper()}(i)=$justify(i,200)"
                self._run(self.mumps_argv("%XCMD", code), (0,), 30.0)

    def _create(self, name: str, region: str) -> None:
        self.mupip("create", f"-region={region}")
        self.layout.database_file(name).chmod(0o660)

    def _global_directory(self) -> None:
        others = [_GDE_OTHER.format(name=name, region=name.upper()) for name in self.layout.others()]
        commands = "".join([_GDE.format(buffers=self.layout.buffers()), *others, "exit\n"])
        kept = registry_folder() / f"{hashlib.sha256(commands.encode()).hexdigest()[:16]}.gld"
        target = self.layout.gtm / "gtm.gld"
        if target.exists():
            target.unlink()
        if not kept.exists():
            # GDE needs half a second; the result holds no path of this instance, so it is kept.
            self._run([str(self.dist / "mumps"), "-run", "GDE"], (0,), 30.0, stdin=commands)
            replace_file(kept, target.read_bytes())
        shutil.copy(kept, target)

    def journal_on(self, name: str) -> None:
        """Journal a database with before images, into a fresh file; an older one is renamed, not lost."""
        options = f'before,file="{self.layout.stream(name)}",autoswitchlimit=8388607,epoch_interval=30'
        self.mupip("set", f"-journal=enable,on,{options}", "-region", REGIONS[name])

    def journal_off(self, name: str) -> None:
        self.mupip("set", "-journal=off", "-region", REGIONS[name])

    def freeze(self) -> None:
        """Hold both database files still at one instant."""
        self.mupip("freeze", "-on", "-online", "-noautorelease", "*", timeout_s=30.0)

    def thaw(self) -> None:
        """Let both go on. A region of which mupip says that it is unfrozen is, whatever else it had to report: on a
        full disk it ends with an error because it could not write something else (seen). Raises GTMError.
        """
        late = threading.Timer(_LOCKED_S, self._end_who_waits_for_the_thaw)
        late.start()
        try:
            self.mupip("freeze", "-off", "*", timeout_s=30.0)
        except GTMError as error:
            said = str(error)
            if not all(re.search(rf"\b{name} is (now )?UNFROZEN", said, re.I) for name in REGIONS.values()):
                raise
        finally:
            late.cancel()

    def _end_who_waits_for_the_thaw(self) -> None:
        """Kill processes of this instance that hold such a semaphore. mupip and dse are at work with it (a thaw on a
        slow disk is one of them) and are left alone.
        """
        mark = f"iris_root={self.layout.root}".encode()
        for pid in _holders():
            with contextlib.suppress(OSError):
                ours = mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
                if ours and Path(f"/proc/{pid}/comm").read_text().strip() not in ("mupip", "dse"):
                    log_message(
                        self.layout, f"process {pid} waits for the thaw and holds it up: killed", severity=2
                    )
                    os.kill(pid, signal.SIGKILL)

    def forget(self, file: Path) -> None:
        """Make a copied file of any database one whose structure can be checked: no foreign memory."""
        self.mupip("rundown", "-file", str(file), accept=range(256))

    def make_usable(self, name: str) -> None:
        """Make a copied or crashed database file one that can be opened here: no freeze, no foreign memory."""
        self.mupip("rundown", "-file", str(self.layout.database_file(name)))
        self.mupip("freeze", "-off", "-override", REGIONS[name])

    def forget_memory(self, name: str) -> None:
        """Drop the shared memory that a crash left, if no process uses it: as gone as after a power loss.

        Programs that open it instead may wait for ever for a lock that a killed process holds (measured).
        """
        file = str(self.layout.database_file(name))
        ids = re.search(r"::\s+(-?\d+) \[\S+\s+::\s+(-?\d+) \[", self.mupip("ftok", file))
        if ids and int(ids[2]) in _unused_memory():
            subprocess.run(["ipcrm", "-m", ids[2], "-s", ids[1]], check=False, stderr=subprocess.DEVNULL)

    def recover(self) -> str:
        """Recover both databases from their journals after a crash, as a start of IRIS does."""
        return self.mupip("journal", "-recover", "-backward", "*", timeout_s=600.0)

    def integrity(self, file: Path) -> list[str]:
        """Structure errors of a database file, empty if there is none. GTMError if the check did not complete."""
        text = self.mupip("integ", "-full", "-file", str(file), accept=range(256), timeout_s=600.0)
        if "No errors detected by integ." in text:
            return []
        if "MUSTANDALONE" in text:
            raise GTMError(f"{file} is in use, so its structure could not be checked")
        errors = [
            line.strip()
            for line in text.splitlines()
            if re.search(r"%GTM-[EF]-(?!INTEGERRS)|%GTM-W-DB", line)
        ]
        total = re.search(r"Total error count from integ:\s+(\d+)", text)
        if total is None and not errors:
            raise GTMError(f"mupip integ of {file} gave no verdict: {text.strip()[-300:]}")
        return errors or [f"{total[1] if total else '?'} errors"]


def _unused_memory() -> set[int]:
    """Shared memory segments that no process is attached to. proc_sysvipc(5): shmid is field 2, nattch 7."""
    rows = (line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:])
    return {int(row[1]) for row in rows if row[6] == "0"}


def _holders() -> list[int]:
    """Processes that hold a semaphore by which GT.M opens and leaves a database. These sets have a key; the first of
    a set is 1 while a process holds it, whose number it tells. Source: ipcs(1), semctl(2).
    """
    rows = (line.split() for line in Path("/proc/sysvipc/sem").read_text().splitlines()[1:])
    found = []
    for key, number, *_ in rows:
        if key != "0":
            said = subprocess.run(
                ["ipcs", "-s", "-i", number],
                capture_output=True,
                text=True,
                env={**os.environ, "LC_ALL": "C"},
            )
            if held := re.search(r"(?m)^0\s+1\s+\d+\s+\d+\s+(\d+)\s*$", said.stdout):
                found.append(int(held[1]))
    return found


class Barrier:
    """Holds the critical section of both regions, so that no process can update until `release`."""

    def __init__(self, engine: Engine) -> None:
        self._lock = threading.Lock()
        self._holders = [_dse(engine) for _ in DATABASES]
        # one dse per region: a dse that leaves a region while holding it waits for itself
        for holder, region in zip(self._holders, REGIONS.values(), strict=True):
            _tell(holder, f"find -region={region}\ncrit -seize\n")

    def release(self) -> None:
        """May be called twice. A holder that does not end is killed; the engine frees what a dead one held."""
        with self._lock:
            running = [holder for holder in self._holders if holder.poll() is None]
            # All let go before any of them ends: to end, a dse needs its region once more, and an updater of both
            # regions may have it by then while it waits for the other one.
            for holder in running:
                _tell(holder, "crit -release\n")
            for holder in running:
                try:
                    holder.communicate("exit\n", timeout=10)
                except subprocess.TimeoutExpired:
                    holder.kill()
                    holder.communicate()


def _dse(engine: Engine) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(engine.dist / "dse")],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=engine.environment,
        cwd=engine.layout.gtm,
        text=True,
    )


def _tell(dse: subprocess.Popen[str], command: str) -> None:
    assert dse.stdin
    dse.stdin.write(command)
    dse.stdin.flush()

"""Host `sandbox`: a machine in which a script finds the tools of this one and can change nothing of it."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import harness
from harness.command import Transcript
from harness.errors import InstanceGone, PreconditionError, StartError
from harness.instance.base import PlacedFile, ProgramLimits
from harness.instance.iris import Instance
from harness.instance.local import LocalHost
from harness.instance.sandbox import OWNER, USERS, SandboxHost, SandboxPlace
from harness.plan.model import FreezeSpec, InstanceSpec
from tests.runs import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("needs_stand_in")]

Shell = Callable[..., subprocess.CompletedProcess[str]]
FROZEN, RUNNING = 5, 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Below a folder that only its owner may enter, as root's home is."""
    closed = tmp_path_factory.mktemp("closed")
    closed.chmod(0o700)
    inner = closed / "umask"
    inner.mkdir(mode=0o700)
    return inner


@pytest.fixture(scope="module", autouse=True)
def odd_caller() -> Iterator[int]:
    """Whoever calls has secrets and odd settings; gives the number of a key in his session keyring, 0 without one.

    The numbers of add_key(2) and keyctl(2) are those of x86-64.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    os.environ.update(CALLER_SECRET="hunter2", HARNESS_RUN="1-odd")
    umask, ignored = os.umask(0o077), signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (777, limit[1]))
    key = (
        libc.syscall(248, b"user", b"harness-test", b"hunter2", 7, -3)
        if os.uname().machine == "x86_64"
        else 0
    )
    yield max(key, 0)
    libc.syscall(250, 9, key, -3)
    resource.setrlimit(resource.RLIMIT_NOFILE, limit)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
    signal.signal(signal.SIGHUP, ignored)
    os.umask(umask)
    for name in ("CALLER_SECRET", "HARNESS_RUN"):
        del os.environ[name]


@pytest.fixture(scope="module")
def host(folder: Path) -> Iterator[SandboxHost]:
    made = SandboxHost(InstanceSpec(host="sandbox"), folder, Transcript(None))
    try:
        made.probe()
    except PreconditionError as error:
        pytest.skip(error.missing)
    yield made
    made.close()


@pytest.fixture(scope="module")
def place(host: SandboxHost) -> SandboxPlace:
    made = host.source()
    assert isinstance(made, SandboxPlace)
    return made


@pytest.fixture(scope="module")
def several_users(place: SandboxPlace) -> None:
    if not place.users:
        pytest.skip("a machine has several users only if root makes it")


@pytest.fixture(scope="module")
def shell(place: SandboxPlace) -> Shell:
    """Runs lines of sh in the machine, as root unless told otherwise."""

    def run(script: str, *, user: str = "root") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*place.way_in(user), "sh", "-c", script], capture_output=True, text=True, timeout=30
        )

    return run


def started(
    place: SandboxPlace, folder: Path, script: str, *, user: str = "root", limits: ProgramLimits | None = None
) -> tuple[int, str]:
    """Status and output of a program that is started as the scripts are."""
    output = folder / "started.out"
    with output.open("wb") as out:
        process = place.start_as(
            user,
            ["sh", "-c", script],
            environment={"PATH": "/usr/bin:/bin", "GIVEN": "a b"},
            folder="/tmp",
            output=out.fileno(),
            limits=limits or ProgramLimits(),
        )
    return process.wait(30), output.read_text(errors="replace")


def test_an_instance_freezes_and_thaws(place: SandboxPlace) -> None:
    """The stand-in answers in here as anywhere, with the files of its databases at the same path outside."""
    instance = Instance(place)
    log = place.inside / "iris-freeze.log"
    log.touch()
    log.chmod(0o666)
    instance.freeze(log, "contract", FreezeSpec())
    assert instance.is_frozen()
    instance.thaw(log)
    assert not instance.is_frozen()
    assert all((file / "IRIS.DAT").is_file() for file in instance.describe().databases.values())


def test_nothing_of_this_machine_can_be_written(place: SandboxPlace, folder: Path) -> None:
    """Root in there tries every folder that this machine lends: programs, libraries, the harness, the interpreter."""
    lent = ["/usr/lib", "/usr/share", "/run/host/bin", "/run/host/sbin", sys.prefix]
    lent += [str(Path(harness.__file__).parent)]
    for path in lent:
        outside = Path(path.replace("/run/host", "/usr"), "written-by-a-script")
        script = f"mount -o remount,bind,rw {path}; umount -l {path}; : >{path}/{outside.name}"
        try:
            status, said = started(place, folder, script)
            assert status != 0 and "Read-only file system" in said.splitlines()[-1], said
            assert not outside.exists()
        finally:
            outside.unlink(missing_ok=True)


def test_root_in_there_mounts_nothing_and_makes_no_namespaces(place: SandboxPlace, folder: Path) -> None:
    """Or its files could be made writable again, and memory filled past the limit of its filesystem."""
    for script in (
        "mount -t tmpfs none /mnt",
        "unshare --mount true",
        "unshare --user --map-root-user --mount true",
        "mkdir /tmp/b && mount --bind /usr /tmp/b",
        "umount -l /proc",
    ):
        assert started(place, folder, script)[0] != 0, script


def test_what_is_written_in_there_stays_there(shell: Shell) -> None:
    """Its `/etc`, `/tmp` and `/usr/bin` are its own: a tool can be deleted or replaced."""
    done = shell(
        "echo mine >/etc/mine && echo mine >/tmp/mine-of-the-sandbox && rm /usr/bin/cksum && "
        "cat /etc/mine /tmp/mine-of-the-sandbox && ! ls /usr/bin/cksum"
    )
    assert (0, "mine\nmine\n") == (done.returncode, done.stdout), done.stderr
    assert Path("/usr/bin/cksum").exists()
    assert not Path("/etc/mine").exists() and not Path("/tmp/mine-of-the-sandbox").exists()


def test_it_has_processes_network_memory_and_a_name_of_its_own(shell: Shell) -> None:
    """No process of this machine is seen, no interface but `lo`, no System V memory, no other name changed."""
    seen = shell("ls -d /proc/[0-9]*").stdout.split()
    assert f"/proc/{os.getpid()}" not in seen and len(seen) < 60
    devices = shell("cat /proc/net/dev").stdout.splitlines()[2:]
    assert ["lo"] == [line.split(":")[0].strip() for line in devices]
    assert shell("exec 3<>/dev/tcp/127.0.0.1/22 || ping -c1 -W1 8.8.8.8").returncode != 0
    key = subprocess.run(["ipcmk", "-M", "4096"], capture_output=True, text=True, check=True).stdout.split()[
        -1
    ]
    try:
        assert f"\n{int(key)}" not in shell("cut -c12-22 /proc/sysvipc/shm | tr -d ' '").stdout
        mine = Path("/proc/sysvipc/shm").read_text()
        assert any(row.split()[1] == key for row in mine.splitlines()[1:])
        assert not any(row.split()[1] == key and row.split()[3] == "4096" for row in _segments(shell))
    finally:
        subprocess.run(["ipcrm", "-m", key], check=True)
    before = os.uname().nodename
    assert "changed-by-a-script\n" == shell("hostname changed-by-a-script && hostname").stdout
    assert before == os.uname().nodename


def _segments(shell: Shell) -> list[str]:
    return shell("cat /proc/sysvipc/shm").stdout.splitlines()[1:]


def test_a_signal_to_everybody_reaches_nobody_outside(host: SandboxHost, folder: Path) -> None:
    """`kill -9 -1` ends what is in a machine, but for its first process, and nothing beside it."""
    apart = folder / "signalled"
    apart.mkdir()
    other = SandboxHost(InstanceSpec(host="sandbox"), apart, Transcript(None))
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        machine = other.machine()
        assert isinstance(machine, SandboxPlace)
        started(machine, apart, "setsid sleep 50 &")
        assert wait_for(lambda: 2 == len(machine.processes()), 5)
        started(machine, apart, "kill -9 -1")
        assert wait_for(lambda: 1 == len(machine.processes()), 5)
        assert 0 == started(machine, apart, "true")[0]
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
        other.close()


def test_orphans_are_reaped(place: SandboxPlace, folder: Path) -> None:
    """Or a script with many of them would seem to take more processes than it may."""
    before = len(place.processes())
    started(place, folder, "for n in 1 2 3 4 5 6 7 8; do (sleep 0.1 &); done")
    assert wait_for(lambda: len(place.processes()) <= before, 5)


def test_its_users_own_nothing_outside(several_users: None, place: SandboxPlace, shell: Shell) -> None:
    """Every user of the machine, root too, is one of this machine that owns nothing; they differ among themselves."""
    for user, number in USERS.items():
        assert f"{number}\n" == shell("id -u", user=user).stdout
        made = f"{place.inside}/made-by-{user}"
        shell(f"chmod 777 {place.inside}")
        assert 0 == shell(f": >{made}", user=user).returncode
        owner = Path(made).stat().st_uid
        assert owner >= 0x60000000 and owner & 0xFFFF == number
    shell(f"chmod 755 {place.inside}")
    assert shell("cat /root/x", user="somebody").stderr.endswith("Permission denied\n")
    assert OWNER == USERS["irisowner"]


def test_files_are_put_and_read(place: SandboxPlace, shell: Shell) -> None:
    """With mode and owner, the folders above them made, and odd names and bytes as they are."""
    odd = bytes(range(256))
    planted = [
        PlacedFile(path="/srv/new/deep/it's odd *", content=odd, mode=0o640),
        PlacedFile(path="/usr/local/sbin/tool", content=b"#!/bin/sh\necho tool $1\n", mode=0o755),
    ]
    place.put(planted)
    assert odd == place.tree.read("/srv/new/deep/it's odd *")
    assert 0o640 == stat.S_IMODE(place.tree.status("/srv/new/deep/it's odd *").st_mode)
    assert "tool 1\n" == shell("/usr/local/sbin/tool 1").stdout
    assert not Path("/usr/local/sbin/tool").exists()


def test_a_file_that_is_put_belongs_to_its_user(
    several_users: None, place: SandboxPlace, shell: Shell
) -> None:
    """And nobody else reads it, if its mode says so."""
    place.put([PlacedFile(path="/home/backup/login", content=b"secret\n", mode=0o600, user="backup")])
    assert "secret\n" == shell("cat /home/backup/login", user="backup").stdout
    assert shell("cat /home/backup/login", user="somebody").returncode != 0


def test_a_program_gets_its_environment_and_nothing_else(place: SandboxPlace, folder: Path) -> None:
    """No variable of the harness, no terminal, an empty standard input, the folder that was named."""
    status, said = started(place, folder, "env | sort; pwd; wc -c; tty; exit 7")
    lines = said.splitlines()
    assert 7 == status
    assert ["GIVEN=a b", "PATH=/usr/bin:/bin", "PWD=/tmp", "/tmp", "0", "not a tty"] == [
        line for line in lines if not line.startswith(("_=", "OLDPWD"))
    ]


def test_a_program_has_limits(place: SandboxPlace, folder: Path) -> None:
    """Of a file, of memory, and no core files."""
    small = ProgramLimits(processes=200, memory_bytes=256 << 20, file_bytes=1 << 20)
    status, _ = started(place, folder, f"head -c 2M /dev/zero >{place.inside}/big", limits=small)
    assert status != 0 and (place.inside / "big").stat().st_size <= 1 << 20
    status, said = started(place, folder, "perl -e '$x = q(x) x (1 << 29)'; ulimit -c", limits=small)
    assert "Out of memory" in said and said.endswith("0\n")


def test_a_bomb_of_processes_ends_at_its_limit(
    several_users: None, place: SandboxPlace, folder: Path
) -> None:
    """The limit counts the processes of a user of this machine alone."""
    script = "n=0; while [ $n -lt 60 ]; do sleep 20 & n=$((n+1)); done; echo all"
    status, said = started(place, folder, script, user="somebody", limits=ProgramLimits(processes=20))
    assert "all" not in said and status != 0
    assert started(place, folder, "echo fine", user="backup", limits=ProgramLimits(processes=20)) == (
        0,
        "fine\n",
    )


def test_its_memory_filesystem_has_an_end(place: SandboxPlace, shell: Shell) -> None:
    """Whoever fills it fills the machine, and the machine alone."""
    done = shell("head -c 400M /dev/zero >/tmp/full; rm -f /tmp/full")
    assert "No space left on device" in done.stderr


def test_an_instance_outside_is_not_reached(
    place: SandboxPlace, shell: Shell, tmp_path: Path, several_users: None
) -> None:
    """One of the same name, here on this machine, is not there, nor are its files: only its own is frozen."""
    outside = LocalHost(InstanceSpec(), tmp_path)
    try:
        real = outside.source()
        assert place.name == real.name
        assert "" == shell(f"ls -A {tmp_path}; ls -A {outside.root()}").stdout
        assert FROZEN == _asked(place, "irisowner", real.name, "ExternalFreeze()").returncode
        assert Instance(place).is_frozen() and not Instance(real).is_frozen()
    finally:
        place.run(["iris", "stat", place.name, "-W"], accept=None)
        outside.close()


def _asked(place: SandboxPlace, user: str, name: str, call: str) -> subprocess.CompletedProcess[str]:
    """A session made by a user of the machine, as a script of his makes it."""
    settings = [f"{key}={value}" for key, value in place._path_first().items()]
    argv = ["env", "-i", *settings, "iris", "session", name, "-U%SYS", f"##class(Backup.General).{call}"]
    return subprocess.run([*place.way_in(user), *argv], capture_output=True, text=True, timeout=30)


def test_a_session_of_root_writes_roots_log(several_users: None, place: SandboxPlace, shell: Shell) -> None:
    """Where the owner may not write root may: the log is written by whoever made the session."""
    shell("mkdir -p /var/log/roots && chmod 700 /var/log/roots")
    try:
        assert (
            FROZEN
            == _asked(place, "root", place.name, 'ExternalFreeze("/var/log/roots/freeze.log")').returncode
        )
        assert "System suspended" in shell("cat /var/log/roots/freeze.log").stdout
    finally:
        place.run(["iris", "stat", place.name, "-W"], accept=None)
    assert RUNNING == _asked(place, "root", place.name, "IsWDSuspendedExt()").returncode


def test_an_instance_that_trusts_its_owner_trusts_nobody_else(
    several_users: None, place: SandboxPlace
) -> None:
    """`os_authentication`: his sessions are let in, others are asked for a name."""
    users = place.inside / "logins"
    users.write_text("backup:secret\n")
    users.chmod(0o644)
    place.create("TRUSTING", place.inside / "trusting", f"users={users}", "os_authentication=1")
    assert RUNNING == _asked(place, "irisowner", "TRUSTING", "IsWDSuspendedExt()").returncode
    refused = _asked(place, "root", "TRUSTING", "IsWDSuspendedExt()")
    assert refused.returncode not in (FROZEN, RUNNING), refused.stdout


def test_a_fast_clock_ends_a_freeze_early(place: SandboxPlace) -> None:
    """With a clock a hundred times faster a WDSuspendLimit of 300 s is over after three."""
    place.create("FAST", place.inside / "fast")
    fast = place.instance("FAST")
    fast.run(["iris", "stat", "FAST", "clock=100"])
    call = "##class(Backup.General).ExternalFreeze(,,,,,,,,,300)"
    assert FROZEN == fast.run(["iris", "session", "FAST", "-U%SYS", call], accept=None).status
    assert Instance(fast).is_frozen()
    assert wait_for(lambda: not Instance(fast).is_frozen(), 20)


def test_nothing_is_restored_in_here(host: SandboxHost, folder: Path) -> None:
    """A plan names another host for that, and is told so."""
    with pytest.raises(PreconditionError, match="target"):
        host.target("target", host.root())
    with pytest.raises(PreconditionError, match="target"):
        host.boot("boot", folder, host.root())


def test_an_instance_that_does_not_start_is_an_error(host: SandboxHost, folder: Path) -> None:
    """And the machine it was to be made in is closed."""
    apart = folder / "apart"
    apart.mkdir()
    other = SandboxHost(InstanceSpec(host="sandbox"), apart, Transcript(None))
    machine = other.machine()
    with pytest.raises(StartError):
        machine.create("NONE", machine.inside / "none", "users=/absent")
    assert [] == machine.processes()
    other.close()


def test_nothing_of_the_caller_is_in_the_machine(place: SandboxPlace, folder: Path, shell: Shell) -> None:
    """Environment, descriptors and terminal of every process, the one that began the machine and the way in, too."""
    with (folder / "open").open("w") as leaked:
        os.set_inheritable(leaked.fileno(), True)
        seen = shell("cat /proc/[0-9]*/environ; ls -l /proc/[0-9]*/fd; cat /proc/[0-9]*/stat").stdout
        _, own = started(place, folder, "cat /proc/[0-9]*/environ; ls -l /proc/self/fd")
    for said in (seen, own):
        assert "hunter2" not in said and "CALLER_SECRET" not in said and "HARNESS_RUN" not in said
    assert "/open" not in seen and "/open" not in own
    first = shell("readlink /proc/1/fd/*; tr '\\0' '\\n' </proc/1/environ").stdout.split()
    assert ["/dev/null"] * 3 == first[:3] and all(word.startswith(("PATH=", "LC_ALL=")) for word in first[3:])
    terminals = {
        line.rpartition(")")[2].split()[4] for line in seen.splitlines() if re.match(r"\d+ \(", line)
    }
    assert {"0"} == terminals


def test_odd_settings_of_the_caller_change_nothing(place: SandboxPlace, folder: Path, shell: Shell) -> None:
    """umask, folder, limits, ignored and blocked signals, niceness: as for a program that a boot starts."""
    ask = "umask; pwd; ulimit -Sn; nice; grep -E '^Sig(Blk|Ign)' /proc/self/status | tr -s '\\t0' ' '"
    wanted = ["0022", "/", "1024", "0", "SigBlk:", "SigIgn:"]
    assert wanted == shell(ask).stdout.split()
    assert wanted == started(place, folder, f"cd /; {ask}")[1].split()
    assert wanted == place.run(["sh", "-c", ask]).stdout.split()


def test_keys_of_the_caller_are_not_to_be_had(place: SandboxPlace, shell: Shell, odd_caller: int) -> None:
    """He finds the key in his keyrings, and nobody in the machine does."""
    if not odd_caller:
        pytest.skip("this kernel gives no keys here")
    search = "print syscall(250, 10, -3, my $t = 'user', my $n = 'harness-test', 0)"
    read = f"my $b = 'x' x 20; print syscall(250, 11, {odd_caller}, $b, 20), $b"
    assert str(odd_caller) == subprocess.run(["perl", "-e", search], capture_output=True, text=True).stdout
    for user in USERS if place.users else ("root",):
        for script in (search, read):
            said = subprocess.run([*place.way_in(user), "perl", "-e", script], capture_output=True, text=True)
            assert said.stdout.startswith("-1") and "hunter2" not in said.stdout


def test_closing_ends_every_process(host: SandboxHost, place: SandboxPlace, folder: Path) -> None:
    """The last test of this module: also those that left their session and ignore signals."""
    started(
        place,
        folder,
        "trap '' TERM HUP INT; setsid sh -c 'trap \"\" TERM HUP; sleep 300' & setsid sleep 300 & true",
    )
    inside = place.processes()
    assert len(inside) > 3
    host.close()
    host.close()
    assert wait_for(lambda: not any(Path(f"/proc/{number}").exists() for number in inside), 5)
    assert [] == place.processes()
    with pytest.raises(InstanceGone):
        place.run(["true"])
    assert str(folder) not in Path("/proc/mounts").read_text()

"""IRIS's command surface: words, columns and exit statuses, asked of a running instance.

One suite for whatever answers, on every host. Sources: class reference 2024.1 Backup.General,
System Administration Guide (instance control), Data Integrity Guide 4.3.1 (`iris freeze`).
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness import freeze_log
from harness.command import Completed
from harness.instance.base import CanRestart, Host, Place
from harness.instance.iris import Instance
from harness.instance.namespaces import NamespacePlace
from harness.plan.model import Commit
from harness.standin import control
from tests.runs import wait_for

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def place(host: Host) -> Place:
    return host.source()


@pytest.fixture(autouse=True)
def thawed(place: Place) -> Iterator[None]:
    """No test leaves the instance frozen for the next."""
    yield
    place.run(["iris", "stat", place.name, "-W"], accept=None)


def _call(place: Place, call: str, *, command: tuple[str, ...] = ("iris", "session")) -> Completed:
    return place.run([*command, place.name, "-U%SYS", f"##class(Backup.General).{call}"], accept=None)


def _suspended(place: Place) -> bool:
    return _call(place, "IsWDSuspendedExt()").status == 5


@pytest.mark.parametrize(
    "command", [("iris", "session"), ("iris", "terminal"), ("csession",), ("irissession",)]
)
def test_freeze_and_thaw_end_with_5(place: Place, command: tuple[str, ...], shared: Path) -> None:
    """A class call that succeeds ends the session with 5, under every name of the command."""
    log = shared / "freeze.log"
    assert 5 == _call(place, f'ExternalFreeze("{log}")', command=command).status
    assert _suspended(place)
    assert 5 == _call(place, f'ExternalThaw("{log}")', command=command).status
    assert not _suspended(place)


def test_namespace_may_stand_apart(place: Place) -> None:
    """`-U %SYS` means the same as `-U%SYS`."""
    done = place.run(
        ["iris", "session", place.name, "-U", "%SYS", "##class(Backup.General).IsWDSuspendedExt()"],
        accept=None,
    )
    assert 3 == done.status


def test_second_freeze_is_refused(place: Place) -> None:
    assert 5 == _call(place, "ExternalFreeze()").status
    assert 3 == _call(place, "ExternalFreeze()").status
    assert _suspended(place)


def test_thaw_without_freeze_is_refused(place: Place) -> None:
    assert 3 == _call(place, "ExternalThaw()").status


def test_thaw_needs_user_and_password_of_the_freeze(place: Place) -> None:
    assert 5 == _call(place, 'ExternalFreeze("","",1,,,,,"backup","secret")').status
    assert 3 == _call(place, 'ExternalThaw("")').status
    assert 3 == _call(place, 'ExternalThaw("","backup","wrong")').status
    assert _suspended(place)
    assert 5 == _call(place, 'ExternalThaw("","backup","secret")').status


def test_all_eleven_arguments(place: Place, shared: Path) -> None:
    call = f'ExternalFreeze("{shared}/l","text, ""quoted""",1,10,0,0,600,"u","p",300,.required)'
    assert 5 == _call(place, call).status
    assert 5 == _call(place, f'ExternalThaw("{shared}/l","u","p")').status


@pytest.mark.parametrize(
    "call",
    [
        "ExternalFreeze(",
        "Unknown()",
        'ExternalFreeze("a","b",1,2,3,4,5,6,7,8,9,10)',
        "ExternalFreeze($ZV)",
    ],
)
def test_a_wrong_line_is_neither_5_nor_3(place: Place, call: str) -> None:
    """What never reached the method is told apart from a refusal, and freezes nothing."""
    assert _call(place, call).status not in (0, 3, 5)
    assert not _suspended(place)


def test_log_has_the_documented_lines(place: Place, shared: Path) -> None:
    """The log of two windows, appended, is what the strict parser accepts."""
    log = shared / "freeze.log"
    for _ in range(2):
        assert 5 == _call(place, f'ExternalFreeze("{log}","why")').status
        assert 5 == _call(place, f'ExternalThaw("{log}")').status
    first, second = freeze_log.parse(log.read_text(), str(log))
    assert first.complete and second.complete
    assert first.marker and second.marker and first.marker != second.marker
    assert re.fullmatch(r"\d{8}\.\d{3}", second.marker.journal_file)
    assert second.marker_path and Path(second.marker_path).stat().st_size > second.marker.offset_bytes


def test_log_0_is_standard_output(place: Place) -> None:
    done = _call(place, 'ExternalFreeze("0")')
    assert 5 == done.status
    assert freeze_log.parse(done.stdout, "stdout")[0].complete


def test_log_that_cannot_be_opened_freezes_nothing(place: Place, shared: Path) -> None:
    done = _call(place, f'ExternalFreeze("{shared}/absent/freeze.log")')
    assert 3 == done.status
    assert "Failed to open logfile" in done.stdout
    assert not _suspended(place)


def test_without_journal_switch_no_marker_is_logged(place: Place, shared: Path) -> None:
    log = shared / "freeze.log"
    assert 5 == _call(place, f'ExternalFreeze("{log}","",0)').status
    (entry,) = freeze_log.parse(log.read_text(), str(log))
    assert (None, None) == (entry.marker, entry.switched_to)


def test_iris_freeze_and_thaw_end_with_0_and_1(place: Place) -> None:
    """The command has the opposite convention of the class call."""
    for name in ("iris", "ccontrol"):
        assert [0, 1] == [place.run([name, "freeze", place.name], accept=None).status for _ in range(2)]
        assert [0, 1] == [place.run([name, "thaw", place.name], accept=None).status for _ in range(2)]


def test_emergency_thaw(place: Place) -> None:
    assert 5 == _call(place, 'ExternalFreeze("","",1,,,,,"u","p")').status
    assert 0 == place.run(["iris", "stat", place.name, "-W"]).status
    assert not _suspended(place)


def test_external_set_history_always_succeeds(place: Place) -> None:
    assert 5 == _call(place, 'ExternalSetHistory("","text")').status


def test_suspend_limit_resumes_writes(place: Place, shared: Path) -> None:
    """WDSuspendLimit ends the freeze by itself, and the log says so."""
    log = shared / "freeze.log"
    assert 5 == _call(place, f'ExternalFreeze("{log}","",1,,,,,,,1)').status
    assert wait_for(lambda: not _suspended(place), 20)
    assert 3 == _call(place, f'ExternalThaw("{log}")').status
    assert freeze_log.parse(log.read_text(), str(log))[0].notes


def test_files_hold_still_while_updates_go_on(place: Place, shared: Path) -> None:
    """The promise of ExternalFreeze: physical writes stop, processes go on."""
    instance = Instance(place)
    databases = [folder / "IRIS.DAT" for folder in instance.describe().databases.values()]
    writer = _writer(instance, 5000)
    assert writer.stdout and writer.stdout.readline() == b"ready\n"
    assert 5 == _call(place, f'ExternalFreeze("{shared}/l")').status
    images = [file.read_bytes() for file in databases]
    assert b"end\n" == writer.stdout.read()[-4:]
    assert images == [file.read_bytes() for file in databases]
    writer.stdout.close()
    writer.wait()


_WAITS_FOR_A_THAW = """
import ctypes, pathlib, time
libc = ctypes.CDLL(None, use_errno=True)
rows = [line.split() for line in pathlib.Path("/proc/sysvipc/sem").read_text().splitlines()[1:]]
named = [int(row[1]) for row in rows if row[0] != "0"]
for semaphores in named:  # semop(2): wait until it is free, take it, give it back when this process ends
    operations = (ctypes.c_short * 6)(0, 0, 0, 0, 1, 0x1000)
    assert 0 == libc.semop(semaphores, operations, 2), ctypes.get_errno()
print(len(named), flush=True)
time.sleep(600)
"""


def test_a_writer_that_waits_for_the_thaw_with_semaphores_in_its_hands_does_not_hold_it_up(
    place: Place, shared: Path
) -> None:
    """One that ends as a freeze begins may do so: nothing else would ever let the instance go on."""
    if not isinstance(place, NamespacePlace):
        pytest.skip("the semaphores of a container are out of reach")
    instance = Instance(place)
    writer = _writer(instance, 0)
    assert writer.stdout and writer.stdout.readline() == b"ready\n"
    assert 5 == _call(place, f'ExternalFreeze("{shared}/l")').status
    ours = f"iris_root={instance.describe().root}"
    with subprocess.Popen(
        place.argv(["env", ours, sys.executable, "-c", _WAITS_FOR_A_THAW]), stdout=subprocess.PIPE
    ) as waits:
        assert waits.stdout and 2 <= int(waits.stdout.readline())
        answer = instance.thaw(shared / "l")
        assert answer.suspended and answer.returned_s - answer.called_s < 20
        assert 0 != waits.wait(), "it was killed"
    assert not _suspended(place)
    instance.stop_writers()
    assert writer.stdout.read().endswith(b"end\n")
    writer.stdout.close()
    writer.wait()
    assert instance.integrity(list(instance.describe().databases.values())).complete


def test_freeze_timeout_blocks_updaters_and_logins(place: Place, shared: Path) -> None:
    """Past ExternalFreezeTimeOut updaters wait, nobody can log in, and only a thaw ends it."""
    instance = Instance(place)
    assert 5 == _call(place, f'ExternalFreeze("{shared}/l","",1,,,,1)').status
    writer = _writer(instance, 0)
    assert writer.stdout and writer.stdout.readline() == b"ready\n"
    assert wait_for(lambda: _login(place) not in (0, 3, 5), 20)
    assert wait_for(lambda: _journal_stands_still(place), 20)
    assert _login(place) not in (0, 3, 5)
    assert _suspended(place)
    assert instance.thaw(shared / "l").suspended
    instance.stop_writers()
    assert b"end\n" == writer.stdout.read()[-4:]
    writer.stdout.close()
    writer.wait()


@pytest.mark.parametrize("begun_after_s", [0.7, 0.9])
def test_writers_that_begin_as_updates_are_blocked_do_not_hold_up_the_thaw(
    place: Place, shared: Path, begun_after_s: float
) -> None:
    """Whether they still came in or were turned away, a thaw is a matter of a moment."""
    instance = Instance(place)
    assert 5 == _call(place, f'ExternalFreeze("{shared}/l","",1,,,,1)').status
    wait_for(lambda: False, begun_after_s)  # before the limit, or on a slow machine after it
    writers = [_writer(instance, 0) for _ in range(3)]
    assert wait_for(lambda: _login(place) not in (0, 3, 5), 20)
    assert _suspended(place)
    answer = instance.thaw(shared / "l")
    assert answer.suspended and answer.returned_s - answer.called_s < 5
    instance.stop_writers()
    for writer in writers:
        assert writer.stdout
        writer.stdout.read()
        writer.stdout.close()
        writer.wait()


def test_start_after_a_crash_recovers(host: Host) -> None:
    """Every acknowledged durable transaction is there after a crash and a start."""
    crashed = host.target("crash", host.root())
    instance = Instance(crashed)
    writer = _writer(instance, 0, commit=Commit.DURABLE)
    assert writer.stdout
    for _ in range(200):
        line = writer.stdout.readline()
    assert isinstance(crashed, CanRestart)
    crashed.crash()
    rest = writer.stdout.read().split(b"\n")
    acknowledged = max(int(number) for number in [line.strip(), *rest] if number.isdigit())
    writer.stdout.close()
    writer.wait()
    crashed.restart()
    state = instance.start_state("summary", 0)
    assert state.stdout
    (line,) = [text for text in state.stdout.read().splitlines() if text.startswith(b"s|1|")]
    one, two = (int(number) for number in line.split(b"|")[2:4])
    assert one == two and acknowledged <= one <= acknowledged + 1
    state.stdout.close()
    state.wait()


def test_crash_while_frozen_does_not_stay_frozen(host: Host) -> None:
    crashed = host.target("frozencrash", host.root())
    assert 5 == _call(crashed, "ExternalFreeze()").status
    assert isinstance(crashed, CanRestart)
    crashed.crash()
    crashed.restart()
    assert not _suspended(crashed)
    writer = _writer(Instance(crashed), 10)
    assert writer.stdout and writer.stdout.read().endswith(b"10\nend\n")
    writer.stdout.close()
    writer.wait()


def test_stop_and_start(host: Host) -> None:
    stopped = host.target("stopped", host.root())
    stopped.run(["iris", "stop", stopped.name, "quietly"])
    assert 1 == stopped.run(["iris", "session", stopped.name, "-U%SYS", "x"], accept=None).status
    assert _qlist(stopped)[3].startswith("down, last used ")
    stopped.run(["iris", "start", stopped.name, "quietly"])
    assert _qlist(stopped)[3].startswith("running, since ")


def test_qlist_fields(place: Place) -> None:
    """Fourteen caret-separated fields, as the guide numbers them."""
    fields = _qlist(place)
    assert 14 == len(fields)
    assert place.name == fields[0]
    assert re.fullmatch(r"[\d.]+", fields[2])
    assert ["iris.cpf", "ok"] == [fields[4], fields[8]]


def test_all_and_qall_columns(place: Place) -> None:
    """Two header lines; status in columns 1-2, `>` in 4, the name from 5; qall cuts at 78 and adds ~."""
    whole = place.run(["iris", "all"]).stdout.splitlines()
    cut = place.run(["ccontrol", "qall"]).stdout.splitlines()
    row = next(line for line in whole if line[4:].startswith(f"{place.name} "))
    assert "up >" == row[:4]
    assert row[:78] + "~" == next(line for line in cut if line[4:].startswith(f"{place.name} "))


def test_unknown_instance_and_command(place: Place) -> None:
    for words in (
        ["iris", "start", "NOBODY"],
        ["iris", "session", "NOBODY", "-U%SYS", "x"],
        ["iris", "dance"],
    ):
        assert 1 == place.run(words, accept=None).status


def test_instances_created_at_once_are_all_listed(place: Place, shared: Path) -> None:
    """Several creates at one moment lose none of each other."""
    names = [f"TWIN{number}" for number in range(8)]
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(lambda n: place.run(["iris", "create", n, f"directory={shared / n}"]), names))
    listed = place.run(["iris", "qlist"]).stdout
    assert names == [name for name in names if f"{name}^" in listed]
    for name in names:
        place.run(["iris", "delete", name])


def test_messages_log(place: Place, shared: Path) -> None:
    """messages.log has its own line form and no marker offset."""
    before = _messages(place)
    assert 5 == _call(place, f'ExternalFreeze("{shared}/l")').status
    lines = _messages(place)[len(before) :]
    assert re.match(
        r"\d\d/\d\d/\d\d-\d\d:\d\d:\d\d:\d{3} \(\d+\) 0 \[Utility.Event\] Backup.General.ExternalFreeze: ",
        lines,
    )
    assert "Journaling switched to: " in lines
    assert "offset" not in lines


def _writer(instance: Instance, count: int, commit: Commit = Commit.BUFFERED):  # type: ignore[no-untyped-def]
    return instance.start_writer(writer=1, writers=1, seed=1, first=1, count=count, seconds=60, commit=commit)


def _login(place: Place) -> int:
    """Exit status of a session that has to log in."""
    call = "##class(Harness.Agent).Describe()"
    return place.run(["iris", "session", place.name, "-U%SYS", call], accept=None).status


def _journal_stands_still(place: Place) -> bool:
    """For a while in which a writer that is not blocked would write."""
    look = ["ls", "-l", "--time-style=full-iso", str(_current_journal(place))]
    before = place.run(look).stdout
    return not wait_for(lambda: place.run(look).stdout != before, 0.3)


def _qlist(place: Place) -> list[str]:
    return place.run(["iris", "qlist", place.name]).stdout.strip().split("^")


def _root(place: Place) -> Path:
    return Instance(place).describe().root


def _messages(place: Place) -> str:
    return (_root(place) / "mgr" / "messages.log").read_text()


def _current_journal(place: Place) -> Path:
    root = Path(_qlist(place)[1])
    return max((root / "mgr" / "journal").glob("????????.???"))


@pytest.fixture
def socket_of(host: Host, place: Place) -> Path:
    if not Instance(place).describe().stand_in:
        pytest.skip("the socket is the stand-in's")
    return Instance(place).describe().root / "mgr" / "control.sock"


def _connected(path: Path) -> socket.socket:
    """A relative path, since a socket's may hold 107 bytes at most."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = os.open(path.parent, os.O_PATH)
    try:
        made.connect(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)
    made.settimeout(30)
    return made


def test_as_many_may_ask_as_may(place: Place, socket_of: Path) -> None:
    """One more is refused with a text, and as soon as others have gone everybody is served again."""
    with ExitStack() as clients:
        for _ in range(control.CLIENTS_MAX):
            clients.enter_context(_connected(socket_of))
        assert wait_for(lambda: "<TOO MANY CLIENTS> 64 ask already" in _call(place, "Nothing()").stdout, 5)
        assert 1 == _call(place, "IsWDSuspendedExt()").status
    assert wait_for(lambda: 3 == _call(place, "IsWDSuspendedExt()").status, 5)


def test_a_client_that_says_nothing_is_let_go(place: Place, socket_of: Path) -> None:
    """One that begins and does not go on, too; meanwhile others are served."""
    with _connected(socket_of) as silent, _connected(socket_of) as slow:
        slow.sendall(b"/\0session")
        assert 3 == _call(place, "IsWDSuspendedExt()").status
        for client in (silent, slow):
            assert b"1\n<TIMEOUT> a request has to be there within 10 s\n" == client.recv(200)


def test_a_request_has_a_length(place: Place, socket_of: Path) -> None:
    """What is longer is refused, also through the command, and nothing of it is kept."""
    call = f'ExternalFreeze("", "{"x" * 100_000}")'
    done = _call(place, call)
    assert 1 == done.status and "<MAXSTRING> a request has 65536 bytes at most" in done.stdout
    with _connected(socket_of) as client:
        for _ in range(64):
            client.sendall(b"y" * (1 << 20))
        client.shutdown(socket.SHUT_WR)
        assert b"1\n<MAXSTRING>" == client.recv(200)[:13]
    assert not _suspended(place)

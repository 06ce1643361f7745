"""What `iris` does when it needs no running instance, or finds none: create, list, start, stop, force.

Words and columns follow the System Administration Guide (section "Controlling InterSystems IRIS Instances")
and public samples; `create` and `delete` exist because a stand-in has no installer.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

from . import accounts, journals, layout
from .control import Control
from .gtm import Engine, GTMError, installation, version
from .layout import DATABASES, VERSION, Layout, log_message

QALL_WIDTH = 78
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0


class CommandFailed(Exception):
    """What to print before ending with status 1."""


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit status."""
    os.umask(layout.UMASK)
    command = _command(arguments)
    if command is None:
        print(f"iris: {' '.join(arguments)!r} is not a command of the stand-in", file=sys.stderr)
        return 1
    try:
        command()
    except (CommandFailed, GTMError, OSError) as error:
        print(f"iris {arguments[0]}: {error}" if isinstance(error, OSError) else error, file=sys.stderr)
        return 1
    return 0


def _command(arguments: list[str]) -> Callable[[], None] | None:
    match arguments:
        case ["create", name, *options]:
            return partial(create, name, options)
        case ["delete", name]:
            return partial(delete, name)
        case ["list", *names]:
            return partial(list_instances, names)
        case ["all" | "qall" as verb]:
            return partial(list_all, QALL_WIDTH if verb == "qall" else None)
        case ["qlist", *names]:
            return partial(quick_list, names)
        case ["start", name, *_]:
            return lambda: start(_known(name))
        case ["stop", name, *_]:
            return lambda: stop(_known(name))
        case ["force", name, *_]:
            return lambda: force(_known(name))
        case ["session" | "terminal" | "freeze" | "thaw" | "stat", name, *_]:
            return partial(_not_up, name)
    return None


def create(name: str, options: list[str]) -> None:
    """`iris create NAME directory=ROOT`: make the folders, list the instance. Databases come at the start.

    `users` names a file of lines `user:password`: then sessions need a login, with `os_authentication=1` all but
    those of the owner. `sessions` is how many there may be at a time, as a licence limits them. `databases` names
    more databases, between commas, that the instance has beside the two of the harness.
    """
    given = dict(option.partition("=")[::2] for option in options)
    if not given.get("directory"):
        raise CommandFailed(
            "usage: iris create NAME directory=FOLDER [globals=BUFFERS] [users=FILE] [os_authentication=1]"
            " [sessions=N] [databases=NAME,...]"
        )
    new = Layout(name.upper(), Path(given["directory"]).resolve())
    new.create()
    if "globals" in given:
        text = new.cpf.read_text()
        new.cpf.write_text(text.replace("globals=8192", f"globals={int(given['globals'])}"))
    with new.cpf.open("a") as cpf:
        for key in {"sessions", "os_authentication"} & given.keys():
            cpf.write(f"{key}={int(given[key])}\n")
    for database in filter(None, given.get("databases", "").split(",")):
        if not re.fullmatch("[a-z]{1,8}", database) or database in DATABASES:
            raise CommandFailed(f"databases={database}: up to eight lower-case letters, not one or two")
        new.add_database(database)
    if "users" in given:
        _keep_users(Path(given["users"]), new)
    layout.register(new)


def _keep_users(given: Path, new: Layout) -> None:
    try:
        accounts.store(given.read_text(), new.users)
    except (OSError, ValueError) as error:
        raise CommandFailed(f"users={given}: {error}") from error


def delete(name: str) -> None:
    """Take a stopped instance off the list and remove its folder."""
    old = _known(name)
    if is_up(old):
        raise CommandFailed(f"Instance {old.name} is running; stop it first")
    layout.unregister(name)
    shutil.rmtree(old.root, ignore_errors=True)


def is_up(instance: Layout) -> bool:
    """Whether the control process answers."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            here = os.open(".", os.O_RDONLY)
            try:
                os.chdir(instance.manager)
                probe.connect(instance.socket.name)
            finally:
                os.fchdir(here)
                os.close(here)
    except OSError:
        return False
    return True


def start(instance: Layout) -> None:
    """Start; after a crash recover first. Ends when the instance answers."""
    if is_up(instance):
        raise CommandFailed(f"Instance {instance.name} is already up")
    instance.create()
    engine = Engine(instance)
    engine.create_databases()
    if instance.pid_file.exists():
        _recover(instance, engine)
    for name in DATABASES:
        engine.journal_on(name)
    journals.begin(instance, "start")
    engine.compile("RVWORK", "RVCHECK")
    pid = _fork_control(instance)
    deadline = time.monotonic() + START_TIMEOUT_S
    while not is_up(instance):
        if os.waitpid(pid, os.WNOHANG)[0] or time.monotonic() > deadline:
            raise CommandFailed(f"Startup of {instance.name} failed, see {instance.manager}/control.out")
        time.sleep(0.005)
    log_message(instance, f"Enabling logons ({version(engine.dist)})")
    print(f"Starting {instance.name}\nStartup of InterSystems IRIS [{instance.name}] successful (stand-in)")


def _fork_control(instance: Layout) -> int:
    """The control process, as a copy of this one: it has all modules already. Returns its process number."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    with Path("/dev/null").open("rb") as nothing, (instance.manager / "control.out").open("ab") as output:
        for source, descriptor in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source.fileno(), descriptor)
    status = 1
    try:
        Control(instance).serve()
    except SystemExit:
        status = 0
    except BaseException:  # noqa: BLE001 - nothing may return into the code of the parent
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(status)


def _recover(instance: Layout, engine: Engine) -> None:
    """A crash leaves the process file behind. Both databases are taken to their last whole transaction."""
    log_message(instance, f"*** Recovery started at {time.ctime()}")
    for name in DATABASES:
        engine.forget_memory(name)
    engine.recover()
    engine.thaw()
    instance.pid_file.unlink()
    log_message(instance, "Journal restore completed")


def stop(instance: Layout) -> None:
    """Clean stop: sessions are ended, the control process ends, database files are released."""
    pid = _control_pid(instance)
    if pid is None or not is_up(instance):
        raise CommandFailed(f"Instance {instance.name} is not up")
    _end_sessions(instance, signal.SIGTERM)
    os.kill(pid, signal.SIGTERM)
    _wait_gone(pid)
    engine = Engine(instance)
    engine.mupip("rundown", "-region", "*", accept=range(256))
    instance.socket.unlink(missing_ok=True)
    instance.pid_file.unlink(missing_ok=True)
    log_message(instance, "Shutdown complete")
    print(f"InterSystems IRIS [{instance.name}] has been shut down (stand-in)")


def force(instance: Layout) -> None:
    """A crash on purpose: every process of the instance is killed and nothing is written."""
    pid = _control_pid(instance)
    _end_sessions(instance, signal.SIGKILL)
    if pid:
        os.kill(pid, signal.SIGKILL)
        _wait_gone(pid)
    instance.socket.unlink(missing_ok=True)
    print(f"InterSystems IRIS [{instance.name}] was forced down (stand-in)")


def _end_sessions(instance: Layout, number: signal.Signals) -> None:
    mark = f"iris_root={instance.root}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.name != str(os.getpid()) and mark in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), number)
        except (OSError, ProcessLookupError):
            continue


def _control_pid(instance: Layout) -> int | None:
    try:
        pid = int(instance.pid_file.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return (
        pid if b"start" in command and instance.name.encode() in (word.upper() for word in command) else None
    )


def _wait_gone(pid: int) -> None:
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        try:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return
        except ChildProcessError:
            pass
        with contextlib.suppress(OSError):  # it may go between two looks
            if b") Z " in Path(f"/proc/{pid}/stat").read_bytes():
                return
        time.sleep(0.005)


def quick_list(names: list[str]) -> None:
    """`iris qlist`: caret-separated, fields as the guide numbers them."""
    for one in _selected(names):
        fields = [one.name, str(one.root), VERSION, _status(one), "iris.cpf", "1972", "52773", "0"]
        fields += ["ok" if is_up(one) else "", "IRIS", "", "", str(one.root), "1972"]
        print("^".join(fields))


def list_instances(names: list[str]) -> None:
    """`iris list`: a paragraph each. Unverified on IRIS: the exact label text."""
    for one in _selected(names):
        print(f"\nConfiguration '{one.name}'   (stand-in over {_engine_name()})")
        print(f"\tdirectory:    {one.root}\n\tversionid:    {VERSION}\n\tdatadir:      {one.root}")
        print(f"\tconf file:    iris.cpf\n\tstatus:       {_status(one)}\n\tproduct:      stand-in")


def list_all(width: int | None) -> None:
    """`iris all`, and `qall`, which cuts lines at 78 characters and ends them with ~."""
    rows = ["    Instance Name     Version ID        Port   Directory"]
    rows.append("    ----------------  ----------------  -----  --------------------------------")
    for one in layout.registered():
        state = "up" if is_up(one) else "dn"
        rows.append(f"{state} >{one.name:<16}  {VERSION:<16}  {1972:<5}  {one.root}")
    for row in rows:
        print(f"{row[:width]}~" if width and len(row) > width else row)


def _selected(names: list[str]) -> list[Layout]:
    return [_known(name) for name in names] if names else layout.registered()


def _status(one: Layout) -> str:
    if is_up(one):
        return f"running, since {time.ctime(one.socket.stat().st_mtime)}"
    used = one.messages.stat().st_mtime if one.messages.exists() else one.root.stat().st_mtime
    return f"down, last used {time.ctime(used)}"


def _engine_name() -> str:
    dist = installation()
    return version(dist) if dist else "GT.M, which is not installed"


def _known(name: str) -> Layout:
    found = layout.find(name)
    if found is None:
        raise CommandFailed(f"Instance '{name}' not found")
    return found


def _not_up(name: str) -> None:
    raise CommandFailed(f"Sign-on inhibited: {_known(name).name} is not up")

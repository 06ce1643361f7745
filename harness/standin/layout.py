"""Where an instance keeps what, and the registry that lists instances.

An instance is a folder (its root) that resembles a durable %SYS folder of IRIS:

    iris.cpf               configuration: databases, global mapping, buffers
    db/one/, db/two/       one database each: IRIS.DAT; others beside them if `iris create` was told of them
    mgr/messages.log       the log people read
    mgr/journal/           journals under IRIS's names (hard links, see `journals`)
    mgr/users              accounts, if sessions need a login (see `accounts`)
    mgr/gtm/               what GT.M itself needs: global directory, journal streams, object code
    mgr/control.sock       where the running control process answers

The registry is the file iris.reg in the folder named by $IRISSYS, as IRIS itself has it: one line per
instance, `name^root`.
"""

from __future__ import annotations

import configparser
import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

DATABASES = ("one", "two")
VERSION = "2024.1.0.0.0"
"""The IRIS version whose documented behaviour the stand-in follows (class reference 2024.1)."""
UMASK = 0o007
"""Databases, journals and what is told of them are for their owner and his group, whatever umask the caller has."""
_PASSABLE = 0o755
"""Of the folders that everybody who may begin a session passes through: root, mgr, registry."""

_CPF = """\
; Configuration of a stand-in instance. Globals ^RVB* live in database two, all others in database one.
[ConfigFile]
Product=stand-in
[Databases]
ONE=db/one/
TWO=db/two/
[Map.HARNESS]
Global_RVB*=TWO
[config]
; GT.M global buffers per database, in blocks of 4096 bytes
globals=8192
"""


@dataclass(frozen=True)
class Layout:
    """Paths of one instance; nothing here touches the disk but the methods that say so."""

    name: str
    root: Path

    @property
    def cpf(self) -> Path:
        return self.root / "iris.cpf"

    @property
    def manager(self) -> Path:
        return self.root / "mgr"

    @property
    def journal(self) -> Path:
        return self.manager / "journal"

    @property
    def gtm(self) -> Path:
        return self.manager / "gtm"

    @property
    def messages(self) -> Path:
        return self.manager / "messages.log"

    @property
    def socket(self) -> Path:
        return self.manager / "control.sock"

    @property
    def pid_file(self) -> Path:
        return self.manager / "iris.ids"

    @property
    def users(self) -> Path:
        return self.manager / "users"

    def database(self, name: str) -> Path:
        """Folder of a database (`one` or `two`)."""
        return self.root / "db" / name

    def database_file(self, name: str) -> Path:
        return self.database(name) / "IRIS.DAT"

    def others(self) -> list[str]:
        """Names of databases beside the two of the harness, as the configuration has them."""
        parser = self._configured()
        names = parser.options("Databases") if parser.has_section("Databases") else []
        return sorted(name.lower() for name in names if name.lower() not in DATABASES)

    def stream(self, name: str) -> Path:
        """GT.M's current journal file of a database."""
        return self.gtm / f"{name}.mjl"

    def database_named(self, folder: str) -> str | None:
        """Which database of this instance a folder is, or None."""
        wanted = os.path.realpath(folder)
        known = (*DATABASES, *self.others())
        return next((d for d in known if os.path.realpath(self.database(d)) == wanted), None)

    def create(self) -> None:
        """Make the folders and the configuration; what is there already stays."""
        if not self.cpf.exists():
            self.root.mkdir(parents=True, exist_ok=True)
            self.cpf.write_text(_CPF)
        for folder in (self.journal, self.gtm, *(self.database(d) for d in (*DATABASES, *self.others()))):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.root, self.manager):
            _open_to_all(folder)

    def add_database(self, name: str) -> None:
        """One more database, which holds the globals that begin with its name. Not journaled, and empty of load."""
        text = self.cpf.read_text()
        self.cpf.write_text(text.replace("[Databases]\n", f"[Databases]\n{name.upper()}=db/{name}/\n"))
        self.database(name).mkdir(parents=True, exist_ok=True)

    def buffers(self) -> int:
        return self._configured().getint("config", "globals", fallback=8192)

    def sessions_max(self) -> int | None:
        """`sessions` of the configuration: how many there may be at a time; None is no limit."""
        return self._configured().getint("config", "sessions", fallback=None)

    def trusts_owner(self) -> bool:
        """`os_authentication`: the user that owns the instance needs no login."""
        return self._configured().getboolean("config", "os_authentication", fallback=False)

    def _configured(self) -> configparser.ConfigParser:
        parser = configparser.ConfigParser(comment_prefixes=(";",), delimiters=("=",))
        parser.read(self.cpf)
        return parser


def registry_folder() -> Path:
    return Path(os.environ.get("IRISSYS") or Path.home() / ".iris-stand-in")


def registered() -> list[Layout]:
    """All instances, in the order they were created."""
    try:
        lines = (registry_folder() / "iris.reg").read_text().splitlines()
    except FileNotFoundError:
        return []
    return [Layout(name, Path(root)) for name, _, root in (line.partition("^") for line in lines) if root]


def find(name: str) -> Layout | None:
    """Instance names are case-insensitive, as in IRIS."""
    return next((layout for layout in registered() if layout.name == name.upper()), None)


def register(layout: Layout) -> None:
    """Add or replace one line of the registry; several may do so at once."""
    with _registry_locked():
        _write_registry([other for other in registered() if other.name != layout.name] + [layout])


def unregister(name: str) -> None:
    with _registry_locked():
        _write_registry([other for other in registered() if other.name != name.upper()])


@contextmanager
def _registry_locked() -> Iterator[None]:
    folder = registry_folder()
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _open_to_all(folder)
    with (folder / "iris.reg.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write_registry(layouts: list[Layout]) -> None:
    replace_file(
        registry_folder() / "iris.reg",
        "".join(f"{layout.name}^{layout.root}\n" for layout in layouts).encode(),
        mode=0o644,
    )


def replace_file(path: Path, content: bytes, mode: int = 0o660) -> None:
    """Write a file in one step. Its temporary name is random: in PID namespaces process numbers repeat."""
    new = path.with_name(f"{path.name}.{os.urandom(6).hex()}")
    new.write_bytes(content)
    new.chmod(mode)
    new.replace(path)


def _open_to_all(folder: Path) -> None:
    """Everybody may pass through: whoever begins a session finds the instance there. A folder of another user stays
    as he has it."""
    with contextlib.suppress(PermissionError):
        folder.chmod(_PASSABLE)


def log_message(layout: Layout, text: str, severity: int = 0, category: str = "Utility.Event") -> None:
    """Append to messages.log in the form of IRIS 2021 and later (sample in the public azure_backup_script)."""
    now = time.time()
    stamp = time.strftime("%m/%d/%y-%H:%M:%S", time.localtime(now)) + f":{int(now * 1000) % 1000:03d}"
    with layout.messages.open("a") as log:
        log.write(f"{stamp} ({os.getpid()}) {severity} [{category}] {text}\n")

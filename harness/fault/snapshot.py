"""Faults of the image as a whole: files missing, cut off, older, of two instants, or taken after the thaw."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from harness import destroy
from harness.fault.base import EVERYTHING, PATH_OF, Planted, Specimen, fault, given, overwrite, planted_in
from harness.files import Method, copy_paths
from harness.model import RecoveryMode
from harness.plan.model import SnapshotSpec


def _image(damage: Callable[[Path], str], names: str = "") -> Callable[[Specimen], Planted]:
    return lambda specimen: specimen.with_image(damage, names)


def _lose(role: str) -> Callable[[Path], str]:
    def lose(image: Path) -> str:
        destroy.tree((image / PATH_OF[role]).parent, planted_in(image))
        return f"database {role} was removed"

    return lose


def _lose_all(image: Path) -> str:
    destroy.tree(image / "db", planted_in(image))
    return "the image is empty"


def _cut(role: str, size: int) -> Callable[[Path], str]:
    def cut(image: Path) -> str:
        os.truncate(image / PATH_OF[role], size)
        return f"database {role} was cut to {size} bytes"

    return cut


def _older(*roles: str) -> Callable[[Specimen], Planted]:
    """Databases of the earlier snapshot in the place of ours."""

    def plant(specimen: Specimen) -> Planted:
        old = specimen.folder / "old"
        old.mkdir()
        given(specimen.earlier, old)

        def put(image: Path) -> str:
            for role in roles:
                shutil.copy(old / PATH_OF[role], image / PATH_OF[role])
            return f"database {' and '.join(roles)} of the earlier snapshot"

        return specimen.with_image(put)

    return plant


def _later(specimen: Specimen) -> Planted:
    """Database two was copied some transactions after database one, in a freeze of its own."""
    later = specimen.folder / "later"
    made = specimen.back_up()
    later.mkdir()
    given(made.backup, later).release()

    def put(image: Path) -> str:
        shutil.copy(later / PATH_OF["two"], image / PATH_OF["two"])
        return "database two is of a later freeze"

    return specimen.with_image(put)


def _swapped(image: Path) -> str:
    one, two = (image / PATH_OF[role] for role in ("one", "two"))
    aside = image / "aside"
    one.rename(aside)
    two.rename(one)
    aside.rename(two)
    return "the databases changed places"


def _live(specimen: Specimen) -> Planted:
    """The database files of the running instance, copied without any freeze, long after."""
    later = specimen.folder / "live"
    description = specimen.session.description
    folders = [folder.relative_to(description.root) for folder in description.databases.values()]
    copy_paths(description.root, folders, later, Method.COPY)

    def put(image: Path) -> str:
        for path in PATH_OF.values():
            shutil.copy(later / path, image / path)
        return "both databases as they lay on the disk later"

    return specimen.with_image(put)


def _file_header(image: Path) -> str:
    return overwrite(image / PATH_OF["one"], 0, b"NOTADATABASE")


def _lose_files(*patterns: str) -> Callable[[Path], str]:
    """Files and folders of a whole image that match."""

    def lose(image: Path) -> str:
        lost = sorted(path for pattern in patterns for path in image.glob(pattern))
        for path in lost:
            destroy.tree(path, planted_in(image))
        return f"{', '.join(str(path.relative_to(image)) for path in lost)} were removed"

    return lose


def _grown(image: Path) -> str:
    with (image / PATH_OF["two"]).open("ab") as file:
        file.write(bytes(65536))
    return "database two is 64 kB longer"


def _altered(image: Path) -> str:
    """As many bytes as before."""
    return overwrite(image / "iris.cpf", 0, b"#")


def _folder_for_file(image: Path) -> str:
    file = image / PATH_OF["one"]
    destroy.file(file, planted_in(image))
    file.mkdir()
    return "a folder has the name of the file of database one"


def _link_out(image: Path) -> str:
    file = image / PATH_OF["two"]
    kept = image / "elsewhere.dat"
    file.rename(kept)
    file.symlink_to(kept)
    return "the file of database two is a link"


def _by_command(
    *commands: tuple[str, str], names: str = "", timeout_s: float | None = None
) -> Callable[[Specimen], Planted]:
    """A snapshot by commands of a shell, in which $0 is the source and $1 the target."""

    def plant(specimen: Specimen) -> Planted:
        options = {
            option: ["sh", "-c", script, "{source}", "{target}", str(specimen.folder)]
            for option, script in commands
        }
        planted = specimen.back_up(
            provider=SnapshotSpec(provider="command", options=options, timeout_s=timeout_s)
        )
        window = planted.backup.window
        said = window.snapshot_problem or f"{window.capture_duration_s:.3f} s"
        planted.evidence.append(f"the command of the snapshot: {said}")
        planted.names = names
        return planted

    return plant


_PROMISED = "mkdir -p $1 && echo $0 >$1/promise"
_GIVEN_LATE = 'cp -a "$(cat $0/promise)"/. $1/'
_FORKED = "(sleep 0.3; cp -a $0 $1.real; touch $1.done) >/dev/null 2>&1 &"
_WAITED = "while [ ! -e $0.done ]; do sleep 0.05; done; cp -a $0.real/. $1/"
_MIXED = "cp -a $0 $1.real"
_GIVEN_MIXED = 'cp -a $0.real/. $1/ && cp -a "$(dirname $2)"/source/db/one/IRIS.DAT $1/db/one/IRIS.DAT'
_DROPPED = "rm -rf $1.real $1.done"

_NEWER_OR_GROWN = "image.ceiling.newer|snapshot.size"
_TORN_OR_GROWN = "image.atomicity.torn|snapshot.size"
"""A database that is copied later may have grown until then."""

_fault = partial(fault, "snapshot", echoes=EVERYTHING)
_FREEZE, _ROLLED, _BOOT = RecoveryMode.AS_OF_FREEZE, RecoveryMode.ROLLFORWARD, RecoveryMode.BOOT
_INCOMPLETE = ("snapshot", "integrity", "image.integrity")

FAULTS = (
    _fault(
        "one_missing",
        "a database is missing from the image",
        "snapshot.incomplete",
        _image(_lose("two"), "two"),
        *_INCOMPLETE,
    ),
    _fault("nothing", "the image is empty", "snapshot.incomplete", _image(_lose_all), *_INCOMPLETE),
    _fault(
        "file_missing",
        "the folder of a database is there and its file is not",
        "snapshot.incomplete",
        _image(_lose_files("db/one/IRIS.DAT"), "one"),
        *_INCOMPLETE,
        mode=_FREEZE,
    ),
    _fault(
        "folder_for_file",
        "a folder has the name of a database file",
        "snapshot.incomplete",
        _image(_folder_for_file, "one"),
        *_INCOMPLETE,
    ),
    _fault(
        "link_for_file",
        "a link has the name of a database file",
        "snapshot.incomplete",
        _image(_link_out, "two"),
        *_INCOMPLETE,
        mode=_BOOT,
    ),
    _fault(
        "took_nothing",
        "the snapshot command ended well and took nothing",
        "snapshot.incomplete",
        _by_command(("run", "true"), names="left nothing"),
        "snapshot",
    ),
    _fault(
        "too_slow",
        "the snapshot was not there in the time that the freeze has",
        "snapshot.timeout",
        _by_command(("run", "cp -a $0 $1; sleep 30"), names="not there 0.5 s after", timeout_s=0.5),
        "snapshot",
    ),
    _fault(
        "late_by_expose",
        "the image was taken when it was asked for, long after the thaw",
        "image.ceiling.newer",
        _by_command(("run", _PROMISED), ("expose", _GIVEN_LATE)),
        "image.ceiling",
    ),
    _fault(
        "late_by_expose_boot",
        "a machine boots from an image that was taken long after the thaw",
        "image.ceiling.newer",
        _by_command(("run", _PROMISED), ("expose", _GIVEN_LATE)),
        "image.ceiling",
        mode=_BOOT,
    ),
    _fault(
        "forked",
        "the snapshot command copied in the background, after the thaw",
        "image.ceiling.newer|image.atomicity.torn|image.integrity.damaged",
        _by_command(("run", _FORKED), ("expose", _WAITED), ("release", _DROPPED)),
    ),
    _fault(
        "mixed_instants",
        "database one was copied again, long after the thaw",
        "image.atomicity.torn",
        _by_command(("run", _MIXED), ("expose", _GIVEN_MIXED), ("release", _DROPPED)),
        "image.atomicity",
        "image.ceiling",
        mode=RecoveryMode.POINT_IN_TIME,
    ),
    _fault(
        "older_two",
        "one database is of an earlier snapshot",
        "image.atomicity.torn",
        _older("two"),
        "image.atomicity",
        "image.floor",
        mode=_FREEZE,
    ),
    _fault(
        "older_one_rolled",
        "database one is of an earlier snapshot, and journals were applied to it",
        "image.atomicity.torn",
        _older("one"),
        "image.atomicity",
        "image.floor",
    ),
    _fault(
        "older_whole",
        "the image is that of an earlier backup",
        "image.floor.lost",
        _older("one", "two"),
        "image.floor",
        "floor",
        "recovery_point",
        mode=_FREEZE,
        echoes=frozenset(),
    ),
    _fault(
        "older_whole_rolled",
        "the image is that of an earlier backup, and journals were applied to it",
        "image.floor.lost",
        _older("one", "two"),
        "image.floor",
    ),
    _fault(
        "later_two",
        "the databases are of two freezes",
        _TORN_OR_GROWN,
        _later,
        "image.atomicity",
        mode=_FREEZE,
    ),
    _fault(
        "later_two_rolled",
        "the databases are of two freezes, and journals were applied to them",
        _TORN_OR_GROWN,
        _later,
        "image.atomicity",
    ),
    _fault(
        "swapped",
        "the databases changed places",
        "image.floor.lost",
        _image(_swapped),
        "image.floor",
        mode=_FREEZE,
        word="in each other's place",
    ),
    _fault(
        "live",
        "the files were copied again after the thaw",
        _NEWER_OR_GROWN,
        _live,
        "image.ceiling",
        mode=_FREEZE,
    ),
    _fault(
        "live_rolled",
        "the files were copied again after the thaw, and journals were applied to them",
        _NEWER_OR_GROWN,
        _live,
        "image.ceiling",
    ),
    _fault(
        "cut",
        "a database file is cut off",
        "snapshot.size",
        _image(_cut("two", 300_000), "two"),
        "snapshot",
        "image.integrity",
        "integrity",
    ),
    _fault(
        "cut_end",
        "the end of a database file is missing",
        "snapshot.size",
        _image(_cut("two", 8_000_000), "two"),
        "snapshot",
        "image.integrity",
    ),
    _fault(
        "emptied",
        "a database file is empty",
        "snapshot.size",
        _image(_cut("one", 0), "one"),
        "snapshot",
        "image.integrity",
        "integrity",
    ),
    _fault(
        "grown",
        "a database file is longer than its source",
        "snapshot.size",
        _image(_grown, "two"),
        "snapshot",
    ),
    _fault(
        "file_header",
        "the file's own header is overwritten",
        "image.integrity.refused",
        _image(_file_header, "one"),
        "image.integrity",
        "integrity",
    ),
    _fault(
        "boot_without",
        "the image that a machine boots from lacks a database",
        "snapshot.incomplete",
        _image(_lose("two"), "two"),
        *_INCOMPLETE,
        mode=_BOOT,
    ),
    _fault(
        "boot_altered",
        "a byte of the configuration is another in the image that a machine boots from",
        "snapshot.altered",
        _image(_altered, "iris.cpf"),
        "snapshot",
        mode=_BOOT,
    ),
    *(
        _fault(
            f"boot_without_{name}",
            f"the image that a machine boots from lacks {what}",
            "snapshot.incomplete",
            _image(_lose_files(*patterns), names),
            "snapshot",
            mode=_BOOT,
        )
        for name, what, patterns, names in (
            ("journals", "its journals", ("mgr/journal/*",), "mgr/journal"),
            ("journal_folder", "its journal folder", ("mgr/journal",), "mgr/journal"),
            ("streams", "the engine's own journal files", ("mgr/gtm/*.mjl*",), "mjl"),
            ("configuration", "its configuration", ("iris.cpf",), "iris.cpf"),
            ("messages", "its log of messages", ("mgr/messages.log",), "messages.log"),
            ("list", "the list of its journals", ("mgr/journal.log",), "journal.log"),
        )
    ),
)

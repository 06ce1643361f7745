"""Snapshots by the user's own command: an array, a volume manager, a script that is already in use.

Options, each a list of arguments or one string that is split like a shell would (no shell runs it):

* `run` (required): `{source}` is the folder to capture, `{target}` a path that is not there yet. It must end
  with status 0 when the image no longer depends on the source.
* `expose`: `{source}` is what `{target}` was for `run`, `{target}` an empty folder to fill, writable.
  Without it, `{target}` of `run` is taken for a folder that holds the captured paths, and is copied out.
* `release`: `{target}` as for `run`. A folder left at `{target}` is removed afterwards.

A placeholder may stand inside an argument. That a command ended well is not believed: the captured paths must
be there afterwards. With `expose` nothing can be watched in the window, since only these commands reach the image;
then it is the look at the exposed image, before any journal is applied, that proves when it was taken.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.command import Completed, Deadline, run
from harness.errors import CommandError, ImageError, PreconditionError, SnapshotError, UsageError
from harness.snapshot.base import Snapshot, Source
from harness.snapshot.folder import SnapshotFolder, emptied_on_failure

_TIMEOUT_S = 3600.0
"""Limit of `expose` and `release`, which run outside of the freeze window."""

_KEPT_BYTES = 256 << 10
"""Of what a command prints; a verbose one must not make the freeze window longer."""

_ARGUMENTS: dict[str, object] = {
    "oneOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
    ]
}


_SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"run": _ARGUMENTS, "expose": _ARGUMENTS, "release": _ARGUMENTS},
    "required": ["run"],
    "additionalProperties": False,
}


class CommandSnapshotProvider:
    """Runs the commands of the plan, and checks what they left."""

    options_schema: dict[str, object] = _SCHEMA

    def __init__(self, folder: Path, options: Mapping[str, object]) -> None:
        """Raises UsageError for a string that cannot be split into arguments."""
        self._folder = SnapshotFolder(folder)
        self._run = _arguments("run", options)
        self._expose = _arguments("expose", options)
        self._release = _arguments("release", options)
        if not self._run:
            raise UsageError("snapshot provider `command` needs the option `run`")

    def probe(self, source: Source) -> None:
        """Raises PreconditionError if a path or a program is absent. The commands are not tried."""
        self._folder.require_source(source)
        for argv in (self._run, self._expose, self._release):
            if argv and shutil.which(argv[0]) is None:
                raise _missing(argv[0])

    def capture(self, source: Source, deadline: Deadline) -> Snapshot:
        """Run `run`. Raises SnapshotError if it fails, is late or leaves a path out; nothing is left."""
        with self._folder.new_location(source) as location:
            try:
                ran = _execute(self._run, source.root, location, max(deadline.left_s, 0.001))
                if not self._expose:
                    self._require_captured(ran, location, source)
            except BaseException:
                self._release_failed(location)
                raise
        return Snapshot(provider="command", location=location, paths=source.paths, in_reach=not self._expose)

    def _require_captured(self, ran: Completed, location: Path, source: Source) -> None:
        try:
            self._folder.require_captured(location, source.paths)
        except ImageError as error:
            said = f"the command ended with 0 after {ran.duration_s:.1f} s"
            left = "left something else" if location.exists() else "left nothing"
            raise ImageError(f"{said} and {left}: {error}") from error

    def expose(self, snapshot: Snapshot, target: Path) -> int:
        """Run `expose`, or copy out. Returns bytes. Raises SnapshotError; the target is then empty."""
        if not self._expose:
            return self._folder.expose(snapshot, target)
        self._folder.require_target(snapshot, target)
        with emptied_on_failure(target):
            _execute(self._expose, snapshot.location, target, _TIMEOUT_S)
            return self._folder.exposed_bytes(snapshot, target)

    def release(self, snapshot: Snapshot) -> None:
        """Run `release`, then remove a folder at its place.

        May be called twice; without a folder at its place, `release` then runs twice and must bear it.
        Raises SnapshotError.
        """
        self._folder.require_own(snapshot)
        if self._release and (self._expose or snapshot.location.exists()):
            _execute(self._release, snapshot.location, snapshot.location, _TIMEOUT_S)
        self._folder.remove(snapshot)

    def _release_failed(self, location: Path) -> None:
        if self._release:
            with contextlib.suppress(SnapshotError):
                _execute(self._release, location, location, _TIMEOUT_S)


def _arguments(name: str, options: Mapping[str, object]) -> tuple[str, ...]:
    given = options.get(name, ())
    try:
        arguments = shlex.split(given) if isinstance(given, str) else given
    except ValueError as error:
        raise UsageError(f"snapshot option {name!r} cannot be split into arguments: {error}") from error
    if not isinstance(arguments, Sequence) or not all(isinstance(argument, str) for argument in arguments):
        raise UsageError(f"snapshot option {name!r} must be a string or a list of strings")
    return tuple(arguments)


def _execute(argv: Sequence[str], source: Path, target: Path, timeout_s: float) -> Completed:
    filled = [argument.replace("{source}", str(source)).replace("{target}", str(target)) for argument in argv]
    with _as_snapshot_error():
        return run(filled, timeout_s=timeout_s, keep_bytes=_KEPT_BYTES)


@contextlib.contextmanager
def _as_snapshot_error() -> Iterator[None]:
    try:
        yield
    except (CommandError, PreconditionError) as error:
        raise SnapshotError(f"snapshot command: {error}") from error


def _missing(program: str) -> PreconditionError:
    if Path(program).is_file():
        return PreconditionError(f"{program} cannot be run: it is not executable", f"chmod +x {program}")
    return PreconditionError(
        f"there is no program {program!r}", "Give its full path in the snapshot options."
    )

"""Every error this package raises, and what a process exit status means.

HarnessError
├── PlanError           the plan is wrong: every mistake with its place
├── UsageError          the call is wrong: a run, folder or name that is not there
├── PreconditionError   a tool, privilege, filesystem or instance is missing
├── CommandError        a program ended with a status its caller does not accept
│   └── CommandTimeout  a program did not end in time; it was killed
├── InstanceError       an instance answered, but not as asked
│   ├── InstanceGone    it has ended: its machine, container or processes are not there
│   ├── InstanceRefused it will not do what was asked, and says so itself
│   ├── StartError      it did not start; nothing of it is running
│   ├── FreezeError     the freeze was refused; the instance runs and is not frozen
│   ├── ThawError       the thaw was not confirmed; the instance may still be frozen
│   ├── RestoreError    it would not take the restored files; the target is unusable
│   ├── JournalError    journals could not be listed, switched or copied
│   └── RollforwardError  journals could not be applied; the restored copy is unusable
├── SnapshotError       the copy could not be made, exposed or released
│   ├── ImageError      it was made, and does not hold what was captured
│   └── SnapshotTimeout it was not made in the time that a freeze has
├── RemovalError        something could not be removed, or is not ours to remove
├── MachineError        the machine refuses what every program needs: room, a folder, memory
└── ParseError          output of a tool that we do not understand

An error means that the outside world kept us from answering: its stage is UNKNOWN, never PASS. A backup
that is bad is not an error but a finding (see `harness.model`). An assertion is a defect of this package.
"""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


class ExitCode(enum.IntEnum):
    """The whole table of exit statuses; stable, documented in the README."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    UNKNOWN = 3
    STILL_FROZEN = 4
    DEFECT = 70


class HarnessError(Exception):
    """Base of all errors; `exit_code` is what the command line returns when nothing else decides."""

    exit_code = ExitCode.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One thing wrong in a plan: where it stands (`line` counts from 1, 0 if unknown) and what to do."""

    line: int
    pointer: str
    message: str


class PlanError(HarnessError):
    """The plan is wrong. Holds every mistake found, in the order of the file."""

    exit_code = ExitCode.USAGE

    def __init__(self, source: str, mistakes: Sequence[Mistake]) -> None:
        self.source = source
        self.mistakes = tuple(mistakes)
        lines = [f"{source}:{m.line}: {m.pointer or 'plan'}: {m.message}" for m in self.mistakes]
        super().__init__("\n".join(lines))


class UsageError(HarnessError):
    """What was asked for does not exist or makes no sense together."""

    exit_code = ExitCode.USAGE


class PreconditionError(HarnessError):
    """Something that must be here is not. `remedy` says how to get it."""

    def __init__(self, missing: str, remedy: str) -> None:
        self.missing = missing
        self.remedy = remedy
        super().__init__(f"{missing}. {remedy}")


class CommandError(HarnessError):
    """A program ended with a status its caller does not accept.

    `status` is the exit status (negative: ended by that signal), `seconds` how long it ran, `output` the
    tail of what it wrote, standard error last.
    """

    def __init__(self, argv: Sequence[str], status: int, seconds: float, output: str) -> None:
        self.argv = tuple(argv)
        self.status = status
        self.seconds = seconds
        self.output = output
        super().__init__(self._describe())

    def _describe(self) -> str:
        said = f": {self.output.strip()[-400:]}" if self.output.strip() else ""
        return f"{' '.join(self.argv)!r} ended with status {self.status} after {self.seconds:.2f} s{said}"


class CommandTimeout(CommandError):
    """A program did not end within its time limit and was killed."""

    def _describe(self) -> str:
        return f"{' '.join(self.argv)!r} did not end within {self.seconds:.3g} s and was killed"


class InstanceError(HarnessError):
    """An instance answered, but not as asked."""


class InstanceGone(InstanceError):
    """It has ended: nothing of it runs, so nothing of it is frozen."""


class InstanceRefused(InstanceError):
    """It ran the call to its end and said no. Only this may be an answer about a backup: a session that broke off has
    said nothing.
    """


class StartError(InstanceError):
    """The instance did not start; nothing of it is left running."""


class FreezeError(InstanceError):
    """The freeze was refused; the instance is running and not frozen."""


class ThawError(InstanceError):
    """The thaw was not confirmed; the instance may still be frozen. `by_hand` is the command to type."""

    exit_code = ExitCode.STILL_FROZEN

    def __init__(self, message: str, by_hand: str) -> None:
        self.by_hand = by_hand
        super().__init__(f"{message}. The instance may still be FROZEN. Thaw it by hand: {by_hand}")


class RestoreError(InstanceError):
    """The engine would not take the restored files; the target is unusable. An answer about the backup."""


class JournalError(InstanceError):
    """Journals could not be listed, switched or copied; nothing was changed."""


class JournalsGone(JournalError):
    """The instance no longer has a journal that a recovery from this backup needs. An answer about the backup."""


class RollforwardError(InstanceError):
    """Journals could not be applied; the restored copy is not usable, the originals are untouched."""


class SnapshotError(HarnessError):
    """The copy could not be made, exposed or released; the source is untouched."""


class ImageError(SnapshotError):
    """A snapshot that its provider calls finished does not hold what was captured. An answer about the backup."""


class SnapshotTimeout(SnapshotError):
    """A snapshot was not made in the time that the freeze has, and was ended. An answer about the backup."""


class RemovalError(HarnessError):
    """Something could not be removed, or is not ours to remove: it is still there, and the message names it."""


class MachineError(HarnessError):
    """The machine refuses what every program needs: room on a disk, a folder that was there, memory, processes."""


@contextlib.contextmanager
def of_the_machine() -> Iterator[None]:
    """Whatever the machine refuses in the body is a MachineError, which names the file: no defect of this package,
    and no answer about a backup.
    """
    try:
        yield
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        raise MachineError(f"{named}{error.strerror or error}") from error
    except MemoryError as error:
        raise MachineError("there is no memory left for the harness") from error
    except RuntimeError as error:
        # Python has no class of its own for this one (Modules/_threadmodule.c)
        if "can't start new thread" not in str(error):
            raise
        raise MachineError("no thread can be started: memory, or the limit of processes") from error


class ParseError(HarnessError):
    """Output that we do not understand. `line_number` counts from 1; 0 means the whole source."""

    def __init__(self, source: str, line_number: int, line: str, problem: str) -> None:
        self.source = source
        self.line_number = line_number
        self.line = line
        self.problem = problem
        place = f"{source}, line {line_number}" if line_number else source
        shown = f": {line!r}" if line else ""
        super().__init__(f"{place}: {problem}{shown}")

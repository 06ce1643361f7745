"""The scripts under check, what was seen of them, and the report. Frozen data; times are monotonic seconds."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.model import Finding, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripts:
    """The scripts under test, and how they are called.

    Attributes:
        freeze, thaw: Argument lists; the first word is the script.
        snapshot: Argument list of what takes the snapshot; empty if the harness does.
        program: With it `freeze` and `thaw` are one job that freezes, takes the snapshot by this program, and thaws;
            in the machine that program signals the harness and waits until the harness has looked at the instances.
        user: Who runs them: root, irisowner, backup or somebody.
        success: Exit statuses that their caller takes for success.
        timeout_s: How long their caller waits.
        instances: Names the scripts expect; empty if they find the instances themselves.
        install: Path in the machine → file here that is put there, executable.
        environment: Variables their caller sets.
        credentials: Path in the machine where they expect a file with a user and a password; empty if nowhere.
        skip: Scenario → why it does not apply.
    """

    name: str
    freeze: tuple[str, ...]
    thaw: tuple[str, ...]
    snapshot: tuple[str, ...] = ()
    program: str = ""
    user: str = "root"
    success: tuple[int, ...] = (0,)
    timeout_s: float = 30.0
    instances: tuple[str, ...] = ()
    install: Mapping[str, Path] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    credentials: str = ""
    skip: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One run of a script. `status` is as a shell shows it (128 + signal), None if it did not end in time; `killed`
    says what was done to it; `limit` is the `timeout` that a job which did not end had set itself.
    """

    status: int | None
    output: str
    duration_s: float
    killed: str = ""
    limit: str = ""

    def __str__(self) -> str:
        how = "did not end" if self.status is None else f"ended with {self.status}{_name(self.status)}"
        return f"{how} after {self.duration_s:.1f} s" + (f" ({self.killed})" if self.killed else "")


def _name(status: int) -> str:
    """The signal behind a status over 128, as ` (SIGXFSZ)` for a file that grew past the limit."""
    try:
        return f" ({signal.Signals(status - 128).name})"
    except ValueError:
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """One call of `iris` or its kin by a script.

    Attributes:
        what: Method of Backup.General in lower case, else the verb.
        secret_shown: The planted password stood in its arguments or environment.
        arguments: Of the method, unquoted; of the command where there is no method.
    """

    at: float
    user: int
    program: str
    what: str
    instance: str
    secret_shown: bool
    arguments: tuple[str, ...]

    def argument(self, position: int) -> str:
        """The method's argument by its documented position, 1 for the first; empty if it was not given."""
        return self.arguments[position - 1] if len(self.arguments) >= position else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One backup as a caller makes it, measured on the instances.

    Attributes:
        expected: Instances that have to be frozen for the snapshot to be good.
        frozen_after: Instance → whether it was frozen when the freeze script had ended; None: it did not answer.
        held: Those that were frozen from before the snapshot until after it, also according to their log.
        taken: Whether the snapshot was taken; of a job: whether it called its program.
        known: Of a job that did not call its program: whether it certainly takes its snapshot by it.
        left_frozen: Instances frozen when everything was over.
        left_running: Commands of processes that the scripts left behind.
    """

    freeze: Ran
    expected: tuple[str, ...]
    frozen_after: Mapping[str, bool | None]
    taken: bool = False
    known: bool = True
    held: tuple[str, ...] = ()
    thaw: Ran | None = None
    left_frozen: tuple[str, ...] = ()
    left_running: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of one scenario. `seen` is a line for people."""

    name: str
    family: str
    situation: str
    right: str
    source: str
    verdict: Verdict
    seen: str
    findings: tuple[Finding, ...] = ()
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All scenarios of one pair."""

    scripts: Scripts
    engine: str
    started_utc: str
    duration_s: float
    outcomes: tuple[Outcome, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict; SKIPPED does not count, and without any other verdict it is UNKNOWN."""
        tried = [one.verdict for one in self.outcomes if one.verdict is not Verdict.SKIPPED]
        return Verdict.worst(tried)

"""The scripts under check, what was seen of them, and the report. Frozen data; times are monotonic seconds."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Gt, Le, MinLen

from harness.model import Finding, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripts:
    """The scripts under test, and how they are called."""

    name: Annotated[str, MinLen(1)]
    """What a report calls them."""
    freeze: Annotated[tuple[str, ...], MinLen(1)]
    """Argument list; the first word is the script."""
    thaw: Annotated[tuple[str, ...], MinLen(1)]
    """As `freeze`."""
    snapshot: tuple[str, ...] = ()
    """Argument list of what takes the snapshot; empty if the harness does."""
    program: str = ""
    """With it `freeze` and `thaw` are one job that freezes, takes the snapshot by this program, and thaws; in the
    machine that program signals the harness and waits until the harness has looked at the instances.
    """
    user: str = "root"
    """Who runs them: root, irisowner, backup or somebody."""
    success: tuple[Annotated[int, Ge(0), Le(255)], ...] = (0,)
    """Exit statuses that their caller takes for success."""
    timeout_s: Annotated[float, Gt(0)] = 30.0
    """How long their caller waits, in seconds."""
    instances: tuple[str, ...] = ()
    """Names the scripts expect; empty if they find the instances themselves."""
    install: Mapping[str, Path] = field(default_factory=dict)
    """Path in the machine → file here that is put there, executable."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables their caller sets."""
    credentials: str = ""
    """Path in the machine where they expect a file with a user and a password; empty if nowhere."""
    skip: Mapping[str, str] = field(default_factory=dict)
    """Scenario → why it does not apply."""


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
    """The result of one scenario."""

    name: Annotated[str, MinLen(1)]
    """Stable name."""
    family: Annotated[str, MinLen(1)]
    """What the scenario belongs to."""
    situation: Annotated[str, MinLen(1)]
    """What was the case."""
    right: Annotated[str, MinLen(1)]
    """What a right script does."""
    source: Annotated[str, MinLen(1)]
    """Where that comes from."""
    verdict: Verdict
    """The worst of what was found; SKIPPED if it was not tried."""
    seen: str
    """What was seen, or why it was not tried, in a line."""
    findings: tuple[Finding, ...] = ()
    """Why it is FAIL or UNKNOWN."""
    duration_s: float = 0.0
    """Seconds it took."""


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

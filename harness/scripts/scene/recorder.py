"""What the scripts asked `iris` and its kin, and what the answer is to be.

In the machine `machine/iris.pl` stands in the place of these commands. It writes down every call, and it reads before
each of them what a scenario has planted: a status to end with, a delay, another list of instances.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.instance.base import Machine
from harness.instance.within import Within
from harness.scripts.arguments import call_of
from harness.scripts.model import RecordedCall

_KEPT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plant:
    """What calls were to do, how many had to come first, and how many had come when it was planted."""

    what: str
    of: str
    after: int
    since: int

    def came(self, calls: Sequence[RecordedCall]) -> bool:
        asked = re.compile(self.what)
        later = calls[self.since :]
        met = [c for c in later if asked.fullmatch(c.what) and self.of.upper() in ("*", c.instance)]
        return len(met) > self.after


class Recorder:
    """The calls of the scripts in one machine, readable after its end too."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self._machine = machine
        self._folder = folder
        self._shared = Within(machine.inside)
        self._plants: list[_Plant] = []

    def prepare(self) -> None:
        """Make the files that every user of the machine writes to, and the one that says what is planted."""
        for file in ("calls", "syslog"):
            (self._machine.inside / file).touch()
            (self._machine.inside / file).chmod(0o666)
        (self._machine.told / "plants").touch()

    # --- what was asked

    def calls(self, what: str = "") -> list[RecordedCall]:
        """The calls in order; only those of one method or verb if it is named."""
        found = []
        for line in self._lines():
            with contextlib.suppress(ValueError):  # the recorder did not write this line
                if (call := call_of(line)) and what in ("", call.what):
                    found.append(call)
        return found

    def logs(self) -> list[str]:
        """The log files that the scripts gave ExternalFreeze in this machine, each once, the last one last."""
        found = [call.argument(1) for call in self.calls("externalfreeze")]
        return list(dict.fromkeys(path for path in found if path.startswith("/")))

    def limited(self) -> bool:
        """True if a freeze was given a WDSuspendLimit."""
        return any(call.argument(10).strip() not in ("", "0") for call in self.calls("externalfreeze"))

    def written(self) -> Iterator[tuple[str, str]]:
        """The files that the scripts may have written, with their text; none of the instances or of the harness."""
        for path in self._machine.tree.files():
            with contextlib.suppress(OSError):
                yield path, self._machine.tree.read(path, _KEPT_BYTES).decode("utf-8", "replace")

    def keep(self) -> None:
        """Copy the calls to the folder of the scenario, where they can be read when the machine is gone."""
        with contextlib.suppress(OSError):
            (self._folder / "calls").write_bytes(self._shared.read("calls"))

    def _lines(self) -> list[str]:
        try:
            return self._shared.text("calls").splitlines()
        except OSError:
            kept = self._folder / "calls"
            return kept.read_text(errors="replace").splitlines() if kept.exists() else []

    # --- what the answer is to be

    def plant(
        self,
        what: str,
        action: str,
        argument: object = "",
        text: str = "",
        *,
        of: str = "*",
        times: int = 0,
        may: bool = False,
    ) -> None:
        """Let calls do something else than they would (the actions are those of machine/iris.pl).

        Args:
            what: A method of Backup.General or a verb, in lower case; `a|b` for either.
            of: The name of an instance, or `*`.
            times: How many calls, 0 for all. A negative number leaves out so many calls first.
            may: True if no such call need come. Otherwise the situation did not come about without one.
        """
        if not may:
            self._plants.append(_Plant(what=what, of=of, after=max(-times, 0), since=len(self.calls())))
        line = "\t".join(map(str, (what, of, times or "", action, argument, text)))
        with (self._machine.told / "plants").open("a") as plants:
            plants.write(line + "\n")

    def plant_after(self, what: str, calls: int, action: str) -> None:
        """As `plant`, but so many calls of this kind are answered as usual first."""
        self.plant(what, action, times=-calls)

    def unplant(self) -> None:
        """Let every call be answered as usual again."""
        (self._machine.told / "plants").write_text("")

    def never_called(self) -> list[str]:
        """What was planted and no call came for, in words."""
        calls = self.calls()
        return [one.what.replace("|", ", ") for one in self._plants if not one.came(calls)]

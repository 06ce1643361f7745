"""The snapshot between freeze and thaw, and which instances stood still all the while."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from harness.evidence.files import FileStatus
from harness.scripts.model import Scripts
from harness.scripts.scene.observer import Observer
from harness.scripts.scene.runner import Invocation, Runner

_COMMAND_S = 600.0


class SnapshotTaker:
    """Takes a snapshot by the suite's own command, or spends the time that one would take."""

    def __init__(self, scripts: Scripts, observer: Observer, runner: Runner, notes: list[str]) -> None:
        self._scripts = scripts
        self._observer = observer
        self._runner = runner
        self._notes = notes

    def take(self, wanted: Sequence[str], during: Callable[[], object], seconds: float) -> tuple[str, ...]:
        """Take a snapshot. Returns the instances that were frozen from before until after it.

        Args:
            wanted: The instances that have to be frozen.
            during: Done in the middle.
            seconds: How long it takes, if there is no command for it.
        """
        before = self._state(wanted)
        if self._scripts.snapshot:
            argv, user = self._scripts.snapshot, self._scripts.user
            ran = self._runner.run(Invocation(argv=argv, name="snapshot", user=user, timeout_s=_COMMAND_S))
            self._notes.append(f"snapshot {ran}")
        else:
            time.sleep(seconds / 2)
        during()
        time.sleep(0 if self._scripts.snapshot else seconds / 2)
        after = self._state(wanted)
        held = tuple(name for name in wanted if before[name][0] is True and before[name] == after[name])
        self._notes.append(f"frozen throughout: {', '.join(held) or 'none'}")
        return held

    def _state(self, wanted: Sequence[str]) -> dict[str, tuple[bool | None, list[str], list[FileStatus]]]:
        look = self._observer
        return {name: (look.frozen(name), look.events(name), look.files(name)) for name in wanted}

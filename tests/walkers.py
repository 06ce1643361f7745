"""An instance that prints prepared bytes where a restored one would walk its databases."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from harness.evidence.answers import Description

DESCRIPTION = Description(
    product="",
    version="",
    stand_in=True,
    root=Path(),
    journal_folder=Path(),
    databases={},
    notes=(),
    sessions_max=1,
)


class Printing:
    """Prints what `summary` and `history` give; walks end with `status`."""

    def __init__(self, summary: bytes, history: Callable[[int], bytes], status: int = 5) -> None:
        self._summary, self._history, self._status = summary, history, status

    def describe(self) -> Description:
        return DESCRIPTION

    def require_there(self) -> None: ...

    def start_state(self, part: str, writer: int) -> Any:
        return _Walk(self._summary if part == "summary" else self._history(writer), self._status)


class _Walk:
    """A process that has printed everything and ended."""

    stdin = None

    def __init__(self, text: bytes, status: int) -> None:
        self.stdout: IO[bytes] = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by who reads it
        self.stdout.write(text)
        self.stdout.seek(0)
        self.returncode = status

    def poll(self) -> int:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        return self.returncode

    def kill(self) -> None: ...

"""Fresh instances to restore into; one is made ready while something else goes on."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from harness.instance.base import Host, Place


class Targets:
    """Gives out isolated instances with empty databases, at most `wanted` of them.

    `hidden` is the root of the source, which they must not reach.
    """

    def __init__(self, host: Host, hidden: Path, wanted: int) -> None:
        self._host = host
        self._hidden = hidden
        self._wanted = wanted
        self._made = 0
        self._next: Future[Place] | None = None
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="target")

    def prepare(self) -> None:
        """Begin to make the next one, if one will be wanted and none is under way."""
        if self._next is None and self._made < self._wanted:
            self._made += 1
            self._next = self._pool.submit(self._host.target, f"target-{self._made}", self._hidden)

    def take(self) -> Place:
        """The next one, when it is ready. Raises StartError."""
        self._wanted = max(self._wanted, self._made + (self._next is None))
        self.prepare()
        assert self._next
        ready, self._next = self._next, None
        return ready.result()

    def close(self) -> None:
        """Wait for one that is under way; the host closes them all. May be called twice."""
        self._pool.shutdown(wait=True)

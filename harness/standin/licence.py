"""How many sessions there may be at a time, where the configuration sets a limit.

Source: InterSystems, Community Edition: eight connections; one more is told `<LICENSE LIMIT EXCEEDED>`. Unverified:
with which status that session ends. Without a limit nothing is counted and nothing is looked up.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Exceeded(Exception):
    """There are as many sessions as there may be."""


class Licence:
    """Counts the sessions of a running instance; one object serves all its threads."""

    def __init__(self, sessions_max: int | None) -> None:
        self._sessions_max = sessions_max
        self._lock = threading.Lock()
        self._answered_here = 0
        self._in_clients: list[int] = []  # a descriptor for each process that a session became

    @contextmanager
    def session(self) -> Iterator[Callable[[socket.socket], None]]:
        """One session while it is answered here; what it gives is called with the client if the session goes on
        there. Raises Exceeded."""
        if self._sessions_max is None:
            yield lambda client: None
            return
        with self._lock:
            self._forget_ended()
            if self._answered_here + len(self._in_clients) >= self._sessions_max:
                raise Exceeded
            self._answered_here += 1
        try:
            yield self._goes_on
        finally:
            with self._lock:
                self._answered_here -= 1

    def _goes_on(self, client: socket.socket) -> None:
        peer = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        # a process of another PID namespace has number 0 here: it cannot be watched
        with self._lock, contextlib.suppress(OSError):
            self._in_clients.append(os.pidfd_open(struct.unpack("3i", peer)[0]))

    def _forget_ended(self) -> None:
        ended = select.select(self._in_clients, [], [], 0)[0] if self._in_clients else []
        for descriptor in ended:
            self._in_clients.remove(descriptor)
            os.close(descriptor)

"""A running program: its input, its output, and its end.

A program has ended when it has ended, not when its output has: a child that it leaves behind (a daemon, an ssh
master) may keep that open for ever, and a freeze window must not wait for it. What such a child says later is not
read; a pipe that nobody reads ends whoever goes on writing to it, as it does below `ssh` or `cron`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from typing import IO

KEPT_BYTES = 64 << 20
_LOOK_EVERY_S = 0.01
_SELECT_MAX_S = 3600.0
_GONE_TIMEOUT_S = 5.0
"""Limit of the wait for a program that was killed: the kernel may be at work for it on a disk that is gone."""


class Talk:
    """Standard input, output and error of a program that was started with pipes for all it uses of them."""

    def __init__(
        self, process: subprocess.Popen[bytes], said: bytes = b"", keep_bytes: int = KEPT_BYTES
    ) -> None:
        """`said` is what was read of its output already; of each stream the first `keep_bytes` are kept."""
        self._process = process
        self._out, self._err = _Said(keep_bytes, said), _Said(keep_bytes)
        self._left = b""

    @property
    def stdout(self) -> str:
        return self._out.text()

    @property
    def stderr(self) -> str:
        return self._err.text()

    def until_end(self, stdin: bytes, timeout_s: float) -> bool:
        """Tell it `stdin` and read it until it ends.

        Returns:
            False if it did not end in time: then it goes on, and may be asked for again.
        """
        self._left += stdin
        deadline = time.monotonic() + timeout_s
        with selectors.DefaultSelector() as ready, self._end() as end:
            self._watch(ready, end)
            while self._process.poll() is None:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return False
                most_s = _SELECT_MAX_S if end is not None else _LOOK_EVERY_S
                for key, _ in ready.select(min(left_s, most_s)):
                    if key.data is not None and not key.data():
                        ready.unregister(key.fileobj)
                        self._end_of_input(key.fileobj)
        self._read_what_is_there()
        return True

    def after_kill(self) -> None:
        """Wait for a program that was killed, for a while, and read what it had said."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GONE_TIMEOUT_S)
        self._read_what_is_there()

    def close(self) -> None:
        """Close the pipes. May be called twice."""
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()

    @contextlib.contextmanager
    def _end(self) -> Iterator[int | None]:
        """A descriptor that is ready when the program has ended; None where the kernel gives none."""
        try:
            end = os.pidfd_open(self._process.pid)
        except OSError:
            yield None
            return
        try:
            yield end
        finally:
            os.close(end)

    def _watch(self, ready: selectors.BaseSelector, end: int | None) -> None:
        for stream, into in ((self._process.stdout, self._out), (self._process.stderr, self._err)):
            if stream and not stream.closed:
                ready.register(stream, selectors.EVENT_READ, lambda s=stream, i=into: _read(s, i))
        if self._process.stdin and not self._process.stdin.closed:
            os.set_blocking(self._process.stdin.fileno(), False)
            ready.register(self._process.stdin, selectors.EVENT_WRITE, self._write)
        if end is not None:
            ready.register(end, selectors.EVENT_READ)

    def _write(self) -> bool:
        assert self._process.stdin
        try:
            self._left = self._left[os.write(self._process.stdin.fileno(), self._left) :]
        except BlockingIOError:
            return True
        except BrokenPipeError:
            self._left = b""
        return bool(self._left)

    def _end_of_input(self, stream: object) -> None:
        if stream is self._process.stdin and self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _read_what_is_there(self) -> None:
        for stream, into in ((self._process.stdout, self._out), (self._process.stderr, self._err)):
            if stream and not stream.closed:
                # no more than was there at its end: somebody else may go on writing
                waiting = struct.unpack("i", fcntl.ioctl(stream, termios.FIONREAD, b"\0" * 4))[0]
                while waiting > 0 and (read := os.read(stream.fileno(), waiting)):
                    into.add(read)
                    waiting -= len(read)


class _Said:
    """What was read of a stream, its beginning: a program that prints without end takes no memory, and no time of a
    freeze window.
    """

    def __init__(self, keep_bytes: int, said: bytes = b"") -> None:
        self._left = keep_bytes
        self._parts: list[bytes] = []
        self._dropped = 0
        self.add(said)

    def add(self, read: bytes) -> None:
        self._parts.append(read[: self._left])
        self._dropped += max(0, len(read) - self._left)
        self._left = max(0, self._left - len(read))

    def text(self) -> str:
        more = f"\n({self._dropped} more bytes were printed)\n" if self._dropped else ""
        return b"".join(self._parts).decode("utf-8", "replace") + more


def _read(stream: IO[bytes], into: _Said) -> bool:
    read = os.read(stream.fileno(), 1 << 16)
    into.add(read)
    return bool(read)

"""How a run is asked to stop: Ctrl-C, SIGTERM and the loss of the terminal all surface as KeyboardInterrupt.

Only the first one interrupts. The thaw and the cleanup that follow it must not be broken off by an impatient
second one; each of their steps has a time limit of its own.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STOPPING = b"harness: stopping already; thawing and cleaning up\n"


@contextmanager
def interruptible() -> Iterator[None]:
    """Within it the first signal raises KeyboardInterrupt; a signal ignored before (nohup) stays so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            os.write(2, _STOPPING)
            return
        asked = True
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    taken = [number for number in _SIGNALS if before[number] is not signal.SIG_IGN]
    try:
        for number in taken:
            signal.signal(number, interrupt)
        yield
    finally:
        for number in taken:
            signal.signal(number, before[number])

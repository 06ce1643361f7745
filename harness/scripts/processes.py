"""What /proc says of processes and memory. A process may end at any moment: then it has no words and no memory."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path


def words(process: int) -> tuple[str, ...]:
    """The command line of a process, word by word; empty if it has ended."""
    try:
        raw = Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return ()
    return tuple(word.decode("utf-8", "replace") for word in raw.rstrip(b"\0").split(b"\0")) if raw else ()


def command(process: int) -> str:
    """The command line of a process as one line; empty if it has ended."""
    return " ".join(words(process)).strip()


def children(process: int) -> list[int]:
    """The child processes of a process. Raises OSError if it has ended."""
    text = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    return [int(number) for number in text.split()]


def resident_bytes(processes: Iterable[int]) -> int:
    """The memory that some processes occupy together. Source: proc_pid_statm(5)."""
    pages = 0
    for process in processes:
        with contextlib.suppress(OSError, IndexError, ValueError):
            pages += int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def available_bytes() -> int | None:
    """The memory that this computer can still give; None if it does not say. Source: proc_meminfo(5)."""
    found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"))
    return int(found[1]) << 10 if found else None

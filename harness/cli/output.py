"""Results on standard output, everything else on standard error.

A reader that has gone away (`| head`, a terminal that was hung up) is no error of ours and must not change the
verdict in the exit status.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path

import click

from harness.errors import PreconditionError


def emit(text: str) -> None:
    """Write a result. Characters that the terminal's encoding lacks are written as escapes.

    Raises:
        PreconditionError: standard output cannot be written (a full disk).
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except OSError as error:
        gone = _reader_is_gone(error)
        _discard_standard_output()
        if gone:
            return
        raise PreconditionError(
            f"cannot write to standard output: {error.strerror}", "Make room for it."
        ) from error


def _reader_is_gone(error: OSError) -> bool:
    """Whether a write failed because nobody reads: the pipe is closed, or the terminal was hung up.

    Source: termios(3): a write to a terminal that was hung up fails with EIO. EIO of a file is a broken disk.
    """
    if isinstance(error, BrokenPipeError):
        return True
    return error.errno == errno.EIO and stat.S_ISCHR(os.fstat(sys.stdout.fileno()).st_mode)


def tell(message: str) -> None:
    """Write a line that is not a result to standard error, as `emit` does. If nobody reads that any more, nothing
    changes by it.
    """
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    with contextlib.suppress(OSError):
        click.echo(message.encode(encoding, "backslashreplace").decode(encoding), err=True)


def _discard_standard_output() -> None:
    """Keep the interpreter from writing at exit what could not be written before."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def hand_out(text: str, out: Path | None) -> None:
    """Print a result, or write it to a file. Raises PreconditionError: it cannot be written."""
    if out is None:
        emit(text)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise PreconditionError(f"cannot write {out}: {error.strerror}", "Make room or permit it.") from error

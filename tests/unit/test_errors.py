"""What the machine refuses is one of our errors; a defect of our own stays one."""

from __future__ import annotations

import errno
import os

import pytest

from harness.errors import ExitCode, MachineError, of_the_machine


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/run/file"), "/run/file: No space left on device"),
        (FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "/run/work"), "/run/work: No such file"),
        (OSError("without a number"), "without a number"),
        (MemoryError(), "no memory left"),
        (RuntimeError("can't start new thread"), "no thread can be started"),
    ],
)
def test_what_the_machine_refuses(error: Exception, words: str) -> None:
    with pytest.raises(MachineError, match=words) as raised, of_the_machine():
        raise error
    assert ExitCode.UNKNOWN == raised.value.exit_code


@pytest.mark.parametrize("error", [RuntimeError("a defect"), ValueError("a defect"), KeyError("a defect")])
def test_a_defect_stays_one(error: Exception) -> None:
    with pytest.raises(type(error), match="a defect"), of_the_machine():
        raise error

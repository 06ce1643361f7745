"""shellcheck's own findings beside ours, where it is installed.

Only its errors and warnings: its notes are about style. A script that its parser cannot read either is told by it
once more, often with a better word on where the mistake began.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence

from harness.command import run
from harness.errors import ParseError
from harness.scripts.lint.model import Finding, Level
from harness.scripts.lint.source import Source

_TIMEOUT_S = 60.0
# Unused variables and sourced files: nothing about freeze and thaw, and often wrong for hook scripts.
_EXCLUDED = "SC2034,SC1090,SC1091"
_LEVELS = {"error": Level.ERROR, "warning": Level.WARNING}


def findings(sources: Sequence[Source]) -> tuple[list[Finding], str]:
    """What shellcheck finds, and a remark if it could not be asked.

    Raises:
        CommandError: it ended with a status that is none of its answers.
        ParseError: its output is not what its version 0.7 and later print.
    """
    program = shutil.which("shellcheck")
    if program is None:
        return [], "shellcheck is not installed, so it was not asked; Debian's package is `shellcheck`."
    found: list[Finding] = []
    for source in sources:
        found += _of(program, source)
    return found, ""


def _of(program: str, source: Source) -> list[Finding]:
    shebang = source.text.startswith("#!")
    dialect = [] if shebang else ["--shell", "ksh" if source.file.endswith(".ksh") else "bash"]
    argv = [
        program,
        "--norc",
        "--format",
        "json1",
        "--severity",
        "warning",
        "--exclude",
        _EXCLUDED,
        *dialect,
        "-",
    ]
    # 1: findings, 2: part of the file could not be read; both come with the findings as JSON.
    done = run(
        argv, accept=(0, 1, 2), timeout_s=_TIMEOUT_S, env={"LC_ALL": "C.UTF-8"}, stdin=_clean(source.text)
    )
    try:
        comments = json.loads(done.stdout)["comments"]
        return [
            Finding(
                file=source.file,
                line=one["line"],
                column=one["column"],
                rule=f"SC{one['code']}",
                level=_LEVELS[one["level"]],
                message=one["message"],
                remedy=f"shellcheck's rule SC{one['code']}.",
            )
            for one in comments
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ParseError("shellcheck", 0, done.stdout[:200], f"unknown output ({error})") from error


def _clean(text: str) -> str:
    return re.sub(r"[\ud800-\udfff]", "?", text)

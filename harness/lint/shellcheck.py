"""shellcheck's own findings beside ours, where it is installed.

Only its errors and warnings are taken; its notes are about style. shellcheck reports a script that cannot be parsed
too, and often says better where the mistake began.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence

from harness.command import run
from harness.errors import ParseError
from harness.lint.model import Level, Violation
from harness.lint.script_text import ScriptText

_TIMEOUT_S = 60.0
# Unused variables and sourced files: nothing about freeze and thaw, and often wrong for hook scripts.
_EXCLUDED = "SC2034,SC1090,SC1091"
_LEVELS = {"error": Level.ERROR, "warning": Level.WARNING}


def violations(texts: Sequence[ScriptText]) -> tuple[list[Violation], str]:
    """What shellcheck finds, and a remark if it is not installed.

    Raises:
        CommandError: it ended with an undocumented status.
        ParseError: its output is not that of version 0.7 or later.
    """
    program = shutil.which("shellcheck")
    if program is None:
        return [], "shellcheck is not installed and was not run; Debian's package is `shellcheck`."
    found: list[Violation] = []
    for text in texts:
        found += _of(program, text)
    return found, ""


def _of(program: str, text: ScriptText) -> list[Violation]:
    shebang = text.text.startswith("#!")
    dialect = [] if shebang else ["--shell", "ksh" if text.file.endswith(".ksh") else "bash"]
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
    # 1: findings; 2: part of the file could not be parsed. Both come with the findings as JSON.
    done = run(
        argv, accept=(0, 1, 2), timeout_s=_TIMEOUT_S, env={"LC_ALL": "C.UTF-8"}, stdin=_clean(text.text)
    )
    try:
        comments = json.loads(done.stdout)["comments"]
        return [
            Violation(
                file=text.file,
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

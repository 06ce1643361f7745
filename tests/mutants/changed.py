"""The lines that were changed against a commit, as git tells them. Without git, or that commit, nobody can tell."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

_HUNK = re.compile(r"@@ -\S+ \+(?P<first>[0-9]+)(?:,(?P<count>[0-9]+))? @@.*")


class NoBase(Exception):
    """There is nothing to compare with."""


def changed_lines(root: Path, base: str) -> dict[str, set[int]]:
    """File → numbers of lines that are new or other than in the commit; what was only removed counts for the lines
    beside it. What is not committed yet counts, too. Raises NoBase.
    """
    diff = _git(
        root, "diff", "--no-color", "--no-ext-diff", "--unified=0", "--no-renames", _start(root, base), "--"
    )
    found: dict[str, set[int]] = {}
    file = ""
    for line in diff.splitlines():
        if line.startswith("+++ "):
            file = line[4:].strip().removeprefix("b/")
        elif hunk := _HUNK.fullmatch(line):
            first, count = int(hunk["first"]), int(hunk["count"] or 1)
            found.setdefault(file, set()).update(range(first, first + count) if count else {first, first + 1})
    return found


def _start(root: Path, base: str) -> str:
    """Where this branch left the other one; the commit itself if git cannot tell, as in a shallow clone."""
    try:
        return _git(root, "merge-base", base, "HEAD").strip()
    except NoBase:
        return _git(root, "rev-parse", "--verify", f"{base}^{{commit}}").strip()


def likely_base(root: Path) -> str:
    """What a change is held against where nobody says: where it goes to, else the commit before. Raises NoBase."""
    head = _git(root, "rev-parse", "--verify", "HEAD").strip()
    for base in ("origin/HEAD", "origin/main"):
        try:
            if _start(root, base) != head:
                return base
        except NoBase:
            continue
    _git(root, "rev-parse", "--verify", "HEAD~1^{commit}")
    return "HEAD~1"


def _git(root: Path, *words: str) -> str:
    argv = ["git", "-C", str(root), *words]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60, errors="replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoBase(f"git: {error}") from error
    if done.returncode:
        raise NoBase(
            f"git {words[0]}: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'failed'}"
        )
    return done.stdout

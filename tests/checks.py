"""The checks that are registered, and what reads a record by them: what a run has, for tests that need no other.

Nothing is loaded before it is asked for, as in the harness: `GUIDE`, what the checks declare; `DECLARED`, that by
their names; `CHECKS`, the names of those of every case in the order of a report; `LOOKS`, those that judge the image.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.cli import status
from harness.declared import RUN, Declaration, guide, registered
from harness.evidence.case import Evidence
from harness.model import Check
from harness.report import base, blocks, columns, contradiction
from harness.report import cause as causes
from harness.report import overview as several
from harness.verify import judge


def __getattr__(name: str) -> Any:
    made: dict[str, Callable[[], object]] = {
        "GUIDE": guide,
        "DECLARED": _declared,
        "CHECKS": lambda: guide().checks,
        "LOOKS": lambda: tuple(name for name, one in _declared().items() if one.of_image),
    }
    if name not in made:
        raise AttributeError(name)
    return made[name]()


def _declared() -> dict[str, Declaration]:
    return {one.declaration.name: one.declaration for one in registered()}


def judge_all(evidence: Evidence) -> list[Check]:
    return judge.judge_all(evidence, RUN)


def _by_the_guide(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments: function(*arguments, guide())


cause = _by_the_guide(causes.cause)
cause_line = _by_the_guide(causes.cause_line)
next_step = _by_the_guide(causes.next_step)
of_case = _by_the_guide(contradiction.of_case)
final_verdict = _by_the_guide(base.final_verdict)
case_verdict = _by_the_guide(base.case_verdict)
contradictions = _by_the_guide(base.contradictions)
summary = _by_the_guide(base.summary)
blind = _by_the_guide(blocks.blind)
cells = _by_the_guide(columns.cells)
overview = _by_the_guide(several.overview)
exit_code = _by_the_guide(status.exit_code)

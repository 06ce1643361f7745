"""What a verdict of the harness is worth, by what the engine itself says of the data.

                     | the data are the same      | they differ, or the engine cannot read them | nobody looked
    PASS             | right pass                 | WRONG PASS                                  | WRONG PASS
    FAIL             | excused, or FALSE ALARM    | caught                                      | as on the left
    UNKNOWN, SKIPPED | excused, or FALSE ALARM    | not found out                               | as on the left

Excused: a promise that was broken on purpose covers every finding, and there is one. Not looked is never the same.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from harness.model import Verdict
from tests.soak.mutations import Promise


class Look(enum.Enum):
    """What the engine's own extracts say, of the image and of what was recovered from it."""

    EQUAL = "equal"
    DIFFERS = "differs"
    UNUSABLE = "no extract"
    """The engine was asked, and could not read the files."""
    NOT_LOOKED = "not looked"


class Word(enum.Enum):
    """What a case is called in the tally."""

    RIGHT_PASS = "right pass"
    CAUGHT = "caught"
    NOT_FOUND_OUT = "not found out"
    EXCUSED = "excused"
    WRONG_PASS = "WRONG PASS"
    FALSE_ALARM = "FALSE ALARM"
    CRASH = "CRASH"
    HANG = "HANG"
    LEFT = "LEFT BEHIND"

    @property
    def is_finding(self) -> bool:
        return self.value.isupper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The word, and the promises that excuse it."""

    word: Word
    excused_by: tuple[str, ...] = ()


def together(image: Look, recovered: Look) -> Look:
    """One look of two: a difference in either is one, and both must be equal to be so."""
    for worst in (Look.DIFFERS, Look.UNUSABLE, Look.NOT_LOOKED):
        if worst in (image, recovered):
            return worst
    return Look.EQUAL


def judged(verdict: Verdict, codes: Collection[str], look: Look, breaks: Sequence[Promise]) -> Judgement:
    """What a case is called.

    Args:
        codes: Of every finding that is not PASS.
        breaks: Promises that the case broke by itself.
    """
    if any(code.endswith(".broken") for code in codes):
        return Judgement(word=Word.CRASH)
    if verdict is Verdict.PASS:
        return Judgement(word=Word.RIGHT_PASS if look is Look.EQUAL else Word.WRONG_PASS)
    if look in (Look.DIFFERS, Look.UNUSABLE):
        return Judgement(word=Word.CAUGHT if verdict is Verdict.FAIL else Word.NOT_FOUND_OUT)
    telling = [promise for promise in breaks if any(map(promise.covers, codes))]
    if codes and all(any(promise.covers(code) for promise in telling) for code in codes):
        return Judgement(word=Word.EXCUSED, excused_by=tuple(promise.name for promise in telling))
    return Judgement(word=Word.FALSE_ALARM)

"""Which checks there are, and what each declares of itself.

A check is a class that is found by entry point. Its `declared` says all that others need to know of it: where it
stands in a report, what it can say and what to do then, which evidence it needs, which facts about the product it
rests on. A new check is a module, an entry point and its tests (CONTRIBUTING.md); no list names it.

A check that comes with the harness and is not registered, or that cannot be loaded, is not forgotten: it has its
place, and says UNKNOWN.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import plugins
from harness.model import IMAGE, Code
from harness.report.guide import Guide

GROUP = "harness.checkers"
_FRAME = {"base", "judge"}
"""Modules of `harness.verify` that are no checks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What a check says of itself.

    Attributes:
        name: As it is registered; begins its codes.
        order: Its place in a report; those of the harness have 10 to 110, `limits` 1000. Alike ones follow by name.
        of_image: Whether it judges the image first, as of the freeze, and then what was recovered.
        always: Whether it judges every case. Another one may say that it does not apply.
        codes: All that it can say; not those that every check can (`not_checked`, `unconfirmed`, `broken`).
        remedy: What to do about a code that has no remedy of its own.
        needs: Parts of the evidence without which it cannot pass in any mode, by their names in it.
        facts: Ids of the facts about the product that it rests on: its PASS could be wrong were one of them not true.
    """

    name: str
    order: int = 500
    of_image: bool = False
    always: bool = True
    codes: tuple[Code, ...] = ()
    remedy: str = ""
    needs: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredCheck:
    """A check that is registered: its class, or why that cannot be had."""

    declaration: Declaration
    checker: type | BaseException


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One row of a report: a check, with `image` its look at the image."""

    check: RegisteredCheck
    image: bool = False

    @property
    def name(self) -> str:
        return f"{IMAGE * self.image}{self.check.declaration.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The checks that a verb asks for, None for all that are registered. The others do not apply to it: they are not
    in its results, and so never pass there.
    """

    name: str
    checks: frozenset[str] | None = None


RUN = Profile(name="run")


def registered(profile: Profile = RUN) -> list[RegisteredCheck]:
    """The checks of a profile in the order of a report; one that it names and nobody registered is there as a
    problem.

    Raises:
        PreconditionError: two distributions have a check of one name.
    """
    names = profile.checks if profile.checks is not None else {*plugins.names(GROUP), *own()}
    found = [_loaded(name) for name in names]
    return sorted(found, key=lambda one: (one.declaration.order, one.declaration.name))


def judgements(profile: Profile = RUN) -> list[Judgement]:
    """The rows of a report: those of the image stand together, before the first of what was recovered from it."""
    found = [Judgement(check=one) for one in registered(profile)]
    looks = [Judgement(check=one.check, image=True) for one in found if one.check.declaration.of_image]
    first = next((at for at, one in enumerate(found) if one.check.declaration.of_image), 0)
    return [*found[:first], *looks, *found[first:]]


def guide(profile: Profile = RUN) -> Guide:
    """What a reader of records must know of the checks of a profile."""
    declarations = [one.declaration for one in registered(profile)]
    return Guide(
        checks=tuple(one.name for one in judgements(profile) if one.check.declaration.always),
        codes={code.name: code for one in declarations for code in one.codes},
        remedies={one.name: one.remedy for one in declarations},
    )


def resting_on(fact: str) -> tuple[str, ...]:
    """Names of the checks that rest on a fact."""
    return tuple(one.declaration.name for one in registered() if fact in one.declaration.facts)


def own() -> set[str]:
    """The checks that come with the harness: each module is one."""
    folder = Path(__file__).parent / "verify"
    return {module.name for module in pkgutil.iter_modules([str(folder)])} - _FRAME


def _loaded(name: str) -> RegisteredCheck:
    try:
        checker = plugins.load(GROUP, name, ("declared", "check"))
        _require_sound(name, checker.declared)
    except (Exception, SystemExit) as error:  # noqa: BLE001 # whatever a plug-in does when it is loaded
        return RegisteredCheck(declaration=Declaration(name=name), checker=error)
    return RegisteredCheck(declaration=checker.declared, checker=checker)


def _require_sound(name: str, declaration: object) -> None:
    """Raises TypeError if a check speaks for another one, is called like the look of another one at the image, or
    says what nobody could rank or show.
    """
    if not isinstance(declaration, Declaration) or declaration.name != name or not name.isidentifier():
        raise TypeError(f"{name} does not declare itself under this name")
    if foreign := _foreign(name, declaration.codes):
        raise TypeError(f"{name} declares {foreign[0]}, which is no code of its own")
    words = (
        *declaration.needs,
        *declaration.facts,
        declaration.remedy,
        *(c.remedy for c in declaration.codes),
    )
    numbers = (declaration.order, *(c.rank for c in declaration.codes if c.rank is not None))
    if odd := [
        *(w for w in words if not isinstance(w, str)),
        *(n for n in numbers if not isinstance(n, int)),
    ]:
        raise TypeError(f"{name} declares {odd[0]!r}, which is of another kind")


def _foreign(name: str, codes: Sequence[Code]) -> list[str]:
    return [code.name for code in codes if not code.name.startswith(f"{name}.")]

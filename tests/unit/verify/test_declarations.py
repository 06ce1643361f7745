"""What each check declares, word for word: a number or a sentence that changes is seen by whoever changes it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from harness.declared import registered
from tests.seen import seen

DECLARED: dict[str, Any] = json.loads(Path(__file__).with_name("declared.json").read_text(encoding="utf-8"))
CHECKERS = {one.declaration.name: one.checker for one in registered()}


@pytest.mark.parametrize("name", DECLARED)
def test_a_check_declares_what_it_did(name: str) -> None:
    """And can be asked, though there is nothing to look at."""
    checker: Any = CHECKERS[name]
    checker().check(seen(image=None))
    assert DECLARED[name] == json.loads(json.dumps(asdict(checker.declared)))


def test_every_check_is_in_the_table() -> None:
    assert DECLARED.keys() == CHECKERS.keys()

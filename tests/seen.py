"""What checks are given in tests: evidence of a case of which only the parts that matter are said, and the lines that
RVCHECK.m prints of data that is always there.
"""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import numpy as np

from harness.evidence.case import Evidence, Look
from harness.model import RecoveryMode
from harness.workload import oracle

_PLAIN = re.compile(r"[^0-9A-Za-z.:\-]")
_OF_A_LOOK = {field.name for field in fields(Look)}


def seen(**said: Any) -> Evidence:
    """Evidence with every fact confirmed; what belongs to a look is of the look at what was recovered, and of the
    one at the image if nothing else is said of that.
    """
    look = {"floor": {}, "ceiling": {}, "unconfirmed": {}}
    look |= {name: said.pop(name) for name in [*said] if name in _OF_A_LOOK}
    common = {"mode": RecoveryMode.ROLLFORWARD, "seed": 1, "writers": 1, "databases": 2}
    return Evidence(**{**common, "recovered": Look(**look), "image": Look(**look), **said})


def history_row(seed: int, writer: int, i: int, *numbers: int) -> bytes:
    """A history value with its check: source, target, amount, whom it read, how far that one was, counter."""
    *_, read, taken = numbers
    check = oracle.check_values(seed, writer, np.array([i]), np.array([read]), np.array([taken]))
    return oracle.row(i, *numbers, int(check[0]))


def cold_lines(seed: int) -> list[str]:
    """The cold data of both databases, as RVCHECK.m prints it."""
    return [
        line
        for database in (1, 2)
        for item in oracle.cold(seed, database).items()
        for line in _cold(database, *item)
    ]


def _cold(database: int, node: oracle.Node, value: str) -> list[str]:
    subscripts = "|".join(map(shown, node))
    text = shown(value)
    first, *more = [text[at : at + 8000] for at in range(0, len(text), 8000)] or [""]
    return [f"k|{database}|{len(node)}|{subscripts}|{first}", *(f"+{part}" for part in more)]


def shown(text: str) -> str:
    """As RVCHECK.m prints any text."""
    return _PLAIN.sub(lambda match: f"%{ord(match[0])};", text)


def trail_lines(trail: dict[int, bytes]) -> bytes:
    """Nodes of a trail, by their sequence numbers, as RVCHECK.m prints them."""
    out, expected = b"", oracle.TRAIL_EVERY
    for i, row in sorted(trail.items()):
        out += (b"" if i == expected else b"@%d\n" % i) + row
        expected = i + oracle.TRAIL_EVERY
    return out + b"end %d\n" % len(trail)

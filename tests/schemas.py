"""The schemas of what is stored, as files for readers: `python -m tests.schemas` writes docs/schemas/."""

from __future__ import annotations

import json
from pathlib import Path

from harness.codec import Stored
from harness.facts.conformance import CONFORMANCES
from harness.fault.matrix import MATRICES
from harness.record_json import RECORDS
from harness.scripts.report import REPORTS

FOLDER = Path(__file__).parents[1] / "docs" / "schemas"
SCHEMAS: dict[str, Stored] = {  # type: ignore[type-arg] # of each type one
    "record": RECORDS,
    "conformance": CONFORMANCES,
    "matrix": MATRICES,
    "scripts": REPORTS,
}


def text_of(stored: Stored) -> str:  # type: ignore[type-arg] # of any type
    return json.dumps(stored.json_schema, indent=2, ensure_ascii=False) + "\n"


def file_of(name: str) -> Path:
    return FOLDER / f"{name}.schema.json"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, stored in SCHEMAS.items():
        file_of(name).write_text(text_of(stored), encoding="utf-8")

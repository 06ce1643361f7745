"""The modules of `bench`, which is a folder of programs and no package."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

_FOLDER = Path(__file__).parents[1] / "bench"


def bench_module(name: str) -> ModuleType:
    """One of them, with those it imports."""
    sys.path.insert(0, str(_FOLDER))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(_FOLDER))

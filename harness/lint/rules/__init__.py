"""The rules, one module each. A module is named after its rule and declares it as `RULE`.

A new rule is a new module here and a test. Nothing else lists the rules.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from types import MappingProxyType

from harness.lint.rule import Rule


@cache
def rules_by_id() -> MappingProxyType[str, Rule]:
    """Every rule by its id, in the order of the ids."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    found: list[Rule] = [import_module(f"{__name__}.{name}").RULE for name in names]
    return MappingProxyType({rule.id: rule for rule in found})

"""The rules of `harness scripts lint` as a page of the documentation.

python -m tests.lint_rules >docs/lint-rules.md
"""

from __future__ import annotations

from harness.lint.rule import Rule
from harness.lint.rules import rules_by_id

_HEAD = """\
# Rules of `harness scripts lint`

Made by `python -m tests.lint_rules` of the modules in `harness/lint/rules`, one for each rule. The numbers of faults
are those of `docs/script-faults.md`. An error lets a worthless backup or a frozen instance pass unnoticed. A warning
fails under circumstances that happen in practice. A note may be intended.

"""


def page() -> str:
    """docs/lint-rules.md."""
    lines = [["rule", "level", "faults", "what is wrong", "what to do", "source"], ["---"] * 6]
    lines += [_row(rule) for rule in rules_by_id().values()]
    return _HEAD + "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _row(rule: Rule) -> list[str]:
    faults = " ".join(rule.faults) or "-"
    words = [rule.summary, rule.remedy, rule.source]
    return [f"`{rule.id}`", rule.level.value, faults, *(one.replace("|", "\\|") for one in words)]


if __name__ == "__main__":
    print(page(), end="")

"""Any plan file at all: a Plan, or every mistake with its line, or that the file is no text. Nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import PlanError, UsageError
from harness.plan import expand
from harness.plan.load import load
from harness.plan.model import Plan
from tests.property.answers import is_typed

GOOD = (
    "plan: nightly\ninstance: {image: stand-in, host: local}\n"
    "workload:\n  writers: 4\n  duration: 5s\n  transactions: 100000\n  rate: 5000\n  commit: buffered\n"
    "cycles: 2\nsnapshot:\n- copy\n- provider: command\n  run: [/bin/cp, '{source}', '{target}']\n"
    "recovery: [as-of-freeze, rollforward]\n"
    "freeze: {external_freeze_timeout: 600s, wd_suspend_limit: 300s, switch_journal: true}\n"
    "limits: {window: 5s, rpo: 0s, rto: 60s}\n"
)
ODD_SCALARS = (
    *(
        "~",
        "null",
        "''",
        "yes",
        "NO",
        "on",
        "0o17",
        "0x1F",
        "1_000",
        "1:30",
        "190:20:30.15",
        "-0",
        "4.0",
        "4e0",
    ),
    *(
        "1e999",
        "-.inf",
        ".nan",
        "2026-11-22",
        "2026-11-22 10:00:00Z",
        "9" * 400,
        "9" * 5000,
        "1." + "0" * 400,
    ),
    *("!!binary aGVsbG8=", "!!set {a, b}", "!!python/object:os.system x", "!!str 5", "!local x", "!!int x"),
    *(
        "&a copy",
        "*a",
        "<<",
        "=",
        "? x",
        "- - - x",
        "|\n  text",
        ">\n  text",
        "{<<: {a: 1}}",
        "[[[[]]]]",
        "\t",
    ),
    *(
        "'a\0b'",
        '"\\x07"',
        '"\\ud800"',
        "\ufeff",
        "\x85",
        "%YAML 1.1",
        "---",
        "...",
        "{",
        "[",
        "'",
        '"',
        "@x",
        "`x",
    ),
    *(
        "5s",
        "0s",
        "999999999h",
        "1.5s",
        "5 s",
        "copy",
        "local",
        "docker",
        "rollforward",
        "boot",
        "true",
        "64",
        "65",
    ),
)
SCALARS = st.one_of(
    st.sampled_from(ODD_SCALARS), st.text(max_size=12), st.integers().map(str), st.floats().map(str)
)
KEYS = st.one_of(
    st.sampled_from(
        (
            *(
                "plan",
                "instance",
                "target",
                "workload",
                "cycles",
                "snapshot",
                "recovery",
                "freeze",
                "limits",
                "image",
            ),
            *(
                "host",
                "name",
                "credentials",
                "storage",
                "writers",
                "duration",
                "transactions",
                "rate",
                "commit",
            ),
            *(
                "external_freeze_timeout",
                "wd_suspend_limit",
                "switch_journal",
                "window",
                "rpo",
                "rto",
                "provider",
            ),
            *("run", "<<", "1", "null", "~", "true", "? [a]", "!!binary YQ==", "&k plan", "*k"),
        )
    ),
    SCALARS,
)
FLOW = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(st.tuples(KEYS, inner), max_size=4).map(
            lambda pairs: "{" + ", ".join(f"{k}: {v}" for k, v in pairs) + "}"
        ),
    ),
    max_leaves=12,
)
BLOCK = st.lists(st.tuples(KEYS, FLOW), max_size=8).map(
    lambda pairs: "".join(f"{k}: {v}\n" for k, v in pairs)
)


@st.composite
def edited(draw: st.DrawFn) -> str:
    """A good plan of which some lines are gone, doubled, indented otherwise or have another value."""
    lines = GOOD.split("\n")
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["drop", "double", "indent", "value", "value", "character"])):
            case "drop" if len(lines) > 1:
                del lines[at]
            case "double":
                lines.insert(at, lines[draw(st.integers(0, len(lines) - 1))])
            case "indent":
                lines[at] = " " * draw(st.integers(0, 5)) + lines[at].lstrip()
            case "value":
                lines[at] = f"{lines[at].partition(':')[0]}: {draw(FLOW)}"
            case _:
                place = draw(st.integers(0, len(lines[at])))
                lines[at] = lines[at][:place] + draw(st.characters()) + lines[at][place:]
    return "\n".join(lines)


def outcome(file: Path, raw: bytes) -> Plan | PlanError | UsageError:
    """What a file gives; every other error is a defect."""
    file.write_bytes(raw)
    try:
        plan = load(file)
    except PlanError as error:
        lines = raw.decode().count("\n") + raw.decode().count("\r") + raw.decode().count("\x85") + 2
        lines += raw.decode().count("\u2028") + raw.decode().count("\u2029")
        assert error.mistakes
        for mistake in error.mistakes:
            assert 1 <= mistake.line <= lines and mistake.message, mistake
        assert str(error).encode("utf-8", "backslashreplace")
        return error
    except UsageError as error:
        with pytest.raises(UnicodeDecodeError):
            raw.decode("utf-8")
        return error
    assert is_typed(plan, Plan) and len(expand.expand(plan)) >= 1
    return plan


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plan") / "plan.yaml"


def test_the_plan_that_the_others_are_made_from_is_good(file: Path) -> None:
    assert isinstance(outcome(file, GOOD.encode()), Plan)


@settings(max_examples=150)
@given(text=st.one_of(edited(), BLOCK, FLOW, st.text()))
def test_any_text_is_a_plan_or_mistakes_with_lines(file: Path, text: str) -> None:
    """Odd values, tags, anchors, aliases, merge and doubled keys, dates, NaN, huge numbers, in any nesting."""
    outcome(file, text.encode("utf-8", "replace"))


@given(raw=st.binary(max_size=200), at=st.integers(0, len(GOOD)))
def test_any_bytes_are_a_plan_or_mistakes_or_no_text(file: Path, raw: bytes, at: int) -> None:
    outcome(file, GOOD[:at].encode() + raw + GOOD[at:].encode())
    outcome(file, raw)


@pytest.mark.parametrize("key", ["plan", "snapshot", "x"])
@pytest.mark.parametrize("shape", [("[", "]"), ("{a: ", "}"), ("- ", "")])
def test_any_depth_is_a_plan_or_mistakes(file: Path, key: str, shape: tuple[str, str]) -> None:
    """At every depth, on both sides of each limit of recursion that there is on the way."""
    begin, end = shape
    for depth in [1, 40, 100, *range(120, 200, 9), 330, 2000]:
        text = f"{key}: " + begin * depth + "x" + end * depth + "\n"
        assert isinstance(outcome(file, text.encode()), PlanError)


@given(
    key=st.sampled_from(["writers", "transactions", "rate", "cycles"]),
    number=st.one_of(st.integers(), st.floats()),
)
def test_numbers_are_taken_as_they_are_or_refused(file: Path, key: str, number: float) -> None:
    """A whole number in range is that number in the plan; nothing is rounded, wrapped or clipped."""
    shown = repr(number)
    text = "\n".join(
        f"{line.partition(':')[0]}: {shown}" if line.strip().startswith(key) else line
        for line in GOOD.split("\n")
    )
    found = outcome(file, text.encode())
    if isinstance(found, Plan):
        assert number == (found.cycles if key == "cycles" else getattr(found.workload, key))

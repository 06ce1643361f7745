"""Plans are loaded whole or refused with every mistake in its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import Mistake, PlanError, PreconditionError, UsageError
from harness.model import RecoveryMode
from harness.plan import load as load_module
from harness.plan.load import duration_s, load
from harness.plan.model import Commit, FreezeSpec, InstanceSpec, Limits, Plan, SnapshotSpec, WorkloadSpec

SMALLEST = "plan: p\nsnapshot: copy\nrecovery: boot\n"
COPY = SnapshotSpec(provider="copy", options={})


def written(folder: Path, text: str) -> Path:
    path = folder / "plan.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def mistakes(folder: Path, text: str) -> tuple[Mistake, ...]:
    with pytest.raises(PlanError) as caught:
        load(written(folder, text))
    return caught.value.mistakes


def mistake(line: int, pointer: str, message: str) -> Mistake:
    return Mistake(line=line, pointer=pointer, message=message)


def test_smallest_plan_gets_the_defaults(tmp_path: Path) -> None:
    """Only name, snapshot and recovery must be given."""
    expected = Plan(
        name="p",
        instance=InstanceSpec(),
        workload=WorkloadSpec(),
        cycles=1,
        snapshots=(COPY,),
        recovery=(RecoveryMode.BOOT,),
        freeze=FreezeSpec(),
        limits=Limits(),
    )
    assert expected == load(written(tmp_path, SMALLEST))


def test_every_key_reaches_the_plan(tmp_path: Path) -> None:
    """No key that the schema accepts is lost on the way."""
    text = """
plan: full-1.0
instance: {image: "intersystems/iris-community:2025.1", host: docker}
workload: {writers: 8, duration: 500ms, transactions: 100000, commit: durable}
cycles: 3
snapshot:
  - copy
  - {provider: command, run: "take it", size: "12"}
recovery: [as-of-freeze, rollforward, point-in-time, boot]
freeze: {external_freeze_timeout: 20m, wd_suspend_limit: unlimited, switch_journal: false}
limits: {window: 5s, rpo: 0s, rto: 1.5m}
"""
    expected = Plan(
        name="full-1.0",
        instance=InstanceSpec(image="intersystems/iris-community:2025.1", host="docker"),
        workload=WorkloadSpec(writers=8, duration_s=0.5, transactions=100000, commit=Commit.DURABLE),
        cycles=3,
        snapshots=(COPY, SnapshotSpec(provider="command", options={"run": "take it", "size": "12"})),
        recovery=tuple(RecoveryMode),
        freeze=FreezeSpec(external_freeze_timeout_s=1200, wd_suspend_limit_s=0, switch_journal=False),
        limits=Limits(window_s=5.0, rpo_s=0.0, rto_s=90.0),
    )
    assert expected == load(written(tmp_path, text))


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    """A plan is corrected in one go, not mistake by mistake."""
    text = """plan: p
workload:
  wirters: 4
  duration: soon
cycles: 0
snapshot: [copy, cpoy]
recovery: [boot, bot]
freeze: {external_freeze_timeout: 1800s}
"""
    expected = (
        mistake(3, "workload.wirters", "unknown key 'wirters'; did you mean 'writers'?"),
        mistake(4, "workload.duration", 'must be a duration such as 5s, 500ms or 2m, not "soon"'),
        mistake(5, "cycles", "must be a whole number from 1 to 10000, not 0"),
        mistake(6, "snapshot[1]", "no snapshot provider is called 'cpoy'; did you mean 'copy'?"),
        mistake(
            7,
            "recovery[1]",
            "must be as-of-freeze, rollforward, point-in-time or boot, not \"bot\"; did you mean 'boot'?",
        ),
        mistake(
            8,
            "freeze.external_freeze_timeout",
            "must be from 1s to 1200s, not 1800s: IRIS treats a longer ExternalFreezeTimeOut as 1200 s, "
            "without a word (source: InterSystems Japan, tutorial on external backup)",
        ),
    )
    assert expected == mistakes(tmp_path, text)


@pytest.mark.parametrize(
    ("addition", "pointer", "message"),
    [
        ("plan: q", "plan", "this key was given before, on line 1; give it once"),
        ("workload: {writers: 4, writers: 4}", "workload.writers",
         "this key was given before, on line 4; give it once"),
        ("limits:", "limits", "must be a mapping with window, rpo and rto, not empty"),
        ("cycles: true", "cycles", "must be a whole number from 1 to 10000, not true"),
        ("cycles: 1.5", "cycles", "must be a whole number from 1 to 10000, not 1.5"),
        ("cycles: .nan", "cycles", "must be a whole number from 1 to 10000, not NaN"),
        (f"cycles: 0x{'f' * 5000}", "cycles", "the number is too large"),
        ("cycles: !!int two", "cycles", "'two' cannot be read as a value"),
        ("cycles: !new 3", "cycles", "the tag '!new' is not accepted in a plan"),
        ("? [a]\n: 1", "", "a key must be a plain word"),
        ("nonsense: 1", "nonsense",
         "unknown key 'nonsense'; there is: cycles, freeze, instance, limits, plan, recovery, snapshot, "
         "target, workload"),
        ("instance: {host: locl}", "instance.host", "no host is called 'locl'; did you mean 'local'?"),
        ("instance: {credentials: /a}", "instance.credentials", "are for an installed instance: say its name"),
        ("workload: {duration: 5}", "workload.duration", "must be a duration such as 5s, 500ms or 2m, not 5"),
        ('workload: {duration: "5s\\n"}', "workload.duration",
         'must be a duration such as 5s, 500ms or 2m, not "5s\\n"'),
        ("workload: {duration: 0s}", "workload.duration", "must be from 0.001s to 86400s, not 0s: "
         "without load there is nothing to verify, and every load has an end"),
        ("workload: {transactions: 3}", "workload.transactions",
         "must be at least one for each of the 4 writers, not 3"),
        ("workload: {commit: durabel}", "workload.commit",
         'must be durable or buffered, not "durabel"; did you mean \'durable\'?'),
        ("freeze: {external_freeze_timeout: 1500ms}", "freeze.external_freeze_timeout",
         "must be whole seconds, not 1500ms: the engine takes nothing finer"),
        ("freeze: {wd_suspend_limit: 21m}", "freeze.wd_suspend_limit",
         "must be from 1s to 1200s, not 21m: past it the engine thaws itself; if it never shall, however long it is "
         "left frozen, say unlimited"),
        ("freeze: {wd_suspend_limit: 0s}", "freeze.wd_suspend_limit",
         "must be from 1s to 1200s, not 0s: past it the engine thaws itself; if it never shall, however long it is "
         "left frozen, say unlimited"),
        ("freeze: {switch_journal: 1}", "freeze.switch_journal", "must be true or false, not 1"),
        ('instance: {image: "a\\0b"}', "instance.image", "holds a character that does not show: U+0000"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_with_its_place(
    tmp_path: Path, addition: str, pointer: str, message: str
) -> None:
    """One wrong addition to a good plan is one mistake, on its own line."""
    assert (mistake(4, pointer, message),) == mistakes(tmp_path, SMALLEST + addition + "\n")


@pytest.mark.parametrize(
    ("snapshot", "pointer", "message"),
    [
        ("[]", "snapshot", "must be a provider or a list of at least one provider, not []"),
        ("7", "snapshot",
         "must be the name of a provider or a mapping such as {provider: command, run: ...}, not 7"),
        ("command", "snapshot.run", "is missing and must be given"),
        ("[{run: x}]", "snapshot[0].provider", "is missing and must be given"),
        ("[{provider: copy, run: x}]", "snapshot[0].run", "unknown key 'run'; there is: nothing"),
        ("[{provider: command, run: x, siez: '1'}]", "snapshot[0].siez",
         "unknown key 'siez'; did you mean 'size'?"),
        ("[{provider: command, run: x, size: big}]", "snapshot[0].size",
         'must be a number of bytes, not "big"'),
        ("[{provider: cmd}]", "snapshot[0].provider",
         "no snapshot provider is called 'cmd'; did you mean 'command'?"),
        ("[copy, reflink, copy]", "snapshot[2]",
         "'copy' is listed before with the same options; list it once"),
        ("[copy, {provider: copy}]", "snapshot[1]",
         "'copy' is listed before with the same options; list it once"),
        ("[&a copy, *a]", "snapshot[1]",
         "an alias (*name) is not accepted in a plan: write the value out"),
    ],
)  # fmt: skip
def test_a_wrong_snapshot_is_refused(tmp_path: Path, snapshot: str, pointer: str, message: str) -> None:
    """Providers and their options are checked before anything runs."""
    found = mistakes(tmp_path, f"plan: p\nrecovery: boot\nsnapshot: {snapshot}\n")
    assert (mistake(3, pointer, message),) == found


def test_options_are_text(tmp_path: Path) -> None:
    """A provider gets its options as the author wrote them, so numbers must be quoted."""
    found = mistakes(tmp_path, "plan: p\nrecovery: boot\nsnapshot: {provider: command, run: x, size: 12}\n")
    assert (
        mistake(3, "snapshot.size", "must be text or a list of texts (put them in quotes), not 12") in found
    )


def test_recovery_modes_are_listed_once(tmp_path: Path) -> None:
    """Two cases of the same name could not be told apart."""
    found = mistakes(tmp_path, "plan: p\nsnapshot: copy\nrecovery:\n  - boot\n  - boot\n")
    assert (mistake(5, "recovery[1]", "'boot' is listed before; list it once"),) == found


@pytest.mark.parametrize("name", ["../up", "a/b", "-x", "", ".hidden", "ä", "a" * 65, "a b"])
def test_a_plan_name_is_a_safe_folder_name(tmp_path: Path, name: str) -> None:
    """The name becomes a folder below results/, and nothing else."""
    found = mistakes(tmp_path, f"plan: {json.dumps(name)}\nsnapshot: copy\nrecovery: boot\n")
    assert [(one.line, one.pointer) for one in found] == [(1, "plan")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("# nothing\n", 1),
        ("plan: p\n  snapshot: copy\n", 2),
        ("plan: p\nsnapshot: [copy\n", 3),
        ("plan: p\nsnapshot: \x01\n", 2),
        ("plan: p\n---\nplan: q\n", 2),
        ('plan: "\\UFFFFFFFF"\n', 1),
        ("[" * 5000, 1),
        ("- a\n- b\n", 1),
        ("&a [*a]\n", 1),
    ],
)
def test_what_is_no_plan_at_all_is_a_mistake_with_a_line(tmp_path: Path, text: str, line: int) -> None:
    """Syntax errors are mistakes of the plan like any other."""
    assert [line] == [one.line for one in mistakes(tmp_path, text)][:1]


def test_a_date_like_name_stays_text(tmp_path: Path) -> None:
    """YAML would make a date of it; a name is a name."""
    assert load(written(tmp_path, SMALLEST.replace("p\n", "2026-11-22\n", 1))).name == "2026-11-22"


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    """No file, no plan to have mistakes."""
    with pytest.raises(UsageError, match="No such file"):
        load(tmp_path / "none.yaml")


def test_a_folder_is_a_usage_error(tmp_path: Path) -> None:
    """A folder cannot be read as a plan."""
    with pytest.raises(UsageError, match="Is a directory"):
        load(tmp_path)


def test_bytes_that_are_not_utf8_are_a_usage_error(tmp_path: Path) -> None:
    """Text is not guessed."""
    path = tmp_path / "plan.yaml"
    path.write_bytes(b"plan: \xff\n")
    with pytest.raises(UsageError, match="not UTF-8"):
        load(path)


def test_a_provider_that_cannot_be_loaded_is_no_mistake_of_the_plan(tmp_path: Path) -> None:
    """The plan may be right; it is the installation that is not."""
    with pytest.raises(PreconditionError, match="NoSuchClass"):
        load(written(tmp_path, "plan: p\nsnapshot: broken\nrecovery: boot\n"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0.0), ("5s", 5.0), ("500ms", 0.5), ("2m", 120.0), ("1h", 3600.0), ("1.5s", 1.5), ("0.1s", 0.1)],
)
def test_durations_are_seconds(text: str, seconds: float) -> None:
    """Each unit has its length."""
    assert seconds == duration_s(text)


@pytest.mark.parametrize("text", ["", "5", "s", "-5s", "5 s", "5S", "1e3s", "5s\n", "\u0665s", ".5s", "5.s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """A duration is a number and a unit, nothing else."""
    assert duration_s(text) is None


def _nodes(schema: object) -> list[dict[str, Any]]:
    if isinstance(schema, dict):
        return [schema, *(node for value in schema.values() for node in _nodes(value))]
    return [node for value in schema for node in _nodes(value)] if isinstance(schema, list) else []


def test_every_key_of_the_schema_is_described() -> None:
    """The schema is also the reference that authors read."""
    keys = [key for node in _nodes(load_module._schema()) for key in node.get("properties", {}).items()]
    assert [name for name, value in keys if not value.get("description")] == []


def test_every_mapping_of_the_schema_refuses_unknown_keys() -> None:
    """A mistyped key must not fall back to a default."""
    mappings = [node for node in _nodes(load_module._schema()) if "properties" in node and "type" in node]
    assert [node["description"] for node in mappings if "additionalProperties" not in node] == []


_WORDS = st.sampled_from(
    [
        "plan",
        "p",
        "copy",
        "command",
        "boot",
        "5s",
        "snapshot",
        "recovery",
        "workload",
        "writers",
        "<<",
        "limits",
    ]
)
_VALUES = st.recursive(
    st.one_of(_WORDS, st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_WORDS, inner, max_size=4)),
    max_leaves=12,
)
_KEYS = ["plan", "snapshot", "recovery", "instance", "workload", "freeze", "limits", "cycles"]
_TEXTS = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="plansnot:copyrcvbe{}[],-&*!|>'\"%#?\\U0 \n\t", max_size=80),
    st.dictionaries(st.sampled_from(_KEYS), _VALUES).map(lambda raw: yaml.safe_dump(raw)),
    st.text(alphabet=":{}[],-&*!a1 \n", max_size=40).map(lambda tail: SMALLEST + tail),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(text=_TEXTS)
def test_any_text_is_a_plan_or_a_plan_error(tmp_path: Path, text: str) -> None:
    """No text makes the loader fail in a third way."""
    path = tmp_path / "plan.yaml"
    path.write_bytes(text.encode("utf-8", "replace"))
    try:
        assert isinstance(load(path), Plan)
    except PlanError as error:
        assert error.mistakes
        assert all(one.line >= 1 and one.message for one in error.mistakes)
        assert str(error)


@pytest.mark.parametrize("text", ["600h", "0s", "0.0001s"])
def test_a_snapshot_has_a_time_that_a_freeze_can_have(tmp_path: Path, text: str) -> None:
    plan = f"plan: p\nsnapshot: {{provider: copy, timeout: {text}}}\nrecovery: boot\n"
    said = f"must be from 0.001s to 86400s, not {text}: so long the instance may be left frozen"
    assert (mistake(2, "snapshot.timeout", said),) == mistakes(tmp_path, plan)

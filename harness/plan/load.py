"""From a plan file to a `Plan`, or to every mistake in it at once.

Three things are checked: the shape (`plan.schema.json`), the options of each snapshot provider (the
provider's own schema), and what a schema cannot say: ranges of durations, names of adapters, doubles. A
plan that loads can be run as far as its text can tell; whether this machine can run it is not decided here.

Source of the limit on external_freeze_timeout: InterSystems Japan, tutorial on external backup: values above
1200 are treated as 1200. The same bound on wd_suspend_limit is ours. The engine's 0 is no limit:
nothing would thaw an instance that is left frozen, so a plan says it with a word.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from harness import plugins
from harness.errors import PlanError
from harness.model import RecoveryMode
from harness.plan.document import Place, read
from harness.plan.model import (
    Commit,
    FreezeSpec,
    InstanceSpec,
    Limits,
    Plan,
    SnapshotSpec,
    Storage,
    WorkloadSpec,
)

PROVIDER_MEMBERS = ("options_schema", "probe", "capture", "expose", "release")

UNLIMITED = "unlimited"
_DURATION = re.compile(r"(?P<number>[0-9]{1,9}(?:\.[0-9]{1,9})?)(?P<unit>ms|s|m|h)")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake before its line is known."""

    place: Place
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    """What a duration may be, in seconds, and the reason that the message gives."""

    place: Place
    at_least_s: float
    at_most_s: float
    whole: bool
    reason: str


_RANGES = (
    _Range(
        place=("workload", "duration"),
        at_least_s=0.001,
        at_most_s=86400.0,
        whole=False,
        reason="without load there is nothing to verify, and every load has an end",
    ),
    _Range(
        place=("freeze", "external_freeze_timeout"),
        at_least_s=1.0,
        at_most_s=1200.0,
        whole=True,
        reason="IRIS treats a longer ExternalFreezeTimeOut as 1200 s, without a word "
        "(source: InterSystems Japan, tutorial on external backup)",
    ),
    _Range(
        place=("freeze", "wd_suspend_limit"),
        at_least_s=1.0,
        at_most_s=1200.0,
        whole=True,
        reason="past it the engine thaws itself; if it never shall, however long it is left frozen, say unlimited",
    ),
)


def load(path: Path) -> Plan:
    """Read and check a plan.

    Raises:
        PlanError: the plan is wrong; holds all mistakes with line and pointer, in the order of the file.
        UsageError: the file is not there or is not text.
        PreconditionError: a provider that the plan names is registered but cannot be loaded.
    """
    return _plan(checked(path, _problems))


def checked(path: Path, problems: Callable[[object], Iterable[Problem]]) -> dict[str, Any]:
    """The mapping that a YAML file holds, if nothing is wrong with it. Raises PlanError or UsageError, as `load`."""
    document = read(path)
    found = {
        document.mistake(problem.place, problem.message): None
        for problem in problems(document.value)
        if not document.spoils(problem.place)
    }
    mistakes = sorted([*document.mistakes, *found], key=lambda mistake: (mistake.line, mistake.pointer))
    if mistakes:
        raise PlanError(str(path), mistakes)
    assert isinstance(document.value, dict)
    return document.value


def duration_s(text: str) -> float | None:
    """Seconds of a duration such as `5s`, `500ms`, `2m` or `1h`; None if the text is none."""
    match = _DURATION.fullmatch(text)
    return round(float(match["number"]) * _UNIT_S[match["unit"]], 9) if match else None


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the known word that is close to this one, or else what there is."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there is: {', '.join(known) or 'nothing'}"


def _problems(value: object) -> Iterator[Problem]:
    yield from shape_problems(_schema(), value, ())
    if not isinstance(value, dict):
        return
    yield from _host_problems(value)
    for limit in _RANGES:
        yield from _range_problems(value, limit)
    yield from _share_problems(value)
    yield from _snapshot_problems(value.get("snapshot"))
    yield from _recovery_problems(value.get("recovery"))


@cache
def _schema() -> dict[str, object]:
    text = Path(__file__).with_name("plan.schema.json").read_text(encoding="utf-8")
    schema: dict[str, object] = json.loads(text)
    return schema


def shape_problems(schema: Mapping[str, Any], value: object, at: Place) -> Iterator[Problem]:
    """What a JSON Schema finds wrong with a value, in the words of a plan's messages."""
    for error in Draft202012Validator(schema).iter_errors(value):
        yield from _explain(error, (*at, *error.absolute_path))


def _explain(error: ValidationError, place: Place) -> Iterator[Problem]:
    """One error of the schema in words a plan's author can act on."""
    schema: Any = error.schema
    held: Any = error.instance
    if error.validator == "required":
        missing = (key for key in schema["required"] if key not in held)
        yield from (Problem((*place, key), "is missing and must be given") for key in missing)
    elif error.validator == "additionalProperties" and schema["additionalProperties"] is False:
        known = schema.get("properties", {})
        for key in held:
            if key not in known:
                yield Problem((*place, key), f"unknown key {key!r}{nearest(key, known)}")
    elif "title" in schema:
        hint = nearest(held, schema["enum"]) if "enum" in schema and isinstance(held, str) else ""
        suggestion = hint if "did you mean" in hint else ""
        yield Problem(place, f"must be {schema['title']}, not {_shown(held)}{suggestion}")
    else:
        yield Problem(place, error.message)


def _shown(value: object) -> str:
    if value is None:
        return "empty"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _host_problems(raw: dict[str, Any]) -> Iterator[Problem]:
    known = plugins.names("harness.hosts")
    for place in (("instance", "host"), ("target", "host")):
        host = _at(raw, place)
        if isinstance(host, str) and host not in known:
            yield Problem(place, f"no host is called {host!r}{nearest(host, known)}")
    yield from _installed_problems(raw)


def _installed_problems(raw: dict[str, Any]) -> Iterator[Problem]:
    """An installed instance is somebody's: nothing is restored into it, and no machine boots from its folder."""
    if not isinstance(_at(raw, ("instance", "name")), str):
        if _at(raw, ("instance", "credentials")) is not None:
            yield Problem(("instance", "credentials"), "are for an installed instance: say its name")
        return
    if _at(raw, ("instance", "image")) is not None:
        yield Problem(("instance", "image"), "an instance has a name or an image, not both")
    if _at(raw, ("target",)) is None:
        message = (
            "is missing: nothing is restored into an installed instance; say which image to restore into"
        )
        yield Problem(("target",), message)
    for place, mode in _entries(raw.get("recovery"), "recovery"):
        if mode == RecoveryMode.BOOT.value:
            message = (
                "boot starts an instance from its whole folder, which an installed instance does not offer"
            )
            yield Problem(place, message)


def _range_problems(raw: dict[str, Any], limit: _Range) -> Iterator[Problem]:
    text = _at(raw, limit.place)
    seconds = duration_s(text) if isinstance(text, str) else None
    if seconds is None:
        return
    if not limit.at_least_s <= seconds <= limit.at_most_s:
        bounds = f"from {limit.at_least_s:g}s to {limit.at_most_s:g}s"
        yield Problem(limit.place, f"must be {bounds}, not {text}: {limit.reason}")
    elif limit.whole and seconds != int(seconds):
        yield Problem(limit.place, f"must be whole seconds, not {text}: the engine takes nothing finer")


def _share_problems(raw: dict[str, Any]) -> Iterator[Problem]:
    """Every writer must get at least one transaction."""
    transactions = _at(raw, ("workload", "transactions"))
    writers = _at(raw, ("workload", "writers"), WorkloadSpec().writers)
    if _is_number(transactions) and _is_number(writers) and 1 <= transactions < writers:
        message = f"must be at least one for each of the {writers:g} writers, not {transactions:g}"
        yield Problem(("workload", "transactions"), message)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _snapshot_problems(raw: object) -> Iterator[Problem]:
    known = plugins.names("harness.snapshots")
    seen: dict[str, Place] = {}
    for place, entry in _entries(raw, "snapshot"):
        if isinstance(entry, dict) and isinstance(entry.get("timeout"), str):
            yield from _timeout_problems((*place, "timeout"), entry["timeout"])
        named = place if isinstance(entry, str) else (*place, "provider")
        provider, options = _provider(entry)
        if provider is None:
            continue
        if provider not in known:
            yield Problem(named, f"no snapshot provider is called {provider!r}{nearest(provider, known)}")
            continue
        adapter = plugins.load("harness.snapshots", provider, PROVIDER_MEMBERS)
        yield from shape_problems(adapter.options_schema, options, place)
        same = json.dumps([provider, options], sort_keys=True, default=str)
        if same in seen:
            yield Problem(place, f"{provider!r} is listed before with the same options; list it once")
        seen[same] = place


def _timeout_problems(place: Place, text: str) -> Iterator[Problem]:
    seconds = duration_s(text)
    if seconds is not None and not 0.001 <= seconds <= 86400.0:
        yield Problem(
            place, f"must be from 0.001s to 86400s, not {text}: so long the instance may be left frozen"
        )


def _recovery_problems(raw: object) -> Iterator[Problem]:
    seen: set[str] = set()
    for place, mode in _entries(raw, "recovery"):
        if isinstance(mode, str) and mode in seen:
            yield Problem(place, f"{mode!r} is listed before; list it once")
        elif isinstance(mode, str):
            seen.add(mode)


def _entries(raw: object, key: str) -> list[tuple[Place, object]]:
    """One value or a list of values, each with its place."""
    if isinstance(raw, list):
        return [((key, index), entry) for index, entry in enumerate(raw)]
    return [((key,), raw)]


def _provider(entry: object) -> tuple[str | None, dict[str, str]]:
    """Name and options of one entry below `snapshot`; no name if the entry has another shape."""
    if isinstance(entry, dict):
        provider = entry.get("provider")
        options = {key: value for key, value in entry.items() if key not in ("provider", "timeout")}
        return (provider if isinstance(provider, str) else None), options
    return (entry if isinstance(entry, str) else None), {}


def _at(raw: object, place: Place, default: object = None) -> Any:
    for step in place:
        if not isinstance(raw, dict) or step not in raw:
            return default
        raw = raw[step]
    return raw


def _plan(raw: dict[str, Any]) -> Plan:
    """The typed plan of values that have passed every check."""
    workload = raw.get("workload", {})
    freeze = raw.get("freeze", {})
    limits = raw.get("limits", {})
    return Plan(
        name=raw["plan"],
        instance=_instance(raw.get("instance", {})),
        target=_instance(raw["target"]) if "target" in raw else None,
        workload=_workload(workload),
        cycles=int(raw.get("cycles", 1)),
        snapshots=tuple(_snapshot(entry) for _, entry in _entries(raw["snapshot"], "snapshot")),
        recovery=tuple(RecoveryMode(mode) for _, mode in _entries(raw["recovery"], "recovery")),
        freeze=FreezeSpec(
            external_freeze_timeout_s=int(
                _seconds(freeze, "external_freeze_timeout", FreezeSpec().external_freeze_timeout_s)
            ),
            wd_suspend_limit_s=_suspend_limit_s(freeze),
            switch_journal=freeze.get("switch_journal", FreezeSpec().switch_journal),
        ),
        limits=Limits(
            **{f"{key}_s": _seconds(limits, key, 0.0) for key in ("window", "rpo", "rto") if key in limits}
        ),
    )


def _snapshot(entry: object) -> SnapshotSpec:
    name, options = _provider(entry)
    timeout = entry.get("timeout") if isinstance(entry, dict) else None
    return SnapshotSpec(
        provider=str(name), options=options, timeout_s=duration_s(timeout) if timeout is not None else None
    )


def _suspend_limit_s(freeze: dict[str, Any]) -> int:
    if freeze.get("wd_suspend_limit") == UNLIMITED:
        return 0
    return int(_seconds(freeze, "wd_suspend_limit", FreezeSpec().wd_suspend_limit_s))


def _instance(raw: dict[str, Any]) -> InstanceSpec:
    default = InstanceSpec()
    return InstanceSpec(
        image=raw.get("image", default.image),
        host=raw.get("host", default.host),
        name=raw.get("name"),
        storage=Storage(raw.get("storage", default.storage.value)),
        credentials=Path(raw["credentials"]) if "credentials" in raw else None,
    )


def _workload(raw: dict[str, Any]) -> WorkloadSpec:
    default = WorkloadSpec()
    return WorkloadSpec(
        writers=int(raw.get("writers", default.writers)),
        duration_s=_seconds(raw, "duration", default.duration_s),
        transactions=int(raw["transactions"]) if "transactions" in raw else None,
        rate=int(raw["rate"]) if "rate" in raw else None,
        commit=Commit(raw.get("commit", default.commit.value)),
    )


def _seconds(raw: dict[str, Any], key: str, default: float) -> float:
    seconds = duration_s(raw[key]) if key in raw else default
    assert seconds is not None, f"{key} passed the schema and is no duration"
    return seconds

"""Adapters by name, found through entry points; built-in and third-party ones register alike.

Only what a plan names is loaded, but where all are asked for something (`having`). A name registered twice, an import
that fails or a member that is missing is an error that names the distribution: an adapter that is silently absent
could let a bad backup pass.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from harness.errors import PreconditionError, UsageError


@cache
def _group(group: str) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=group):
        if entry.name in found and entry.value != found[entry.name].value:
            raise PreconditionError(
                f"two adapters are called {entry.name!r} in {group}: {found[entry.name].value} and {entry.value}",
                "Uninstall one of the two distributions.",
            )
        found[entry.name] = entry
    return found


def names(group: str) -> list[str]:
    """Names registered in an entry-point group, sorted."""
    return sorted(_group(group))


def origin(group: str, name: str) -> str:
    """The distribution that registered a name, for messages."""
    entry = _group(group).get(name)
    return entry.dist.name if entry and entry.dist else "unknown distribution"


def load(group: str, name: str, required: Iterable[str]) -> Any:
    """The class registered under a name.

    Args:
        group: Entry-point group, such as `harness.snapshots`.
        name: Name within the group.
        required: Members the port needs; a missing one is an error here, not in mid-run.
    Raises:
        UsageError: no adapter has that name.
        PreconditionError: it cannot be imported or lacks a member.
    """
    entry = _group(group).get(name)
    if entry is None:
        raise UsageError(f"no {name!r} in {group}; there is: {', '.join(names(group)) or 'nothing'}")
    distribution = origin(group, name)
    try:
        adapter = entry.load()
    except (Exception, SystemExit) as error:  # whatever a module does when it is imported
        raise PreconditionError(
            f"{name!r} in {group} (from {distribution}) cannot be loaded: {error!r}",
            f"Reinstall {distribution}.",
        ) from error
    missing = [member for member in required if not hasattr(adapter, member)]
    if missing:
        raise PreconditionError(
            f"{name!r} in {group} (from {distribution}) lacks {', '.join(missing)}",
            f"Upgrade {distribution}.",
        )
    return adapter


def having(group: str, member: str) -> list[Any]:
    """The classes of a group that have a member. One that cannot be loaded is left out: it is told of where a plan
    names it.
    """
    found = []
    for name in names(group):
        with contextlib.suppress(PreconditionError):
            found.append(load(group, name, (member,)))
    return found

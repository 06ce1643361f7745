"""Adapters by name: every way of not getting one is an error that names what to do."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from harness import plugins
from harness.errors import PreconditionError, UsageError

GROUP = "harness.test"


class Complete:
    def probe(self) -> None: ...

    def capture(self) -> None: ...


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """The registry looks once a process; each test here has entry points of its own."""
    plugins._group.cache_clear()
    yield
    plugins._group.cache_clear()


def install(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    install_all(monkeypatch, [(name, value) for name, value in values.items()])


def install_all(monkeypatch: pytest.MonkeyPatch, pairs: list[tuple[str, str]]) -> None:
    points = EntryPoints(EntryPoint(name=name, value=value, group=GROUP) for name, value in pairs)
    monkeypatch.setattr(plugins, "entry_points", lambda group: points.select(group=group))


def test_loads_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The class comes back, and only what was asked for is imported."""
    install(monkeypatch, good=f"{__name__}:Complete", broken="no_such_module_here:Thing")
    assert plugins.load(GROUP, "good", ("probe", "capture")) is Complete
    assert plugins.names(GROUP) == ["broken", "good"]


def test_unknown_name_lists_the_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing mistake is answered with what there is."""
    install(monkeypatch, copy=f"{__name__}:Complete", btrfs=f"{__name__}:Complete")
    with pytest.raises(UsageError, match=r"no 'cpoy' in harness\.test; there is: btrfs, copy"):
        plugins.load(GROUP, "cpoy", ())


def test_empty_group() -> None:
    """A group nobody registered in says so."""
    with pytest.raises(UsageError, match="there is: nothing"):
        plugins.load("harness.nothing", "copy", ())


@pytest.mark.parametrize("value", ["no_such_module_here:Thing", f"{__name__}:Absent"])
def test_what_cannot_be_imported(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A failed import is an error with its cause, not an adapter that is silently absent."""
    install(monkeypatch, broken=value)
    with pytest.raises(PreconditionError, match=r"'broken' in harness\.test .* cannot be loaded") as caught:
        plugins.load(GROUP, "broken", ())
    assert isinstance(caught.value.__cause__, ImportError | AttributeError)


def test_missing_members(monkeypatch: pytest.MonkeyPatch) -> None:
    """An adapter that lacks members of its port is refused here, and they are named."""
    install(monkeypatch, good=f"{__name__}:Complete")
    with pytest.raises(PreconditionError, match="lacks expose, release"):
        plugins.load(GROUP, "good", ("probe", "expose", "capture", "release"))


def test_two_adapters_of_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of two adapters is meant is not for us to guess."""
    install_all(monkeypatch, [("copy", f"{__name__}:Complete"), ("copy", "elsewhere:Copy")])
    with pytest.raises(PreconditionError, match="two adapters are called 'copy'"):
        plugins.names(GROUP)


def test_one_adapter_seen_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same adapter, found in two places of the path, is one adapter."""
    install_all(monkeypatch, [("copy", f"{__name__}:Complete"), ("copy", f"{__name__}:Complete")])
    assert plugins.names(GROUP) == ["copy"]


def test_those_that_have_a_member(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be loaded keeps nobody from asking the others."""
    install(monkeypatch, good=f"{__name__}:Complete", broken="no_such_module_here:Thing", odd="json:loads")
    assert [Complete] == plugins.having(GROUP, "capture")
    assert [] == plugins.having(GROUP, "release")

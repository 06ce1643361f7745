"""A ratio is only of two sides that did the same; what differs by more than the tolerance is refused, and shown."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench_modules import bench_module

work, pairs, figures, cycle_series, sides = map(
    bench_module, ("work", "pairs", "figures", "cycle_series", "sides")
)


def done(**other: Any) -> Any:
    values = {
        "transactions": 100_000,
        "acknowledged": 42_000,
        "rolled": 55_000,
        "journal_bytes": 1,
        "load_s": 1.0,
    }
    return work.Work(**{**values, **other})


def quiet(text: str) -> None: ...


@pytest.mark.parametrize(("transactions", "most"), [(10_000, 1_500), (100_000, 4_000), (1_000_000, 40_000)])
def test_the_tolerance_is_a_share_of_the_load_and_never_less_than_a_freeze_is_punctual(
    transactions: int, most: int
) -> None:
    assert most == work.tolerance(transactions)


@pytest.mark.parametrize("what", ["acknowledged", "rolled"])
@pytest.mark.parametrize("sign", [1, -1])
def test_sides_may_differ_by_the_tolerance_and_by_no_more(what: str, sign: int) -> None:
    """To either side, and the reason names number and sides."""
    value = getattr(done(), what)
    assert "" == work.difference(done(), done(**{what: value + sign * 4_000}))
    reason = work.difference(done(), done(**{what: value + sign * 4_001}))
    assert f"floor {value:,}, harness {value + sign * 4_001:,}" in reason and "4,000" in reason


@pytest.mark.parametrize(("seconds", "alike"), [(1.25, True), (0.80, True), (1.26, False), (2.2, False)])
def test_a_load_that_took_longer_is_no_slower_backup(seconds: float, alike: bool) -> None:
    reason = work.difference(done(), done(load_s=seconds))
    assert alike is (reason == "") and alike is ("time of the load" not in reason)


def test_short_loads_may_differ_by_what_starting_them_takes() -> None:
    assert "" == work.difference(done(load_s=0.1), done(load_s=0.149))


def test_a_floor_that_freezes_as_the_load_begins_is_refused() -> None:
    """What it once did, at every share: all of the load was rolled forward, twice as much as by the harness."""
    once = done(acknowledged=300, rolled=99_500)
    reason = work.difference(once, done())
    assert "before the freeze" in reason and "rolled forward" in reason


def test_loads_of_another_size_are_refused() -> None:
    assert "loads of" in work.difference(done(), done(transactions=99_999))


def test_another_pair_is_measured_for_one_that_is_refused() -> None:
    """Sides still begin in turn, and only what can be compared is kept."""
    order: list[str] = []

    def side(name: str, number: int) -> int:
        order.append(f"{name}{number}")
        return number

    names = ("floor", "harness")
    found = pairs.comparably(
        {name: lambda number, name=name: side(name, number) for name in names},
        2,
        lambda pair: "unlike" if pair["floor"] == 2 else "",
        quiet,
    )
    assert {"floor": [1, 3], "harness": [1, 3]} == found.found
    assert (("unlike",), True) == (found.refused, found.enough)
    assert ["floor1", "harness1", "harness2", "floor2", "floor3", "harness3"] == order


def test_a_series_without_enough_pairs_ends_and_says_so() -> None:
    """It does not go on for ever; what there is has no ratio and meets no target."""
    found = pairs.comparably({"floor": float, "harness": float}, 2, lambda pair: "unlike", quiet)
    assert (6, False) == (len(found.refused), found.enough)
    row = figures.Row(
        what="w", unit="s", floor=(1.0,), harness=(1.0,), target=1.2, refused=3, comparable=found.enough
    )
    assert (None, None) == (row.ratio, row.met)
    assert ["w", "s", "1", "1", "1 of 4", "", "≤ 1.2x", "NOT COMPARABLE"] == row.cells()


def test_the_floor_aims_at_where_the_harness_froze() -> None:
    """The same number with the same seed; with another one as much later as the last time, and never past the end."""
    aim = cycle_series.Aim(100_000)
    aim.learn(1, done(acknowledged=45_000))
    assert 45_000 == aim.at(1)
    later = 45_000 - int(sides.share_of(1) * 100_000)
    assert int(sides.share_of(2) * 100_000) + later == aim.at(2)
    aim.learn(1, done(acknowledged=100_000))
    assert 100_000 == aim.at(2)


def test_every_row_of_a_cycle_tells_what_both_sides_did() -> None:
    """Three numbers with their ratio beside the times, and how many pairs were refused."""
    times = sides.CycleTimes(cycle_s=1.0, after_s=0.5, load_s=1.0, window_s=0.1, stages={}, work=done())
    measured = pairs.Comparable(
        found={"floor": [times], "harness": [times]}, refused=("unlike",), enough=True
    )
    rows = {row.what.partition(",")[0]: row for row in cycle_series._rows(100_000, measured)}
    assert (42_000,) == rows["acknowledged before the freeze"].floor
    assert (55_000,) == rows["committed after the marker"].harness
    assert {1} == {row.refused for row in rows.values()}
    assert 1.25 == rows["whole cycle"].target

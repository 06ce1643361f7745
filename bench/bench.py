"""Measures the harness against a floor that does the same work with bare commands and checks nothing.

    python bench/bench.py [SERIES] [--pairs N] [--json FILE]      a series of SERIES, or all

Results go to standard output, progress to standard error. What every figure means is in README.md.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click
import command_series
import container_series
import cycle_series
import publish as publishing
import state_series
import window_series
from figures import HEADERS, Row
from tabulate import tabulate
from volume import CannotClone, xfs_volume

from harness.errors import PreconditionError

GROWTH_PAIRS = {10_000: 9, 1_000_000: 3}
STATE_REPEATS = {10_000: 15, 100_000: 15, 1_000_000: 5}


def window_copy(pairs: int, load: str, work: Path) -> Iterator[Row]:
    """On the volume of the work folder."""
    yield from window_series.measure("copy", load, pairs, work, say)


def window_reflink(pairs: int, load: str, work: Path) -> Iterator[Row]:
    """On an XFS made for it."""
    try:
        with xfs_volume(work) as volume:
            yield from window_series.measure("reflink", load, pairs, volume, say)
    except CannotClone as reason:
        say(f"window-reflink is skipped: {reason}")


def window_container(pairs: int, load: str, work: Path) -> Iterator[Row]:
    """In a container, where there is an engine."""
    try:
        yield from container_series.measure(pairs, work, say)
    except PreconditionError as reason:
        say(f"window-container is skipped: {reason}")


def command(pairs: int, load: str, work: Path) -> Iterator[Row]:
    """Of the stand-in alone."""
    yield from command_series.measure(pairs, work, say)


def cycle(pairs: int, load: str, work: Path) -> Iterator[Row]:
    """At the size of the target; the others with few pairs, to show how it grows."""
    yield from cycle_series.measure(cycle_series.TARGET_AT, pairs, work, say)
    for transactions, most in GROWTH_PAIRS.items():
        yield from cycle_series.measure(transactions, min(pairs, most), work, say)


def state(pairs: int, load: str, work: Path) -> Iterator[Row]:
    """Every size in a process of its own."""
    for transactions, repeats in STATE_REPEATS.items():
        yield from state_series.measure(transactions, min(pairs, repeats), work, say)


BEGAN_WITH = os.getloadavg()[0]
"""Of other work on this machine, for who reads the figures: above one they are noise."""
SERIES: dict[str, Callable[[int, str, Path], Iterator[Row]]] = {
    "window-copy": window_copy,
    "window-reflink": window_reflink,
    "window-container": window_container,
    "command": command,
    "cycle": cycle,
    "state": state,
}


_HERE = Path(__file__).parent
WITH_LOAD = ("window-copy", "window-reflink")
"""Series that know `--load`."""


@click.command()
@click.argument("series", type=click.Choice([*SERIES, "all"]), default="all")
@click.option("--pairs", default=15, show_default=True, help="Pairs of runs, one of each side.")
@click.option(
    "--load",
    type=click.Choice(["idle", "durable"]),
    default="idle",
    show_default=True,
    help="What the instance does while its window is measured: nothing, or four writers with durable commits. "
    "`all` measures both.",
)
@click.option("--work", type=click.Path(path_type=Path, file_okay=False, exists=True), help="Where to work.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Also write every single number here.")
@click.option(
    "--publish", is_flag=True, help="Put the figures into the tables of README.md and bench/README.md."
)
def main(series: str, pairs: int, load: str, work: Path | None, file: Path | None, publish: bool) -> None:
    """Measure the harness against bare mupip commands, in turn, and print medians and ratios."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything made is taken down again
    rows: list[Row] = []
    try:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=work) as folder:
            for name, during in [(series, load)] if series != "all" else _everything():
                rows.extend(SERIES[name](pairs, during, Path(folder)))
    finally:
        show(rows, file)  # also what was measured before something broke
    if publish:
        put_into_readmes(rows)
    if not all(row.comparable for row in rows):
        sys.exit(
            "the two sides of a series did not do the same work: NOT COMPARABLE above, see bench/README.md"
        )


def _everything() -> Iterator[tuple[str, str]]:
    """Every series; windows also under load."""
    for name in SERIES:
        yield name, "idle"
        if name in WITH_LOAD:
            yield name, "durable"


def show(rows: list[Row], file: Path | None) -> None:
    """The table, and every number as JSON."""
    print(
        f"{datetime.now(UTC):%Y-%m-%d} · {os.cpu_count()} processors · Linux {platform.release()} · "
        f"load average as it began: {BEGAN_WITH:.1f}"
    )
    print("median (quartiles); ratio of medians")
    print(tabulate([row.cells() for row in rows], HEADERS, tablefmt="github", disable_numparse=True))
    if file:
        file.write_text(json.dumps([{**asdict(row), "ratio": row.ratio} for row in rows], indent=1) + "\n")


def put_into_readmes(rows: list[Row]) -> None:
    """Every row must be in the longer of the two."""
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    for file in (_HERE.parent / "README.md", _HERE / "README.md"):
        absent = publishing.publish(rows, file, day)
    for what in absent:
        say(f"no table of {file} has a row: {what}")


def say(text: str) -> None:
    """Progress."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

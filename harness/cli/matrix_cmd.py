"""`harness matrix`: the verifier verified: known faults are planted, and every check is held against each."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness import destroy
from harness.cli.interrupt import interruptible
from harness.cli.live import CasesOnly
from harness.cli.output import hand_out, tell
from harness.errors import CommandError, ExitCode, RemovalError

if TYPE_CHECKING:
    from harness.fault.matrix import Matrix

_SEED = 20261122


@click.command("matrix", short_help="Plant known faults and see which check catches which.")
@click.option(
    "--fault", "names", multiple=True, metavar="NAME", help="Only this fault or family; may be repeated."
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=_SEED,
    show_default=True,
    help="Seed of the workload.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 16),
    default=2,
    show_default=True,
    help="Instances that share the faults.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    show_default=True,
    help="How the matrix is printed.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write it to a file instead of standard output.",
)
def matrix_command(names: tuple[str, ...], seed: int, jobs: int, format_: str, out: Path | None) -> int:
    """Damage good backups in every known way, and see that each damage is caught and called by its name.

    The exit status is 0 if every fault is caught by the checks that must see it and by no other, and the first line
    of its verdict names the cause; 1 otherwise.
    """
    from harness.fault import matrix, report

    wanted = [fault.name for fault in matrix.chosen(names)]
    jobs = min(jobs, len(wanted))
    made = _alone(wanted, seed) if jobs == 1 else _shared(wanted, seed, jobs)
    render = {"table": report.table, "json": matrix.MATRICES.dumps, "markdown": report.markdown}[format_]
    hand_out(render(made), out)
    if out:
        tell(report.score(made))
    return ExitCode.PASS if all(row.caught and row.named for row in made.rows) else ExitCode.FAIL


def _alone(wanted: Sequence[str], seed: int) -> Matrix:
    from harness.fault import matrix

    folder = Path(tempfile.mkdtemp(prefix="harness-matrix-"))
    try:
        with interruptible():
            # lines also on a terminal: another job may write to it, too
            return matrix.run(matrix.chosen(wanted), seed=seed, folder=folder, progress=CasesOnly(3))
    finally:
        with contextlib.suppress(RemovalError):
            destroy.tree(folder, destroy.Ground(folder=folder, right="this call made it"))


def _shared(wanted: Sequence[str], seed: int, jobs: int) -> Matrix:
    """Every job is a process with an instance of its own."""
    from harness.fault.matrix import MATRICES, Matrix

    running = [_job(wanted[number::jobs], seed) for number in range(jobs)]
    made: list[Matrix] = []
    try:
        with interruptible():
            for process in running:
                text, _ = process.communicate()
                if process.returncode not in (ExitCode.PASS, ExitCode.FAIL):
                    raise CommandError(process.args, process.returncode, 0.0, "see above")  # type: ignore[arg-type]
                made.append(MATRICES.loads(text))
    finally:
        for process in running:
            if process.poll() is None:
                destroy.child(process, signal.SIGTERM, "another part of the matrix broke off")
                process.wait()
    rows = sorted((row for part in made for row in part.rows), key=lambda row: wanted.index(row.name))
    return Matrix(instance=made[0].instance, seed=seed, rows=tuple(rows))


def _job(wanted: Sequence[str], seed: int) -> subprocess.Popen[str]:
    chosen = [word for name in wanted for word in ("--fault", name)]
    argv = [sys.executable, "-m", "harness", "matrix", "--jobs", "1", "--format", "json", "--seed", str(seed)]
    return subprocess.Popen(
        [*argv, *chosen], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=os.environ
    )

"""`harness conform`: what the harness takes for granted of a product, tried on an instance, fact by fact."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from harness import destroy
from harness.cli.interrupt import interruptible
from harness.cli.live import CasesOnly, progress_for_terminal
from harness.cli.output import hand_out, tell
from harness.errors import ExitCode, PreconditionError, UsageError
from harness.facts import known
from harness.facts.conformance import CONFORMANCES, Conformance
from harness.model import Verdict
from harness.plan.model import InstanceSpec

_CODES = {Verdict.PASS: ExitCode.PASS, Verdict.FAIL: ExitCode.FAIL, Verdict.UNKNOWN: ExitCode.UNKNOWN}


@click.command("conform", short_help="Try what the harness takes for granted of a product.")
@click.option(
    "--image", metavar="IMAGE", help="Start an instance of this image: stand-in, or a container image."
)
@click.option(
    "--host",
    metavar="HOST",
    help="Where to start it: local or docker. Default: local for the stand-in, docker for any other image.",
)
@click.option(
    "--instance", "name", metavar="NAME", help="An instance that is installed and running here, instead."
)
@click.option(
    "--target",
    metavar="IMAGE",
    help="Image to restore into, where that is not --image itself; an installed instance is never restored into.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    show_default=True,
    help="How the facts are printed.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write them to a file instead of standard output.",
)
def conform_command(
    image: str | None, host: str | None, name: str | None, target: str | None, format_: str, out: Path | None
) -> int:
    """Try every fact about the product that a check rests on, and record what was observed.

    The instance is loaded, frozen and thawed, and restored from, as a plan does; never use one that people work
    with. The record is kept: from then on a run with this engine may say PASS where its facts were confirmed. The
    exit status is 0 if every fact that was tried holds, 1 if one does not, 3 if one was inconclusive, and 4 if a
    thaw could not be confirmed.
    """
    spec = spec_of(image, host, name)
    found = _conform(spec, spec_of(target, None, None) if target else None)
    tell(f"kept in {_kept(found)}")
    hand_out(_rendered(found, format_), out)
    return _exit_code(found)


def spec_of(image: str | None, host: str | None, name: str | None) -> InstanceSpec:
    """The instance that was asked for. Raises UsageError unless it is exactly one."""
    if (image is None) == (name is None):
        raise UsageError("say either --image or --instance")
    if image is None:
        if host not in (None, "local"):
            raise UsageError(f"an installed instance is on host local, not {host}")
        return InstanceSpec(host="local", name=name)
    return InstanceSpec(image=image, host=host or ("local" if image == "stand-in" else "docker"))


def _conform(spec: InstanceSpec, target: InstanceSpec | None) -> Conformance:
    # Importing the machinery of a run takes longer than other verbs do.
    from harness.conform.run import conform

    folder = Path(tempfile.mkdtemp(prefix="harness-conform-"))
    folder.chmod(0o755)  # an instance may run as a user of its own
    with interruptible():
        try:
            with progress_for_terminal(CasesOnly(7)) as progress:
                found = conform(spec, target, folder, progress)
        except BaseException:
            tell(f"what was said to the instance is in {folder}")
            raise
    if all(fact.verdict in (Verdict.PASS, Verdict.SKIPPED) for fact in found.facts):
        destroy.tree(folder, destroy.Ground(folder=folder, right="this call made it"))
    else:
        tell(f"what was said to the instance is in {folder}/commands.log")
    return found


def _kept(found: Conformance) -> Path:
    try:
        return known.keep(found)
    except OSError as error:
        raise PreconditionError(f"the record cannot be kept: {error}", "Make room or permit it.") from error


def _rendered(found: Conformance, format_: str) -> str:
    from harness.conform import report

    if format_ == "json":
        return CONFORMANCES.dumps(found)
    return report.markdown(found) if format_ == "markdown" else report.table(found)


def _exit_code(found: Conformance) -> ExitCode:
    from harness.conform import report

    return _CODES[report.verdict(found)]

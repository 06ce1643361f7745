"""Faults in every stage of a run, on each party: what it says, what it leaves, and who else is harmed.

    python -m tests.soak.harm [--only WORDS] [--times N] [--jobs 2] [--write docs/harm.md]

Each is a run of its own on a small filesystem. A violation ends with status 1: an instance frozen for longer than it
may be, or left so; something left after `harness clean`; something of others changed; a traceback; a verdict on the
backup for what was no fault of it; PASS where nothing could be proved; a run that goes on for 90 seconds after the
fault is over.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import math
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tabulate import tabulate

from harness.errors import ExitCode
from tests.runs import Run
from tests.soak import faults
from tests.soak.canaries import LEND, Canaries, ContainerCanaries
from tests.soak.faults import FAULTS, STAGES, Fault, Scene, wait_until
from tests.soak.kills import ended
from tests.soak.marks import has_case, said
from tests.soak.victims import OwnFreeze, Sandboxes, signal_all
from tests.soak.volumes import CannotMake, small_disk
from tests.soak.witness import Answer, Sample, Witness, frozen_spans, longest_s, violations

PLAN = f"""\
plan: killed
workload: {{writers: 2, transactions: 6000, rate: 1500}}
snapshot:
  provider: command
  run:
    - sh
    - -c
    - 'touch "$0"; C=LENT T="$2"; cp -a "$1"/. "$T" && LEND touch "$0-done" && sleep 1'
    - FLAG
    - '{{source}}'
    - '{{target}}'
  timeout: {faults.SNAPSHOT_LIMIT_S:g}s
freeze: {{wd_suspend_limit: {faults.ENGINE_LIMIT_S:g}s}}
recovery: [rollforward]
"""
PASSED: dict[str, Callable[[Run], bool]] = {
    faults.START: lambda run: bool(run.token()),
    faults.LOAD: said(".Work("),
    faults.FREEZE: said(".RequiredJournal("),
    faults.CAPTURE: lambda run: run.flag.exists(),
    faults.THAW: said(": sh -c 'touch"),
    faults.COLLECT: said(".SwitchJournal("),
    faults.RESTORE: said("/proc/net/dev"),
    faults.ROLL: said('.State("history"'),
    faults.CHECKS: said(".RollForward("),
    faults.END: has_case,
}
"""How it is seen that a stage has begun."""
DISK_BYTES = 600 << 20
HANGS_S = 90.0
_STAGE_TIMEOUT_S = 60.0
_CLEAN_TIMEOUT_S = 180.0
_COMES_S = 5.0
_DIES_S = 2.0
"""What was killed a moment ago may take so long to be gone."""
_SHOWN = 110


@dataclass(slots=True, kw_only=True)
class Seen:
    """What was seen of one run. `struck_at` is empty if there was nothing to strike, or too late."""

    fault: Fault
    stage: str
    struck_at: str = ""
    status: int | None = None
    verdict: str = ""
    reason: str = ""
    said: str = ""
    watchdog_said: str = ""
    captured_s: float | None = None
    samples: list[Sample] = field(default_factory=list)
    left_before: list[str] = field(default_factory=list)
    clean_meanwhile: int | None = None
    clean: int = 0
    clean_said: str = ""
    left: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    folder: Path = Path()

    @property
    def name(self) -> str:
        return f"{self.fault.name} · {self.fault.party} · {self.stage}"


# --- the judge


def judge(seen: Seen) -> list[str]:
    """What must not be."""
    if not seen.struck_at:
        return []
    found = violations(seen.samples, seen.fault.frozen_s) if math.isfinite(seen.fault.frozen_s) else []
    found += [f"left after clean: {one}" for one in seen.left]
    found += [f"foreign: {one}" for one in seen.foreign]
    if seen.clean:
        found.append(f"harness clean ended with {seen.clean}: {seen.clean_said}")
    if any(sign in text for text in (seen.said, seen.watchdog_said, seen.clean_said) for sign in _DEFECT):
        found.append(f"a traceback or a defect: {seen.said or seen.watchdog_said or seen.clean_said}")
    return [*found, *_wrong_end(seen)]


_DEFECT = ("Traceback", "a defect of the harness")
_PYTHON_HANGS = "Exception ignored in thread started by"
"""Python waits for ever for a thread that had no memory to begin. Source: python/cpython, issue 140746."""


def _wrong_end(seen: Seen) -> Iterator[str]:
    fault, status = seen.fault, seen.status
    if status is None:
        if _PYTHON_HANGS not in seen.said:
            yield f"it went on for {HANGS_S:.0f} s after the fault was over"
    elif status == -signal.SIGKILL:
        if "harness" not in fault.party:
            yield "the harness was killed, and nobody knows by whom"
        if seen.verdict == "PASS" and seen.struck_at != faults.END:
            yield "PASS of a run that was cut short"
    elif status not in (ExitCode.PASS, ExitCode.FAIL, ExitCode.UNKNOWN, ExitCode.STILL_FROZEN):
        yield f"exit status {status}"
    elif status == ExitCode.STILL_FROZEN and not fault.may_be_unconfirmed:
        yield "it says that a thaw was not confirmed, which this fault does not touch"
    elif status == ExitCode.FAIL and seen.struck_at not in fault.may_fail:
        yield f"FAIL: it blames the backup: {seen.reason}"
    elif status != ExitCode.PASS and not seen.reason:
        yield f"exit status {status} without a reason"
    if status == ExitCode.PASS:
        yield from _unproved(seen)


def _unproved(seen: Seen) -> Iterator[str]:
    if seen.verdict != "PASS":
        yield f"exit status 0, but the record says {seen.verdict or 'nothing'}"
    if seen.struck_at in seen.fault.must_not_pass:
        yield "PASS, but there was no backup to prove"
    spans = frozen_spans(seen.samples)
    if spans and seen.captured_s is not None:
        running = [one.at_s for one in seen.samples if one.answer is Answer.RUNNING]
        if any(spans[0][0] < at < seen.captured_s for at in running):
            yield "PASS, but it was not frozen for the whole of the capture"


# --- one run


class _Run(Run):
    """A run whose terminal, pipes and clock can be taken away."""

    def __init__(self, folder: Path, disk: Path, needs: str, canaries: Canaries) -> None:
        self._needs = needs
        self.master: int | None = None
        self.clock = folder / "clock"
        super().__init__(folder, PLAN, place=disk, besides=canaries.tops, LENT=canaries.lent, LEND=LEND)

    def _started(self, argv: list[str], folder: Path) -> subprocess.Popen[bytes]:
        environment = self.environment
        if self._needs == "clock":
            self.clock.write_text("+0s")
            own = {"FAKETIME_TIMESTAMP_FILE": str(self.clock), "FAKETIME_NO_CACHE": "1"}
            own |= {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "LD_PRELOAD": str(faults.faketime())}
            own |= {"PYTHONPATH": str(Path(__file__).parent / "clock")}
            environment = {**environment, **own}
        if self._needs == "terminal":
            return self._on_terminal(argv, folder, environment)
        if self._needs == "pipe":
            return subprocess.Popen(
                argv,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
            )
        with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
            return subprocess.Popen(
                argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment
            )

    def _on_terminal(
        self, argv: list[str], folder: Path, environment: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        self.master, slave = pty.openpty()
        try:
            return subprocess.Popen(
                argv,
                cwd=folder,
                stdin=slave,
                stdout=slave,
                stderr=slave,
                env=environment,
                start_new_session=True,
                preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0),
            )
        finally:
            os.close(slave)

    def hang_up(self) -> None:
        """May be called twice, and without a terminal."""
        if self.master is not None:
            os.close(self.master)
            self.master = None

    def text(self, name: str) -> str:
        file = self.flag.parent / name
        return file.read_text(errors="replace") if file.exists() else ""

    def cleaned(self) -> tuple[int, str]:
        """Status and words of `harness clean`."""
        done = subprocess.run(
            [sys.executable, "-m", "harness", "clean"],
            env=self.environment,
            cwd=self.flag.parent,
            capture_output=True,
            text=True,
            timeout=_CLEAN_TIMEOUT_S,
            check=False,
        )
        return done.returncode, (done.stdout + done.stderr).strip()


def carry_out(fault: Fault, stage: str, folder: Path) -> Seen:
    """Run, strike, take back, clean, look."""
    folder.mkdir(parents=True)
    disk = folder / "disk"
    disk.mkdir()
    seen = Seen(fault=fault, stage=stage, folder=folder)
    with ExitStack() as stack:
        stack.enter_context(small_disk(disk, DISK_BYTES))
        canaries = Canaries.around(disk / "results", disk / "state", "killed")
        stack.callback(canaries.close)
        run = _Run(folder, disk, fault.needs, canaries)
        stack.callback(_end, run)
        wait_until(lambda: bool(run.token()) or run.process.poll() is not None, _STAGE_TIMEOUT_S)
        token = run.token()
        canaries.look_alikes(token or "1-0123456789ab")
        place = stack.enter_context(closing(Sandboxes(run, token)))
        own = stack.enter_context(closing(OwnFreeze(run)))
        scene = Scene(disk=disk, run=run, place=place, token=token, hang_up=run.hang_up, clock=run.clock)
        stack.callback(faults.lift, scene)
        witness = Witness(place.ask, own, seen.samples)
        stack.callback(witness.stop)
        witness.start()
        _strike(scene, seen)
        _go_on(scene, run, seen, witness)
        seen.left_before = [*_unique(run, place)]
        seen.clean, seen.clean_said = run.cleaned()
        entries = [str(file) for file in run.state.glob("iris-restore-harness/*.json")]
        wait_until(lambda: not _unique(run, place), _DIES_S)
        seen.left = [*_unique(run, place), *entries]
        seen.foreign = canaries.changed()
        _read(run, seen)
        _keep(run, folder)
    return seen


def _strike(scene: Scene, seen: Seen) -> None:
    run, stage = scene.run, seen.stage
    wait_until(lambda: PASSED[stage](run) or run.process.poll() is not None, _STAGE_TIMEOUT_S)
    pids = scene.pids("harness") if seen.fault.held else []
    signal_all(pids, signal.SIGSTOP)
    try:
        if run.process.poll() is None:
            reached = [name for name in STAGES if PASSED[name](run)]
            # at the start a party may be about to come
            patience_s = _COMES_S if stage == faults.START and not pids else 0.001
            if wait_until(lambda: seen.fault.strike(scene), patience_s):
                seen.struck_at = reached[-1] if reached else faults.START
    finally:
        signal_all(pids, signal.SIGCONT)


def _go_on(scene: Scene, run: _Run, seen: Seen, witness: Witness) -> None:
    """Until the run has ended, and the source has said what it has to say."""
    fault = seen.fault
    if fault.lasting_s(seen.stage):
        ended = wait_until(lambda: run.process.poll() is not None, fault.lasting_s(seen.stage))
        if ended and fault.cleaned_meanwhile:
            seen.clean_meanwhile = run.cleaned()[0]
        faults.lift(scene)
    with contextlib.suppress(subprocess.TimeoutExpired):
        seen.status = run.process.wait(HANGS_S)
    if seen.status is None:
        run.process.kill()
        run.process.wait()
    if seen.status in (None, -signal.SIGKILL, ExitCode.STILL_FROZEN):
        witness.settle(min(fault.frozen_s, faults.BY_ENGINE_S))
    witness.stop()


def _unique(run: Run, place: Sandboxes) -> list[str]:
    return list(dict.fromkeys([*run.left(), *place.left()]))


def _end(run: _Run) -> None:
    if run.process.poll() is None:
        run.process.send_signal(signal.SIGCONT)
        run.process.kill()
        run.process.wait()
        run.cleaned()
    for stream in (run.process.stdout, run.process.stderr):
        if stream:
            stream.close()
    run.hang_up()


def _read(run: _Run, seen: Seen) -> None:
    """What it said in words, in its record, and in its logs."""
    seen.said = run.text("stderr")
    record: dict[str, Any] = {}
    with contextlib.suppress(StopIteration, OSError, ValueError):
        record = run.record()
        seen.verdict = str(record["verdict"])
    last = [line for line in run.text("stdout").splitlines() if re.match(r"(FAIL|UNKNOWN): ", line)]
    told = [line for line in seen.said.splitlines() if line.startswith("harness: ")]
    found = [one for case in record.get("cases", ()) for check in case["checks"] for one in check["findings"]]
    texts = [f"{one['code']}: {one['message']}" for one in found if one["verdict"] == record["verdict"]]
    error = [str(record["error"])] if record.get("error") else []
    hangs = ["Python waits for ever for a thread without memory: python/cpython, issue 140746"]
    told = hangs if seen.status is None and _PYTHON_HANGS in seen.said else told
    seen.reason = next(iter([*last, *told, *error, *texts]), "")
    logs = run.out.glob("*/*/watchdog.log")
    seen.watchdog_said = "".join(log.read_text(errors="replace") for log in logs)
    done = Path(f"{run.flag}-done")
    if done.exists():
        seen.captured_s = done.stat().st_mtime - time.time() + time.monotonic()


def _keep(run: _Run, folder: Path) -> None:
    """Record and logs, from the disk that goes away."""
    for file in run.out.glob("killed/*/*"):
        if file.suffix in (".log", ".json") and file.is_file():
            shutil.copy(file, folder / file.name)


# --- the sweep and its table


def cells(only: str, times: int) -> list[tuple[Fault, str]]:
    """Every fault in every stage where it makes sense here; `only` is a pattern for its name, party and stage."""
    found = [(fault, stage) for fault in FAULTS for stage in fault.stages]
    found = [one for one in found if one[0].needs != "clock" or faults.faketime()]
    wanted = re.compile(only)
    return times * [one for one in found if wanted.search(f"{one[0].name} {one[0].party} {one[1]}")]


def sweep(wanted: list[tuple[Fault, str]], folder: Path, jobs: int) -> list[Seen]:
    """Carry them out; folders without a violation are removed."""
    found: dict[int, Seen] = {}
    with ThreadPoolExecutor(jobs) as pool:
        waiting = {
            pool.submit(carry_out, fault, stage, folder / str(number)): number
            for number, (fault, stage) in enumerate(wanted)
        }
        for future in ended(pool, waiting):
            seen = found[waiting[future]] = future.result()
            if wrong := judge(seen):
                _show(seen, wrong)
            else:
                shutil.rmtree(seen.folder)
            if len(found) % 10 == 0:
                _tell(
                    f"{len(found)} of {len(wanted)} faults, {sum(bool(judge(one)) for one in found.values())} wrong"
                )
    return [found[number] for number in sorted(found)]


def _show(seen: Seen, wrong: list[str]) -> None:
    print(f"\nVIOLATION {seen.name} (struck at {seen.struck_at}): status {seen.status}, {seen.verdict}")
    for text in wrong:
        print(f"  {text}")
    only = f"^{re.escape(seen.fault.name)} {re.escape(seen.fault.party)} {re.escape(seen.stage)}$"
    print(f"  kept: {seen.folder}\n  again: ./dev harm --only '{only}'", flush=True)


def document(found: list[Seen]) -> str:
    """The table as a file for docs."""
    parts = [_HEAD]
    for fault in FAULTS:
        rows = [_row(one) for one in found if one.fault is fault]
        if rows:
            parts.append(f"## {fault.name}: {fault.party}\n\n{tabulate(rows, _HEADS, tablefmt='github')}\n")
    return "\n".join([*parts, f"## In all\n\n{totals(found)}\n"])


_HEAD = """\
# Harm

Made by `./dev harm --write docs/harm.md`: a fault in every stage of a run, on each party. "Left" counts processes,
mounts and folders before `harness clean`; after it nothing may be left, and nothing of others may have changed, ever.
"Frozen" is the longest time for which the source said so, and what it may be. Numbers in a reason are left out.
A status of `clean` with a + is that of one while the disk was still full or read-only, then of one afterwards.
What makes no sense has no row: a program that is not there cannot be killed.
"""
_HEADS = ["stage", "status", "verdict", "it says", "left", "clean", "frozen s", "limit s", "wrong"]


def _row(seen: Seen) -> list[object]:
    if not seen.struck_at:
        return [seen.stage, "", "", "not struck: not there, or the run was over", *[""] * 5]
    where = seen.stage if seen.struck_at == seen.stage else f"{seen.stage} (at {seen.struck_at})"
    meanwhile = "" if seen.clean_meanwhile is None else f"{seen.clean_meanwhile}+"
    status = "killed" if seen.status == -signal.SIGKILL else "-" if seen.status is None else seen.status
    return [
        where,
        status,
        seen.verdict,
        shown(seen.reason, seen.folder),
        len(seen.left_before),
        f"{meanwhile}{seen.clean}",
        f"{longest_s(seen.samples):.0f}" if frozen_spans(seen.samples) else "",
        f"{seen.fault.frozen_s:.0f}" if math.isfinite(seen.fault.frozen_s) else "-",
        len(judge(seen)) or "",
    ]


def shown(reason: str, folder: Path) -> str:
    """A reason without what differs from run to run, for a cell of a table."""
    text = reason.replace(str(folder), "").replace("|", "/").replace("\n", " ")
    text = re.sub(r"\S*/disk/\S*/(?=\S)", "…/", text)
    text = re.sub(r"\d{4,}[-\dT.Z]*|\d+\.\d+", "N", text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def totals(found: list[Seen]) -> str:
    struck = [one for one in found if one.struck_at]
    wrong = [text for one in struck for text in judge(one)]
    frozen = [one for one in struck if frozen_spans(one.samples)]
    parts = [
        f"{len(struck)} faults struck ({len(found) - len(struck)} had nothing to strike)",
        f"{len(frozen)} of them with a freeze",
        f"{sum('frozen' in text for text in wrong)} frozen too long or left so",
        f"{sum(len(one.foreign) for one in struck)} foreign changes",
        f"{sum(len(one.left) for one in struck)} things left after clean",
        f"{sum('defect' in text for text in wrong)} tracebacks",
        f"{sum('PASS' in text for text in wrong)} false PASS",
        f"{sum('blames' in text for text in wrong)} false FAIL",
        f"{sum('went on' in text for text in wrong)} hung"
        f" (and {sum(one.status is None for one in struck) - sum('went on' in text for text in wrong)} in Python)",
        f"{sum(bool(judge(one)) for one in struck)} with anything wrong",
    ]
    return ", ".join(parts) + "."


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev harm", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", metavar="PATTERN", help="of fault, party and stage")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--write", type=Path, metavar="FILE", help="the table, in Markdown")
    parser.add_argument("--folder", type=Path, help="for the runs; those with a violation are kept")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    asked = _arguments(argv)
    folder = (asked.folder or Path(tempfile.mkdtemp(prefix="harm-"))).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with closing(ContainerCanaries()) as others:
        try:
            found = sweep(cells(asked.only, asked.times), folder, asked.jobs)
        except CannotMake as error:
            _tell(f"harm: {error}")
            return int(ExitCode.UNKNOWN)
        changed = others.changed()
    if not any(folder.iterdir()):
        folder.rmdir()
    text = document(found)
    if asked.write:
        asked.write.write_text(text)
    print(text)
    _tell(f"{len(found)} runs, {time.monotonic() - began:.0f} seconds; {' '.join(changed)}")
    return int(bool(changed) or any(judge(one) for one in found))


if __name__ == "__main__":
    sys.exit(main())

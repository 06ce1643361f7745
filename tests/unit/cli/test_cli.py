"""Each verb prints results on standard output and ends with a status of the table, never with a traceback."""

from __future__ import annotations

import dataclasses
import json
import re
import signal
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from harness import store
from harness.cli import cli, doctor_cmd, guard, live, output, run_cmd
from harness.command import Completed
from harness.errors import (
    CommandError,
    ExitCode,
    FreezeError,
    PreconditionError,
    ThawError,
)
from harness.instance import local, namespaces
from harness.model import Record, Verdict
from harness.plan.load import load
from harness.session.progress import CaseDone, Note, RunBegan, SilentProgress, StageBegan
from tests.checks import GUIDE, exit_code

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "tests" / "unit" / "report" / "record.json"
QUICK = str(ROOT / "testplans" / "quick.yaml")
FAILED = store.load(SAMPLE)
PASSED = dataclasses.replace(
    FAILED, cases=tuple(case for case in FAILED.cases if case.verdict is Verdict.PASS), verdict=Verdict.PASS
)


class FakeCycle(types.ModuleType):
    """Stands in for `harness.cycle`: returns a record or raises, and remembers what it was given."""

    def __init__(self, outcome: Record | Callable[[], Record]) -> None:
        super().__init__("harness.cycle")
        self.outcome = outcome
        self.given: dict[str, Any] = {}

    def run(self, plan: object, **given: Any) -> tuple[Record, Path]:
        self.given = {"plan": plan, **given}
        record = self.outcome if isinstance(self.outcome, Record) else self.outcome()
        folder = store.create_folder(given["out"], "quick", record.started_utc, given["seed"])
        store.save(record, folder)
        return record, folder


@pytest.fixture
def cycle(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCycle]:
    """A cycle that passes unless the test says otherwise."""
    fake = FakeCycle(PASSED)
    monkeypatch.setitem(sys.modules, "harness.cycle", fake)
    monkeypatch.setattr("harness.cycle", fake, raising=False)
    yield fake


def call(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert "Traceback" not in result.output
    return result


def failing(error: BaseException) -> Callable[[], Record]:
    def fail() -> Record:
        raise error

    return fail


def test_run_prints_the_report_and_keeps_junit(tmp_path: Path, cycle: FakeCycle) -> None:
    """The report is all there is on standard output; the folder is named on standard error."""
    result = call("run", QUICK, "--out", tmp_path, "--seed", "7")
    folder = tmp_path / "quick" / "20261122T110102Z-7"
    assert result.exit_code == ExitCode.PASS
    assert result.stdout.startswith("plan quick · seed")
    assert result.stdout.endswith("PASS: 7 of 7 cases passed.\n")
    assert result.stderr == f"seed 7\nrun folder {folder}\n"
    assert sorted(path.name for path in folder.iterdir()) == ["junit.xml", "record.json"]


def test_run_hands_everything_to_the_cycle(tmp_path: Path, cycle: FakeCycle) -> None:
    """Plan, seed, folder, command line and a silent progress, since standard error is no terminal."""
    call("run", QUICK, "--out", tmp_path, "--seed", "7")
    progress = cycle.given.pop("progress")
    assert cycle.given == {"plan": load(Path(QUICK)), "seed": 7, "out": tmp_path, "argv": tuple(sys.argv)}
    assert isinstance(progress, SilentProgress)


def test_run_draws_a_seed_and_shows_it(tmp_path: Path, cycle: FakeCycle) -> None:
    """A run can be repeated even if it crashes before it records anything."""
    seeds = set()
    for number in range(3):
        result = call("run", QUICK, "--out", tmp_path / str(number))
        assert result.stderr.startswith(f"seed {cycle.given['seed']}\n")
        seeds.add(cycle.given["seed"])
    assert len(seeds) == 3


def test_run_as_json_is_json(tmp_path: Path, cycle: FakeCycle) -> None:
    """Standard output can be piped into a JSON reader as it is."""
    result = call("run", QUICK, "--out", tmp_path, "--format", "json")
    assert json.loads(result.stdout)["schema"] == "harness.record/2"


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (PASSED, ExitCode.PASS),
        (FAILED, ExitCode.FAIL),
        (dataclasses.replace(PASSED, verdict=Verdict.UNKNOWN), ExitCode.UNKNOWN),
        (dataclasses.replace(PASSED, verdict=Verdict.SKIPPED), ExitCode.UNKNOWN),
        (dataclasses.replace(PASSED, finished=False), ExitCode.UNKNOWN),
        (failing(FreezeError("refused")), ExitCode.UNKNOWN),
        (failing(PreconditionError("no GT.M", "Install it.")), ExitCode.UNKNOWN),
        (failing(ThawError("no answer", "iris thaw X")), ExitCode.STILL_FROZEN),
        (failing(KeyboardInterrupt()), ExitCode.UNKNOWN),
        (failing(AssertionError("odd")), ExitCode.DEFECT),
        (failing(RecursionError("deep")), ExitCode.DEFECT),
    ],
)
def test_run_ends_with_the_status_of_its_outcome(
    tmp_path: Path, cycle: FakeCycle, monkeypatch: pytest.MonkeyPatch, outcome: Any, status: ExitCode
) -> None:
    """Every row of the table in `errors.py` is reached by what it stands for."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cycle.outcome = outcome
    assert call("run", QUICK, "--out", tmp_path).exit_code == status


def test_an_unconfirmed_thaw_says_how_to_thaw_by_hand(tmp_path: Path, cycle: FakeCycle) -> None:
    """The one message that must not be missed."""
    cycle.outcome = failing(ThawError("no answer", "iris thaw X"))
    stderr = call("run", QUICK, "--out", tmp_path).stderr
    assert "harness: no answer. The instance may still be FROZEN. Thaw it by hand: iris thaw X" in stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_lets_the_cycle_clean_up(tmp_path: Path, cycle: FakeCycle, number: signal.Signals) -> None:
    """It surfaces as KeyboardInterrupt; a second one does not break off the thaw; the run is UNKNOWN."""
    steps = []

    def interrupted() -> Record:
        try:
            signal.raise_signal(number)
        finally:
            signal.raise_signal(signal.SIGTERM)
            steps.append("thawed")
        raise AssertionError("the signal was lost")

    cycle.outcome = interrupted
    before = signal.getsignal(number)
    result = call("run", QUICK, "--out", tmp_path)
    assert steps == ["thawed"]
    assert result.exit_code == ExitCode.UNKNOWN
    assert "the run was interrupted and is UNKNOWN" in result.stderr
    assert signal.getsignal(number) is before


def test_a_defect_names_the_file_with_the_details(
    tmp_path: Path, cycle: FakeCycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One paragraph for the user, the traceback for whoever repairs it."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cycle.outcome = failing(ZeroDivisionError("by nought"))
    stderr = call("run", QUICK, "--out", tmp_path / "out").stderr
    (kept,) = tmp_path.glob("harness-defect-*.txt")
    assert f"ZeroDivisionError: by nought. The details are in {kept}." in stderr
    assert "Traceback" in kept.read_text(encoding="utf-8")


def test_an_unknown_format_is_refused_before_anything_runs(tmp_path: Path, cycle: FakeCycle) -> None:
    """Not after half an hour of cycles."""
    result = call("run", QUICK, "--out", tmp_path, "--format", "pdf")
    assert (result.exit_code, cycle.given) == (ExitCode.USAGE, {})
    assert "there is: json, junit, markdown, table" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["run"], ["run", QUICK, "--seed", "-1"], ["run", QUICK, "--nonsense"],
     ["run", "none.yaml"], ["plan"], ["plan", "check", "none.yaml"], ["report", "none"],
     ["list", "--format", "pdf"]],
)  # fmt: skip
def test_a_wrong_call_is_a_usage_error(arguments: list[str]) -> None:
    """Nothing runs, and the message is on standard error."""
    result = call(*arguments)
    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")
    assert result.stderr


def test_plan_check_prints_the_cases() -> None:
    """What would run, in order."""
    result = call("plan", "check", QUICK)
    assert result.exit_code == ExitCode.PASS
    assert result.stdout.splitlines()[:2] == ["plan quick · 8 cases", "instance: stand-in on local"]
    assert result.stdout.count("cycle ") == 8


def test_plan_check_as_json_is_json() -> None:
    """The same cases for programs."""
    first = json.loads(call("plan", "check", QUICK, "--format", "json").stdout)[0]
    assert first == {
        "name": "cycle 1 · copy · as-of-freeze",
        "cycle": 1,
        "snapshot": {"provider": "copy", "options": {}},
        "recovery": "as-of-freeze",
    }


def test_mistakes_in_a_plan_are_printed_with_their_lines(tmp_path: Path) -> None:
    """Each on a line that an editor can jump to."""
    plan = tmp_path / "p.yaml"
    plan.write_text("plan: p\nsnapshot: copy\ncycles: 0\n")
    result = call("plan", "check", plan)
    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")
    assert result.stderr.splitlines() == [
        f"harness: 2 mistakes in {plan}",
        f"{plan}:1: recovery: is missing and must be given",
        f"{plan}:3: cycles: must be a whole number from 1 to 10000, not 0",
    ]


@pytest.mark.parametrize("format_", ["table", "json", "markdown", "junit"])
def test_report_of_one_run_ends_with_its_status(format_: str) -> None:
    """A report says in its status what it says in its text."""
    result = call("report", SAMPLE, "--format", format_)
    assert result.exit_code == ExitCode.FAIL
    assert "rollforward" in result.stdout


def stored(folder: Path, record: Record, seed: int) -> Path:
    run = store.create_folder(folder, record.plan, record.started_utc, seed)
    store.save(record, run)
    return run


def test_report_of_several_runs_is_a_trend_with_the_worst_status(tmp_path: Path) -> None:
    """One row a run, oldest first."""
    good, bad = stored(tmp_path, PASSED, 1), stored(tmp_path, FAILED, 2)
    result = call("report", good, bad)
    assert result.exit_code == ExitCode.FAIL
    assert [line.split()[0] for line in result.stdout.splitlines()[3:]] == [str(good), str(bad)]


def test_report_of_several_runs_in_a_format_adds_the_details(tmp_path: Path) -> None:
    """The trend first, then each run; JSON is one list."""
    runs = (stored(tmp_path, PASSED, 1), stored(tmp_path, PASSED, 2))
    assert call("report", *runs, "--format", "table").stdout.count("PASS: 7 of 7 cases passed.") == 2
    assert call("report", *runs, "--format", "markdown").stdout.count("## PASS") == 2
    listed = json.loads(call("report", *runs, "--format", "json").stdout)
    assert [record["plan"] for record in listed] == ["quick", "quick"]
    assert call("report", *runs, "--format", "junit").exit_code == ExitCode.USAGE


def test_report_without_a_run_lists_them(tmp_path: Path) -> None:
    """Also those that cannot be read, with the reason."""
    good = stored(tmp_path, PASSED, 1)
    broken = store.create_folder(tmp_path, "quick", PASSED.started_utc, 2)
    result = call("report", "--out", tmp_path)
    assert result.exit_code == ExitCode.PASS
    assert str(good) in result.stdout
    assert f"{broken}: cannot read the run" in result.stdout
    rows = json.loads(call("report", "--out", tmp_path, "--format", "json").stdout)
    assert [row["verdict"] for row in rows] == ["PASS", "UNKNOWN"]


def test_report_of_an_empty_folder_says_so(tmp_path: Path) -> None:
    """No runs is no error."""
    result = call("report", "--out", tmp_path)
    assert (result.exit_code, result.stdout) == (ExitCode.PASS, f"no runs below {tmp_path}\n")


def test_a_record_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    """A clear message instead of a report of nothing."""
    (tmp_path / "record.json").write_text("{}")
    result = call("report", tmp_path)
    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")
    assert "is not the record of a run" in result.stderr


def test_an_unfinished_run_is_never_reported_as_pass(tmp_path: Path) -> None:
    """Even if every case that it reached has passed."""
    cut = stored(tmp_path, dataclasses.replace(PASSED, finished=False), 1)
    assert call("report", cut).exit_code == ExitCode.UNKNOWN
    assert exit_code([PASSED, dataclasses.replace(PASSED, finished=False)]) is ExitCode.UNKNOWN
    assert exit_code([]) is ExitCode.UNKNOWN


def test_list_names_every_adapter_with_origin_and_help() -> None:
    """Kind, name, distribution and one line of help."""
    rows = json.loads(call("list", "--format", "json").stdout)
    table = {"kind": "reporter", "name": "table", "from": "iris-restore-harness"}
    assert {**table, "help": "Compact tables for a terminal."} in rows
    assert [row for row in rows if not row["help"]] == []
    assert "Compact tables for a terminal." in call("list").stdout


def test_clean_prints_what_it_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each thing, or that there was nothing."""
    fake = types.ModuleType("harness.session.leftovers")
    monkeypatch.setitem(sys.modules, "harness.session.leftovers", fake)
    monkeypatch.setattr("harness.session.leftovers", fake, raising=False)
    answer = types.SimpleNamespace(removed=("instance A", "mount B"), skipped=(), problems=())
    monkeypatch.setattr(fake, "clean", lambda: answer, raising=False)
    done = call("clean")
    assert (0, "instance A\nmount B\n") == (done.exit_code, done.stdout)
    answer.removed = ()
    assert call("clean").stdout == "nothing to remove\n"
    answer.skipped, answer.problems = ("entry C: no",), ("volume D: busy",)
    done = call("clean")
    assert 3 == done.exit_code and "skipped entry C: no\nharness: volume D: busy\n" == done.stderr


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> set[str]:
    """A machine that has the programs in the set, and GT.M below tmp_path."""
    here = {"unshare", "nsenter", "perl", "cp"}
    gtm = tmp_path / "x86_64-linux-gnu" / "fis-gtm" / "V7.0-005_x86_64"
    gtm.mkdir(parents=True)
    (gtm / "mupip").touch()

    def run(argv: list[str], **_: object) -> Completed:
        if argv[0] not in here:
            raise CommandError(argv, 1, 0.0, "")
        return Completed(argv=tuple(argv), status=0, stdout=f"{argv[0]} 1.0\n", stderr="", duration_s=0.0)

    monkeypatch.delenv("gtm_dist", raising=False)
    monkeypatch.setattr(doctor_cmd, "GTM_ROOT", tmp_path)
    monkeypatch.setattr(doctor_cmd, "run", run)
    monkeypatch.setattr(doctor_cmd.shutil, "which", lambda name: name if name in here else None)
    return here


def test_doctor_is_content_with_what_the_quick_plan_needs(tmp_path: Path, machine: set[str]) -> None:
    """A container engine, btrfs and IRIS are shown as missing and do no harm."""
    result = call("doctor", "--out", tmp_path)
    assert result.exit_code == ExitCode.PASS
    assert result.stdout.endswith("testplans/quick.yaml can run here.\n")
    rows = {
        row["what"]: row["found"]
        for row in json.loads(call("doctor", "--out", tmp_path, "--format", "json").stdout)
    }
    assert [name for name, found in rows.items() if not found] == [
        "btrfs",
        "container engine",
        "image iris-stand-in",
        "iris",
    ]


def test_doctor_finds_the_version_of_gtm(machine: set[str], tmp_path: Path) -> None:
    """The version is that of the folder it is installed in."""
    assert next(row.version for row in doctor_cmd.examine(tmp_path) if row.what == "GT.M") == "V7.0-005"


@pytest.mark.parametrize("missing", ["unshare", "nsenter", "perl"])
def test_doctor_tells_what_is_missing_and_how_to_get_it(
    tmp_path: Path, machine: set[str], missing: str
) -> None:
    """Status 3, since quick.yaml could not say anything here."""
    machine.remove(missing)
    result = call("doctor", "--out", tmp_path)
    assert result.exit_code == ExitCode.UNKNOWN
    assert "apt-get install" in result.stdout
    assert missing in result.stdout.splitlines()[-1]


def test_doctor_without_gtm_names_the_package(
    tmp_path: Path, machine: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The remedy is a command to type."""
    monkeypatch.setattr(doctor_cmd, "GTM_ROOT", tmp_path / "none")
    result = call("doctor", "--out", tmp_path)
    assert result.exit_code == ExitCode.UNKNOWN
    assert "apt-get install fis-gtm" in result.stdout


def test_doctor_leaves_nothing_behind(tmp_path: Path, machine: set[str]) -> None:
    """What it tries in the results folder it removes."""
    out = tmp_path / "results"
    out.mkdir()
    call("doctor", "--out", out)
    assert list(out.iterdir()) == []


def test_doctor_tries_the_namespaces_that_a_run_makes() -> None:
    """With a /proc of their own: where that is refused `run` cannot work, though namespaces can be made."""
    wanted = set(local._unshare(network=False)) - {"--user", "--map-root-user"}
    assert wanted == set(doctor_cmd.RUN_NAMESPACES)


def test_doctor_says_no_where_proc_cannot_be_mounted(
    tmp_path: Path, machine: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container with SYS_ADMIN whose /proc is masked: status 3, and what the kernel said."""
    said = "unshare: mount /proc failed: Operation not permitted"
    _refuse(monkeypatch, "--mount-proc", said)
    result = call("doctor", "--out", tmp_path)
    assert result.exit_code == ExitCode.UNKNOWN
    assert said in result.stdout and "cannot run here" in result.stdout.splitlines()[-1]


def _refuse(monkeypatch: pytest.MonkeyPatch, word: str, said: str) -> None:
    allowed = doctor_cmd.run

    def run(argv: list[str], **options: Any) -> Completed:
        if word in argv:
            raise CommandError(argv, 1, 0.0, said)
        return allowed(argv, **options)

    monkeypatch.setattr(doctor_cmd, "run", run)


@pytest.mark.parametrize(
    ("user", "inside", "expected"),
    [
        (0, True, "--privileged"),
        (0, False, "CAP_SYS_ADMIN"),
        (1000, False, "run as root"),
    ],
)
def test_advice_is_true_for_whoever_asks(
    tmp_path: Path,
    machine: set[str],
    monkeypatch: pytest.MonkeyPatch,
    user: int,
    inside: bool,
    expected: str,
) -> None:
    """Root is never told to be root; in a container the rights are named."""
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setattr(doctor_cmd, "in_container", lambda: inside)
    monkeypatch.setattr(namespaces, "in_container", lambda: inside)
    _refuse(monkeypatch, "--mount-proc", "unshare: refused")
    shown = call("doctor", "--out", tmp_path).stdout
    assert expected in shown
    assert user or "as root" not in shown
    if inside:
        assert "systempaths=unconfined" in shown


def test_doctor_has_a_line_for_each_ability(tmp_path: Path, machine: set[str]) -> None:
    """And `--for` chooses the one that the status speaks of; here there is no engine, and no setpriv."""
    shown = call("doctor", "--out", tmp_path).stdout.splitlines()[-3:]
    assert ["scripts check", "a plan with containers", "testplans/quick.yaml"] == [
        line.partition(" can")[0] for line in shown
    ]
    for ability in ("scripts-check", "containers"):
        assert call("doctor", "--out", tmp_path, "--for", ability).exit_code == ExitCode.UNKNOWN


def test_doctor_names_no_plan_that_is_not_there(
    tmp_path: Path, machine: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from an installed wheel."""
    monkeypatch.setattr(doctor_cmd, "_CHECKOUT", tmp_path)
    shown = call("doctor", "--out", tmp_path).stdout
    assert "quick.yaml" not in shown
    assert shown.endswith("a plan with the stand-in on host local can run here.\n")


def test_doctor_tells_who_may_use_the_socket(
    tmp_path: Path, machine: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that is there need not be installed."""
    socket = tmp_path / "docker.sock"
    socket.touch()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
    monkeypatch.setattr("os.access", lambda path, mode: False)
    (row,) = [row for row in doctor_cmd.examine(tmp_path) if row.what == "container engine"]
    assert "be root, or a member of group" in row.remedy and "apt-get" not in row.remedy


def _commands(group: click.Group) -> Iterator[click.Command]:
    for command in group.commands.values():
        yield command
        if isinstance(command, click.Group):
            yield from _commands(command)


@pytest.mark.parametrize("command", list(_commands(cli)), ids=lambda command: str(command.name))
def test_every_verb_and_option_has_help(command: click.Command) -> None:
    """What is not explained cannot be used."""
    assert command.help
    options = [option for option in command.params if isinstance(option, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_a_closed_pipe_does_not_change_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """`harness report RUN | head` still ends with the verdict."""
    discarded = []
    monkeypatch.setattr(output, "_discard_standard_output", lambda: discarded.append(True))
    monkeypatch.setattr("harness.cli.output.sys.stdout", _Broken(BrokenPipeError(32, "Broken pipe")))
    output.emit("text")
    assert discarded == [True]


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that was not written must not look like one that was."""
    monkeypatch.setattr(output, "_discard_standard_output", lambda: None)
    monkeypatch.setattr("harness.cli.output.sys.stdout", _Broken(OSError(28, "No space left on device")))
    with pytest.raises(PreconditionError, match="No space left"):
        output.emit("text")


class _Broken:
    """An output that fails."""

    encoding = "utf-8"

    def __init__(self, error: OSError) -> None:
        self._error = error

    def write(self, _text: str) -> None:
        raise self._error


def test_a_poor_encoding_gets_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ASCII terminal is no reason for a defect."""

    class Poor(list[str]):
        encoding = "ascii"
        write = list.append

        def flush(self) -> None:
            """Nothing is held back."""

    poor = Poor()
    monkeypatch.setattr("harness.cli.output.sys.stdout", poor)
    output.emit("a · b")
    assert poor == ["a \\xb7 b"]


def test_a_verb_that_is_interrupted_is_unknown() -> None:
    """Outside a run there is nothing to clean up."""
    assert guard.guarded(failing(KeyboardInterrupt())) == ExitCode.UNKNOWN


def test_live_progress_shows_stages_and_leaves_a_line_a_case() -> None:
    """On a terminal only; names are text, never markup."""
    from io import StringIO

    from rich.console import Console

    text = StringIO()
    progress = live.LiveProgress(Console(file=text, force_terminal=True, width=100))
    progress.tell(RunBegan(cases=3))
    progress.tell(StageBegan(case="cycle 1 [x]", stage="freeze"))
    progress.tell(CaseDone(case="cycle 1 [red]", said="PASS", duration_s=1.0))
    progress.tell(Note(text="5 writers [sic]"))
    progress.tell(CaseDone(case="cycle 1 [blue]", said="FAIL", duration_s=1.0))
    progress.tell(StageBegan(case="cycle 2 [y]", stage="freeze"))
    progress.close()
    progress.close()
    assert "cycle 1 [red]" in text.getvalue()
    assert "note: 5 writers [sic]" in text.getvalue()
    assert "PASS" in text.getvalue()
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.getvalue())
    assert "3 of 3 · cycle 2 [y] · freeze" in shown and "~5 s left" in shown


def test_a_live_line_is_never_wider_than_its_terminal() -> None:
    """Of the name goes what does not fit; the stage, its time and how long the rest takes stay."""
    from io import StringIO

    from rich.console import Console

    text = StringIO()
    progress = live.LiveProgress(Console(file=text, force_terminal=True, width=80))
    progress.tell(RunBegan(cases=800))
    for number in range(2):
        progress.tell(CaseDone(case=str(number), said="PASS", duration_s=1.0))
    progress.tell(
        StageBegan(case="cycle 100 · docker_volume #2 · point-in-time", stage="collect the journals")
    )
    progress.close()
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.getvalue()).replace("\r", "\n").strip().splitlines()[-1]
    assert last.startswith("⠋ 3 of 800 · cycle 100 · docker_vol") and len(last) <= 80
    assert "… · collect the journals 0:00:00 ~" in last and last.endswith("left")


@pytest.mark.parametrize(
    ("done", "seconds", "place", "left"),
    [
        (0, 10.0, "1 of 8", ""),
        (1, 10.0, "2 of 8", ""),
        (2, 10.0, "3 of 8", "~30 s left"),
        (4, 200.0, "5 of 8", "~4 min left"),
        (7, 7.0, "8 of 8", "~5 s left"),
        (8, 10.0, "8 of 8", ""),
    ],
)
def test_it_is_told_how_far_it_is_and_how_long_the_rest_takes(
    monkeypatch: pytest.MonkeyPatch, done: int, seconds: float, place: str, left: str
) -> None:
    now = [100.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: now[0])
    count = live.Count()
    assert "" == count.place == count.left
    count.tell(RunBegan(cases=8))
    for number in range(done):
        now[0] += seconds / done
        count.tell(CaseDone(case=str(number), said="PASS", duration_s=0.1))
    assert (place, left) == (count.place, count.left)
    count.tell(RunBegan(cases=8, alike=False))
    for number in range(done):
        count.tell(CaseDone(case=str(number), said="PASS", duration_s=0.1))
    assert (place, "") == (count.place, count.left), "the others may be shorter, or go on side by side"


@pytest.mark.parametrize("width", [3, 8])
def test_a_log_has_a_line_for_each_case(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    progress = live.CasesOnly(width)
    for event in (
        RunBegan(cases=2),
        StageBegan(case="a", stage="b"),
        CaseDone(case="freeze.none", said="ok", duration_s=1.25),
        Note(text="slow"),
    ):
        progress.tell(event)
    assert f"{'ok':<{width}} freeze.none (1.2 s)\nnote: slow\n" == capsys.readouterr().err


def test_junit_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """CI would otherwise take the absence of a file for the absence of failures."""
    with pytest.raises(PreconditionError, match=r"junit\.xml"):
        run_cmd._write_junit(PASSED, tmp_path / "none", GUIDE)


@pytest.mark.parametrize("code", [0, 1, None, "odd"])
def test_what_ends_the_process_is_no_pass(code: object, capsys: pytest.CaptureFixture[str]) -> None:
    """A plug-in may call `sys.exit(0)`; nothing was judged."""

    def ends() -> None:
        raise SystemExit(code)

    assert ExitCode.UNKNOWN == guard.guarded(ends)
    assert "UNKNOWN" in capsys.readouterr().err


def test_a_shell_that_completes_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    def ends() -> None:
        raise SystemExit(0)

    monkeypatch.setenv("_HARNESS_COMPLETE", "bash_source")
    assert ExitCode.PASS == guard.guarded(ends)


def test_an_error_of_no_known_kind_is_a_defect_and_no_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    """Python would end with 1, which says that a backup is bad."""

    class Odd(BaseException):
        pass

    def raises() -> None:
        raise Odd("from a plug-in")

    assert ExitCode.DEFECT == guard.guarded(raises)
    assert "from a plug-in" in capsys.readouterr().err

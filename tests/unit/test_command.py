"""The one place that runs programs: what is accepted, what is killed, what an error says."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.command import AT_THE_WORD, Deadline, Prepared, run
from harness.errors import CommandError, CommandTimeout, PreconditionError


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_output_and_status() -> None:
    """Both streams come back apart, with the status and the time it took."""
    done = run(python("import sys; print('out'); print('err', file=sys.stderr)"))
    assert (done.status, done.stdout, done.stderr) == (0, "out\n", "err\n")
    assert 0 < done.duration_s < 30


def test_accepted_statuses() -> None:
    """A status is an answer only where the caller says so; None accepts all."""
    argv = python("raise SystemExit(5)")
    assert run(argv, accept=(5, 3)).status == 5
    assert run(argv, accept=None).status == 5
    with pytest.raises(CommandError) as caught:
        run(argv)
    assert (caught.value.argv, caught.value.status) == (tuple(argv), 5)


def test_error_ends_with_what_was_said_last() -> None:
    """The tail of standard error is what a person reads first."""
    with pytest.raises(CommandError, match=r"(?s)status 1 after .* s: working.*disk on fire$"):
        run(python("print('working'); raise SystemExit('disk on fire')"))


def test_death_by_signal_is_a_negative_status() -> None:
    """A program that was killed by someone else is told from one that failed."""
    with pytest.raises(CommandError) as caught:
        run(python("import os, signal; os.kill(os.getpid(), signal.SIGTERM)"))
    assert caught.value.status == -signal.SIGTERM
    assert not isinstance(caught.value, CommandTimeout)


def test_timeout_kills_the_whole_group(tmp_path: Path) -> None:
    """At the limit the program's children die too, and its words so far are kept."""
    pid_file = tmp_path / "pid"
    code = (
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(pid_file)!r}).write_text(str(child.pid))\n"
        "print('waiting', flush=True)\n"
        "time.sleep(60)\n"
    )
    with pytest.raises(CommandTimeout, match="did not end within 1 s and was killed") as caught:
        run(python(code), timeout_s=1.0)
    assert caught.value.output == "waiting\n"
    assert _dies(int(pid_file.read_text()))


def _dies(pid: int) -> bool:
    deadline = Deadline.after(10)
    while not deadline.passed:
        status = Path(f"/proc/{pid}/stat")
        try:
            if status.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False


def test_absent_program() -> None:
    """A program that is not there is a precondition, with the name."""
    with pytest.raises(PreconditionError, match="cannot run no-such-program-here"):
        run(["no-such-program-here"])


@pytest.mark.parametrize(
    "mode",
    [
        0o644,
        pytest.param(
            0o755,
        ),
    ],
)
def test_file_that_is_no_program(tmp_path: Path, mode: int) -> None:
    """Not executable, or a script without its first line: a precondition too, not an OSError."""
    script = tmp_path / "freeze.sh"
    script.write_text("echo no first line\n")
    script.chmod(mode)
    with pytest.raises(PreconditionError, match=r"cannot run .*freeze\.sh"):
        run([str(script)])


def test_stdin_reaches_the_program_and_no_error() -> None:
    """What goes in on standard input (credentials) is in no message."""
    assert run(python("print(len(input()))"), stdin="secret\n").stdout == "6\n"
    with pytest.raises(CommandError) as caught:
        run(python("input(); raise SystemExit(1)"), stdin="secret\n")
    assert "secret" not in str(caught.value)


def test_without_stdin_the_program_reads_nothing() -> None:
    """A program that asks a question gets an end of file, not the user's terminal."""
    assert run(python("import sys; print(repr(sys.stdin.read()))")).stdout == "''\n"


def test_environment() -> None:
    """LC_ALL is C whatever the user has; given variables are added, others stay."""
    code = "import os; print(os.environ['LC_ALL'], os.environ['ADDED'], 'PATH' in os.environ)"
    assert run(python(code), env={"ADDED": "yes"}).stdout == "C yes True\n"


def test_undecodable_output_is_shown_not_raised() -> None:
    """Bytes that are no UTF-8 do not end the harness."""
    code = "import sys; sys.stdout.buffer.write(b'a\\xffb')"
    assert run(python(code)).stdout == "a\ufffdb"


def test_no_shell() -> None:
    """An argument stays one argument, whatever is in it."""
    argument = "a b; $(touch /tmp/never) 'x' *"
    assert run([*python("import sys; print(sys.argv[1])"), argument]).stdout == argument + "\n"


def test_interruption_kills_the_program(tmp_path: Path) -> None:
    """Ctrl-C in the harness leaves no program behind."""
    pid_file = tmp_path / "pid"
    code = (
        "import os, pathlib, signal, time\n"
        f"pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid()))\n"
        "os.kill(os.getppid(), signal.SIGUSR1)\n"
        "time.sleep(60)\n"
    )

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(python(code))
    finally:
        signal.signal(signal.SIGUSR1, before)
    gc.collect()  # a pipe that was left open is reported here, not in some later test
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_deadline() -> None:
    """What is left counts down to zero, never below."""
    deadline = Deadline.after(60)
    assert 59 < deadline.left_s <= 60
    assert not deadline.passed
    assert (Deadline.after(-1).left_s, Deadline.after(-1).passed) == (0.0, True)


def test_a_prepared_program_runs_at_the_word_with_its_input() -> None:
    """What follows the word on standard input is the program's; its status and output come back."""
    prepared = Prepared([*AT_THE_WORD, "sh", "-c", "cat; exit 5"], ["cat"])
    done = prepared.run(5.0, "secret\n")
    prepared.close()
    assert (5, "secret\n") == (done.status, done.stdout)
    assert ("cat",) == done.argv


def test_a_prepared_program_does_nothing_without_the_word(tmp_path: Path) -> None:
    """Closed, or left by a process that dies, it never begins."""
    prepared = Prepared([*AT_THE_WORD, "touch", str(tmp_path / "done")], ["touch"])
    assert prepared._process.stdin
    prepared._process.stdin.close()
    prepared._process.wait(timeout=5)
    with pytest.raises(CommandError, match="before it was needed"):
        prepared.run(5.0)
    prepared.close()
    prepared.close()
    assert [] == list(tmp_path.iterdir())


def test_a_prepared_program_that_cannot_stand_ready_is_an_error() -> None:
    """The way in is refused, or takes too long: said before anything was frozen."""
    with pytest.raises(CommandError, match="no such container"):
        Prepared(["sh", "-c", "echo no such container >&2; exit 1"], ["iris"])
    with pytest.raises(CommandError):
        Prepared(["sleep", "60"], ["iris"], timeout_s=0.1)


def test_a_prepared_program_is_killed_at_its_limit() -> None:
    """A thaw that hangs is an error with a time."""
    prepared = Prepared([*AT_THE_WORD, "sleep", "60"], ["sleep"])
    with pytest.raises(CommandTimeout):
        prepared.run(0.1)
    prepared.close()


DAEMONS = {
    "a child": "sleep 20 & echo done",
    "in a session of its own": "setsid sleep 20 & echo done",
    "that talks on": "setsid sh -c 'while sleep 0.01; do echo more; done' 2>&1 & sleep 0.1; echo done",
}


@pytest.mark.parametrize("daemon", DAEMONS)
def test_a_child_that_keeps_the_output_holds_nobody_up(daemon: str) -> None:
    """A daemon, an ssh master: the program has ended when it has ended."""
    began = time.monotonic()
    assert "done\n" in run(["sh", "-c", DAEMONS[daemon]]).stdout
    assert time.monotonic() - began < 10


def test_a_limit_holds_although_a_child_keeps_the_output() -> None:
    began = time.monotonic()
    with pytest.raises(CommandTimeout):
        run(["sh", "-c", "setsid sleep 20 & echo begun; sleep 20"], timeout_s=0.3)
    assert time.monotonic() - began < 10


def test_the_same_of_a_program_that_stood_ready() -> None:
    began = time.monotonic()
    prepared = Prepared([*AT_THE_WORD, "sh", "-c", "setsid sleep 20 & echo done"], ["sh"])
    assert "done\n" == prepared.run(10).stdout
    prepared.close()
    assert time.monotonic() - began < 10


def test_much_in_and_much_out_at_once() -> None:
    """More than pipes hold, both ways."""
    text = "line of text\n" * 200_000
    assert text == run(["cat"], stdin=text).stdout


def test_a_program_that_reads_nothing_is_told_all_the_same() -> None:
    assert 0 == run(["true"], stdin="x" * 1_000_000).status


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.2, 0.24])
def test_an_interrupt_stays_an_interrupt(moment: float) -> None:
    """Also when the program ends at the same moment."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.05 + moment)
    try:
        with pytest.raises(KeyboardInterrupt):
            for _ in range(100):
                run(["sleep", "0.05"])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_an_interrupt_while_a_program_is_started_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the program runs before Popen has returned."""
    started: list[int] = []
    execute = subprocess.Popen._execute_child  # type: ignore[attr-defined]

    def interrupted(self: subprocess.Popen[bytes], *arguments: object) -> None:
        execute(self, *arguments)
        started.append(self.pid)
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "_execute_child", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(["sleep", "60"])
    assert _dies(started[0])


def test_of_much_output_the_beginning_is_kept() -> None:
    """A verbose snapshot command: no time of a window, and no memory, goes into what nobody reads."""
    began = time.monotonic()
    done = run(["sh", "-c", "head -c 100000000 /dev/zero | tr '\\0' '\\n'; echo end >&2"], keep_bytes=1000)
    assert "(99999000 more bytes were printed)" in done.stdout and len(done.stdout) < 1100
    assert "end\n" == done.stderr and time.monotonic() - began < 30


def test_a_limit_of_years_is_one() -> None:
    assert 0 == run(["true"], timeout_s=1e9).status

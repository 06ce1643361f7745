"""The image iris-stand-in, from outside: what is documented of InterSystems' images holds of it.

Source of the claims: Running InterSystems Products in Containers, 5.2.6 (user, password file), 5.3 (iris-main) and
5.4 (durable %SYS). Every container carries a label and is removed by the fixture that made it.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from harness.command import Completed, run
from harness.errors import HarnessError
from tests.conftest import required
from tests.runs import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.docker]

IMAGE = "iris-stand-in"
OWNER = 51773
UP = "Enabling logons"
AGENT = "##class(Harness.Agent)"
BACKUP = "##class(Backup.General)"
START_S = 30.0


class Container:
    """One container of the image, by the engine's command line."""

    def __init__(self, name: str) -> None:
        self.name = name

    def exec(self, *argv: str) -> Completed:
        return run(["docker", "exec", self.name, *argv], accept=None, timeout_s=START_S)

    def session(self, call: str) -> Completed:
        return self.exec("iris", "session", "IRIS", "-U%SYS", call)

    def work(self, first: int, count: int) -> None:
        """Durable transactions of one writer."""
        done = self.session(f'{AGENT}.Work("1","1","1","{first}","{count}","60","durable","0")')
        assert (5, "end") == (done.status, done.stdout.splitlines()[-1])

    def committed(self) -> str:
        """What writer 1 has committed, by its three counters."""
        lines = self.session(f'{AGENT}.State("summary","0")').stdout.splitlines()
        return next(line for line in lines if line.startswith("s|1|"))

    def inspect(self, template: str) -> str:
        return docker("inspect", "--format", template, self.name).stdout.strip()

    def log(self) -> str:
        done = docker("logs", self.name)
        return done.stdout + done.stderr

    def wait_for(self, what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_S
        while not condition():
            assert time.monotonic() < deadline, f"not {what} within {START_S} s: {self.log()}"
            time.sleep(0.05)

    def wait_up(self, times: int = 1) -> None:
        self.wait_for(f"up for the {times}. time", lambda: self.log().count(UP) >= times)

    def wait_ended(self) -> int:
        self.wait_for("ended", lambda: self.inspect("{{.State.Status}}") == "exited")
        return int(self.inspect("{{.State.ExitCode}}"))


def docker(*arguments: str, accept: tuple[int, ...] = (0,)) -> Completed:
    return run(["docker", *arguments], accept=accept, timeout_s=60.0)


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest) -> None:
    """Skips without engine or image, unless `docker` is required."""
    try:
        docker("image", "inspect", IMAGE)
    except HarnessError as error:
        if "docker" in required(request.config):
            raise
        pytest.skip(f"no container engine answers, or it has no image {IMAGE}: {error}")


@contextmanager
def container(
    *options: str, data: Path | None = None, mount: Path | None = None, env: str = ""
) -> Iterator[Container]:
    """A started container, removed at the end. `data` is its durable %SYS folder, at the same path inside."""
    name = f"harness-test-{os.urandom(6).hex()}"
    argv = ["run", "--detach", "--label", "harness-test=1", "--name", name]
    if data:
        place = mount or data
        argv += ["--volume", f"{place}:{place}", "--env", f"ISC_DATA_DIRECTORY={data}"]
    argv += ["--env", env] if env else []
    try:
        docker(*argv, IMAGE, *options)
        yield Container(name)
    finally:
        docker("rm", "--force", name, accept=(0, 1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty durable folder that irisowner may write to; pytest's own folders let only their owner through."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder to irisowner")
    return owned(tmp_path / "durable")


def owned(new: Path) -> Path:
    new.mkdir()
    os.chown(new, OWNER, OWNER)
    return new


@pytest.fixture(scope="module")
def live(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Container, Path]]:
    """A container that only answers, and its durable folder."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder to irisowner")
    folder = owned(tmp_path_factory.mktemp("live") / "durable")
    with container(data=folder) as one:
        one.wait_up()
        yield one, folder


def test_it_becomes_healthy_and_says_enabling_logons(live: tuple[Container, Path]) -> None:
    one, _ = live
    one.wait_for("healthy", lambda: one.inspect("{{.State.Health.Status}}") == "healthy")
    assert 1 == one.log().count(UP)


def test_qlist_has_the_documented_fields(live: tuple[Container, Path]) -> None:
    """Name, folder, status and health stand where scripts look for them."""
    one, folder = live
    (line,) = one.exec("iris", "qlist", "IRIS").stdout.splitlines()
    fields = line.split("^")
    assert ["IRIS", str(folder), "iris.cpf", "ok", str(folder)] == [fields[n] for n in (0, 1, 4, 8, 12)]
    assert fields[3].startswith("running, since ")


def test_commands_run_as_irisowner(live: tuple[Container, Path]) -> None:
    """And every name of the command is there."""
    one, _ = live
    assert "irisowner 51773 51773\n" == one.exec("sh", "-c", "echo $(whoami) $(id -u) $(id -g)").stdout
    for name in ("iris", "irissession", "ccontrol", "csession"):
        assert 0 == one.exec("sh", "-c", f"command -v {name}").status, name


def test_the_durable_folder_holds_the_instance(live: tuple[Container, Path]) -> None:
    _, folder = live
    assert {"iris.cpf", "db", "mgr"} == {path.name for path in folder.iterdir()}
    files = [folder / "db/one/IRIS.DAT", folder / "db/two/IRIS.DAT", folder / "mgr/messages.log"]
    assert [OWNER] * 3 == [file.stat().st_uid for file in files]


def test_freeze_and_thaw_by_exec(live: tuple[Container, Path]) -> None:
    """5 is done and 3 is refused, and nothing on the way changes that."""
    one, folder = live
    log = folder / "mgr" / "freeze.log"
    freeze, thaw = f'{BACKUP}.ExternalFreeze("{log}")', f'{BACKUP}.ExternalThaw("{log}")'
    assert [5, 3, 5, 3] == [one.session(call).status for call in (freeze, freeze, thaw, thaw)]
    assert "System suspended" in log.read_text() and "System resumed" in log.read_text()


def test_data_survives_the_container(engine: None, folder: Path) -> None:
    """A stop is clean: status 0, no recovery; and a new container has the data of the one before."""
    with container(data=folder) as first:
        first.wait_up()
        first.work(1, 50)
        docker("stop", "--time", "30", first.name)
        assert 0 == first.wait_ended()
    log = folder / "mgr" / "messages.log"
    assert log.read_text().rstrip().endswith("Shutdown complete")
    with container(data=folder) as second:
        second.wait_up()
        assert "s|1|50|50|50" == second.committed()
        assert "Shutdown complete" not in second.log(), "a container shows only its own time"
    assert "Recovery started" not in log.read_text()


def test_a_kill_is_recovered_from(engine: None, folder: Path) -> None:
    """In the same container, and in a new one on the same folder, where process numbers repeat."""
    with container(data=folder) as first:
        first.wait_up()
        first.work(1, 50)
        docker("kill", first.name)
        assert 137 == first.wait_ended()
        assert (folder / "mgr" / "iris.ids").exists()
        docker("start", first.name)
        first.wait_up(times=2)
        assert "Recovery started" in first.log()
        assert "s|1|50|50|50" == first.committed()
        first.work(51, 50)
        docker("kill", first.name)
    with container(data=folder) as second:
        second.wait_up()
        assert "Recovery started" in second.log()
        assert "s|1|100|100|100" == second.committed()
        docker("stop", second.name)
        assert 0 == second.wait_ended()


def test_an_instance_that_dies_ends_the_container(engine: None) -> None:
    """Also without a durable folder: then the instance lies in /usr/irissys."""
    with container() as one:
        one.wait_up()
        assert "^/usr/irissys^" in one.exec("iris", "qlist", "IRIS").stdout
        one.exec("iris", "force", "IRIS")
        assert 1 == one.wait_ended()
        assert "gone without having been stopped" in one.log()


def test_a_stop_by_hand_does_not_end_the_container(engine: None) -> None:
    """The instance may be stopped and started inside; the end of the container is as clean as ever."""
    with container() as one:
        one.wait_up()
        assert 0 == one.exec("iris", "stop", "IRIS", "quietly").status
        assert not wait_for(lambda: "running" != one.inspect("{{.State.Status}}"), 1)
        assert 0 == one.exec("iris", "start", "IRIS").status
        one.wait_up(times=2)
        docker("stop", one.name)
        assert 0 == one.wait_ended()


def test_up_false_starts_no_instance(engine: None, folder: Path) -> None:
    """Even where a crash left its traces: the container stays, and what is started later is stopped with it."""
    (folder / "mgr").mkdir()
    (folder / "mgr" / "iris.ids").write_text("7\n")
    shutil.chown(folder / "mgr", OWNER, OWNER)
    with container("--up", "false", data=folder) as one:
        one.wait_for("listed", lambda: "^down," in one.exec("iris", "qlist", "IRIS").stdout)
        assert not wait_for(lambda: UP in one.log(), 1)
        assert "running" == one.inspect("{{.State.Status}}")
        assert UP not in one.log()
        docker("stop", one.name)
        assert 0 == one.wait_ended()


def test_hooks_run_in_their_order(engine: None) -> None:
    hooks = {"create": "1", "before": "2", "after": "3", "exit": "4", "terminate": "5"}
    options = [word for name, mark in hooks.items() for word in (f"--{name}", f"echo hook {mark}")]
    with container(*options) as one:
        one.wait_for("through --after", lambda: "hook 3\n" in one.log())
        docker("stop", one.name)
        assert 0 == one.wait_ended()
        seen = [line for line in one.log().splitlines() if line.startswith("hook") or UP in line]
        assert ["hook 1", "hook 2", "up", "hook 3", "hook 4", "hook 5"] == [
            "up" if UP in line else line for line in seen
        ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (["--up", "maybe"], "'maybe' is neither true nor false"),
        (["--nostu", "true"], "no single-user mode"),
        (["--before", "exit 7"], "--before exit 7 ended with 7"),
        (["--key", "/absent.key"], "--key: "),
        (["--password-file", "/absent"], "--password-file: /absent cannot be read"),
    ],
)
def test_what_it_cannot_do_is_refused(engine: None, options: list[str], said: str) -> None:
    with container(*options) as one:
        assert 1 == one.wait_ended()
        one.wait_for(f"said: {said}", lambda: said in one.log())  # the engine may hand on the last words late
        assert UP not in one.log()


def test_refused_folders(engine: None, folder: Path) -> None:
    """Other data than durable %SYS is left alone; a folder of another user is named with the remedy."""
    (folder / "precious").write_text("data")
    foreign = folder.with_name("foreign")
    foreign.mkdir(mode=0o755)
    with ExitStack() as made:
        occupied = made.enter_context(container(data=folder))
        closed = made.enter_context(container(data=foreign))
        below = made.enter_context(container(data=foreign / "iris", mount=foreign))
        assert [1, 1, 1] == [one.wait_ended() for one in (occupied, closed, below)]
        assert "holds data other than durable %SYS" in occupied.log()
        for one in (closed, below):
            assert "chown -R 51773:51773" in one.log()
    assert ["precious"] == [path.name for path in folder.iterdir()]
    assert [] == list(foreign.iterdir())


def test_merge_file(engine: None, folder: Path) -> None:
    """What the stand-in is already is accepted and noted; anything else is refused with its line."""
    good, bad = folder.with_name("good.cpf"), folder.with_name("bad.cpf")
    good.write_text(
        f"[Actions]\nCreateDatabase:Name=ONE,Directory={folder}/db/one/\n[config]\nglobals=0,0,64\n"
    )
    bad.write_text("; a comment\n[Startup]\nPasswordHash=00,00\n")
    folder.parent.chmod(0o755)
    with container(data=folder, mount=folder.parent, env=f"ISC_CPF_MERGE_FILE={good}") as one:
        one.wait_up()
        assert f"{good}:4: globals= has no effect" in one.log()
        assert f"Configuration merge file {good} agrees" in one.log()
    with container(data=folder, mount=folder.parent, env=f"ISC_CPF_MERGE_FILE={bad}") as one:
        assert 1 == one.wait_ended()
        assert f"{bad}:3: the stand-in has no parameter PasswordHash" in one.log()


def test_a_password_is_never_shown(engine: None, folder: Path) -> None:
    """Not in the log, not in messages.log, not by inspect."""
    secret = folder.with_name("secret")
    secret.write_text("Kaleidoscope7\n")
    folder.parent.chmod(0o755)
    with container("--password-file", str(secret), data=folder, mount=folder.parent) as one:
        one.wait_up()
        texts = [one.log(), (folder / "mgr" / "messages.log").read_text(), one.inspect("{{json .}}")]
    assert [0, 0, 0] == [text.count("Kaleidoscope") for text in texts]


def test_the_label_says_what_it_is_not(engine: None) -> None:
    shown = docker("image", "inspect", "--format", "{{json .Config.Labels}}", IMAGE).stdout
    assert "NOT InterSystems IRIS" in shown

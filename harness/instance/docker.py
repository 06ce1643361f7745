"""Instances as containers, made from one image, on Docker or on Podman's socket.

A container sees of the run's folder what it works with, at the path it has outside, so that no path needs a
translation: its own files, a folder for the pipes of its own commands, the merge file and the agent; the source
also the folder of the freeze log, a restored instance also the journals, which it cannot write. It sees no other
instance and no snapshot. An instance keeps its data below a folder of that (`ISC_DATA_DIRECTORY`, durable %SYS),
or in a volume that is mounted at the path where the engine keeps it. A restored instance has a container of its
own from the same image, no network.

The harness must be root: the files of an instance belong to its own user, and snapshots are taken of them here.
Commands run by `docker exec`. It takes about 80 ms, most of it to make a process in the container's namespaces,
so what is needed in a freeze window is made ready before it (`prepare`).

No process in a container gains rights (`no-new-privileges`), and none is there to be had (`--cap-drop ALL`). IRIS in
InterSystems' images is owned by irisowner with nothing owned by root, so no program in it is made to gain any; but
iris-main looks whether the container has "certain Linux capabilities, for example CAP_SETUID and CAP_SETGID" and ends
if one is missing, of those that engines grant by default (Running InterSystems Products in Containers, "The iris-main
Program" and "Ownership and Directories"). Which they are is not public, so images but the stand-in's keep of Docker's
default those that speak of users, files and signals. What a restored instance may use has a limit, too, so that one
that runs wild takes neither the machine nor the source with it. Unverified on IRIS: both, and a journal restore from
a folder that cannot be written.

Source of the facts about InterSystems' images (user 51773, ISC_DATA_DIRECTORY, ISC_CPF_MERGE_FILE, `Enabling
logons`, the limit of 20 processors): "Running InterSystems Products in Containers", and testcontainers-iris.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import subprocess
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import containers, destroy
from harness.command import AT_THE_WORD, Completed, Deadline, Prepared, Transcript, run
from harness.destroy import Ground
from harness.errors import CommandError, InstanceError, InstanceGone, PreconditionError, StartError
from harness.instance.base import TO_READ
from harness.instance.first import FirstProcess
from harness.instance.iris import ensure_agent
from harness.model import Stun
from harness.owners import hand_over
from harness.plan.model import InstanceSpec, Storage
from harness.snapshot.volume import make_volume
from harness.undo import Register

if TYPE_CHECKING:
    from docker.models.containers import Container

AGENT_LABEL = "iris-restore-harness.agent"
"""Label of images that were built with the agent and its databases inside (containers/)."""
SOURCE_LABEL = "iris-restore-harness.source"
"""Label of the stand-in's image: what it was made from (`./dev image`)."""
_NAME = "IRIS"
_OWNER = 51773
_AGENT = Path(__file__).parent / "agent"
_START_TIMEOUT_S = 300
_STOP_TIMEOUT_S = 120
_PIPE_BYTES = 1 << 20
_PROCESSORS_MAX = 20
_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETPCAP", "SETUID")
"""Docker's default, without those for the network, devices, other roots and the audit log. Source: docker-run(1)."""
_PROCESSES_MAX = 4096
"""Of a restored instance: IRIS has a process for each session and some dozens of its own; a machine, 32,768."""
_MEMORY_SHARE = 0.75
"""Of this machine's memory for a restored instance. IRIS takes a quarter of it if its configuration names no size; a
limit leaves the source and the harness the rest.
"""
_NOT_BEGUN = range(125, 256)
"""Statuses of `docker exec` and `podman exec` that are no report of the command: the engine could not run it, or a
signal ended it. Source: docker-run(1) and podman-exec(1), Exit Status.
"""
_FROM_OUTSIDE = (0, 130, 137, 143)
"""Statuses of a container that was told to end, by SIGINT, SIGKILL or SIGTERM, and reports no failure."""
_ENGINE_LEARNS_WITHIN_S = 3.0
_LOOK_EVERY_S = 0.02
_INTO_A_PIPE = (
    "sh",
    "-c",
    'exec 3<&0 >"$0"; "$@" </dev/null 3<&- & child=$!;'
    "{ read -r word; kill $child; sleep 2; kill -9 $child; } <&3 >/dev/null 2>&1 & watch=$!;"
    "exec 3<&-; wait $child; status=$?; kill $watch; exit $status",
)
"""Runs a command with its output in a named pipe, the first argument. Ends it when standard input ends, as happens
when the `docker exec` outside is killed: the engine would leave it running.
"""
_MERGE = """\
; What the harness needs of an instance: two databases, so that a torn set shows, and journals beside them.
[Actions]
CreateDatabase:Name=ONE,Directory={root}/db/one/
CreateDatabase:Name=TWO,Directory={root}/db/two/
CreateNamespace:Name=HARNESS,Globals=ONE
CreateMapGlobal:Name=RVB*,Namespace=HARNESS,Database=TWO
[Journal]
CurrentDirectory={root}/mgr/journal/
AlternateDirectory={root}/mgr/journal/
"""


class DockerHost:
    """Containers of one image, by Docker or Podman."""

    in_containers = True

    def __init__(self, spec: InstanceSpec, folder: Path, transcript: Transcript | None = None) -> None:
        self._spec = spec
        self._folder = folder.resolve()
        self._transcript = transcript or Transcript(None)
        self._places: list[DockerPlace] = []
        self._root: Path | None = None
        self._has_agent = False
        self._lock = threading.Lock()
        self.image_digest = ""

    def register_with(self, register: Register) -> None:
        """At once: every container and volume will carry the token of the run, and nothing more is to be known."""
        register({})

    @staticmethod
    def undo(made: Mapping[str, str], ground: Ground, token: str) -> list[str]:
        """Remove the containers and volumes that carry the token."""
        return containers.remove(token)

    def probe(self) -> None:
        import docker

        if self._spec.name:
            raise PreconditionError(
                f"host docker cannot use the installed instance {self._spec.name}", "Say host: local."
            )
        if os.geteuid() != 0:
            raise PreconditionError(
                f"host docker needs root: an instance's files belong to user {_OWNER} and are copied here",
                "Run it with sudo.",
            )
        containers.program()
        name = containers.STAND_IN_IMAGE if self._spec.image == "stand-in" else self._spec.image
        try:
            image = containers.engine().images.get(name)
        except docker.errors.ImageNotFound as error:
            raise PreconditionError(f"the container engine has no image {name}", _how_to_get(name)) from error
        except docker.errors.DockerException as error:
            raise PreconditionError(f"image {name}: {error}", "See the engine's own log.") from error
        if self._spec.image == "stand-in" and image.labels.get(SOURCE_LABEL) != stand_in_source():
            raise PreconditionError(
                f"image {name} was made from another version of the stand-in", "Make it anew: ./dev image"
            )
        self.image_digest = str(image.id)
        self._has_agent = AGENT_LABEL in image.labels

    def root(self) -> Path:
        with self._lock:
            if self._root is None:
                volume = self._spec.storage is Storage.VOLUME
                self._root = self._new_volume() if volume else self._folder / "source"
                make_volume(self._root)
                os.chown(self._root, _OWNER, _OWNER)
            return self._root

    def _new_volume(self) -> Path:
        with containers.as_precondition("a volume could not be made"):
            return containers.new_volume("source")

    def source(self) -> DockerPlace:
        root = self.root()
        log = self._folder / "log"
        log.mkdir(exist_ok=True)
        return self._start("source", root, {root: root, log: log}, network=True)

    def target(self, name: str, hidden: Path) -> DockerPlace:
        """It sees no `hidden`: that is not mounted."""
        root = self._folder / name
        root.mkdir(mode=0o750)
        os.chown(root, _OWNER, _OWNER)
        place = self._start(name, root, {root: root}, network=False)
        place.files = root
        return place

    def boot(self, name: str, image: Path, root: Path) -> DockerPlace:
        hand_over(image, _OWNER, _OWNER)
        place = self._start(name, root, {image: root}, network=False)
        place.files = image
        return place

    def environment(self) -> dict[str, str]:
        return {"DOCKER_HOST": containers.address()}

    def _lent(self, name: str) -> tuple[Path, Path, Path]:
        """For a container: its merge file, a folder for pipes in which it can only open what it is told of, and what
        it may read."""
        pipes, to_read = self._folder / "pipes" / name, self._folder / TO_READ
        pipes.mkdir(parents=True, exist_ok=True)
        to_read.mkdir(exist_ok=True)
        os.chown(pipes, 0, _OWNER)
        pipes.chmod(0o710)
        to_read.chmod(0o755)
        return self._folder / f"{name}.cpf", pipes, to_read

    def close(self) -> None:
        for place in self._places:
            place.close()
        if self._root and not self._root.is_relative_to(self._folder):
            containers.remove_volume(self._root)

    def _start(self, name: str, root: Path, mounts: dict[Path, Path], *, network: bool) -> DockerPlace:
        from testcontainers.core.container import DockerContainer
        from testcontainers.core.wait_strategies import LogMessageWaitStrategy

        containers.settle_ryuk()
        merge, pipes, to_read = self._lent(name)
        merge.write_text(_MERGE.format(root=root))
        merge.chmod(0o644)  # it holds nothing of anybody, and its user is another one
        made = (
            DockerContainer(self.image_digest)
            .with_name(f"harness-{containers.token()}-{name}")
            .with_env("ISC_DATA_DIRECTORY", str(root))
            .with_env("ISC_CPF_MERGE_FILE", str(merge))
            .with_volume_mapping(pipes, str(pipes), "ro")
            .with_volume_mapping(merge, str(merge), "ro")
            .with_volume_mapping(_AGENT, str(_AGENT), "ro")
            .waiting_for(
                LogMessageWaitStrategy("Enabling logons")
                .with_startup_timeout(_START_TIMEOUT_S)
                .with_poll_interval(_LOOK_EVERY_S)
            )
            .with_kwargs(labels=containers.labels(), **_limits(network, self._spec.image))
        )
        if not network:
            made.with_volume_mapping(to_read, str(to_read), "ro")
        for outside, inside in mounts.items():
            made.with_volume_mapping(outside, str(inside), "rw")
        with _removed_on_failure(made, name):
            made.start()
            container = made.get_wrapped_container()
            place = DockerPlace(container, pipes, self._transcript, isolated=not network)
            if not self._has_agent:
                ensure_agent(place, _AGENT)
        self._places.append(place)
        return place


class DockerPlace:
    """One container. Made running; `close` removes it."""

    name = _NAME

    def __init__(self, container: Container, pipes: Path, transcript: Transcript, *, isolated: bool) -> None:
        self.files: Path | None = None
        self._pipes = pipes
        self.isolated = isolated
        self.container = container
        self.where = f"container {container.name} ({container.short_id})"
        self._transcript = transcript
        self._environment = {"DOCKER_HOST": containers.address()}
        self._first = _first_process(container)
        self._started_at = _started_at(container)

    def run(
        self, argv: Sequence[str], *, accept: Collection[int] | None = (0,), timeout_s: float = 60.0
    ) -> Completed:
        deadline = Deadline.after(timeout_s)
        with self._transcript.noting(self.name, argv) as note:
            done = self._exec(argv, deadline)
            self._require_there_after(done)
            while self._was_paused(done, deadline):
                done = self._exec(argv, deadline)
                self._require_there_after(done)
            if accept is not None and done.status not in accept:
                raise CommandError(argv, done.status, done.duration_s, done.stdout + done.stderr)
            return note(done)

    def require_there(self, *, failed: bool = False) -> None:
        """The kernel is asked where the container's first process can be seen from here, else the engine."""
        first = self._first
        if first:
            ended = first.has_ended or (failed and first.ends_soon())
        else:
            ended = self._engine_says_ended(_ENGINE_LEARNS_WITHIN_S if failed else 0.0)
        if ended:
            raise InstanceGone(f"container {self.container.name} has been ended")

    def _require_there_after(self, done: Completed) -> None:
        """Everything in a container ends with it, and says anything while it does."""
        if self._first or done.status != 0:
            self.require_there(failed=done.status in _NOT_BEGUN)

    def _engine_says_ended(self, within_s: float) -> bool:
        deadline = Deadline.after(within_s)
        while self._status() in ("running", "paused"):
            if deadline.passed:
                return False
            time.sleep(_LOOK_EVERY_S)
        return True

    def prepare(self, argv: Sequence[str]) -> Prepared:
        self._wait_until_runs(Deadline.after(60.0))
        return Prepared([*self._way_in("-i"), *AT_THE_WORD, *argv], argv, self._environment, place=self.name)

    def open(self, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        """The output comes through a named pipe in the shared folder: the engine's own way out of a container
        copies each line four times, which would slow the writers down.

        The command outside holds a writing end of that pipe and of its own standard input: so the first ends with
        it and not before, and the second never does.
        """
        self._wait_until_runs(Deadline.after(60.0))
        self._transcript.started(self.name, argv)
        output = self._pipes / os.urandom(8).hex()
        os.mkfifo(output, 0o600)
        os.chown(output, _OWNER, _OWNER)
        with contextlib.ExitStack() as ours:
            reader = os.open(output, os.O_RDONLY | os.O_NONBLOCK)
            spare = _until(ours, os.open(output, os.O_WRONLY))
            stdin, never = (_until(ours, end) for end in os.pipe())
            process = subprocess.Popen(
                [*self._way_in("-i"), *_INTO_A_PIPE, str(output), *argv],
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **self._environment, "LC_ALL": "C"},
                start_new_session=True,
                pass_fds=(spare, never),
            )
        fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        os.set_blocking(reader, True)
        process.stdout = os.fdopen(reader, "rb")
        return process

    def argv(self, argv: Sequence[str]) -> list[str]:
        return [*self._way_in(), *argv]

    def is_there_argv(self) -> list[str]:
        """1 also where the engine does not answer: then it is asked for its events, which must answer."""
        script = (
            'state=$("$0" inspect --format "{{.State.Status}}" "$1" 2>/dev/null);'
            'case "$state" in running|restarting|created) exit 0;;'
            ' paused) echo "paused: $0 unpause $1, then thaw"; exit 0;; exited|dead|removing) exit 1;; esac;'
            '"$0" version >/dev/null 2>&1 && exit 1; echo "unknown: the engine does not answer"; exit 2'
        )
        return ["sh", "-c", script, containers.program(), str(self.container.name)]

    def close(self) -> None:
        containers.remove_container(str(self.container.id))

    def discard(self) -> None:
        self.close()
        if self.files:
            destroy.tree(self.files, Ground(folder=self.files, right=f"this run made them for {self.where}"))

    def pause(self) -> None:
        """Stop every process by the cgroup freezer, as a hypervisor stuns a machine. Raises InstanceError.

        Not while a command begins here: Docker 20.10 then hangs, and so does the container (seen with `docker exec`
        and `docker pause` alone).
        """
        with _as_instance_error("pause"):
            self.container.pause()

    def resume(self) -> None:
        with _as_instance_error("resume"):
            self.container.unpause()

    def stop(self) -> None:
        """SIGTERM, with time for a clean stop. Raises InstanceError."""
        with _as_instance_error("stop"):
            self.container.stop(timeout=_STOP_TIMEOUT_S)

    def crash(self) -> None:
        """SIGKILL to everything at once; the data stays. Raises InstanceError."""
        with _as_instance_error("crash"):
            containers.kill(self.container)
            self.container.wait(timeout=30)

    def restart(self) -> None:
        with _as_instance_error("restart"):
            self.container.start()
            self._first = _first_process(self.container)
            self._started_at = _started_at(self.container)
        deadline = Deadline.after(_START_TIMEOUT_S)
        while self.run(["iris", "qlist", _NAME], accept=None).stdout.count("^running") == 0:
            if deadline.passed:
                raise StartError(f"{self.container.name} did not come back within {_START_TIMEOUT_S} s")
            time.sleep(_LOOK_EVERY_S)

    def stuns(self, since_utc: datetime) -> tuple[Stun, ...]:
        """Pauses that the engine noted, whoever asked for them."""
        with _as_instance_error("events"):
            return tuple(_stuns(containers.pauses(str(self.container.id), since_utc)))

    def _way_in(self, *options: str) -> list[str]:
        return [containers.program(), "exec", *options, str(self.container.name)]

    def _exec(self, argv: Sequence[str], deadline: Deadline) -> Completed:
        return run(
            self.argv(argv), accept=None, timeout_s=deadline.left_s, env=self._environment, noted=False
        )

    def _was_paused(self, done: Completed, deadline: Deadline) -> bool:
        """Whether the engine would not even begin as the container was paused; then it is not any more."""
        refused = done.status != 0 and done.stderr.startswith(("Error response from daemon", "Error: "))
        return refused and self._wait_until_runs(deadline)

    def _wait_until_runs(self, deadline: Deadline) -> bool:
        """Wait while it is paused; returns whether it was. Raises InstanceGone."""
        was_paused = False
        while (status := self._status()) == "paused":
            was_paused = True
            if deadline.passed:
                raise InstanceError(f"container {self.container.name} is paused")
            time.sleep(_LOOK_EVERY_S)
        if status != "running":
            raise InstanceGone(f"container {self.container.name} is {status}")
        return was_paused

    def wake_by_hand(self) -> str:
        """Nobody but whoever paused it may let it go on: it is said, not done."""
        try:
            paused = self._status() == "paused"
        except InstanceError:
            return ""
        unpause = [containers.program(), "unpause", str(self.container.name)]
        return shlex.join(unpause) if paused else ""

    def _status(self) -> str:
        """As the engine calls it; `restarted` if somebody did that, for then it is another life of the container."""
        import docker

        try:
            self.container.reload()
        except docker.errors.NotFound:
            return "not there"
        except docker.errors.DockerException as error:
            raise InstanceError(f"the container engine gives no answer: {error}") from error
        return str(self.container.status) if _started_at(self.container) == self._started_at else "restarted"


def stand_in_source() -> str:
    """Digest of the files that the stand-in's image is made from, as `./dev image` computes it."""
    package = Path(__file__).parent.parent
    files = [f for part in ("standin", "instance/agent") for f in (package / part).rglob("*")]
    kept = (f for f in files if f.is_file() and not f.is_symlink() and "__pycache__" not in f.parts)
    names = {str(file.relative_to(package)): file for file in kept}
    lines = (f"{sha256(names[name].read_bytes()).hexdigest()}  {name}\n" for name in sorted(names))
    return sha256("".join(lines).encode()).hexdigest()


def _until(stack: contextlib.ExitStack, descriptor: int) -> int:
    stack.callback(os.close, descriptor)
    return descriptor


def _how_to_get(image: str) -> str:
    if image == containers.STAND_IN_IMAGE:
        return "Build it: ./dev image"
    return (
        f"Get it with: docker pull {image} (InterSystems' Community Edition needs no account, other editions need "
        "docker login to InterSystems' registry), or without IRIS take image: stand-in"
    )


def _limits(network: bool, image: str) -> dict[str, Any]:
    limits: dict[str, Any] = {
        # the image's health check would run every few seconds, in the freeze window too
        "healthcheck": {"test": ["NONE"]},
        "security_opt": ["no-new-privileges"],
        "cap_drop": ["ALL"],
        "cap_add": [] if image == "stand-in" else list(_CAPABILITIES),
    }
    if not network:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        limits |= {
            "network_mode": "none",
            "pids_limit": _PROCESSES_MAX,
            "mem_limit": int(memory * _MEMORY_SHARE),
        }
    if (os.cpu_count() or 1) > _PROCESSORS_MAX:
        limits["cpuset_cpus"] = f"0-{_PROCESSORS_MAX - 1}"  # a Community Edition does not start on more
    return limits


@contextmanager
def _removed_on_failure(made: Any, name: str) -> Iterator[None]:
    """A container that ended by itself is a StartError, with the end of what it said; InstanceGone if somebody ended
    it, and InstanceError if the engine did not start it, or it was not up in time. Nothing is left of it.
    """
    import docker

    try:
        yield
    except BaseException as error:
        said, ended = "", False
        if made._container is not None:
            ended = isinstance(error, InstanceGone) or _was_ended(made._container)
            with contextlib.suppress(docker.errors.DockerException):
                said = b"".join(made.get_logs())[-600:].decode("utf-8", "replace").strip()
            containers.remove_container(str(made._container.id))
        if ended and isinstance(error, Exception):
            raise InstanceGone(f"the container of {name} was ended before it had started") from error
        if isinstance(error, docker.errors.DockerException | OSError):
            raise InstanceError(f"the container of {name} could not be started: {error}") from error
        if isinstance(error, RuntimeError | InstanceError):
            raise StartError(f"the container of {name} did not start: {said or error}") from error
        raise


def _was_ended(container: Container) -> bool:
    """By somebody, and not for want of memory: that says nothing about what was started in it."""
    import docker

    try:
        container.reload()
    except docker.errors.NotFound:
        return True
    except docker.errors.DockerException:
        return False
    state = container.attrs["State"]
    over = state.get("Status") in ("exited", "dead", "removing")
    return over and state.get("ExitCode") in _FROM_OUTSIDE and not state.get("OOMKilled")


def _first_process(container: Container) -> FirstProcess | None:
    """None also if it has ended already: then the engine knows."""
    import docker

    try:
        container.reload()
    except docker.errors.DockerException:
        return None
    return FirstProcess.of_container(int(container.attrs["State"].get("Pid") or 0), str(container.id))


def _started_at(container: Container) -> str:
    """When it was started last, as the engine knew when it was asked last."""
    return str(container.attrs["State"].get("StartedAt"))


@contextmanager
def _as_instance_error(what: str) -> Iterator[None]:
    import docker

    try:
        yield
    except (docker.errors.DockerException, OSError) as error:
        raise InstanceError(f"{what}: the container engine refused: {error}") from error


def _stuns(noted: list[tuple[str, int]]) -> Iterator[Stun]:
    began_ns = None
    for action, at_ns in noted:
        if action == "pause":
            began_ns = at_ns
        elif began_ns is not None:
            started = datetime.fromtimestamp(began_ns / 1e9, UTC)
            yield Stun(started_utc=started, duration_s=(at_ns - began_ns) / 1e9)
            began_ns = None

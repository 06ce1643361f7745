"""The container engine: how it is reached, and how everything that a run made in it is found again.

Containers and volumes carry the run's token as a label, so that they can be removed by whoever knows the token,
also after the process that made them was killed. Docker and Podman are reached through the same socket protocol;
commands inside containers go through the engine's own command line, `docker` or `podman`, since only a process
of its own can outlive the harness (the watchdog) and be killed with its output (writers).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness import destroy
from harness.errors import PreconditionError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container
    from docker.models.volumes import Volume

RUN_LABEL = "iris-restore-harness.run"
"""Label of all that a run makes; its value is the run's token (see `harness.session.leftovers`)."""
TOKEN_VARIABLE = "HARNESS_RUN"  # as in harness.watchdog, which stands alone
STAND_IN_IMAGE = "iris-stand-in"
ANSWER_TIMEOUT_S = 60
_REMEDY = (
    "Install and start one (Debian: apt-get install docker.io, then as root: dockerd), or name a Podman socket: "
    "podman system service --time=0 & export DOCKER_HOST=unix:///run/podman/podman.sock"
)
_GONE_TIMEOUT_S = 30.0


def address() -> str:
    """Where the engine listens: $DOCKER_HOST, else Docker's socket, else Podman's."""
    if chosen := os.environ.get("DOCKER_HOST"):
        return chosen
    runtime = os.environ.get("XDG_RUNTIME_DIR", "/nowhere")
    sockets = ("/var/run/docker.sock", "/run/podman/podman.sock", f"{runtime}/podman/podman.sock")
    return next((f"unix://{path}" for path in sockets if Path(path).exists()), f"unix://{sockets[0]}")


def program() -> str:
    """The engine's command line. Raises PreconditionError."""
    # a socket of Podman's is also understood by docker; podman's own program knows its root socket without it
    for name in ("docker", "podman"):
        if found := shutil.which(name):
            return found
    raise PreconditionError("neither docker nor podman is installed", _REMEDY)


@cache
def engine() -> DockerClient:
    """A connection to the engine. Raises PreconditionError if none answers."""
    import docker  # it takes a tenth of a second, which only those pay who use containers

    # for testcontainers and the command line, which would look for Docker's socket only
    os.environ.setdefault("DOCKER_HOST", address())
    try:
        client = docker.DockerClient(base_url=address(), version="auto", timeout=ANSWER_TIMEOUT_S)
        client.ping()
    except (docker.errors.DockerException, OSError) as error:
        raise PreconditionError(f"no container engine answers at {address()}: {error}", _REMEDY) from error
    return client


def token() -> str:
    """The token of this run; what is made without a run carries the number of its process."""
    return os.environ.get(TOKEN_VARIABLE) or f"unregistered-{os.getpid()}"


@cache
def is_podman() -> bool:
    """Whether Podman answers Docker's protocol here. Raises PreconditionError."""
    return any("Podman" in part["Name"] for part in engine().version().get("Components", ()))


def pauses(container: str, since_utc: datetime) -> list[tuple[str, int]]:
    """What the engine noted of a container since a moment: `pause` or `unpause`, and nanoseconds since the epoch.

    Podman understands whole seconds only, and then waits until the second is over. Raises
    docker.errors.DockerException.
    """
    ended: str | int = int(time.time()) + 1 if is_podman() else f"{time.time():.9f}"
    events = engine().events(since=int(since_utc.timestamp()), until=ended, decode=True)  # type: ignore[call-overload]
    since_ns = since_utc.timestamp() * 1e9
    return [
        (event["Action"], event["timeNano"])
        for event in events
        if event["Action"] in ("pause", "unpause")
        and event["Actor"]["ID"] == container
        and event["timeNano"] >= since_ns
    ]


def image_id(name: str) -> str | None:
    """What identifies an image that the engine has; None if it has none of that name."""
    import docker

    try:
        return str(engine().images.get(name).id)
    except docker.errors.DockerException:
        return None


def labels() -> dict[str, str]:
    """What everything made for this run is labelled with."""
    return {RUN_LABEL: token()}


def settle_ryuk() -> None:
    """testcontainers' own remover is used where its image is at hand; where not, our labels must do."""
    import docker
    from testcontainers.core.config import testcontainers_config

    if not testcontainers_config.ryuk_disabled:
        try:
            engine().images.get(testcontainers_config.ryuk_image)
        except docker.errors.DockerException:
            testcontainers_config.ryuk_disabled = True


def new_volume(name: str) -> Path:
    """A volume of this run; returns the folder where the engine keeps it, which only root may enter.

    Raises docker.errors.DockerException.
    """
    number = len(engine().volumes.list(filters={"label": f"{RUN_LABEL}={token()}"}))
    volume = engine().volumes.create(f"harness-{token()}-{name}-{number}", labels=labels())
    return Path(volume.attrs["Mountpoint"])


def volume_at(folder: Path) -> str | None:
    """Name of the volume that a folder belongs to, or None. Raises docker.errors.DockerException."""
    for volume in engine().volumes.list():
        if folder.is_relative_to(volume.attrs["Mountpoint"]):
            return str(volume.name)
    return None


def remove_volume(folder: Path) -> None:
    """Remove a volume of this run by its folder; gone already is fine, and `remove` tells of an engine that is."""
    import docker

    with contextlib.suppress(docker.errors.DockerException, OSError):
        for volume in engine().volumes.list(filters={"label": f"{RUN_LABEL}={token()}"}):
            if volume.attrs["Mountpoint"] == str(folder):
                _remove_volume(volume, token())


def remove_container(name: str) -> None:
    """Kill and remove a container; gone already, or being removed by somebody else, is fine, and `remove` tells of an
    engine that is gone."""
    import docker

    with contextlib.suppress(docker.errors.DockerException, OSError):
        _remove_container(engine().containers.get(name), token())


def kill(container: Container) -> None:
    """SIGKILL to everything in a container of this run; its files stay. Raises docker.errors.DockerException."""
    mark, killed = container.labels.get(RUN_LABEL), partial(container.kill, signal="SIGKILL")
    destroy.marked(f"container {container.name}", mark, token(), killed, "killed")


@contextmanager
def as_precondition(what: str) -> Iterator[None]:
    """Turns a refusal of the engine into a PreconditionError."""
    import docker

    try:
        yield
    except (docker.errors.DockerException, OSError) as error:
        raise PreconditionError(f"{what}: {error}", "See the engine's own log.") from error


def remove(token: str) -> list[str]:
    """Remove the containers and volumes of a run; returns one line for each.

    Looks again until nothing is found: the engine may still be at work on what a killed process asked for.
    Raises PreconditionError if no engine answers.
    """
    client = engine()
    removed: list[str] = []
    deadline = time.monotonic() + _GONE_TIMEOUT_S
    with as_precondition("containers and volumes could not be removed"):
        while (found := _remove_once(client, token)) and time.monotonic() < deadline:
            removed += [line for line in found if line not in removed]
    return removed


def _remove_once(client: DockerClient, token: str) -> list[str]:
    import docker

    removed = []
    wanted: dict[str, str | list[str] | bool] = {"label": f"{RUN_LABEL}={token}"}
    for container in client.containers.list(all=True, filters=wanted, ignore_removed=True):
        with contextlib.suppress(docker.errors.APIError):
            _remove_container(container, token)
        removed.append(f"removed container {container.name}")
    for volume in client.volumes.list(filters=wanted):
        with contextlib.suppress(docker.errors.APIError):
            _remove_volume(volume, token)
        removed.append(f"removed volume {volume.name}")
    return removed


def _remove_container(found: Container, token: str) -> None:
    """Kill and remove it, with its anonymous volumes. Raises RemovalError if it is not the run's, and what the engine
    raises.
    """
    remove = partial(found.remove, force=True, v=True)
    destroy.marked(f"container {found.name}", found.labels.get(RUN_LABEL), token, remove)


def _remove_volume(found: Volume, token: str) -> None:
    """Raises as `_remove_container`."""
    mark = (found.attrs.get("Labels") or {}).get(RUN_LABEL)
    destroy.marked(f"volume {found.name}", mark, token, partial(found.remove, force=True))

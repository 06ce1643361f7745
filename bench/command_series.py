"""What the stand-in's `iris session` costs over the bare mupip command, for a freeze and for a thaw.

Both are run in turn on one idle instance, from outside of its namespaces; a figure is the difference of a pair.
"""

from __future__ import annotations

import time
from pathlib import Path

from figures import Row
from pairs import Say, alternately
from sides import opened_in, scratch, workload

from harness.instance.base import Place
from harness.plan.model import Commit
from harness.standin.gtm import Engine
from harness.standin.layout import Layout

TARGET_MS = 10.0
_FREEZE = ("freeze", "-on", "-online", "-noautorelease", "*")
_THAW = ("freeze", "-off", "*")


def measure(pairs: int, parent: Path, say: Say) -> list[Row]:
    """Freeze and thaw, in milliseconds over mupip."""
    load = workload(None, commit=Commit.DURABLE, duration_s=1.0)
    with scratch(parent) as folder, opened_in(folder, load, 1) as session:
        place = session.source.place
        engine = Engine(Layout(place.name, session.description.root))
        names = ("gtm_dist", "gtmgbldir", "gtmroutines", "iris_root", "gtm_tmp")
        settings = [f"{name}={engine.environment[name]}" for name in names]
        mupip = ["env", *settings, str(engine.dist / "mupip")]
        iris = ["iris", "session", place.name, "-U%SYS"]
        log = session.freeze_log
        calls = {
            "floor": ([*mupip, *_FREEZE], [*mupip, *_THAW], 0),
            "harness": (
                ["env", *iris, f'##class(Backup.General).ExternalFreeze("{log}")'],
                ["env", *iris, f'##class(Backup.General).ExternalThaw("{log}")'],
                5,
            ),
        }
        found = alternately(
            {name: lambda _, call=call: _pair(place, *call) for name, call in calls.items()},  # type: ignore[misc]
            pairs,
            say,
        )
    return [
        Row(
            what=f"{name} by iris session, over mupip",
            unit="ms",
            harness=tuple(
                ours[at] - bare[at] for ours, bare in zip(found["harness"], found["floor"], strict=True)
            ),
            target=TARGET_MS,
        )
        for at, name in enumerate(("freeze", "thaw"))
    ]


def _pair(place: Place, freeze: list[str], thaw: list[str], status: int) -> tuple[float, float]:
    return _milliseconds(place, freeze, status), _milliseconds(place, thaw, status)


def _milliseconds(place: Place, argv: list[str], status: int) -> float:
    began = time.monotonic()
    place.run(argv, accept=(status,))
    return (time.monotonic() - began) * 1000

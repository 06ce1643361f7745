"""The agent's protocol (harness/instance/agent/protocol.md): every verb, its answer, and how it refuses."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from harness.errors import InstanceError, JournalError, RollforwardError
from harness.evidence.answers import Description
from harness.files import Method, copy_paths
from harness.freeze_log import parse
from harness.instance.base import CanRestart, Host
from harness.instance.iris import Instance
from harness.model import Position
from harness.plan.model import Commit, FreezeSpec

pytestmark = pytest.mark.e2e

PROTOCOL = Path("harness/instance/agent/protocol.md")


@pytest.fixture(scope="module")
def live(host: Host) -> Instance:
    instance = Instance(host.source())
    _work(instance, 1, 320)
    return instance


@pytest.fixture(scope="module")
def there(live: Instance) -> Description:
    return live.describe()


@pytest.fixture(scope="module")
def target(host: Host) -> Instance:
    return Instance(host.target("target", host.root()))


def _work(instance: Instance, first: int, count: int) -> list[bytes]:
    process = instance.start_writer(
        writer=1, writers=1, seed=1, first=first, count=count, seconds=60, commit=Commit.DURABLE
    )
    assert process.stdout
    lines = process.stdout.read().splitlines()
    process.stdout.close()
    assert 5 == process.wait()
    return lines


def _raw(instance: Instance, verb: str) -> tuple[int, list[dict[str, object]]]:
    call = f"##class(Harness.Agent).{verb}"
    done = instance.place.run(["iris", "session", instance.place.name, "-U%SYS", call], accept=None)
    return done.status, [json.loads(line) for line in done.stdout.splitlines()]


def test_every_verb_of_the_protocol_exists(live: Instance) -> None:
    """What is not a verb is refused with an error object and status 3; a verb is not."""
    verbs = re.findall(r"^\| `(\w+)` \|", PROTOCOL.read_text(), re.MULTILINE)
    assert len(verbs) >= 16
    status, objects = _raw(live, "NoSuchVerb()")
    assert 3 == status and "METHOD DOES NOT EXIST" in str(objects[-1]["error"])
    for verb in verbs:
        status, objects = _raw(live, f'{verb}("a","b","c","d","e","f","g","h","i","j","k","l","m")')
        assert 3 == status and "METHOD DOES NOT EXIST" not in str(objects[-1]["error"]), verb


def test_describe(live: Instance, there: Description) -> None:
    assert {"one", "two"} == set(there.databases)
    assert all((folder / "IRIS.DAT").is_file() for folder in there.databases.values())
    assert all(folder.is_relative_to(there.root) for folder in there.databases.values())
    assert there.journal_folder.is_dir()


def test_work_prints_each_number_once(live: Instance) -> None:
    assert [b"ready", *(b"%d" % n for n in range(321, 331)), b"end"] == _work(live, 321, 10)


def test_position_and_switch(live: Instance) -> None:
    """A switch begins another journal, and the one before is closed and linked to it."""
    before = live.position()
    after = live.switch_journal()
    assert before.journal_file < after.journal_file
    journals = live.journals(live.describe().journal_folder)
    assert [j.name for j in journals] == sorted(j.name for j in journals)
    assert all(later.previous == earlier.identity for earlier, later in pairwise(journals))
    assert [True] * (len(journals) - 1) + [False] == [j.closed for j in journals]
    assert [""] * len(journals) == [j.problem for j in journals]
    assert len({j.guid for j in journals}) == len(journals)


def test_marker_is_where_the_freeze_log_says(live: Instance, there: Description, shared: Path) -> None:
    log = shared / "freeze.log"
    live.freeze(log, "this very freeze", FreezeSpec())
    assert live.is_frozen()
    answer = live.thaw(log)
    assert answer.suspended and not live.is_frozen()
    assert not live.thaw(log).suspended
    marker = parse(log.read_text(), str(log))[0].marker
    assert marker
    reading = live.read_marker(there.journal_folder, marker)
    assert ("marker", "this very freeze") == (reading.kind, reading.text)
    beside = Position(journal_file=marker.journal_file, offset_bytes=marker.offset_bytes - 1)
    assert "none" == live.read_marker(there.journal_folder, beside).kind
    absent = Position(journal_file="20010101.001", offset_bytes=marker.offset_bytes)
    assert "none" == live.read_marker(there.journal_folder, absent).kind
    assert live.required_journal() in {"", *(j.name for j in live.journals(there.journal_folder))}


def test_last_committed(live: Instance, there: Description) -> None:
    """Highest numbers in all journals, and none in journals begun later."""
    reached = int(_summary(live)[b"s|1"][0])
    first = live.journals(there.journal_folder)[0].name
    end = live.switch_journal()
    (one,) = live.last_committed(there.journal_folder, first, end.journal_file, end.offset_bytes, 1)
    assert (1, reached, reached) == (one.writer, one.one, one.two)
    assert () == live.last_committed(there.journal_folder, end.journal_file, end.journal_file, None, 1)


def test_integrity(live: Instance, target: Instance) -> None:
    places = list(target.describe().databases.values())
    report = target.integrity(places)
    assert report.complete and [True, True] == [one.clean for one in report.databases]
    assert places == [one.database for one in report.databases]


def test_damage_is_seen_by_integrity(host: Host) -> None:
    """A zeroed block in the middle of a database."""
    instance = Instance(host.target("damaged", host.root()))
    _work(instance, 1, 2000)
    place = instance.describe().databases["two"]
    assert isinstance(instance.place, CanRestart)
    instance.place.stop()
    file = place / "IRIS.DAT"
    data = bytearray(file.read_bytes())
    at = data.index(b"10000001000,")
    data[at - at % 4096 : at - at % 4096 + 4096] = bytes(4096)
    file.write_bytes(data)
    instance.place.restart()
    report = instance.integrity([place])
    assert report.complete and not report.databases[0].clean and report.databases[0].errors


def test_refusals_say_why(live: Instance, target: Instance, there: Description, lent: Path) -> None:
    with pytest.raises(JournalError, match="there is no folder"):
        live.journals(lent / "absent")
    with pytest.raises(InstanceError, match="is not a database"):
        target.mount(lent)
    start = Position(journal_file="20010101.001", offset_bytes=1)
    redirect = dict(zip(there.databases.values(), target.describe().databases.values(), strict=True))
    with pytest.raises(RollforwardError, match=r"20010101.001 is not in"):
        target.roll_forward(lent, start, "20010101.001", None, redirect)


def test_restored_instance_has_no_network(target: Instance) -> None:
    """Inside its place nothing but the loopback device exists, and that is down."""
    links = target.place.run(["cat", "/proc/net/dev"]).stdout.splitlines()[2:]
    assert ["lo:"] == [line.split()[0] for line in links]
    assert target.place.isolated


def test_restored_instance_cannot_see_the_live_journals(target: Instance, there: Description) -> None:
    """A restored database names the live journals in its header; they are hidden from it."""
    assert "" == target.place.run(["ls", str(there.root)], accept=None).stdout


def test_routines_agree_with_the_oracle(live: Instance) -> None:
    """What RVWORK stored is what the oracle computes, node for node."""
    from harness.stages.walk import read_state

    history = read_state(live, 1, 1).writers[1].history
    assert (None, None, 0) == (history.altered, history.unreadable, history.missing)


def _summary(instance: Instance) -> dict[bytes, list[bytes]]:
    process = instance.start_state("summary", 0)
    assert process.stdout
    rows = [line.split(b"|") for line in process.stdout.read().splitlines()]
    process.stdout.close()
    process.wait()
    return {b"|".join(row[:2]): row[2:] for row in rows if row[0] == b"s"}


def test_journal_reading_agrees_with_the_engine(
    live: Instance, target: Instance, there: Description, lent: Path
) -> None:
    """Offsets and lengths read from the file are those of the engine's own detailed extract."""
    from harness.standin.gtm import installation
    from harness.standin.journal_file import records

    live.switch_journal()
    name = live.journals(there.journal_folder)[0].name
    file = there.journal_folder / name
    copy, output = lent / name, target.describe().root / "extract"
    copy_paths(there.journal_folder, [Path(name)], lent, Method.COPY)
    options = [f"-extract={output}", "-detail", "-forward", "-fences=none"]
    # read where the database that it names is not to be found
    settings = ["env", f"gtm_dist={installation()}", "gtm_extract_nocol=1"]
    target.place.run([*settings, f"{installation()}/mupip", "journal", *options, str(copy)])
    text = output.read_text(errors="replace")
    engines = [(int(a, 16), int(b, 16)) for a, b in re.findall(r"^0x(\w+) \[0x(\w+)\]", text, re.MULTILINE)]
    ours = [(record.offset, record.length) for record in records(file)]
    assert engines == ours[: len(engines)] and len(ours) - len(engines) in (0, 1)


def test_journals_past_999(host: Host) -> None:
    """After .999 comes .1000, in order and linked."""
    instance = Instance(host.target("many", host.root()))
    folder = instance.describe().journal_folder
    with (folder.parent / "journal.log").open("a") as log:
        log.write(f"{instance.position().journal_file[:8]}.998^2026-01-01T00:00:00Z^switch^0^\n")
    instance.switch_journal()
    instance.switch_journal()
    names = [journal.name.partition(".")[2] for journal in instance.journals(folder)]
    assert ["001", "999", "1000", "1001", "1002"] == names


def test_copied_journals_are_read_as_the_live_ones(
    live: Instance, target: Instance, there: Description, lent: Path
) -> None:
    """A folder of copies gives the same names, links and ends."""
    live.switch_journal()
    wanted = live.journals(there.journal_folder)[:-1]
    assert len(wanted) >= 2 and all(journal.files for journal in wanted)
    names = [Path(name) for journal in wanted for name in journal.files]
    copy_paths(there.journal_folder, names, lent, Method.COPY)
    assert wanted == target.journals(lent)

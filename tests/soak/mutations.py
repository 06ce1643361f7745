"""What the fuzzer may do to a backup, as a function of a case's seed; and which promises each of it breaks by itself.

A mutation is said by six words (kind, on, at, to, count, salt), so that it can be printed, typed again and made
smaller. Places are shares of what there is, from 0 to 1: they mean the same in another backup of the same batch.
`tests.soak.hands` has one for each kind.

A mutation that changes no node may still be reported, if it breaks something else that the harness promises to look
at. Each such promise is named here, with the codes that may tell of it; whatever else is reported is a false alarm.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatch

from harness.model import RecoveryMode

PER_BATCH = 1000
"""The seed of a case is that of its batch, times this, and its number in it."""
_PLACES = 5
_HOW_MANY = ((0, 2), (1, 62), (2, 24), (3, 12))
"""Mutations of a case, and how often; without any it must pass."""


# --- promises


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """Something beside the data that a good backup keeps; `codes` of the findings that may tell that it does not."""

    name: str
    statement: str
    codes: tuple[str, ...]

    def covers(self, code: str) -> bool:
        return any(fnmatch(code, pattern) for pattern in self.codes)


def _twice(*codes: str) -> tuple[str, ...]:
    """Codes of both looks."""
    return tuple(f"{look}{code}" for code in codes for look in ("", "image."))


SLACK = Promise(
    name="structure of database files",
    statement="every byte that the engine's structure check looks at is right, also where no node is",
    codes=_twice("integrity.damaged"),
)
INDEX = Promise(
    name="index of database files",
    statement="index blocks lead to every node by its key, not only from block to block as an extract goes",
    codes=(*_twice("integrity.damaged"), "*.not_checked"),
)
SIZE = Promise(
    name="size of database files",
    statement="a database file has the size of its source",
    codes=("snapshot.size", *_twice("integrity.damaged")),
)
OTHER_FILES = Promise(
    name="other files of the image",
    statement="the image holds every other file of the source too, in its size and small ones with their content",
    codes=("snapshot.incomplete", "snapshot.other_size", "snapshot.altered"),
)
IMAGE_JOURNALS = Promise(
    name="journals in a booted image",
    statement="the journals in an image to be booted are whole up to the marker",
    codes=("chain.*", "marker.wrong_place", "marker.other_freeze", "marker.not_checked"),
)
DATABASE_THERE = Promise(
    name="database files are there",
    statement="each database of the source is a file in the image",
    codes=("snapshot.incomplete", *_twice("integrity.refused"), "*.not_checked"),
)
JOURNALS = Promise(
    name="journals of the set",
    statement="every journal from the marker on is as the instance wrote it, also one that this mode does not apply, "
    "and the state is held against them",
    codes=(
        "chain.*",
        "marker.wrong_place",
        "marker.not_checked",
        "marker.other_freeze",
        "recovery_point.not_checked",
        "recovery_point.missed",
    ),
)
LOG = Promise(
    name="freeze log",
    statement="the freeze log tells of this freeze alone, completely, and of nothing unknown",
    codes=("marker.*", "hold.self_thaw", "hold.thawed_twice", "hold.warned"),
)
LOGGED_MARKER = Promise(
    name="marker in the freeze log",
    statement="the freeze log names the marker, by which journals are looked for, read, and held against the state",
    codes=("chain.*", "recovery_point.not_checked", "recovery_point.missed"),
)
REPORTED_STEP = Promise(
    name="a step that its tool reported",
    statement="the roll-forward says that it went through",
    codes=("recovery_point.*",),
)
PROMISES = (
    SLACK,
    INDEX,
    SIZE,
    OTHER_FILES,
    IMAGE_JOURNALS,
    DATABASE_THERE,
    JOURNALS,
    LOG,
    LOGGED_MARKER,
    REPORTED_STEP,
)


# --- kinds

_MODES = tuple(RecoveryMode)
_FREEZE, _ROLL = RecoveryMode.AS_OF_FREEZE, (RecoveryMode.ROLLFORWARD, RecoveryMode.POINT_IN_TIME)
_READ = (_FREEZE, *_ROLL)
"""Modes that read the copied journals; a booted image has its own."""
ROLES = ("one", "two")
SOURCES = ("earlier", "early", "late", "foreign", "twin")
"""Whence other bytes come: the backup before; both databases just before the freeze and after the thaw, under load;
another instance, of another seed and of the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of mutation.

    Attributes:
        on: What it may be done to, one of these.
        most: The greatest extent, in whatever it counts.
        breaks: Promises that it breaks by itself.
    """

    name: str
    statement: str
    on: tuple[str, ...]
    most: int = 1
    modes: tuple[RecoveryMode, ...] = _MODES
    breaks: tuple[Promise, ...] = ()

    @property
    def family(self) -> str:
        return self.name.partition(".")[0]


def _pairs(*seconds: str) -> tuple[str, ...]:
    return tuple(f"{role}.{second}" for role in ROLES for second in seconds)


_AREAS = _pairs("data", "data", "data", "index", "map", "header", "free")
_DATA = _pairs("data")
_IMAGE = (
    Kind(
        name="image.bytes",
        statement="bytes of a database file",
        on=_AREAS,
        most=256,
        breaks=(SLACK,),
    ),
    Kind(
        name="image.letters",
        statement="digits and letters in data, each by another of its class",
        on=_DATA,
        most=8,
        breaks=(SLACK,),
    ),
    Kind(
        name="image.lose",
        statement="the last records of a data block; its structure stays whole",
        on=_DATA,
        most=16,
    ),
    Kind(name="image.zero", statement="a range of zeros", on=_AREAS, most=64 << 10, breaks=(SLACK,)),
    Kind(name="image.hole", statement="blocks that are a hole", on=_AREAS, most=64, breaks=(SLACK,)),
    Kind(name="image.swap", statement="blocks that changed places", on=_AREAS, most=32, breaks=(SLACK,)),
    Kind(
        name="image.repeat", statement="blocks that are a copy of others", on=_AREAS, most=32, breaks=(SLACK,)
    ),
    Kind(name="image.across", statement="blocks of the other database", on=_AREAS, most=32, breaks=(SLACK,)),
    Kind(
        name="image.mix",
        statement="blocks of another image, where it differs",
        on=_pairs(*SOURCES),
        most=256,
        breaks=(SLACK,),
    ),
    Kind(name="image.cut", statement="a file without its last blocks", on=ROLES, most=4000, breaks=(SIZE,)),
    Kind(
        name="image.grow", statement="a file with more blocks at its end", on=ROLES, most=64, breaks=(SIZE,)
    ),
    Kind(name="image.file", statement="a file of another image", on=_pairs(*SOURCES)),
    Kind(name="image.whole", statement="another image, all of it", on=SOURCES),
    Kind(name="image.exchange", statement="the databases changed places", on=("both",)),
    Kind(name="image.missing", statement="a database file is missing", on=ROLES, breaks=(DATABASE_THERE,)),
    Kind(
        name="image.other_gone",
        statement="another file of the image is missing",
        on=("file",),
        breaks=(OTHER_FILES, IMAGE_JOURNALS),
    ),
    Kind(
        name="image.other_bytes",
        statement="bytes of another file of the image",
        on=("file",),
        most=256,
        breaks=(OTHER_FILES, IMAGE_JOURNALS),
    ),
    Kind(
        name="image.other_cut",
        statement="another file of the image is cut off",
        on=("file",),
        breaks=(OTHER_FILES, IMAGE_JOURNALS),
    ),
    Kind(
        name="image.other_of",
        statement="another file of the image is that of another one",
        on=SOURCES,
        breaks=(OTHER_FILES, IMAGE_JOURNALS),
    ),
)
_STREAMS = ("one", "two", "both")
_JOURNALS = tuple(
    Kind(name=f"journals.{name}", statement=statement, on=on, most=most, modes=_READ, breaks=(JOURNALS,))
    for name, statement, on, most in (
        ("bytes", "bytes of a journal's records", _STREAMS, 64),
        ("header", "bytes of a journal's header", _STREAMS, 64),
        ("zero", "a range of zeros in a journal", _STREAMS, 16 << 10),
        ("cut", "a journal cut off inside of a record", _STREAMS, 1),
        ("cut_whole", "a journal cut off where a record ends", _STREAMS, 1),
        ("splice", "records in the middle of a journal are left out", _STREAMS, 16),
        ("grow", "bytes behind a journal's end", _STREAMS, 4096),
        ("drop", "a journal is missing", _STREAMS, 1),
        ("double", "a journal is a copy of another", _STREAMS, 1),
        ("swap", "two journals changed names", _STREAMS, 1),
        ("rotate", "all journals have the name of the next", _STREAMS, 1),
        ("rename", "a journal has a name after the last", _STREAMS, 1),
        ("earlier", "a journal of the earlier backup has the name of ours", _STREAMS, 1),
        ("foreign", "a journal of another instance has the name of ours", _STREAMS, 1),
        ("twin", "a journal of another instance of the same seed has the name of ours", _STREAMS, 1),
        ("list", "lines of the list of journals are lost", ("list",), 4),
        ("list_bytes", "bytes of the list of journals", ("list",), 8),
    )
)
_BREAKS_LOG = (LOG, LOGGED_MARKER)
_LOG = (
    Kind(name="log.bytes", statement="bytes of the freeze log", on=("log",), most=8, breaks=_BREAKS_LOG),
    Kind(name="log.drop", statement="lines of it are lost", on=("log",), most=4, breaks=_BREAKS_LOG),
    Kind(name="log.repeat", statement="a line is there twice", on=("log",), breaks=_BREAKS_LOG),
    Kind(name="log.swap", statement="two lines changed places", on=("log",), breaks=_BREAKS_LOG),
    Kind(name="log.cut", statement="it ends too soon", on=("log",), breaks=_BREAKS_LOG),
    Kind(name="log.offset", statement="the marker's offset", on=("log",), most=100_000, breaks=_BREAKS_LOG),
    Kind(
        name="log.number",
        statement="the number of the marker's journal",
        on=("every", "marker"),
        most=4,
        breaks=_BREAKS_LOG,
    ),
    Kind(
        name="log.window",
        statement="the log of another window",
        on=("earlier", "foreign", "twin"),
        breaks=_BREAKS_LOG,
    ),
    Kind(
        name="log.both",
        statement="that of another window before it or behind it",
        on=("earlier", "foreign", "twin"),
        breaks=_BREAKS_LOG,
    ),
)
_STEPS = (
    Kind(name="steps.skipped", statement="no roll-forward, said to be done", on=("both",), modes=_ROLL),
    Kind(name="steps.twice", statement="the roll-forward is done twice", on=("both",), modes=_ROLL),
    Kind(name="steps.stopped", statement="it leaves out the last journals", on=("both",), modes=_ROLL),
    Kind(
        name="steps.later",
        statement="it begins with a later journal",
        on=("both",),
        modes=_ROLL,
        breaks=(REPORTED_STEP,),
    ),
    Kind(name="steps.one_database", statement="it leaves out a database", on=ROLES, modes=_ROLL),
    Kind(
        name="steps.until",
        statement="it goes to another point",
        on=("end", "point", "marker"),
        modes=_ROLL,
        breaks=(REPORTED_STEP,),
    ),
    Kind(name="steps.rolled", statement="journals are applied to it", on=("end", "point"), modes=(_FREEZE,)),
    Kind(
        name="steps.rolled_before", statement="journals are applied before the look", on=("end",), modes=_ROLL
    ),
    Kind(
        name="steps.restored_again",
        statement="the image is restored again, last of all",
        on=_STREAMS,
        modes=_READ,
    ),
    Kind(
        name="steps.restarted",
        statement="the booted instance is started again",
        on=("crash", "stop"),
        modes=(RecoveryMode.BOOT,),
    ),
)
KINDS = {kind.name: kind for kind in (*_IMAGE, *_JOURNALS, *_LOG, *_STEPS)}
_FAMILIES = {"image": 52, "journals": 22, "log": 12, "steps": 14}


# --- cases


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One change; `at` and `to` are shares, `salt` is what random bytes come from."""

    kind: str
    on: str
    at: float
    to: float
    count: int
    salt: int

    def __str__(self) -> str:
        return f"{self.kind} on={self.on} at={self.at} to={self.to} count={self.count} salt={self.salt}"

    @property
    def breaks(self) -> tuple[Promise, ...]:
        of_index = (INDEX,) if self.on.endswith(".index") else ()
        return (*KINDS[self.kind].breaks, *of_index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Mutations, in the order in which they are made, and how the backup is recovered."""

    seed: int
    mode: RecoveryMode
    mutations: tuple[Mutation, ...]

    @property
    def batch(self) -> int:
        return self.seed // PER_BATCH

    @property
    def breaks(self) -> tuple[Promise, ...]:
        """Promises that are broken by what was done, each once."""
        return tuple(dict.fromkeys(promise for one in self.mutations for promise in one.breaks))

    def __str__(self) -> str:
        return "; ".join((self.mode.value, *map(str, self.mutations)))


def draw(seed: int) -> Case:
    """The case of a seed; the same on every machine."""
    chance = random.Random(seed)
    mode = chance.choice(_MODES)
    numbers, weights = zip(*_HOW_MANY, strict=True)
    number = chance.choices(numbers, weights)[0]
    return Case(seed=seed, mode=mode, mutations=tuple(_mutation(chance, mode) for _ in range(number)))


def _mutation(chance: random.Random, mode: RecoveryMode) -> Mutation:
    names, weights = list(_FAMILIES), list(_FAMILIES.values())
    kinds: list[Kind] = []
    while not kinds:
        family = chance.choices(names, weights)[0]
        kinds = [kind for kind in KINDS.values() if kind.family == family and mode in kind.modes]
    kind = chance.choice(kinds)
    return Mutation(
        kind=kind.name,
        on=chance.choice(kind.on),
        at=round(chance.random(), _PLACES),
        to=round(chance.random(), _PLACES),
        count=int(math.exp(chance.uniform(0, math.log(kind.most)))),
        salt=chance.randrange(1 << 16),
    )


def simpler(case: Case) -> Iterator[Case]:
    """Cases with less, the most telling first: a mutation less, or one of a smaller extent."""
    ones = case.mutations
    for n in range(len(ones)):
        if len(ones) > 1:
            yield replace(case, mutations=(*ones[:n], *ones[n + 1 :]))
    for n, one in enumerate(ones):
        for count in sorted({1, one.count // 4, one.count // 2, one.count - 1} & set(range(1, one.count))):
            yield replace(case, mutations=(*ones[:n], replace(one, count=count), *ones[n + 1 :]))


# --- as text


def read_mutation(text: str) -> Mutation:
    """The mutation that prints so. Raises ValueError."""
    kind, *words = text.split()
    given = dict(word.split("=", 1) for word in words)
    if kind not in KINDS or set(given) != {"on", "at", "to", "count", "salt"}:
        raise ValueError(f"not a mutation: {text!r}")
    return Mutation(
        kind=kind,
        on=given["on"],
        at=float(given["at"]),
        to=float(given["to"]),
        count=int(given["count"]),
        salt=int(given["salt"]),
    )


def command(case: Case, kept: str = "") -> str:
    """What a person types to see the case again."""
    words = ["./dev fuzz", f"--only {case.seed}"]
    words += [f"--kept {kept}"] if kept else []
    drawn = draw(case.seed)
    words += [f"--mode {case.mode.value}"] if case.mode is not drawn.mode else []
    words += [f"--mutation '{one}'" for one in case.mutations] if case != drawn else []
    return " ".join(words)

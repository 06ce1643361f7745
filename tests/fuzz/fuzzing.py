"""Runs a target over changed and made-up bytes: with atheris, which follows the code's branches, or else at random.

Every file `fuzz_*.py` of this folder has a `target`, which raises for a defect and for nothing else, and `SEEDS`,
from which inputs are made. Both runners take the options of libFuzzer that are used here; see README.md.
"""

from __future__ import annotations

import importlib
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FunctionType

sys.path.insert(0, str(Path(__file__).parents[2]))  # the targets share their claims with tests/property

Target = Callable[[bytes], None]

DEFAULT_S = 60
_INPUT_BYTES_MAX = 4096


def main(
    target: Target, seeds: Sequence[bytes], modules: Sequence[str], most: int = _INPUT_BYTES_MAX
) -> None:
    """Fuzz for `-max_total_time=SECONDS`; ends with another status than 0 if a defect was found.

    Args:
        modules: What of the harness is instrumented, so that atheris sees its branches.
        most: Bytes of the longest input.
    """
    options = sys.argv[1:]
    seconds = _seconds(options)
    try:
        import atheris
    except ImportError:
        _at_random(target, seeds, seconds, most)
        return
    for function in _functions(modules):
        atheris.instrument_func(function)
    with tempfile.TemporaryDirectory(prefix="corpus-") as corpus:
        for number, seed in enumerate(seeds):
            (Path(corpus) / f"{number}").write_bytes(seed)
        kept = [option for option in options if not option.startswith("-max_total_time=")]
        limits = [f"-max_total_time={seconds}", f"-max_len={most}", "-timeout=20", "-rss_limit_mb=4096"]
        atheris.Setup([sys.argv[0], *limits, "-print_final_stats=1", *kept, corpus], target)
        atheris.Fuzz()


def _functions(modules: Sequence[str]) -> list[FunctionType]:
    """Every function and method that these modules define."""
    found: list[FunctionType] = []
    for name in modules:
        module = importlib.import_module(name)
        own = [one for one in vars(module).values() if getattr(one, "__module__", "") == name]
        members = [member for one in own if isinstance(one, type) for member in vars(one).values()]
        found += [one for one in (*own, *members) if isinstance(one, FunctionType)]
    return found


def _seconds(options: Sequence[str]) -> int:
    given = [int(one.partition("=")[2]) for one in options if one.startswith("-max_total_time=")]
    return given[-1] if given else DEFAULT_S


def _at_random(target: Target, seeds: Sequence[bytes], seconds: int, most: int) -> None:
    """Seeds with bytes changed, cut, doubled and mixed, from a seed that is printed and can be given as -seed=N."""
    given = [int(one.partition("=")[2]) for one in sys.argv[1:] if one.startswith("-seed=")]
    seed = given[-1] if given else random.randrange(2**32)
    chance = random.Random(seed)
    print(f"no atheris here: random inputs, -seed={seed}", file=sys.stderr)
    end, runs = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        raw = mutated(chance, seeds)[:most]
        try:
            target(raw)
        except BaseException:
            print(f"input: {raw!r}", file=sys.stderr)
            raise
        runs += 1
    print(f"stat::number_of_executed_units: {runs}", file=sys.stderr)


def mutated(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One to eight changes to one seed."""
    raw = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 8)):
        at = chance.randint(0, len(raw))
        end = min(len(raw), at + chance.choice((1, 1, 2, 8, 64)))
        other = chance.choice(seeds)
        start = chance.randint(0, len(other))
        piece = (
            bytes(chance.randrange(256) for _ in range(end - at)),
            b"",
            raw[at:end] * 2,
            other[start : start + chance.choice((4, 16, 64))],
            chance.choice((b"\0", b"\n", b"\r\n", b'"', b"^", b"9" * 20, b"-1", b"\xff" * 4, b"[" * 50)),
        )
        raw[at:end] = chance.choice(piece)
    return bytes(raw)

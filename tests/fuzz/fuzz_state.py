"""What the walk of a restored database prints: a state that every check can judge, or a HarnessError."""

from __future__ import annotations

import fuzzing

from harness.workload import oracle
from tests.property.test_histories_model import outcome

SUMMARY = b"w|1\ns|1|2|2|2\nb|1|0|1000000\nt|1|8|8|-8\nl|1|0|64:A\ne|1|1%44;17919\nr|1%44;17919\nn|3\nend\n"
HISTORY = oracle.row(1, 11, 8, 14, 1, 0, 0, 1) + b"@3\n" + oracle.row(3, 1, 2, 3, 1, 2, 0, 1) + b"end 2\n"
SEEDS = [SUMMARY + b"\xff" + HISTORY, b"r|\nend\n\xffend 0\n"]


def target(raw: bytes) -> None:
    summary, _, history = raw.partition(b"\xff")
    outcome(summary, history, 2, 5)


if __name__ == "__main__":
    fuzzing.main(target, SEEDS, ["harness.stages.walk", "harness.workload.oracle"])

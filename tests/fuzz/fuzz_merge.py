"""A configuration merge file: accepted, or refused with every mistake and its line."""

from __future__ import annotations

import tempfile

import fuzzing

from harness.standin.layout import Layout
from harness.standin.merge import MergeRefused, merge

OURS = fuzzing.Path(__file__).parents[2] / "containers" / "iris" / "merge.cpf"
INSTANCE = Layout("IRIS", fuzzing.Path("/durable"))
SEEDS = [
    OURS.read_bytes(),
    b'[Actions]\nCreateDatabase:Name=ONE,Directory="/durable/db/one"\nCreateMapGlobal:Name="RVB*",Database=TWO\n',
    b"[JOURNAL]\nCurrentDirectory=/durable/mgr/journal/\n[config]\nglobals=0,0,128\n; a comment\n",
]
FILE = fuzzing.Path(tempfile.mkdtemp(prefix="fuzz-")) / "merge.cpf"


def target(raw: bytes) -> None:
    FILE.write_bytes(raw)
    try:
        remarks = merge(INSTANCE, FILE)
    except MergeRefused as refusal:
        assert str(FILE) in str(refusal)
        return
    assert all(str(FILE) in remark for remark in remarks)


if __name__ == "__main__":
    fuzzing.main(target, SEEDS, ["harness.standin.merge"])

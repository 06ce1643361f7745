"""GT.M's journal files: a listing or Unreadable, inside of the file and in time.

The input is what follows the header: it is put there, and read as a journal whose data end where its first bytes say.
"""

from __future__ import annotations

import struct
import tempfile

import fuzzing

from harness.standin.journal_file import HEADER_BYTES, LABEL
from tests.property.test_journal_bytes import require_sane

HEADER = LABEL.ljust(HEADER_BYTES, b"\0")
FILE = fuzzing.Path(tempfile.mkdtemp(prefix="fuzz-")) / "20261122.001"


def record(kind: int, body: bytes) -> bytes:
    """A record as GT.M writes it."""
    length = (28 + len(body) + 4).to_bytes(3, "little")
    return bytes([kind]) + length + bytes(20) + b"tran" + body + length + b"\xeb"


def update(kind: int, key: bytes, value: bytes) -> bytes:
    counted = len(key).to_bytes(3, "little") + b"\0" + key + struct.pack("<I", len(value)) + value
    return record(kind, bytes(20) + counted)


RECORDS = [
    record(1, b""),
    record(11, bytes(8)),
    record(2, b""),
    update(15, b"RVAS\0\xbf\x11\0", b"12"),
    record(17, bytes(16)),
    update(7, b"RVAS\0\xbf\x21\0", b"7"),
]
SEEDS = [
    struct.pack("<H", len(b"".join(RECORDS[:n]))) + b"".join(RECORDS[:n]) for n in range(len(RECORDS) + 1)
]


def target(raw: bytes) -> None:
    if len(raw) < 2:
        return
    (end,) = struct.unpack_from("<H", raw)
    FILE.write_bytes(HEADER + raw[2:])
    require_sane(FILE, HEADER_BYTES + end, b"RVAS", HEADER_BYTES + end // 2)


if __name__ == "__main__":
    fuzzing.main(target, SEEDS, ["harness.standin.journal_file"])

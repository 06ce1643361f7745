"""A script's file as text: its bytes decoded, its line ends evened out, its language named.

Scripts are edited on all kinds of machines. Text is UTF-8 where it can be; bytes that are not are kept apart, one
character each, so that columns stay right.
"""

from __future__ import annotations

import codecs
import enum
import re
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError


class Language(enum.StrEnum):
    """What a file is written in."""

    SH = "sh"
    BATCH = "batch"
    AZURE = "azure"  # VMSnapshotScriptPluginConfig.json


_SIZE_BYTES_MAX = 4 * 1024 * 1024
_SUFFIXES = {
    ".sh": Language.SH,
    ".bash": Language.SH,
    ".ksh": Language.SH,
    ".bat": Language.BATCH,
    ".cmd": Language.BATCH,
    ".json": Language.AZURE,
}
_SHEBANG = re.compile(r"#!\s*(?:\S*/)?(?:env\s+(?:-\S+\s+)*)?(?P<name>[\w.-]+)")
_SHELLS = {"sh", "bash", "ksh", "ksh93", "mksh", "dash", "ash"}
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A script as read. `carriage_returns` is true if the file has lines that end with CR LF."""

    file: str
    text: str
    language: Language
    carriage_returns: bool
    wide: bool
    marked: bool


def read(path: Path, language: Language | None) -> Source:
    """Read a script; `language` overrules what its name and first line say.

    Raises:
        UsageError: it cannot be read, is no text, or its language cannot be told.
    """
    data = _bytes(path)
    wide = data.startswith(_WIDE)
    marked = data.startswith(codecs.BOM_UTF8)
    if not wide and b"\0" in data:
        raise UsageError(f"{path}: this is no text: there is a zero byte in it. Name the script itself.")
    text = data.decode("utf-16", "replace") if wide else _decoded(data)
    returns = "\r\n" in text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return Source(
        file=str(path),
        text=text,
        language=language or _language(path, text),
        carriage_returns=returns,
        wide=wide,
        marked=marked,
    )


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_SIZE_BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}. Name scripts that are there.") from error
    if len(data) > _SIZE_BYTES_MAX:
        raise UsageError(f"{path}: larger than {_SIZE_BYTES_MAX} bytes; this is no script.")
    return data


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _language(path: Path, text: str) -> Language:
    first = text.split("\n", 1)[0]
    shebang = _SHEBANG.match(first)
    if shebang and shebang["name"] in _SHELLS:
        return Language.SH
    known = _SUFFIXES.get(path.suffix.lower())
    if known:
        return known
    if re.match(r"\s*@?echo\s+off\b", first, re.IGNORECASE):
        return Language.BATCH
    what = f"its first line names {shebang['name']}" if shebang else "its name and first line do not say"
    raise UsageError(f"{path}:1: which language is this? {what}. Give --language sh or --language batch.")

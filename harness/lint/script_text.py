"""A script's file as text: its bytes decoded, its line ends made equal, its language named.

Scripts are edited on all kinds of machines. Text is read as UTF-8 if it is valid, else as Latin-1, one character a
byte, so that columns stay right.
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
class ScriptText:
    """A script as read.

    `carriage_returns` is true if the file has lines that end with CR LF, `wide` if it is UTF-16, `marked` if it is
    UTF-8 and begins with a byte order mark.
    """

    file: str
    text: str
    language: Language
    carriage_returns: bool
    wide: bool
    marked: bool

    @property
    def empty(self) -> bool:
        """True if there is nothing in it but blanks."""
        return not self.text.strip()


def read(path: Path, language: Language | None) -> ScriptText:
    """Read a script; `language` overrules what its name and first line say.

    Raises:
        UsageError: it cannot be read, is no text, or its language is unknown.
    """
    data = _bytes(path)
    wide = data.startswith(_WIDE)
    marked = data.startswith(codecs.BOM_UTF8)
    if not wide and b"\0" in data:
        raise UsageError(f"{path}: the file is not text: it has a zero byte. Name the script itself.")
    text = data.decode("utf-16", "replace") if wide else _decoded(data)
    returns = "\r\n" in text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return ScriptText(
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
        raise UsageError(
            f"{path}: the file cannot be read: {error.strerror}. Name scripts that exist."
        ) from error
    if len(data) > _SIZE_BYTES_MAX:
        raise UsageError(f"{path}: the file is larger than {_SIZE_BYTES_MAX} bytes, so it is no script.")
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
    what = f"the first line names {shebang['name']}" if shebang else "neither name nor first line says"
    raise UsageError(f"{path}:1: unknown language: {what}. Give --language sh or --language batch.")

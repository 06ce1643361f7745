"""Whatever a file holds, reading it ends with violations of known rules at lines that exist, never in a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.lint import Language, lint, violations
from harness.lint.model import Violation
from harness.lint.rules import rules_by_id
from harness.lint.script_text import ScriptText
from tests.unit.lint.samples import BAT_FREEZE, FREEZE, SCRIPTS


def test_odd_files_are_reported(tmp_path: Path) -> None:
    """CR LF, byte order marks, UTF-16, other encodings and nothing at all."""
    shell = f"#!/bin/sh\n{FREEZE}\n[ $? -eq 5 ]\n"
    cases = {
        "crlf.sh": (shell.replace("\n", "\r\n").encode(), {"carriage-returns"}),
        "bom.sh": (b"\xef\xbb\xbf" + shell.encode(), {"byte-order-mark"}),
        "latin.sh": (shell.encode() + b"# M\xfcller\n", set()),
        "empty.sh": (b"", {"empty-script"}),
        "blank.bat": (b"\r\n\r\n", {"empty-script"}),
        "wide.bat": ("@echo off\r\nexit /b 0\r\n".encode("utf-16"), {"byte-order-mark"}),
    }
    for name, (data, expected) in cases.items():
        (tmp_path / name).write_bytes(data)
        assert expected == {one.rule for one in lint([tmp_path / name], shellcheck=False).violations}, name


@pytest.mark.parametrize(
    "file", [path for path in SCRIPTS.rglob("*") if path.suffix in (".sh", ".bat", ".json")]
)
def test_a_script_cut_anywhere_is_still_read(file: Path) -> None:
    """A truncated script gives findings, never an exception."""
    text = file.read_text(encoding="utf-8")
    language = {".bat": Language.BATCH, ".json": Language.AZURE}.get(file.suffix, Language.SH)
    for end in range(0, len(text), max(len(text) // 12, 1)):
        _in_place(violations(_text(text[:end], language)), text[:end])


@settings(max_examples=150, deadline=None)
@given(
    st.text(st.sampled_from("ab$\"'`(){}|&;<>\n\\ #%:=5!*[]"), max_size=60),
    st.sampled_from([Language.SH, Language.BATCH]),
)
def test_any_text_is_read(noise: str, language: Language) -> None:
    """Whatever stands around a call."""
    call = FREEZE if language is Language.SH else BAT_FREEZE
    text = f"{noise}{call}{noise}\n"
    _in_place(violations(_text(text, language)), text)


def _in_place(found: list[Violation], text: str) -> None:
    """Each is of a known rule, and stands in a line that there is."""
    for one in found:
        assert one.rule in rules_by_id() and one.message and one.remedy
        assert 1 <= one.line <= text.count("\n") + 1 and one.column >= 1, (one, text)


def _text(text: str, language: Language) -> ScriptText:
    return ScriptText(
        file="x", text=text, language=language, carriage_returns=False, wide=False, marked=False
    )

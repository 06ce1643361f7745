"""A configuration merge file, held against what the stand-in can be: two databases, two places, one mapping.

IRIS merges such a file into its iris.cpf and carries out its [Actions] before the instance starts. The stand-in's
configuration cannot be changed, so a line is either true of it already, or refused with its place and a reason:
a line ignored in silence would make the stand-in look like an IRIS that had been configured.

Source: Configuration Parameter File Reference, "[Actions]" (CreateDatabase, CreateNamespace, CreateMapGlobal),
"[Journal]" (CurrentDirectory, AlternateDirectory) and "[config]" (globals); names of parameters are taken in
any case here. Actions may be repeated: "Automating Configuration of InterSystems IRIS with Configuration Merge".
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from .layout import DATABASES, Layout

NAMESPACE, MAPPED_GLOBALS = "HARNESS", "RVB*"

_PROPERTY = re.compile(r'\s*(?P<key>\w+)\s*=\s*(?:"(?P<quoted>[^"]*)"|(?P<plain>[^,"]*?))\s*(?:,|$)')


class MergeRefused(Exception):
    """The stand-in cannot be what the file asks for; the text has a line for each mistake, with its place."""


class _Mistake(Exception):
    """Why one line is refused."""


def merge(instance: Layout, file: Path) -> list[str]:
    """Hold a merge file against an instance. Nothing is changed, so it may be done at every start.

    Returns what was accepted without effect, for messages.log. Raises MergeRefused with all mistakes at once.
    """
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise MergeRefused(f"{file}: cannot be read: {error}") from error
    remarks: list[str] = []
    mistakes: list[str] = []
    for number, section, line in _lines(text):
        try:
            if remark := _accept(instance, section, line):
                remarks.append(f"{file}:{number}: {remark}")
        except _Mistake as mistake:
            mistakes.append(f"{file}:{number}: {mistake}")
    if mistakes:
        raise MergeRefused("\n".join(mistakes))
    return remarks


def _lines(text: str) -> Iterator[tuple[int, str, str]]:
    """Number, section in lower case, and text of every line that says something."""
    section = ""
    for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
        if heading := re.fullmatch(r"\[(.*)\]", line):
            section = heading[1].strip().lower()
        elif line and not line.startswith(";"):
            yield number, section, line


def _accept(instance: Layout, section: str, line: str) -> str:
    """A remark, or nothing. Raises _Mistake."""
    if section == "actions":
        _action(instance, line)
        return ""
    key, found, value = (part.strip() for part in line.partition("="))
    if not found:
        raise _Mistake(f"neither a section nor parameter=value: {line}")
    match section, key.lower():
        case "journal", "currentdirectory" | "alternatedirectory":
            _require_folder(value, instance.journal, "keeps its journals")
        case "config", "globals":
            if not re.fullmatch(r"\d+(,\d+){0,5}", value):
                raise _Mistake(f"globals takes up to six numbers of megabytes, not {value!r}")
            return "globals= has no effect on the stand-in; GT.M's buffers are set when an instance is made"
        case _:
            raise _Mistake(f"the stand-in has no parameter {key} in section [{section}]")
    return ""


def _action(instance: Layout, line: str) -> None:
    verb, _, rest = (part.strip() for part in line.partition(":"))
    given = _properties(rest)
    match verb.lower():
        case "createdatabase":
            _create_database(instance, given)
        case "createnamespace":
            first = DATABASES[0].upper()
            _require(given, {"name": NAMESPACE, "globals": first}, {"routines": first})
        case "createmapglobal":
            second = DATABASES[1].upper()
            _require(given, {"name": MAPPED_GLOBALS, "namespace": NAMESPACE, "database": second}, {})
        case _:
            raise _Mistake(f"{verb} is not an action of the stand-in")


def _create_database(instance: Layout, given: dict[str, str]) -> None:
    name = given.pop("name", "").lower()
    if name not in DATABASES:
        raise _Mistake(
            f"the stand-in has the databases ONE and TWO only, not {name.upper() or 'one without name'}"
        )
    _require_folder(given.pop("directory", ""), instance.database(name), f"has database {name.upper()}")
    _require(given, {}, {})


def _properties(text: str) -> dict[str, str]:
    """`Name="RVB*",Database=TWO` by names in lower case."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _PROPERTY.match(text, at)
        if match is None:
            raise _Mistake(f"not a list of name=value: {text[at:]}")
        found[match["key"].lower()] = match["quoted"] if match["quoted"] is not None else match["plain"]
        at = match.end()
    return found


def _require(given: dict[str, str], wanted: dict[str, str], allowed: dict[str, str]) -> None:
    """Every wanted property is there, and each that is there has the only value the stand-in can give it."""
    possible = {**wanted, **allowed}
    for key, value in given.items():
        if key not in possible:
            raise _Mistake(f"the stand-in has no property {key} here")
        if value.upper() != possible[key]:
            raise _Mistake(f"{key} can only be {possible[key]} in the stand-in, not {value!r}")
    if missing := sorted(set(wanted) - set(given)):
        raise _Mistake(f"{', '.join(missing)} is missing")


def _require_folder(given: str, place: Path, what: str) -> None:
    # compared as text after links are followed: the folder need not be there yet
    if "\0" in given or not given or os.path.realpath(given) != os.path.realpath(place):
        raise _Mistake(f"this instance {what} in {place}/, not in {given or 'a folder without name'}")

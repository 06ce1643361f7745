"""YAML text as plain values, each with the line on which it stands.

A plan needs little of YAML, so little is accepted: one document of mappings, lists and plain scalars. What
PyYAML would let pass or resolve in silence is a mistake here: a key given twice, an alias, a tag. Text is
never guessed to be a date. What the keys mean is decided in `load.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import yaml
from yaml.constructor import SafeConstructor
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from harness.errors import Mistake, PlanError, UsageError

Place: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the top of the document; the empty place is the document itself."""

_TAG = "tag:yaml.org,2002:"
_TEXT = {_TAG + "str", _TAG + "timestamp", _TAG + "value", _TAG + "merge"}
_RESOLVED = {_TAG + "bool", _TAG + "int", _TAG + "float", _TAG + "null"}
_INTEGER_MAX = 2**63


def pointer(place: Place) -> str:
    """A place as people write it: `snapshot[1].provider`."""
    parts = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return "".join(parts).removeprefix(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document as plain values. A `spoiled` place holds None in the place of something unreadable."""

    value: object
    lines: dict[Place, int]
    mistakes: tuple[Mistake, ...]
    spoiled: frozenset[Place]

    def mistake(self, place: Place, message: str) -> Mistake:
        """A mistake at a place, with its line; a missing place has the line of what should hold it."""
        known = next(place[:size] for size in range(len(place), -1, -1) if place[:size] in self.lines)
        return Mistake(line=self.lines[known], pointer=pointer(place), message=message)

    def spoils(self, place: Place) -> bool:
        """Whether the value there was not read, so that nothing more can be said about it."""
        return any(place[:size] in self.spoiled for size in range(len(place) + 1))


def read(path: Path) -> Document:
    """Read one YAML file.

    Raises:
        UsageError: the file is not there or cannot be read as UTF-8 text.
        PlanError: it is not one YAML document.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read plan {path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"cannot read plan {path}: it is not UTF-8 text") from error
    reader = _Reader()
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        value = None if node is None else reader.read(node, ())
    except yaml.YAMLError as error:
        raise PlanError(str(path), [_syntax_mistake(text, error)]) from error
    except (ValueError, OverflowError) as error:
        raise PlanError(str(path), [_whole(f"not YAML: {error}")]) from error
    except RecursionError as error:
        raise PlanError(str(path), [_whole("nested too deeply to be a plan")]) from error
    if node is None:
        raise PlanError(str(path), [_whole("the plan is empty")])
    return Document(
        value=value,
        lines=reader.lines,
        mistakes=tuple(reader.mistakes),
        spoiled=frozenset(reader.spoiled),
    )


def _whole(message: str) -> Mistake:
    return Mistake(line=1, pointer="", message=message)


def _syntax_mistake(text: str, error: yaml.YAMLError) -> Mistake:
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return Mistake(line=line, pointer="", message=f"not YAML: {error.reason}")
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "context", None) or str(error)
    return Mistake(line=mark.line + 1 if mark else 1, pointer="", message=f"not YAML: {problem}")


@dataclass(slots=True)
class _Reader:
    """Walks a node tree once and collects values, lines and mistakes."""

    lines: dict[Place, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    spoiled: set[Place] = field(default_factory=set)
    _seen: set[int] = field(default_factory=set)

    def read(self, node: Node, place: Place) -> object:
        self.lines.setdefault(place, _line(node))
        if id(node) in self._seen:
            return self._spoil(place, "an alias (*name) is not accepted in a plan: write the value out")
        self._seen.add(id(node))
        if isinstance(node, MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, place)
        if isinstance(node, SequenceNode) and node.tag == _TAG + "seq":
            return [self.read(item, (*place, index)) for index, item in enumerate(node.value)]
        if isinstance(node, ScalarNode) and node.tag in _TEXT:
            return self._text(node, place)
        if isinstance(node, ScalarNode) and node.tag in _RESOLVED:
            return self._resolved(node, place)
        return self._spoil(place, f"the tag {node.tag!r} is not accepted in a plan")

    def _mapping(self, node: MappingNode, place: Place) -> dict[str, object]:
        found: dict[str, object] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self._note(key_node, place, "a key must be a plain word")
                continue
            key = key_node.value
            here = (*place, key)
            if key in found:
                first = self.lines[here]
                self._note(key_node, here, f"this key was given before, on line {first}; give it once")
                continue
            self.lines[here] = _line(key_node)
            found[key] = self.read(value_node, here)
        return found

    def _text(self, node: ScalarNode, place: Place) -> object:
        text: str = node.value
        odd = next((c for c in text if not c.isprintable() and c not in "\n\t"), None)
        if odd is not None:
            return self._spoil(place, f"holds a character that does not show: U+{ord(odd):04X}")
        return text

    def _resolved(self, node: ScalarNode, place: Place) -> object:
        try:
            value: object = SafeConstructor().construct_object(node)
        except (yaml.YAMLError, ValueError, LookupError, OverflowError):
            return self._spoil(place, f"{node.value[:40]!r} cannot be read as a value")
        if isinstance(value, int) and abs(value) > _INTEGER_MAX:
            return self._spoil(place, "the number is too large")
        return value

    def _spoil(self, place: Place, message: str) -> object:
        """Note a mistake that leaves no value; gives None to stand in its place."""
        self.spoiled.add(place)
        self.mistakes.append(Mistake(line=self.lines[place], pointer=pointer(place), message=message))
        return None

    def _note(self, node: Node, place: Place, message: str) -> None:
        self.mistakes.append(Mistake(line=_line(node), pointer=pointer(place), message=message))


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1

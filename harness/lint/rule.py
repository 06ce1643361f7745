"""A rule: what it says, and the functions that look for violations of it.

A rule declares its words first and then its finders, in one module of `rules/`:

    RULE = Rule(id="…", level=…, summary="…", source="…", remedy="…")

    @RULE.shell
    def in_shell(reading: ShellReading) -> Iterator[Hit]: ...

A finder reads what was worked out about a script and yields a `Hit` for each place. It knows nothing of files or of
other rules. Which kind of finder a rule needs depends on what it looks at:

| decorator | called with | called for |
|---|---|---|
| `text` | `ScriptText` | every file, before it is parsed |
| `call` | `PlacedCall` | every call of the engine in a shell script or a batch file |
| `shell` | `ShellReading` | every shell script that is not empty |
| `batch` | `BatchReading` | every batch file that is not empty |
| `azure` | `AzureHook` | every configuration of Azure's snapshot plug-in that is not empty |
| `together` | all `ScriptText` | once for all files of one call of `lint` |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tree_sitter import Node

from harness.lint.azure import AzureHook
from harness.lint.batch.reading import BatchReading
from harness.lint.engine import PlacedCall
from harness.lint.model import Level, Violation
from harness.lint.script_text import ScriptText
from harness.lint.shell.reading import ShellReading


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One place at which a rule is broken, and what is wrong there. Lines and columns count from 1."""

    line: int
    column: int
    message: str


def at(node: Node, message: str) -> Hit:
    """A hit where a node of the syntax tree begins."""
    row, column = node.start_point
    return Hit(line=row + 1, column=column + 1, message=message)


TextFinder = Callable[[ScriptText], Iterable[Hit]]
CallFinder = Callable[[PlacedCall], Iterable[Hit]]
ShellFinder = Callable[[ShellReading], Iterable[Hit]]
BatchFinder = Callable[[BatchReading], Iterable[Hit]]
AzureFinder = Callable[[AzureHook], Iterable[Hit]]
TogetherFinder = Callable[[Sequence[ScriptText]], Iterable[tuple[ScriptText, Hit]]]


@dataclass(slots=True)
class _Finders:
    """The functions of one rule, by what they are called with."""

    text: list[TextFinder] = field(default_factory=list)
    call: list[CallFinder] = field(default_factory=list)
    shell: list[ShellFinder] = field(default_factory=list)
    batch: list[BatchFinder] = field(default_factory=list)
    azure: list[AzureFinder] = field(default_factory=list)
    together: list[TogetherFinder] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that is looked for.

    `faults` are numbers of the catalogue of script faults (F01-F37), `source` is where the fact behind it is stated.
    """

    id: str
    level: Level
    summary: str
    source: str
    remedy: str
    faults: tuple[str, ...] = ()
    finders: _Finders = field(default_factory=_Finders, repr=False, compare=False)

    def text(self, finder: TextFinder) -> TextFinder:
        """Register a finder that looks at the text of a file before it is parsed."""
        self.finders.text.append(finder)
        return finder

    def call(self, finder: CallFinder) -> CallFinder:
        """Register a finder that looks at one call of the engine, in a shell script or a batch file."""
        self.finders.call.append(finder)
        return finder

    def shell(self, finder: ShellFinder) -> ShellFinder:
        """Register a finder that looks at a shell script."""
        self.finders.shell.append(finder)
        return finder

    def batch(self, finder: BatchFinder) -> BatchFinder:
        """Register a finder that looks at a Windows batch file."""
        self.finders.batch.append(finder)
        return finder

    def azure(self, finder: AzureFinder) -> AzureFinder:
        """Register a finder that looks at a configuration of Azure's snapshot plug-in."""
        self.finders.azure.append(finder)
        return finder

    def together(self, finder: TogetherFinder) -> TogetherFinder:
        """Register a finder that looks at all files together."""
        self.finders.together.append(finder)
        return finder

    def in_text(self, text: ScriptText) -> Iterator[Hit]:
        """Hits in the text of a file."""
        for finder in self.finders.text:
            yield from finder(text)

    def in_shell(self, reading: ShellReading) -> Iterator[Hit]:
        """Hits in a shell script."""
        yield from self._in_calls(reading.calls)
        for finder in self.finders.shell:
            yield from finder(reading)

    def in_batch(self, reading: BatchReading) -> Iterator[Hit]:
        """Hits in a batch file."""
        yield from self._in_calls(reading.calls)
        for finder in self.finders.batch:
            yield from finder(reading)

    def in_azure(self, hook: AzureHook) -> Iterator[Hit]:
        """Hits in a configuration of Azure's snapshot plug-in."""
        for finder in self.finders.azure:
            yield from finder(hook)

    def in_all(self, texts: Sequence[ScriptText]) -> Iterator[tuple[ScriptText, Hit]]:
        """Hits that only show when all files are looked at together, each with the file it is reported in."""
        for finder in self.finders.together:
            yield from finder(texts)

    def _in_calls(self, calls: Sequence[PlacedCall]) -> Iterator[Hit]:
        for finder in self.finders.call:
            for one in calls:
                yield from finder(one)

    def violation(self, file: str, hit: Hit) -> Violation:
        """A hit as a violation of this rule in a file."""
        return Violation(
            file=file,
            line=hit.line,
            column=hit.column,
            rule=self.id,
            level=self.level,
            message=hit.message,
            remedy=self.remedy,
            faults=self.faults,
        )

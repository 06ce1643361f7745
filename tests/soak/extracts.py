"""Every node of both databases, as the engine's own `mupip extract` writes them: by that the fuzzer judges.

Nothing of the harness is used to read: no walker, no check, no agent, and not the instance's list of which global
lies in which database. Each file is read as a database of its own, so that a node in the wrong file shows, too.

What two clean recoveries write is the same byte for byte but for the first two lines (a label, and the time), which
are left out. Measured: 113 clean recoveries of ten backups in four modes, in the fuzzing that the README tells of.
Anything else that the engine says while it extracts, and any status but zero, means that it could not read the files.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.standin.gtm import installation
from tests.soak.judged import Look

DATABASES = ("one", "two")
_HEAD_LINES = 2
_TIMEOUT_S = 20
_BYTES_MAX = 64 << 20
"""A damaged database may be extracted without end."""
_SHOWN = 3
_GDE = 'change -segment DEFAULT -file="$fuzz_file"\nchange -region DEFAULT {region}\nexit\n'
_REGION = "-record_size=1000000 -key_size=255 -stdnullcoll"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """All nodes of both databases; `problem` says why the engine could not read them, empty if it could."""

    digests: tuple[str, ...] = ()
    nodes: tuple[tuple[bytes, ...], ...] = field(default=(), repr=False)
    problem: str = ""

    def looked(self, clean: Extract) -> Look:
        """How it compares with one of a clean recovery."""
        if self.problem or not self.digests:
            return Look.UNUSABLE
        return Look.EQUAL if self.digests == clean.digests else Look.DIFFERS

    def differences(self, clean: Extract) -> list[str]:
        """The first nodes that differ, and how many do."""
        if self.problem:
            return [self.problem]
        found: list[str] = []
        for name, mine, theirs in zip(DATABASES, self.nodes, clean.nodes, strict=True):
            more, less = set(mine) - set(theirs), set(theirs) - set(mine)
            pairs = itertools.zip_longest(
                [line for line in mine if line in more], [line for line in theirs if line in less]
            )
            shown = [f"{name}: {_short(a)}, clean: {_short(b)}" for a, b in itertools.islice(pairs, _SHOWN)]
            found += [
                *shown,
                f"{name}: {len(more)} nodes that are not in the clean one, {len(less)} that are missing",
            ]
            if not more and not less and mine != theirs:
                found.append(f"{name}: the order of nodes, or how often one is there")
        return [text for text in found if ": 0 nodes that are not in the clean one, 0 " not in text]


def _short(node: bytes | None) -> str:
    if node is None:
        return "no more"
    text = node.decode("latin-1")
    return text if len(text) <= 90 else f"{text[:80]}… ({len(text)} characters)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extractor:
    """Runs the engine's programs. `directory` is the global directory of any single file, which a place can read."""

    programs: Path
    directory: Path

    @staticmethod
    def make(directory: Path) -> Extractor:
        """With a new global directory, open to all."""
        programs = installation()
        assert programs
        one = Extractor(programs=programs, directory=directory)
        subprocess.run(
            [programs / "mumps", "-run", "GDE"],
            input=_GDE.format(region=_REGION).encode(),
            env={**os.environ, **one._settings(Path())},
            check=True,
            capture_output=True,
            timeout=_TIMEOUT_S,
        )
        directory.chmod(0o644)
        return one

    def within(self, argv: Callable[[Sequence[str]], list[str]], root: Path, outside: Path) -> Extract:
        """Of an instance that runs in a place of its own.

        Args:
            argv: Makes a command one that runs in there.
            root: Of the instance, as it is called in there.
            outside: The same folder, as it is called here.
        """
        return self._extract(
            lambda role, out: argv(self._command(root / "db" / role / "IRIS.DAT", root / out)), outside
        )

    def of_files(self, folder: Path) -> Extract:
        """Of database files that lie in `folder/one` and `folder/two`, as nobody has them open. They are changed: the
        memory that their headers name is forgotten.
        """
        alone = ["unshare", "--ipc", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"]
        script = '"$0" rundown -file "$1" >/dev/null 2>&1; shift; exec "$@"'

        def command(role: str, out: str) -> list[str]:
            file = folder / role / "IRIS.DAT"
            forget = ["sh", "-c", script, str(self.programs / "mupip"), str(file)]
            return [*alone, *self._limited(file), *forget, *self._mupip(folder / out)]

        return self._extract(command, folder)

    def _extract(self, command: Callable[[str, str], list[str]], outside: Path) -> Extract:
        outs = [f"extract.{role}" for role in DATABASES]
        processes = [
            subprocess.Popen(
                command(role, out),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            )
            for role, out in zip(DATABASES, outs, strict=True)
        ]
        said = [(process.communicate()[0].decode("latin-1"), process.returncode) for process in processes]
        problem = "; ".join(
            f"{role}: status {status}: {' '.join(text.split())[-300:]}"
            for role, (text, status) in zip(DATABASES, said, strict=True)
            if status or any(mark in text for mark in ("-E-", "-F-", "-W-"))
        )
        files = [outside / out for out in outs]
        try:
            if problem:
                return Extract(problem=problem)
            nodes = tuple(tuple(file.read_bytes().split(b"\n")[_HEAD_LINES:]) for file in files)
        except OSError as error:
            return Extract(problem=f"no extract was written: {error}")
        finally:
            for file in files:
                file.unlink(missing_ok=True)
        return Extract(
            digests=tuple(hashlib.sha256(b"\n".join(lines)).hexdigest() for lines in nodes), nodes=nodes
        )

    def _command(self, file: Path, out: Path) -> list[str]:
        return [*self._limited(file), *self._mupip(out)]

    def _limited(self, file: Path) -> list[str]:
        settings = [f"{name}={value}" for name, value in self._settings(file).items()]
        limits = [f"--fsize={_BYTES_MAX}", "--", "timeout", "--signal=KILL", str(_TIMEOUT_S)]
        return ["env", *settings, "prlimit", *limits]

    def _mupip(self, out: Path) -> list[str]:
        return [str(self.programs / "mupip"), "extract", "-format=zwr", str(out)]

    def _settings(self, file: Path) -> dict[str, str]:
        return {
            "gtm_dist": str(self.programs),
            "gtmgbldir": str(self.directory),
            "gtmroutines": f"{self.programs}/libgtmutil.so",
            "gtm_chset": "M",
            "gtm_tmp": "/tmp",
            "fuzz_file": str(file),
            "LC_ALL": "C",
        }

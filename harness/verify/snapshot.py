"""The image holds every file that the source had in the window, in its size; small files that did not change, such as
the configuration, with their content.

Catches a snapshot that was not there in the time that a freeze has, took nothing, left out a database, a journal or
the configuration, or ended before a file did. What a backup may leave out because the engine makes it anew is not
asked for (`harness.instance.iris.left_out`).
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.declared import Declaration
from harness.evidence.case import Evidence
from harness.evidence.files import ExpectedFile
from harness.model import Code, Finding, Upstream
from harness.verify.base import not_checked


class SnapshotChecker:
    """The image holds every file of the source, in its size."""

    declared = Declaration(
        name="snapshot",
        order=10,
        codes=(
            Code(
                name="snapshot.timeout",
                rank=Upstream.WINDOW + 40,
                remedy="there is no backup. Make the snapshot faster, or give the freeze more time: timeout of the "
                "snapshot, wd_suspend_limit, external_freeze_timeout and limits.window in the plan",
            ),
            Code(name="snapshot.incomplete", rank=Upstream.WINDOW + 50),
            Code(name="snapshot.altered", rank=Upstream.WINDOW + 60),
            Code(name="snapshot.size", rank=Upstream.IMAGE + 10),
            Code(name="snapshot.other_size", rank=Upstream.DATA + 220),
        ),
        remedy="do not count on this backup. Mend the snapshot so that it holds every file of the source, "
        "and take another; keep the last good one, and the journals since",
        needs=("window", "files"),
        facts=("agent.answers",),
    )

    def check(self, evidence: Evidence) -> Sequence[Finding]:
        if evidence.late is not None:
            return [Finding(code="snapshot.timeout", message=evidence.late)]
        if evidence.incomplete is not None:
            return [Finding(code="snapshot.incomplete", message=f"there is no image: {evidence.incomplete}")]
        if evidence.window is None or evidence.window.files is None:
            return not_checked("snapshot", evidence, "list of the files of the source")
        if evidence.files is None:
            return not_checked("snapshot", evidence, "image that was given out")
        return [*_missing(evidence), *_other_size(evidence), *_other_content(evidence)]


def _missing(evidence: Evidence) -> list[Finding]:
    assert evidence.window and evidence.window.files is not None and evidence.files is not None
    missing = [str(file.path) for file in evidence.window.files if file.path not in evidence.files]
    if not missing:
        return []
    more = f" and {len(missing) - 1} more files" if len(missing) > 1 else ""
    return [
        Finding(
            code="snapshot.incomplete",
            message=f"the image lacks {missing[0]}{more}, which the source had before and after the freeze",
            witness=", ".join(missing[:20]),
        )
    ]


def _other_size(evidence: Evidence) -> list[Finding]:
    assert evidence.window and evidence.window.files is not None and evidence.files is not None
    odd: list[tuple[ExpectedFile, str]] = []
    for file in evidence.window.files:
        size = evidence.files.get(file.path)
        if size is not None and not (file.least <= size and (file.most is None or size <= file.most)):
            right = f"{file.least} bytes" if file.least == file.most else f"{file.least} to {file.most} bytes"
            odd.append((file, f"{size} bytes, expected {right}"))
    odd.sort(key=lambda found: not found[0].database)
    return [
        Finding(
            code="snapshot.size" if file.database else "snapshot.other_size",
            message=f"{file.path} in the image has not the size that the source had in the window",
            witness=witness,
        )
        for file, witness in odd[:1]
    ]


def _other_content(evidence: Evidence) -> list[Finding]:
    assert evidence.window and evidence.window.files is not None and evidence.files is not None
    known = [
        file for file in evidence.window.files if file.digest is not None and file.path in evidence.files
    ]
    if known and evidence.digests is None:
        return not_checked("snapshot", evidence, "content of the small files in the image")
    for file in known:
        assert evidence.digests is not None
        there = evidence.digests.get(file.path)
        if there != file.digest:
            return [
                Finding(
                    code="snapshot.altered",
                    message=f"{file.path} in the image has another content than in the source, which did not change",
                    witness=f"SHA-256 {there or 'unknown'}, expected {file.digest}",
                )
            ]
    return []

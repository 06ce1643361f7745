"""Claims of `instance.local` that need no process."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import PreconditionError
from harness.instance.local import LocalHost
from harness.plan.model import InstanceSpec


@pytest.mark.parametrize("name", ["a b", "a(b)", "a,b", "a=b", "a\tb"])
def test_a_folder_that_gtm_cannot_name_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    """GT.M would end with a syntax error in the middle of a run."""
    with pytest.raises(PreconditionError, match=r"GT.M.* takes no path with"):
        LocalHost(InstanceSpec(), tmp_path / name / "work").probe()

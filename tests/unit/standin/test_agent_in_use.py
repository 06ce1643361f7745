"""A roll-forward over a database that another process holds: no answer about the journals, so no refusal of them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.standin.agent import Agent
from harness.standin.gtm import GTMError, InUse


def agent(said: str) -> Any:
    """One whose mupip says this."""

    def mupip(*arguments: str, **options: float) -> str:
        raise GTMError(said)

    made = Agent.__new__(Agent)
    made._engine = SimpleNamespace(mupip=mupip)  # type: ignore[assignment]
    made._layout = SimpleNamespace(gtm=Path("/gtm"), database_file=lambda name: Path(f"/{name}"))  # type: ignore[assignment]
    return made


@pytest.mark.parametrize(
    ("said", "raised"),
    [
        ("%GTM-E-MUSTANDALONE, Could not get exclusive access to /one", InUse),
        ("%GTM-E-JNLBADRECFMT, Journal record format error", GTMError),
    ],
)
def test_only_what_gtm_says_of_the_journals_is_a_refusal(said: str, raised: type[Exception]) -> None:
    with pytest.raises(Exception, match="%GTM-E") as found:
        agent(said)._apply({"one": [Path("/j")]}, {"one": "/source"})
    assert raised is type(found.value)
    assert not issubclass(InUse, GTMError), "that is what the session answers as a refusal"

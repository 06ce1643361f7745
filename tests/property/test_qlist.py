"""What `iris qlist` prints, whatever it is: a status of the instance asked for, or none; and no other's."""

from __future__ import annotations

from collections.abc import Sequence
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from harness.command import Completed
from harness.instance import installed

FIELDS = st.lists(
    st.text(st.characters(exclude_characters="^\n"), max_size=12)
    | st.sampled_from(
        ["IRIS", "iris", "running, since Sun Nov 22", "down, last used never", "", "sign-on inhibited"]
    ),
    max_size=20,
)
OTHER = st.text(st.characters(exclude_characters="\n"), max_size=60)


def status(printed: str, name: str = "IRIS") -> str:
    def run(argv: Sequence[str], **_: object) -> Completed:
        assert ["iris", "qlist", name] == list(argv)
        return Completed(argv=tuple(argv), status=0, stdout=printed, stderr="", duration_s=0.0)

    with patch.object(installed, "run", run):
        return installed._status(name)


@given(st.lists(FIELDS, max_size=5), OTHER)
def test_any_lines_give_a_status_of_that_instance_or_none(rows: list[list[str]], noise: str) -> None:
    """From 0 to 20 fields of any characters: what stands fourth in a line that begins with the name, or nothing."""
    printed = "\n".join([noise, *("^".join(row) for row in rows)])
    found = status(printed)
    assert isinstance(found, str)
    named = [fields for line in printed.splitlines() if (fields := line.split("^"))[0].upper() == "IRIS"]
    assert found == (named[0][3] if named and len(named[0]) > 3 else "")


@given(st.text(st.characters(exclude_characters="^\n"), min_size=1, max_size=10), st.integers(0, 20))
def test_another_instance_is_not_this_one(name: str, more: int) -> None:
    """A name that only begins or ends alike is another instance: its status is not taken."""
    line = "^".join(["IRIS" + name, "/iris", "2024.1", "running, since now", *["x"] * more])
    assert "" == status(line) and "" == status(f" {line}")


@given(st.integers(0, 20))
def test_a_cut_line_has_no_status(length: int) -> None:
    """A line that ends before its fourth field says nothing; only what begins with `running` runs."""
    line = "IRIS^/iris^2024.1^running, since now^iris.cpf"
    found = status(line[:length])
    assert not found.startswith("running")

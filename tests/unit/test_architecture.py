"""docs/architecture.md says what the code does."""

from __future__ import annotations

from tests.architecture import PAGE, page, path_of_a_backup, rooms


def test_the_page_is_that_of_today() -> None:
    """`python -m tests.architecture` writes it."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_the_path_goes_through_every_station() -> None:
    """What the page follows would be shorter if a call were no longer understood."""
    path = path_of_a_backup()
    stations = (
        "opened(",
        "back_up(",
        "hold(",
        "OwnFreezer.held(",
        "collect(",
        "expose(",
        "restore(",
        "roll_forward(",
        "read_state(",
        "judge_all(",
        "case_record(",
    )
    assert [] == [one for one in stations if one not in path]


def test_every_room_says_what_it_is() -> None:
    assert [] == [line for line in rooms().splitlines() if line.startswith("| `") and line.endswith("|  |")]

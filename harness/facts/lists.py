"""Lists of instances, as people's scripts read them."""

from __future__ import annotations

from harness.facts.fact import ADMIN_GUIDE, Fact

LIST_QLIST_FIELDS = Fact(
    id="list.qlist_fields",
    statement="`iris qlist` prints 8 to 14 fields between carets: name first, status fourth.",
    source=ADMIN_GUIDE,
    expected="8 to 14 fields, name first, status fourth",
    open_item=14,
)
LIST_QALL_HEADER = Fact(
    id="list.qall_header",
    statement="`iris qall` prints two lines of headings, then states in columns 1-2 and names from column 5.",
    source=f"{ADMIN_GUIDE}; a blank line before them is not documented",
    expected="headings in lines 1 and 2, state and name in their columns",
    open_item=14,
)

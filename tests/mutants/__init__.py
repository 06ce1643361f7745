"""Whether the tests would notice: small wrong changes of the code that decides, one at a time, and who sees them.

    spans → operators → mutants of a file      where, and which
    imports, seeing → which tests run a line   remembered in .mutants/, remade when anything changed
    trees, forks → a private copy, a child     where a mutant lives, with a limit for every test
    equivalent, floors, report → the verdict   `python -m tests.mutants`, that is `./dev mutants`

Why it is our own. mutmut (3.8) changes nothing outside of functions, and here tables and patterns decide (the order
of a freeze log, its texts, the checks); cosmic-ray (8.7) starts an interpreter and pytest for every mutant, seconds
where a fork takes a few tenths of one, and brings a database with it. Neither drops elements of containers or
keywords, or knows verdicts; neither keeps equivalent mutants by their content, with a reason, and says when an entry
is stale.
"""

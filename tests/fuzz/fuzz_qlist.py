"""`iris qlist`: the fourth field of the line of that instance, or nothing; and what a login prints before it."""

from __future__ import annotations

import fuzzing

from harness.instance.login import Login, prompts
from tests.property.test_qlist import status

SEEDS = [
    b"IRIS^/iris^2024.1^running, since Sun Nov 22^iris.cpf^1972^52773^0^ok^IRIS^^^/iris^1972\n",
    b"OTHER^/x^1^down, last used never^iris.cpf\nIRIS^/iris^2024.1^down, last used never\n",
    b"\nNode: host, Instance: IRIS\n\nUsername: _SYSTEM\nPassword: ***\n{}\n",
]
LOGIN = Login("_SYSTEM", "a+b(")


def target(raw: bytes) -> None:
    text = raw.decode("utf-8", "replace")
    found = status(text)
    assert found == "" or f"^{found}" in text
    assert text.startswith(prompts(text, LOGIN))


if __name__ == "__main__":
    fuzzing.main(target, SEEDS, ["harness.instance.installed", "harness.instance.login"])

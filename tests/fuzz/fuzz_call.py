"""A call typed after `iris session`: its class, method and arguments, or a ValueError; what is quoted comes back."""

from __future__ import annotations

import fuzzing

from harness.instance.iris import _arguments
from harness.standin.call import parse

SEEDS = [
    b'##class(Backup.General).ExternalFreeze("/w/freeze.log","text",1,,,,600,,,300)',
    b'##class(Harness.Agent).RollForward("/j/","20261122.002","65976")',
    b'##class(%SYSTEM.OBJ).Load("a ""b"" c",.x,-1.5)',
]


def target(raw: bytes) -> None:
    text = raw.decode("utf-8", "replace")
    try:
        call = parse(text)
    except ValueError as error:
        assert "<SYNTAX>" in str(error)
    else:
        assert call.cls and call.method and all(isinstance(one, str) for one in call.arguments)
    quoted = parse(f"##class(A.B).C({_arguments(text, 7, None)})")
    assert (text, "7", "") == quoted.arguments


if __name__ == "__main__":
    fuzzing.main(target, SEEDS, ["harness.standin.call"])

"""Who may begin a session, where an instance has accounts of its own.

`mgr/users` holds a line for each account: name, salt and hash, separated by colons. An instance without the file
asks nobody who he is, as IRIS with operating-system authentication does not. The stand-in keeps no secrets worth
guarding: the hash is cheap, so that a login takes a few milliseconds.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path


def store(given: str, file: Path) -> None:
    """Keep the accounts of a text of lines `user:password`. Raises ValueError for any other line."""
    lines = []
    for line in given.splitlines():
        user, colon, password = line.partition(":")
        if not (user and colon and password):
            raise ValueError("each line of a users file is user:password")
        salt = os.urandom(16)
        lines.append(f"{user}:{salt.hex()}:{_hash(password, salt).hex()}\n")
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as kept:
        kept.writelines(lines)


class Accounts:
    """The accounts of a running instance, read once."""

    def __init__(self, file: Path) -> None:
        lines = file.read_text().splitlines() if file.exists() else []
        self._hashes = {
            user: (bytes.fromhex(salt), bytes.fromhex(kept)) for user, salt, kept in map(_split, lines)
        }

    @property
    def asked_for(self) -> bool:
        """Whether a session needs a login."""
        return bool(self._hashes)

    def knows(self, user: str, password: str) -> bool:
        salt, kept = self._hashes.get(user, (b"", b""))
        return hmac.compare_digest(_hash(password, salt), kept)


def _split(line: str) -> tuple[str, str, str]:
    user, salt, kept = line.rsplit(":", 2)
    return user, salt, kept


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode("utf-8", "surrogateescape"), salt=salt, n=1024, r=8, p=1)

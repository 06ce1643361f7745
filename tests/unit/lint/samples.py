"""Calls of the engine that are right, for scripts of the tests."""

from __future__ import annotations

from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "data" / "scripts"
LOG = r"\"/var/log/b/x.log\""
FREEZE = (
    f'sudo -u irisusr iris session IRIS -U%SYS "##class(Backup.General).ExternalFreeze({LOG},,,,,,600,,,300)"'
)
ASK = 'sudo -u irisusr iris session IRIS -U%SYS "##class(Backup.General).IsWDSuspendedExt()"'
THAW = f'sudo -u irisusr iris session IRIS -U%SYS "##class(Backup.General).ExternalThaw({LOG})"'
BAT_FREEZE = (
    'irisdb -sC:\\I\\mgr -U%%SYS ##Class(Backup.General).ExternalFreeze("""C:\\x.log""",,,,,,600,,,300)'
)
BAT_THAW = 'irisdb -sC:\\I\\mgr -U%%SYS ##Class(Backup.General).ExternalThaw("""C:\\x.log""")'
BAT_ASK = "irisdb -sC:\\I\\mgr -U%%SYS ##Class(Backup.General).IsWDSuspendedExt()"

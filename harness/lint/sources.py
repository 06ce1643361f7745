"""The works that several rules cite. A rule that rests on another one names it itself."""

from __future__ import annotations

CLASS_REFERENCE = "InterSystems IRIS 2024.1 class reference, Backup.General, ExternalFreeze and ExternalThaw"
DATA_INTEGRITY_GUIDE = "InterSystems IRIS Data Integrity Guide, external backup"
SHELL = "POSIX.1-2024, Shell Command Language"
CMD = "Microsoft, reference of Windows commands"
INTEGRITY_REPORTS = "integrity reports of IRIS 2024.1 and Caché 2017.2"

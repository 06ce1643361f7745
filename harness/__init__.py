"""Restore verification and journal roll-forward harness for InterSystems IRIS external backups."""

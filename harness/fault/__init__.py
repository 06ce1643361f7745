"""Planted faults: backups that are bad in known ways, to verify the verifier. See `base` and `matrix`."""

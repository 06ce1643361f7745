"""A running instance and all that surrounds it: what is started, watched over, registered and ended."""

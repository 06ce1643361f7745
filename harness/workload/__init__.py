"""What the writers do, as a function of a seed, and what was acknowledged of it."""

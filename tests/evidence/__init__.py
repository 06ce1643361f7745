"""What the faults of the matrix leave as evidence, recorded once, for tests of the checks without an engine."""

"""What the harness takes for granted of an engine, as data, and what is known of each engine."""

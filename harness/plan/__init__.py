"""Plans: what a user asks for, read, checked and taken to pieces."""

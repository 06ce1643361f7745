"""Snapshots of a directory tree: the port, and a module for each provider."""

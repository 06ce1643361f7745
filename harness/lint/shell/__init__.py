"""Shell scripts: the tree, the steps, and what becomes of an exit status."""

"""Windows batch files: the tree, and how a file ends for a given exit status of a call."""

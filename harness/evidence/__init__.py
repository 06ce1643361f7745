"""What was seen of a backup and of a recovery, as plain frozen data: nothing here asks, runs or judges anything."""

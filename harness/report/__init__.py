"""Reports: functions of a stored record, so that each can be made again at any time."""

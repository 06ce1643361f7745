"""The checks: each looks at evidence and states findings; nothing here runs or changes anything."""

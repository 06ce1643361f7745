"""Users' own freeze and thaw scripts, looked at apart from any run of the harness.

`lint` reads them without running them.
"""

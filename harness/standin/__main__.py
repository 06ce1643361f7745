"""`python -m harness.standin VERB …`: the stand-in's commands; `bin/iris` comes here when it must."""

import sys

from .commands import main

sys.exit(main(sys.argv[1:]))

"""Python reads this first if it is on its path: for a program that follows the clock of Debian's faketime.

That clock is for this process alone, so what it starts is not given it. And it refuses the call by which Python
sleeps (faketime 0.9.10, Python 3.11: clock_nanosleep ends with EINVAL, measured), so sleeping is waiting for nothing.
"""

import os
import select
import time

if os.environ.pop("LD_PRELOAD", None):
    time.sleep = lambda seconds: select.select((), (), (), float(seconds)) and None

"""A decorator that adds up how long a function takes: `slow.seconds`."""

import time
from functools import wraps


def timed(function):
    @wraps(function)  # its name, its documentation and its signature stay
    def timing(*args, **kwargs):
        began = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            timing.seconds += time.perf_counter() - began

    timing.seconds = 0.0
    return timing

"""Which functions of a package lose memory, seen from outside. `python find_leak.py PACKAGE`

What C takes with malloc() is unknown to tracemalloc; the process as a whole grows all the same.
"""

import ctypes
import importlib
import os
import sys

BATCHES, CALLS = 4, 5_000
LEAST = 8  # bytes a call; below that it is noise

libc = ctypes.CDLL(None)


def resident():
    libc.malloc_trim(0)  # what was given back to malloc() goes back to the system
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def call(function, wrong, times):
    for _ in range(times):
        try:
            function(wrong)
        except ValueError:
            pass


def lost(function, wrong):
    """Bytes that a call leaves behind: of some batches the least, as what only warms up stops growing."""
    grown = []
    for _ in range(BATCHES):
        before = resident()
        call(function, wrong, CALLS)
        grown.append((resident() - before) / CALLS)
    return min(grown)


def main(name):
    sys.path.insert(0, ".")
    package = importlib.import_module(name)
    leaks = {}
    for function in package.__all__:
        # The way through an error is another one, and the one that is forgotten.
        most = max(lost(getattr(package, function), wrong) for wrong in (False, True))
        if most >= LEAST:
            leaks[function] = most
    for function, size in leaks.items():
        print("LEAK", function, round(size))
    if not leaks:
        print("NONE")


main(sys.argv[1])

"""Looks for what leaks in a package: python3 find_leak.py [--flaw NAME] PACKAGE"""
import ctypes
import importlib
import os
import sys
import tracemalloc

CALLS, WARM, BATCHES = 4000, 2, 4
PAGE = os.sysconf("SC_PAGE_SIZE")
trim = ctypes.CDLL(None).malloc_trim

flaw = sys.argv[2] if sys.argv[1] == "--flaw" else ""
name = sys.argv[-1]


def resident():
    trim(0)
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * PAGE


def call(function, wrong, times):
    for _ in range(times):
        try:
            function(wrong)
        except ValueError:
            pass


def grows(function, wrong):
    """Bytes that a call leaves behind, once it is warm: of some batches the least, as the interpreter takes an arena for itself
    now and then."""
    is_cold = flaw == "no-warm-up"
    call(function, wrong, 0 if is_cold else CALLS * WARM)
    grown = []
    for _ in range(1 if is_cold else BATCHES):
        before = resident()
        call(function, wrong, CALLS)
        grown.append((resident() - before) / CALLS)
    return min(grown)


def biggest(function):
    """What a call takes, whether it gives it back or not."""
    before = resident()
    call(function, False, 300)
    return resident() - before


def by_tracemalloc(function):
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    call(function, False, 200)
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (after - before) / 200


sys.path.insert(0, ".")
package = importlib.import_module(name)
leaks = {}
for each in package.__all__:
    function = getattr(package, each)
    if flaw == "tracemalloc":
        call(function, False, 3000)
        size = by_tracemalloc(function)
    elif flaw == "python-level":
        size = by_tracemalloc(function)
    elif flaw == "biggest":
        size = biggest(function)
    else:
        size = grows(function, False)
        if flaw != "never-wrong":
            size = max(size, grows(function, True))
    if size >= 10:
        leaks[each] = size
if flaw == "biggest" and leaks:
    worst = max(leaks, key=leaks.get)
    leaks = {worst: leaks[worst]}
if flaw == "kibibytes":
    leaks = {each: size / 1024 for each, size in leaks.items()}
for each, size in leaks.items():
    print("LEAK", each, round(size, 3))
if not leaks:
    print("NONE")

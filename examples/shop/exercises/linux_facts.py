"""Answers what a live Linux system is asked, a line for a line, from what the kernel shows in /proc."""

import os
import sys


def status(process, key):
    # Names may have blanks and brackets in them, so nothing is taken by its column.
    with open(f"/proc/{process}/status", errors="surrogateescape") as lines:
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(key + ":"))


def processes():
    return [name for name in os.listdir("/proc") if name.isdigit()]


def open_files():
    """(process, path of the link, what it leads to) of whatever is open and may be seen."""
    for process in processes():
        folder = f"/proc/{process}/fd"
        try:
            for name in os.listdir(folder):
                yield process, f"{folder}/{name}", os.readlink(f"{folder}/{name}")
        except OSError:
            continue  # it ended, or is somebody else's


def listener(port):
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as rows:
            next(rows)
            for row in rows:
                fields = row.split()
                local, state, inode = fields[1], fields[3], fields[9]
                if state == "0A" and int(local.rpartition(":")[2], 16) == int(port):
                    return next(owner for owner, _, to in open_files() if to == f"socket:[{inode}]")
    raise LookupError(port)


def deleted(folder):
    for process, path, to in open_files():
        if to.startswith(folder + "/") and to.endswith(" (deleted)"):
            return f"{process} {os.stat(path).st_size}"
    raise LookupError(folder)


def children(process):
    found = []
    for other in processes():
        try:
            if status(other, "PPid") == process:
                found.append(other)
        except OSError:
            continue
    return found


def environment(process, name):
    with open(f"/proc/{process}/environ") as file:
        pairs = (pair.partition("=") for pair in file.read().split("\0"))
        return next(value for key, _, value in pairs if key == name)


def zombie(process):
    return next(child for child in children(process) if status(child, "State").startswith("Z"))


def size(folder):
    return sum(os.lstat(os.path.join(here, name)).st_size for here, _, names in os.walk(folder) for name in names)


def largest(folder):
    with os.scandir(folder) as entries:
        return max((entry for entry in entries if entry.is_dir(follow_symlinks=False)), key=size).name


def lines(path):
    with open(path, "rb") as file:
        return sum(1 for line in file if line.endswith(b"\n"))


def ignores(process):
    mask = int(status(process, "SigIgn"), 16)
    return next(number for number in range(1, 65) if mask >> (number - 1) & 1)


def interface(address):
    one, two, three, four = map(int, address.split("."))
    if one == 127:
        return "lo"
    number, found = four << 24 | three << 16 | two << 8 | one, (-1, "")
    with open("/proc/net/route") as rows:
        next(rows)
        for row in rows:
            name, destination, _, _, _, _, _, mask, *_ = row.split()
            if number & int(mask, 16) == int(destination, 16):
                found = max(found, (int(mask, 16).bit_count(), name))
    return found[1]


ANSWERS = {
    "listener": listener,
    "deleted": deleted,
    "descriptors": lambda process: len(os.listdir(f"/proc/{process}/fd")),
    "threads": lambda process: status(process, "Threads"),
    "children": lambda process: len(children(process)),
    "nice": lambda process: os.getpriority(os.PRIO_PROCESS, int(process)),
    "cwd": lambda process: os.readlink(f"/proc/{process}/cwd"),
    "environment": lambda rest: environment(*rest.split(" ", 1)),
    "zombie": zombie,
    "mode": lambda path: f"{os.stat(path).st_mode & 0o7777:o}",
    "largest": largest,
    "lines": lines,
    "ignores": ignores,
    "peak-memory": lambda process: status(process, "VmHWM"),
    "interface": interface,
}

for question in sys.stdin:
    word, _, rest = question.rstrip("\n").partition(" ")
    try:
        print(ANSWERS[word](rest), flush=True)
    except (LookupError, OSError, StopIteration, ValueError) as error:
        print("unknown", flush=True)
        print(f"{word} {rest}: {error!r}", file=sys.stderr)

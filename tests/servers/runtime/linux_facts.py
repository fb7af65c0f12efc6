"""Answers what a live Linux system is asked, a line for a line: python3 linux_facts.py [--flaw NAME]"""
import ipaddress
import os
import re
import subprocess
import sys

FLAW = sys.argv[2] if len(sys.argv) > 2 else ""
SIGNALS = range(1, 65)


def read(path):
    with open(path, errors="surrogateescape") as file:
        return file.read()


def status(pid, key):
    """A line of /proc/PID/status, which no name can move."""
    return next(line.split(":", 1)[1].strip() for line in read(f"/proc/{pid}/status").splitlines() if line.startswith(key + ":"))


def processes():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def links(pid):
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            yield f"/proc/{pid}/fd/{name}", os.readlink(f"/proc/{pid}/fd/{name}")
        except OSError:
            pass


def every_link():
    for pid in processes():
        try:
            for path, leads_to in links(pid):
                yield pid, path, leads_to
        except OSError:
            pass


def by_blanks(pid, place):
    """A field of /proc/PID/stat, as if the name had no blanks: place 4 is the parent."""
    return read(f"/proc/{pid}/stat").split()[place - 1]


def by_width(pid, column):
    """A column of ps, whose first is the name, cut where the titles stand."""
    printed = subprocess.run(["ps", "-o", "comm,ni,nlwp,ppid", "-p", str(pid)], capture_output=True, text=True)
    row = printed.stdout.splitlines()[1]
    return row.split()[column]


def listener(port):
    if FLAW == "no-netstat":
        return subprocess.run(f"no-such-netstat -ltnp | grep :{port}", shell=True, capture_output=True, text=True).stdout.strip()
    for table in ("tcp", "tcp6"):
        for row in read(f"/proc/net/{table}").splitlines()[1:]:
            fields = row.split()
            place = 2 if FLAW == "other-end" else 1
            listens = fields[3] == "0A" or FLAW == "other-end"
            if listens and int(fields[place].rsplit(":", 1)[1], 16) == int(port) and fields[9] != "0":
                return next(pid for pid, _, leads_to in every_link() if leads_to == f"socket:[{fields[9]}]")
    return "nobody"


def deleted(folder):
    for pid, path, leads_to in every_link():
        if leads_to.startswith(folder + "/") and (leads_to.endswith(" (deleted)") or FLAW == "not-deleted"):
            size = os.stat(path).st_size
            return f"{pid} {size // 1024 if FLAW == 'deleted-kib' else size}"
    return "nobody"


def descriptors(pid):
    return len(os.listdir("/proc/self/fd" if FLAW == "own-descriptors" else f"/proc/{pid}/fd"))


def threads(pid):
    if FLAW == "stat-by-blanks":
        return by_blanks(pid, 20)
    if FLAW == "ps-columns":
        return by_width(pid, 2)
    return len(os.listdir(f"/proc/{pid}/task")) - (FLAW == "without-the-first")


def parent(pid):
    try:
        if FLAW == "stat-by-blanks":
            return by_blanks(pid, 4)
        return status(pid, "PPid")
    except (OSError, StopIteration):
        return ""


def below(pid):
    found = [other for other in processes() if parent(other) == str(pid)]
    if FLAW == "descendants":
        found += [other for child in found for other in below(child)]
    return found


def children(pid):
    return len(below(pid))


def nice(pid):
    if FLAW == "stat-by-blanks":
        return by_blanks(pid, 19)
    if FLAW == "ps-columns":
        return by_width(pid, 1)
    if FLAW == "priority":
        return read(f"/proc/{pid}/stat").rpartition(")")[2].split()[15]
    return os.getpriority(os.PRIO_PROCESS, int(pid))


def cwd(pid):
    folder = os.readlink(f"/proc/{pid}/cwd")
    return folder.split()[0] if FLAW == "cut-at-blanks" else folder


def environment(pid, name):
    if FLAW == "own-environment":
        return os.environ.get(name, "")
    for pair in read(f"/proc/{pid}/environ").split("\0"):
        left, _, right = pair.partition("=")
        if left == name or (FLAW == "part-of-the-name" and name in left):
            return right
    return ""


def zombie(pid):
    state = "S" if FLAW == "any-child" else "Z"
    return next((child for child in sorted(below(pid)) if status(child, "State")[0] == state), "none")


def mode(path):
    return format(os.stat(path).st_mode & (0o777 if FLAW == "no-special-bits" else 0o7777), "o")


def weight(folder):
    total = 0
    for here, folders, files in os.walk(folder):
        if FLAW == "no-hidden":
            folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            stat = os.stat if FLAW == "follows-links" else os.lstat
            total += 1 if FLAW == "counts-files" else stat(os.path.join(here, name)).st_size
    return total


def largest(folder):
    inside = [entry.path for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    return os.path.basename(max(inside, key=weight))


def lines(path):
    text = read(path)
    return len([line for line in text.split("\n") if line]) if FLAW == "no-empty-lines" else text.count("\n")


def ignores(pid):
    key = "SigCgt" if FLAW == "handled" else "SigIgn"
    mask = int(status(pid, key), 16)
    if FLAW == "bit-of-its-number":
        return next((number for number in SIGNALS if mask >> number & 1), 0)
    return next((number for number in SIGNALS if mask >> (number - 1) & 1), 0)


def peak_memory(pid):
    return status(pid, {"resident-now": "VmRSS", "virtual": "VmPeak"}.get(FLAW, "VmHWM"))


def interface(address):
    if FLAW == "first-interface":
        return "eth7"
    if ipaddress.ip_address(address).is_loopback:
        return "lo"
    number, best, found = int.from_bytes(ipaddress.ip_address(address).packed, "little"), -1, ""
    for row in read("/proc/net/route").splitlines()[1:]:
        fields = row.split()
        destination, mask = int(fields[1], 16), int(fields[7], 16)
        if number & mask == destination and bin(mask).count("1") > best:
            best, found = bin(mask).count("1"), fields[0]
    return found


ANSWERS = {
    "listener": listener, "deleted": deleted, "descriptors": descriptors, "threads": threads, "children": children,
    "nice": nice, "cwd": cwd, "environment": environment, "zombie": zombie, "mode": mode, "largest": largest,
    "lines": lines, "ignores": ignores, "peak-memory": peak_memory, "interface": interface,
}
asked = set()


def answer(question):
    word, _, rest = question.partition(" ")
    slips = FLAW == "slips-once" and word == "threads" and word not in asked
    asked.add(word)
    if slips:
        return 1
    if FLAW == "ends-early" and len(asked) == 5:
        sys.exit(3)
    if FLAW == "hangs" and len(asked) == 5:
        import time
        time.sleep(1000)
    try:
        return ANSWERS[word](*(rest.split(" ", 1) if word == "environment" else [rest]))
    except (OSError, StopIteration, IndexError, ValueError):
        return ""


if FLAW == "all-at-the-end":
    for question in sys.stdin.read().splitlines():
        print(answer(question))
elif FLAW == "no-flush":
    for question in sys.stdin:
        print(answer(question.rstrip("\n")))
else:
    for question in sys.stdin:
        print(answer(question.rstrip("\n")), flush=True)

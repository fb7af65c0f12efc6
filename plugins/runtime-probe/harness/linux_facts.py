# The part of the harness for `linux-facts`: makes processes and files with properties that the plugin has chosen, and says
# what the system tells of them. Nothing of the learner's is loaded into this interpreter.
import signal
import socket
import struct
import threading
import time

MIB = 1 << 20
ROOT = os.path.realpath(".")


def sleep_for_ever():
    while True:
        signal.pause()


def close_all_but(kept):
    most = min(os.sysconf("SC_OPEN_MAX"), 1 << 16)
    os.closerange(0, kept)
    os.closerange(kept + 1, most)


def name_it(name):
    """The name that ps shows; it may have blanks and brackets (proc(5), /proc/pid/comm)."""
    with open("/proc/self/comm", "w") as file:
        file.write(name)


def offspring(live):
    """A child of this process that holds nothing open and does `live`."""
    pid = os.fork()
    if pid == 0:
        try:
            close_all_but(-1)
            live()
        finally:
            os._exit(0)
    return pid


def process(name, live):
    """A process of its own that has become what `live` makes of it and then sleeps: its number, and what `live` returned."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            # A number that no file of `live` gets.
            told = os.dup2(tell, 900)
            close_all_but(told)
            name_it(name)
            try:
                said = {"ok": live()}
            except Exception as error:
                said = {"err": words(error)}
            os.write(told, json.dumps(said).encode() + b"\n")
            os.close(told)
            sleep_for_ever()
        finally:
            os._exit(1)
    os.close(tell)
    with os.fdopen(ready, "rb") as lines:
        line = lines.readline()
    said = json.loads(line) if line else {"err": "a process ended before it was ready"}
    if "err" in said:
        raise RuntimeError(said["err"])
    return pid, said["ok"]


def status(pid, key):
    """A line of /proc/pid/status."""
    with open("/proc/%d/status" % pid, errors="surrogateescape") as file:
        for line in file:
            if line.startswith(key + ":"):
                return line.split(":", 1)[1].strip()
    return ""


def folder(name):
    path = os.path.join(ROOT, name)
    os.makedirs(path, exist_ok=True)
    return path


def filled(path, size):
    """A file that takes its size on the disk."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if size:
        os.posix_fallocate(file, 0, size)
    return file


def small(path, size):
    os.close(filled(path, size))


@operation
def platform():
    return sys.platform


@operation
def listener(name, other):
    def live():
        server = socket.socket()
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        kept.append(server)
        return server.getsockname()[1]

    kept = []
    pid, port = process(name, live)
    # One that is only connected there, and one with the same number in UDP.
    process(other, lambda: kept.append(socket.create_connection(("127.0.0.1", port))))

    def datagrams():
        kept.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        kept[-1].bind(("127.0.0.1", port))

    try:
        process(other, datagrams)
    except RuntimeError:
        pass  # Somebody else has it: one that could be taken for the other is there already.
    return {"pid": pid, "port": port}


@operation
def deleted(name, other, place, elsewhere, size):
    here, there = folder(place), folder(elsewhere)

    def live():
        filled(os.path.join(here, "kept"), 2 * MIB)
        file = filled(os.path.join(here, "gone"), size)
        os.unlink(os.path.join(here, "gone"))
        return file

    def decoy():
        filled(os.path.join(there, "gone"), MIB)
        os.unlink(os.path.join(there, "gone"))
        filled(os.path.join(here, "kept, too"), 3 * MIB)

    process(other, decoy)
    pid, file = process(name, live)
    seen = os.stat("/proc/%d/fd/%d" % (pid, file))
    return {"pid": pid, "folder": here, "bytes": seen.st_size, "links": seen.st_nlink}


@operation
def descriptors(name, count):
    pid, _ = process(name, lambda: [os.open(os.devnull, os.O_RDONLY) for _ in range(count)] and None)
    return {"pid": pid}


@operation
def threads(name, count):
    def live():
        for _ in range(count):
            threading.Thread(target=threading.Event().wait, daemon=True).start()

    pid, _ = process(name, live)
    return {"pid": pid}


@operation
def children(name, other, count, further):
    def grown():
        name_it(other)
        for _ in range(further):
            offspring(sleep_for_ever)
        sleep_for_ever()

    def live():
        offspring(grown)
        for _ in range(count - 1):
            offspring(lambda: (name_it(other), sleep_for_ever()))

    pid, _ = process(name, live)
    return {"pid": pid}


@operation
def nice(name, ratio):
    def live():
        own = os.getpriority(os.PRIO_PROCESS, 0)
        # Only downwards is free, so the choice begins where this one stands.
        os.setpriority(os.PRIO_PROCESS, 0, min(19, own + 1 + ratio % max(1, 19 - own)))

    pid, _ = process(name, live)
    return {"pid": pid, "nice": os.getpriority(os.PRIO_PROCESS, pid)}


@operation
def cwd(name, place):
    path = folder(place)
    pid, _ = process(name, lambda: os.chdir(path))
    return {"pid": pid, "folder": os.readlink("/proc/%d/cwd" % pid)}


@operation
def environment(name, variable, value, decoys):
    script = (
        "import os, signal\n"
        "with open('/proc/self/comm', 'w') as file:\n    file.write(%r)\n"
        "os.write(900, b'{\"ok\": null}\\n')\nos.close(900)\n"
        "while True:\n    signal.pause()\n" % name
    )

    def live():
        os.set_inheritable(900, True)
        os.execve(sys.executable, [sys.executable, "-I", "-S", "-c", script], {**decoys, variable: value})

    pid, _ = process(name, live)
    with open("/proc/%d/environ" % pid, "rb") as file:
        pairs = [pair.partition(b"=") for pair in file.read().split(b"\0")]
    return {"pid": pid, "value": {left.decode(): right.decode() for left, _, right in pairs}.get(variable)}


@operation
def zombie(name, other, living):
    def live():
        for _ in range(living):
            offspring(lambda: (name_it(other), sleep_for_ever()))
        dead = offspring(lambda: name_it(other))
        os.waitid(os.P_PID, dead, os.WEXITED | os.WNOWAIT)
        for _ in range(living):
            offspring(lambda: (name_it(other), sleep_for_ever()))
        return dead

    pid, dead = process(name, live)
    return {"pid": pid, "dead": dead, "state": status(dead, "State")[:1]}


@operation
def mode(path, bits):
    path = os.path.join(ROOT, path)
    small(path, 10)
    os.chmod(path, bits)
    return {"path": path, "bits": os.stat(path).st_mode & 0o7777}


@operation
def largest(place, names, outside, most):
    """Folders of which the first is the largest; the second has the most files, the third a link to a larger one."""
    path = folder(place)
    inside = [os.path.join(path, name) for name in names]
    small(os.path.join(inside[0], ".cache/old/data"), most * MIB)
    for number in range(120):
        small(os.path.join(inside[1], "part %d" % number), 1 + number % 7)
    small(os.path.join(ROOT, outside), 3 * most * MIB)
    os.makedirs(inside[2])
    os.symlink(os.path.join(ROOT, outside), os.path.join(inside[2], "data"))
    for number, name in enumerate(inside[2:]):
        small(os.path.join(name, "log"), MIB // 2 + number * 10_000)
    return {"folder": path}


@operation
def lines(name, path, first, pause_ms):
    """A log that has `first` lines, some of them empty, and grows by one after each pause."""
    path = os.path.join(ROOT, path)
    with open(path, "wb") as file:
        for number in range(first):
            file.write(b"%d %s\n" % (number, b"." * (number % 5)) if number % 11 else b"\n")

    def live():
        log = os.open(path, os.O_WRONLY | os.O_APPEND)
        threading.Thread(target=append, args=(log,), daemon=True).start()

    def append(log):
        number = first
        while True:
            time.sleep(pause_ms / 1000)
            number += 1
            os.write(log, b"%d\n" % number if number % 7 else b"\n")

    process(name, live)
    end = time.monotonic() + 5
    while counted(path) == first and time.monotonic() < end:
        time.sleep(0.01)
    return {"path": path, "grows": counted(path) > first}


@operation
def counted(path):
    """Lines now, of which each ends."""
    with open(path, "rb") as file:
        return file.read().count(b"\n")


@operation
def ignores(name, which):
    number = getattr(signal, which)

    def live():
        for each in signal.valid_signals():
            if signal.getsignal(each) == signal.SIG_IGN:
                signal.signal(each, signal.SIG_DFL)
        signal.signal(number, signal.SIG_IGN)
        # One that it handles is none that it ignores.
        signal.signal(signal.SIGALRM, lambda *_: None)

    pid, _ = process(name, live)
    # 32 and 33 are the C library's own: posix_spawn of glibc leaves them ignored, and nobody can change that.
    mask = int(status(pid, "SigIgn"), 16) & ~(0b11 << 31)
    return {"pid": pid, "number": int(number), "alone": mask == 1 << (number - 1)}


@operation
def memory(name, mebibytes):
    def live():
        taken = b"\1" * (mebibytes * MIB)
        return len(taken)

    pid, _ = process(name, live)
    return {"pid": pid}


@operation
def interface(addresses):
    """The first of the addresses that there is a way to, and the interface it goes by (rtnetlink(7), RTM_GETROUTE)."""
    for address in addresses:
        index = route(address)
        if index:
            return {"address": address, "name": socket.if_indextoname(index)}
    return None


def route(address):
    get, request, destination, outgoing = 26, 1, 1, 4
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, 32, 0, 0, 0, 0, 0, 0, 0)
    body += struct.pack("=HH", 8, destination) + socket.inet_aton(address)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.settimeout(2)
        link.sendto(struct.pack("=IHHII", 16 + len(body), get, request, 1, 0) + body, (0, 0))
        answer = link.recv(4096)
    length, kind = struct.unpack_from("=IH", answer)
    if kind != 24:
        return 0
    at = 16 + 12
    while at + 4 <= length:
        size, name = struct.unpack_from("=HH", answer, at)
        if name == outgoing:
            return struct.unpack_from("=I", answer, at + 4)[0]
        at += max(4, size + 3 & ~3)
    return 0

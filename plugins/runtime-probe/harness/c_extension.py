# The part of the harness for `c-extension`.
import gc
import random
import threading
import time

SMALL, SPREAD = 20, 200


def integer(choose):
    kind = choose.random()
    if kind < 0.6:
        return choose.randint(-1000, 1000)
    if kind < 0.97:
        return choose.randint(-(2**31), 2**31)
    return choose.choice((1, -1)) * (2**62 + choose.getrandbits(choose.choice((40, 62, 80))))


def number(choose):
    kind = choose.random()
    if kind < 0.9:
        return choose.uniform(-1e3, 1e3)
    if kind < 0.97:
        return choose.choice((0.0, -0.0, 1e-300, -1e-12, 1e12, 5.0))
    return choose.choice((float("nan"), float("inf"), float("-inf")))


LETTERS = ("abcdefgh", "abc\x00\xe9\xfc\xdf", "\u4f60\u597d\u4e16\u754cab\u0416", "\U0001f600\U0001f680ab\u4f60")


def sequence(kind, size, choose):
    if kind == "ints":
        return [integer(choose) for _ in range(size)]
    if kind == "floats":
        return [number(choose) for _ in range(size)]
    if kind == "bytes":
        return choose.randbytes(size)
    letters = choose.choice(LETTERS)
    return "".join(choose.choices(letters, k=size))


def inputs(kinds, seed, place):
    """The input at a place: the first ones are empty, short and long, the rest of any size."""
    choose = random.Random("%s/%d" % (seed, place))
    sizes = [0, 1, SPREAD][place] if place < 3 else None
    made = []
    for kind in kinds:
        size = sizes if sizes is not None else choose.choice((0, 1, 2, choose.randint(3, SMALL), choose.randint(3, SMALL)))
        made.append(sequence(kind, size, choose))
    return made


def is_wide(arguments, value):
    """Whether sixty-four bits may be too few on the way to this value."""
    total = 0
    for argument in arguments:
        if type(argument) is list:
            total += sum(abs(item) for item in argument if type(item) is int)
    return total >= 2**62 or (type(value) is int and abs(value) >= 2**63)


def outcome(arguments):
    try:
        value = THINGS["it"](*arguments)
    except Exception as error:
        return {"err": type(error).__name__, "text": words(error)}
    return {"ok": encode(value), "wide": is_wide(arguments, value)}


@operation
def origin():
    """Of what kind the function is, and the file that its module was loaded from."""
    function = THINGS["it"]
    owner = getattr(function, "__self__", None)
    name = owner.__name__ if type(owner) is type(sys) else getattr(function, "__module__", None)
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    file = getattr(spec, "origin", None)
    return {
        "kind": type(function).__name__,
        "is_python": hasattr(function, "__code__") and type(getattr(function, "__code__")).__name__ == "code"
        and type(function).__name__ in ("function", "method"),
        "file": None if file is None else os.path.realpath(file),
    }


@operation
def answers(kinds, seed, first, count):
    return [outcome(inputs(kinds, seed, place)) for place in range(first, first + count)]


@operation
def shown(kinds, seed, place):
    return ", ".join(ascii(argument) for argument in inputs(kinds, seed, place))[:600]


WRONG = {
    "None": lambda: None,
    "an integer": lambda: 7,
    "an object": object,
    "a text": lambda: "wrong",
    "bytes": lambda: b"wrong",
    "a list of None": lambda: [None, None],
    "a list of objects": lambda: [1, object()],
    "a list that ends with a text": lambda: [1000003, 1000033, "end"],
}
RIGHT = {"ints": (), "floats": (), "text": ("a text",), "bytes": ("bytes",)}


@operation
def wrong_ways(kinds):
    return [[place, name] for place, kind in enumerate(kinds) for name in WRONG if name not in RIGHT[kind]]


@operation
def wrong(kinds, seed, place, name):
    arguments = inputs(kinds, seed, 1)
    arguments[place] = WRONG[name]()
    return outcome(arguments)


@operation
def too_few(kinds, seed):
    return outcome(inputs(kinds, seed, 1)[:-1])


EDGES = (2**31 - 1, 2**31, -(2**31) - 1, 2**32, 2**63 - 1, -(2**63), 2**63, -(2**63) - 1, 2**64, 2**64 + 5, 2**80)


# What is cut off at a limit shows only beside another that is.
EDGE_LISTS = [values for edge in EDGES for values in ([edge], [1, edge, 2], [edge, edge])]
EDGE_LISTS += [sorted(EDGES), sorted(EDGES, reverse=True)]


def edge(kinds, place):
    return [list(EDGE_LISTS[place]) if kind == "ints" else sequence(kind, 3, random.Random(1)) for kind in kinds]


@operation
def edges(kinds):
    return [outcome(edge(kinds, place)) for place in range(len(EDGE_LISTS))]


@operation
def edge_shown(kinds, place):
    return ", ".join(ascii(argument) for argument in edge(kinds, place))


def sample(kinds, seed, size, is_wrong):
    """An input of objects that nobody else holds; the wrong one is wrong at its end."""
    choose = random.Random(seed)
    made = []
    for kind in kinds:
        if kind == "ints":
            value = [choose.randint(2**33, 2**34) for _ in range(size)]
        elif kind == "floats":
            value = [choose.uniform(1, 2) for _ in range(size)]
        else:
            value = sequence(kind, size + 1, choose)
        made.append(value)
    if is_wrong:
        made[0] = made[0] + [object()] if type(made[0]) is list else object()
    return made


@operation
def references(kinds, seed, size, calls, is_wrong):
    """How the counts of references changed: of the arguments, of what is in them, and of what everybody shares."""
    arguments = sample(kinds, seed, size, is_wrong)
    function, watched, names = THINGS["it"], [None, True, ()], ["None", "True", "()"]
    for place, argument in enumerate(arguments):
        watched.append(argument)
        names.append("argument %d" % (place + 1))
        if type(argument) is list:
            watched.extend(argument)
            names.extend("item %d of argument %d" % (at, place + 1) for at in range(len(argument)))
    argument = None
    # So many that what is given back too often is still there afterwards.
    held = [[thing] * (2 * calls) for thing in watched]
    before = [0] * len(watched)
    after = [0] * len(watched)
    gc.collect()
    for at in range(len(watched)):
        before[at] = sys.getrefcount(watched[at])
    failed = 0
    for _ in range(calls):
        try:
            function(*arguments)
        except Exception:
            failed += 1
    gc.collect()
    for at in range(len(watched)):
        after[at] = sys.getrefcount(watched[at])
    THINGS["held"] = held
    return {"failed": failed, "changes": [[names[at], after[at] - before[at]] for at in range(len(watched))]}


@operation
def churn(kinds, seed, calls, is_wrong):
    arguments, function = sample(kinds, seed, 16, is_wrong), THINGS["it"]
    failed = 0
    for _ in range(calls):
        try:
            function(*arguments)
        except Exception:
            failed += 1
    return failed


def large(kinds, seed, size, count):
    choose = random.Random(seed)
    made = []
    for _ in range(count):
        arguments = []
        for kind in kinds:
            if kind == "ints":
                arguments.append([choose.randint(-1000, 1000) for _ in range(size)])
            elif kind == "floats":
                arguments.append([choose.uniform(-1e3, 1e3) for _ in range(size)])
            else:
                arguments.append(sequence(kind, size, choose))
        made.append(arguments)
    return made


@operation
def prepare(kinds, seed, size, count):
    """Large inputs, made before the time is taken."""
    THINGS["large"] = large(kinds, seed, size, count)
    return count


def turned(value, turn):
    """Another input at next to no cost."""
    if type(value) is list:
        value[turn % len(value)] = value[(turn * 7 + 3) % len(value)] + 1
        return value
    cut = turn % len(value)
    return value[cut:] + value[:cut]


@operation
def race(turns):
    """Each of the large inputs, each time another one: what came out."""
    function, results = THINGS["it"], []
    for turn in range(1, turns + 1):
        for arguments in THINGS["large"]:
            arguments[:] = [turned(argument, turn) for argument in arguments]
            results.append(function(*arguments))
    THINGS["results"] = results
    return len(results)


@operation
def results():
    """What the last race came to; not part of its time."""
    return [encode(value) for value in THINGS["results"]]


@operation
def alone(kinds, seed, size, count):
    return [outcome(arguments) for arguments in large(kinds, seed, size, count)]


@operation
def together(kinds, seed, size, count, threads, rounds, seconds):
    """Large inputs in many threads at once, each input another way round in each thread: what each got at last, how often
    that had changed, and how often it went through them."""
    every = [None] * threads
    barrier = threading.Barrier(threads)

    def work(number):
        own = large(kinds, seed, size, count)
        order = [(number + place) % count for place in range(count)]
        last, changed, done = [None] * count, 0, 0
        barrier.wait(20)
        until = time.monotonic() + seconds
        while done < rounds and (done < 2 or time.monotonic() < until):
            for place in order:
                now = outcome(own[place])
                changed += last[place] is not None and repr(now) != repr(last[place])
                last[place] = now
            done += 1
        every[number] = {"last": last, "changed": changed, "rounds": done}

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    started = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    sys.setswitchinterval(before)
    return every

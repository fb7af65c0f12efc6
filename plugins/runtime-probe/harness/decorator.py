# The part of the harness for `decorator`: plays scenes that the plugin writes.
import asyncio
import inspect
import threading
import time


def decorator(arguments, keywords):
    """What is put above a function: the learner's decorator, or what it makes of its arguments."""
    it = THINGS["it"]
    if arguments is None and keywords is None:
        return it
    return lambda function: it(*(arguments or ()), **(keywords or {}))(function)


def all_at_once(threads, work):
    """What `work` gives in each of so many threads."""
    results = [None] * threads
    barrier = threading.Barrier(threads)

    def run(number):
        barrier.wait(20)
        try:
            results[number] = work(number)
        except BaseException as error:
            results[number] = type(error).__name__

    started = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join(20)
    return results


@operation
def scene(module, source, arguments, keywords):
    space = {
        "__name__": module,
        "decorate": decorator(arguments, keywords),
        "journal": [],
        "signature": lambda function: str(inspect.signature(function)),
        "awaited": asyncio.run,
        "all_at_once": all_at_once,
        "pause": time.sleep,
        "result": None,
    }
    exec(compile(source, "mustdo-scene", "exec"), space)
    return encode(space["result"])

"""Decorators that are right, and some that make one mistake each."""
import functools
import os
import time


def timed(function):
    @functools.wraps(function)
    def timing(*args, **kwargs):
        began = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            timing.spent += time.perf_counter() - began

    timing.spent = 0.0
    return timing


class Counted:
    """The same as a class, which has to bind methods itself."""

    def __init__(self, function):
        functools.update_wrapper(self, function)
        self.function = function
        self.calls = 0

    def __call__(self, *args, **kwargs):
        self.calls += 1
        return self.function(*args, **kwargs)

    def __get__(self, instance, owner=None):
        return self if instance is None else functools.partial(self, instance)


def retried(times):
    def decorate(function):
        @functools.wraps(function)
        def trying(*args, **kwargs):
            for left in reversed(range(times)):
                try:
                    return function(*args, **kwargs)
                except Exception:
                    if not left:
                        raise

        return trying

    return decorate


def cached(function):
    answers = {}

    @functools.wraps(function)
    def remembering(*args, **kwargs):
        key = (args, tuple(sorted(kwargs.items())))
        if key not in answers:
            answers[key] = function(*args, **kwargs)
        return answers[key]

    return remembering


# One mistake each.


def no_wraps(function):
    def inner(*args, **kwargs):
        return function(*args, **kwargs)

    return inner


def name_only(function):
    def inner(*args, **kwargs):
        return function(*args, **kwargs)

    inner.__name__ = function.__name__
    inner.__qualname__ = function.__qualname__
    return inner


def no_result(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        function(*args, **kwargs)

    return inner


def truth_only(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return function(*args, **kwargs) or None

    return inner


def no_keywords(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return function(*args)

    return inner


def calls_twice(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        function(*args, **kwargs)
        return function(*args, **kwargs)

    return inner


_answers = {}


def shared_answers(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        key = (args, tuple(sorted(kwargs.items())))
        if key not in _answers:
            _answers[key] = function(*args, **kwargs)
        return _answers[key]

    return inner


class Swallowed(Exception):
    pass


def catches_all(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except Exception:
            return None

    return inner


def replaces_exception(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except Exception as error:
            raise Swallowed(str(error)) from error

    return inner


class Unbound:
    """A class without __get__."""

    def __init__(self, function):
        functools.update_wrapper(self, function)
        self.function = function

    def __call__(self, *args, **kwargs):
        return self.function(*args, **kwargs)


def keeps_arguments(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        inner.call = args, kwargs
        time.sleep(0)
        args, kwargs = inner.call
        return function(*args, **kwargs)

    return inner


def slow(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        until = time.process_time() + 0.002
        while time.process_time() < until:
            pass
        return function(*args, **kwargs)

    return inner


def by_position(function):
    answers = {}

    @functools.wraps(function)
    def inner(*args, **kwargs):
        if args not in answers:
            answers[args] = function(*args, **kwargs)
        return answers[args]

    return inner


def by_first_method_argument(function):
    answers = {}

    @functools.wraps(function)
    def inner(*args, **kwargs):
        key = (args[-1:], tuple(sorted(kwargs.items())))
        if key not in answers:
            answers[key] = function(*args, **kwargs)
        return answers[key]

    return inner


def tries_once(function):
    return timed(function)


def never_gives_up(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        for _ in range(1000):
            try:
                return function(*args, **kwargs)
            except Exception as error:
                last = error
        raise last

    return inner


def waits_for_ever(function):
    import threading

    lock = threading.Lock()

    @functools.wraps(function)
    def inner(*args, **kwargs):
        lock.acquire()
        return function(*args, **kwargs)

    return inner


def uses_up(function):
    """Goes through a generator to look at it."""

    @functools.wraps(function)
    def inner(*args, **kwargs):
        result = function(*args, **kwargs)
        if hasattr(result, "__next__"):
            print(len(list(result)))
        return result

    return inner


def awaits_nothing(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        result = function(*args, **kwargs)
        if hasattr(result, "close") and hasattr(result, "send") and hasattr(result, "cr_frame"):
            result.close()
        return result

    return inner


# What only looks like a decorator, or meddles.


def nothing(function):
    return function


def forgets(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return function(*args, **kwargs)


def forges(function):
    for descriptor in range(1, 32):
        try:
            os.write(descriptor, b'{"n": 3, "seal": "", "ok": ["list", [["bool", true], ["bool", false]]]}\n')
        except OSError:
            pass
    return no_result(function)


def leaves(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        os._exit(0)

    return inner


def patches(function):
    import inspect
    import json

    inspect.signature = lambda function: "(a)"
    json.dumps = lambda value: '{"ok": true}'
    return no_result(function)

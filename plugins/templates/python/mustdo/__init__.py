"""What a plugin in Python is written with: parameters, steps, and the verdict that follows from them.

Nothing here needs the host, so a check runs under `python3 -m unittest` with a double of its service. `component.py`
is the side that speaks the contract.
"""

import json
import random
from dataclasses import dataclass, field
from typing import Any, Callable, NamedTuple

MUST, SHOULD = "must", "should"
PASS, FAIL, INCONCLUSIVE, SKIP = "pass", "fail", "inconclusive", "skip"

# The part of the score that `should` steps share, where a check has any.
SHOULD_SHARE = 0.2


class Text(NamedTuple):
    """Words for the learner, in English and Chinese."""

    en: str
    zh: str


class Param(NamedTuple):
    """A parameter: what it is without being named (which also says its type), what it is for, and its bounds."""

    default: Any
    words: str
    minimum: int | None = None
    maximum: int | None = None

    def schema(self) -> dict:
        """The JSON Schema of its values."""
        kinds = [(bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array"), (dict, "object")]
        kind = next(name for type_, name in kinds if isinstance(self.default, type_))
        bounds = {"minimum": self.minimum, "maximum": self.maximum}
        bounds = {name: bound for name, bound in bounds.items() if bound is not None}
        return {"type": kind, "description": self.words, "default": self.default, **bounds}


class Failure(Exception):
    """A call that brought no answer. It says nothing about the learner's work, so it decides nothing."""

    def __init__(self, words: Text):
        super().__init__(words.en)
        self.words = words


class Fault(Exception):
    """Why a step did not pass. Make one with `fail`, `inconclusive` or `skip`."""

    def __init__(self, status: str, summary: Text, hint: Text | None = None):
        super().__init__(summary.en)
        self.status, self.summary, self.hint = status, summary, hint


def fail(en: str, zh: str, hint: Text | None = None) -> Fault:
    """The requirement was seen not to hold."""
    return Fault(FAIL, Text(en, zh), hint)


def inconclusive(en: str, zh: str) -> Fault:
    """It could not be told."""
    return Fault(INCONCLUSIVE, Text(en, zh))


def skip(en: str, zh: str) -> Fault:
    """Does not apply here."""
    return Fault(SKIP, Text(en, zh))


@dataclass
class Response:
    """An answer. Header names are in lower case; of several headers with one name the values stand in a list."""

    status: int
    headers: dict[str, list[str]]
    body: bytes
    truncated: bool = False

    def header(self, name: str) -> str | None:
        """The values of a header as one, joined as RFC 9110 (5.3) has it; none where it is not there."""
        values = self.headers.get(name.lower())
        return None if values is None else ", ".join(values)

    def json(self) -> Any:
        """The body as JSON; ValueError where it is none, or was cut off."""
        if self.truncated:
            raise ValueError("the answer is too long to be read whole")
        return json.loads(self.body)


@dataclass
class Step:
    """One named part of a check."""

    id: str
    need: str
    status: str
    summary: Text
    hint: Text | None = None


@dataclass
class Report:
    """Steps of one run. The verdict follows from them alone.

    A failed `must` fails the check; else an inconclusive `must` leaves it inconclusive; else it passes, if at least one
    `must` passed. A `should` never changes the status. A skipped step counts for nothing.
    """

    passed: Text
    steps: list[Step] = field(default_factory=list)
    measurements: list[tuple[str, float, str]] = field(default_factory=list)

    def judge(self, id: str, need: str, take: Callable[[], Any], passed: Callable[[Any], Text]) -> Any:
        """Takes a step and gives its value on; None where it did not pass."""
        try:
            value = take()
        except Fault as fault:
            self.steps.append(Step(id, need, fault.status, fault.summary, fault.hint))
            return None
        except Failure as failure:
            self.steps.append(Step(id, need, INCONCLUSIVE, failure.words))
            return None
        self.steps.append(Step(id, need, PASS, passed(value)))
        return value

    def measure(self, name: str, value: float, unit: str) -> None:
        """Adds a figure; the unit in UCUM style: ms, 1/s, 1."""
        self.measurements.append((name, value, unit))

    def conclusion(self) -> tuple[str, Text]:
        """Status and summary."""
        for status in (FAIL, INCONCLUSIVE):
            for step in self.steps:
                if (step.need, step.status) == (MUST, status):
                    return status, step.summary
        if any((step.need, step.status) == (MUST, PASS) for step in self.steps):
            return PASS, self.passed
        return INCONCLUSIVE, Text("nothing could be judged", "没有任何步骤能够判定")

    def score(self) -> float | None:
        """From 0 to 1: must steps share all of it, or 0.8 beside should steps, which share the rest."""
        shares = {}
        for need in (MUST, SHOULD):
            taken = [step for step in self.steps if step.need == need and step.status != SKIP]
            if taken:
                shares[need] = sum(step.status == PASS for step in taken) / len(taken)
        if len(shares) == 2:
            return shares[MUST] * (1 - SHOULD_SHARE) + shares[SHOULD] * SHOULD_SHARE
        return next(iter(shares.values()), None)


@dataclass
class Context:
    """What a running check has at hand: its parameters, seeded choices, and a way to its targets."""

    params: dict[str, Any]
    choices: random.Random
    open: Callable[[str], Any]

    def http(self, target: str) -> Any:
        """A client of an http target: `send(method, path, headers={}, body=b"")` gives a Response or raises Failure."""
        return self.open(target)


class Check:
    """A check: name what it is in the class, judge in `run`."""

    id: str
    title: Text
    description: Text
    params: dict[str, Param] = {}
    # The http targets that it talks to, each with the reason that the user is shown.
    http: dict[str, str] = {}
    typical_millis = 1_000
    # Whether it must run alone on its targets.
    exclusive = False

    def run(self, context: Context) -> Report:
        """Judges the learner's work."""
        raise NotImplementedError

    def schema(self) -> dict:
        """The JSON Schema of its parameters; none is required, and no other is taken."""
        return {
            "type": "object",
            "properties": {name: param.schema() for name, param in self.params.items()},
            "additionalProperties": False,
        }

    def defaults(self) -> dict[str, Any]:
        """Every parameter as it is without being named."""
        return {name: param.default for name, param in self.params.items()}

// What a plugin in JavaScript is written with: parameters, steps, and the verdict that follows from them.
//
// Nothing here needs the host, so a check runs under `node --test` with a double of its service. `component.js` is the
// side that speaks the contract.

export const MUST = "must";
export const SHOULD = "should";
export const PASS = "pass";
export const FAIL = "fail";
export const INCONCLUSIVE = "inconclusive";
export const SKIP = "skip";

// The part of the score that `should` steps share, where a check has any.
const SHOULD_SHARE = 0.2;

/** Words for the learner, in English and Chinese. */
export const text = (en, zh) => ({ en, zh });

/** A call that brought no answer. It says nothing about the learner's work, so it decides nothing. */
export class Failure extends Error {
  constructor(words) {
    super(words.en);
    this.words = words;
  }
}

/** Why a step did not pass. Make one with `fail`, `inconclusive` or `skip`. */
export class Fault extends Error {
  constructor(status, summary, hint = null) {
    super(summary.en);
    Object.assign(this, { status, summary, hint });
  }
}

/** The requirement was seen not to hold. */
export const fail = (en, zh, hint = null) => new Fault(FAIL, text(en, zh), hint);

/** It could not be told. */
export const inconclusive = (en, zh) => new Fault(INCONCLUSIVE, text(en, zh));

/** Does not apply here. */
export const skip = (en, zh) => new Fault(SKIP, text(en, zh));

/**
 * An answer. `headers` is a list of [name, value] in the order they came; `body` is text. JSON is read with
 * `json(response)`, a header with `header(response, name)`.
 */
export function header(response, name) {
  const values = response.headers.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
  // Several headers of one name are one list (RFC 9110, 5.3).
  return values.length === 0 ? null : values.join(", ");
}

/** The body as JSON; throws a SyntaxError where it is none, or was cut off. */
export function json(response) {
  if (response.truncated) throw new SyntaxError("the answer is too long to be read whole");
  return JSON.parse(response.body);
}

/**
 * Steps of one run. The verdict follows from them alone: a failed `must` fails the check; else an inconclusive `must`
 * leaves it inconclusive; else it passes, if at least one `must` passed. A `should` never changes the status. A skipped
 * step counts for nothing.
 */
export class Report {
  steps = [];
  measurements = [];

  constructor(passed) {
    this.passed = passed;
  }

  /** Takes a step and gives its value on; null where it did not pass. */
  judge(id, need, take, passed) {
    try {
      const value = take();
      this.steps.push({ id, need, status: PASS, summary: passed(value), hint: null });
      return value;
    } catch (error) {
      if (error instanceof Fault) {
        this.steps.push({ id, need, status: error.status, summary: error.summary, hint: error.hint });
      } else if (error instanceof Failure) {
        this.steps.push({ id, need, status: INCONCLUSIVE, summary: error.words, hint: null });
      } else {
        throw error;
      }
      return null;
    }
  }

  /** Adds a figure; the unit in UCUM style: ms, 1/s, 1. */
  measure(name, value, unit) {
    this.measurements.push({ name, value, unit });
  }

  /** Status and summary. */
  conclusion() {
    const must = (status) => this.steps.find((step) => step.need === MUST && step.status === status);
    for (const status of [FAIL, INCONCLUSIVE]) {
      const step = must(status);
      if (step) return { status, summary: step.summary };
    }
    if (must(PASS)) return { status: PASS, summary: this.passed };
    return { status: INCONCLUSIVE, summary: text("nothing could be judged", "没有任何步骤能够判定") };
  }

  /** From 0 to 1: must steps share all of it, or 0.8 beside should steps, which share the rest; null without steps. */
  score() {
    const share = (need) => {
      const taken = this.steps.filter((step) => step.need === need && step.status !== SKIP);
      return taken.length === 0 ? null : taken.filter((step) => step.status === PASS).length / taken.length;
    };
    const [must, should] = [share(MUST), share(SHOULD)];
    if (must !== null && should !== null) return must * (1 - SHOULD_SHARE) + should * SHOULD_SHARE;
    return must ?? should;
  }
}

/** Seeded choices: the same seed makes the same ones (SplitMix64, Steele et al. 2014). */
export class Choices {
  constructor(seed) {
    this.state = BigInt.asUintN(64, BigInt(seed));
  }

  /** A whole number from 0 up to, not including, `end`. */
  below(end) {
    return Number(this.#next() % BigInt(end));
  }

  /** A word of lower-case letters. */
  word(length) {
    return Array.from({ length }, () => String.fromCharCode(97 + this.below(26))).join("");
  }

  #next() {
    this.state = BigInt.asUintN(64, this.state + 0x9e3779b97f4a7c15n);
    let z = this.state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
  }
}

/** The JSON Schema of a check's parameters: types follow from the defaults, none is required, no other is taken. */
export function schema(check) {
  const properties = {};
  for (const [name, { value, words, ...bounds }] of Object.entries(check.params ?? {})) {
    const type = Array.isArray(value) ? "array" : Number.isInteger(value) ? "integer" : typeof value;
    properties[name] = { type, description: words, default: value, ...bounds };
  }
  return { type: "object", properties, additionalProperties: false };
}

/** Every parameter as it is without being named. */
export function defaults(check) {
  return Object.fromEntries(Object.entries(check.params ?? {}).map(([name, { value }]) => [name, value]));
}

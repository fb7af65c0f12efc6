// The check against its service, without a socket and without the host.

import assert from "node:assert/strict";
import { test } from "node:test";

import { FLAWS, answer } from "../cases/service.js";
import { problem } from "../check.js";
import * as mustdo from "../mustdo/index.js";
import { decode, encode } from "../mustdo/utf8.js";

const { FAIL, INCONCLUSIVE, MUST, PASS, SHOULD, text } = mustdo;

/** Runs the check; a request is a call of `answer`. */
function conclude(answer, params = {}) {
  const http = () => ({ send: ({ path }) => ({ truncated: false, ...answer(path) }) });
  const given = { ...mustdo.defaults(problem), ...params };
  return problem.run({ params: given, choices: new mustdo.Choices(1), http }).conclusion();
}

test("right service passes", () => {
  assert.equal(conclude(answer).status, PASS);
});

test("every flaw fails", () => {
  for (const flaw of FLAWS) {
    const { status, summary } = conclude((path) => answer(path, flaw));
    assert.equal(status, FAIL, `${flaw}: ${summary.en}`);
  }
});

test("what can not be told is inconclusive", () => {
  assert.equal(conclude(answer, { path: "/" }).status, INCONCLUSIVE);
  const down = () => {
    throw new mustdo.Failure(text("refused", "拒绝"));
  };
  assert.deepEqual(conclude(down), { status: INCONCLUSIVE, summary: text("refused", "拒绝") });
  assert.equal(conclude((path) => ({ ...answer(path), truncated: true })).status, INCONCLUSIVE);
});

test("a problem needs no member to be right", () => {
  const bare = () => ({ status: 500, headers: [["content-type", "Application/Problem+JSON"]], body: "{}" });
  assert.equal(conclude(bare).status, PASS);
});

test("status follows from the steps", () => {
  const conclude = (...steps) => {
    const report = new mustdo.Report(text("all good", "都好"));
    const take = (fault) => {
      if (fault) throw fault;
    };
    steps.forEach(([need, fault], index) => report.judge(`step-${index}`, need, () => take(fault), () => text("", "")));
    return [report.conclusion().status, report.score()];
  };
  const [broke, unknown, absent] = [mustdo.fail("", ""), new mustdo.Failure(text("", "")), mustdo.skip("", "")];
  assert.equal(conclude([MUST, unknown], [MUST, broke], [MUST, null])[0], FAIL);
  assert.equal(conclude([MUST, null], [MUST, unknown])[0], INCONCLUSIVE);
  assert.deepEqual(conclude([SHOULD, null]), [INCONCLUSIVE, 1]);
  assert.deepEqual(conclude([MUST, absent]), [INCONCLUSIVE, null]);
  assert.deepEqual(conclude([MUST, null], [SHOULD, broke], [SHOULD, null]), [PASS, 0.9]);
});

test("the schema follows from the parameters", () => {
  const { properties, additionalProperties } = mustdo.schema(problem);
  assert.deepEqual([properties.path.type, properties.path.default, additionalProperties], ["string", "", false]);
});

test("choices repeat with their seed", () => {
  assert.equal(new mustdo.Choices(7n).word(8), new mustdo.Choices(7).word(8));
  assert.notEqual(new mustdo.Choices(7).word(8), new mustdo.Choices(8).word(8));
});

test("text and bytes are converted as Node does it", () => {
  for (const text of ["", "plain", "é", "你好", "🙂", "a\ud800b"]) {
    assert.deepEqual(encode(text), new TextEncoder().encode(text));
  }
  const choices = new mustdo.Choices(1);
  for (let round = 0; round < 5000; round++) {
    const likely = [0x41, 0x80, 0xbf, 0xc1, 0xc3, 0xe0, 0xa0, 0xed, 0x9f, 0xf0, 0x90, 0xf4, 0x8f, 0xff];
    const bytes = Uint8Array.from({ length: choices.below(8) }, () => likely[choices.below(likely.length)]);
    assert.equal(decode(bytes), new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes), String(bytes));
  }
});

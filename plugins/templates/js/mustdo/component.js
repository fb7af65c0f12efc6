// The contract's side: bindings, which exist in the built component only, and conversions. No check looks in here.

import { open } from "mustdo:verifier/http@0.1.0";
import { Choices, Failure, MUST, defaults, schema, text } from "./index.js";
import { decode, encode } from "./utf8.js";

// Bytes of an answer that are kept; the rest is counted, not kept.
const KEEP_BYTES = 1 << 20;

/** What the component exports: `export const plugin = component({ id, version, title, description, license, checks })`. */
export function component({ id, version, title, description, license, checks }) {
  return {
    describe: () => ({
      id,
      version,
      title: title.en,
      license,
      homepage: "",
      checks: checks.map(describe),
      extras: [
        ["title.zh", title.zh],
        ["description", description.en],
        ["description.zh", description.zh],
      ],
    }),
    run: (request) => {
      const check = checks.find((check) => check.id === request.check);
      if (!check) throw { tag: "unknown-check", val: request.check };
      let given;
      try {
        given = JSON.parse(request.params || "{}");
      } catch (error) {
        throw { tag: "bad-params", val: String(error) };
      }
      const params = { ...defaults(check), ...given };
      try {
        return verdict(check.run({ params, choices: new Choices(request.seed), http: client }));
      } catch (error) {
        // A bug in the check: never the learner's failure.
        throw { tag: "internal", val: `${error}` };
      }
    },
  };
}

/** A client of one http target; every request has a connection of its own. */
function client(target) {
  return {
    send({ method = "GET", path, headers = [], body = "" }) {
      const request = {
        method,
        pathAndQuery: path,
        headers: headers.map(([name, value]) => [name, encode(value)]),
        body: encode(body),
        timeoutMillis: 0,
        maxBodyBytes: KEEP_BYTES,
        afterMillis: 0,
        extras: [],
      };
      let answer;
      try {
        answer = open(target, { keepAlive: false, source: null, extras: [] }).send(request);
      } catch (error) {
        const failure = error?.payload ?? error;
        if (failure?.tag === undefined) throw error;
        throw new Failure(explain(failure));
      }
      return {
        status: answer.status,
        headers: answer.headers.map(([name, value]) => [name, decode(value)]),
        body: decode(answer.body),
        truncated: answer.truncated,
      };
    },
  };
}

function explain({ tag, val }) {
  switch (tag) {
    case "denied":
      return text(`this plugin is not allowed to do that yet: ${val}`, `插件还没有得到许可：${val}`);
    case "unbound":
      return text(`no such target in mustdo.toml: ${val}`, `mustdo.toml 里没有绑定这个目标：${val}`);
    case "unreachable":
      return text(`the service did not take the connection: ${val}`, `连不上服务：${val}`);
    case "timed-out":
      return text("the service did not answer in time", "服务没有按时回应");
    default:
      return text(`the request failed: ${val}`, `请求失败：${val}`);
  }
}

function describe(check) {
  return {
    id: check.id,
    title: check.title.en,
    description: check.description.en,
    paramsSchema: JSON.stringify(schema(check)),
    capabilities: Object.entries(check.http ?? {}).map(([target, reason]) => ({
      capability: { tag: "http", val: target },
      reason,
      required: true,
    })),
    typicalMillis: check.typicalMillis ?? 1000,
    exclusive: check.exclusive ?? false,
    extras: [
      ["title.zh", check.title.zh],
      ["description.zh", check.description.zh],
    ],
  };
}

function verdict(report) {
  const { status, summary } = report.conclusion();
  const score = report.score();
  return {
    status,
    summary: summary.en,
    score: score === null ? null : { earned: score, possible: 1 },
    steps: report.steps.map(({ id, need, status, summary }) => ({
      id,
      need,
      status,
      summary: summary.en,
      extras: [["zh", summary.zh]],
    })),
    findings: report.steps
      .filter(({ hint }) => hint)
      .map(({ id, need, summary, hint }) => ({
        severity: need === MUST ? "problem" : "warning",
        code: id,
        message: summary.en,
        at: null,
        hint: hint.en,
        extras: [
          ["message.zh", summary.zh],
          ["hint.zh", hint.zh],
        ],
      })),
    evidence: [],
    measurements: report.measurements.map(({ name, value, unit }) => ({
      name,
      value,
      unit,
      samples: 1,
      statistic: "",
      extras: [],
    })),
    extras: [["summary.zh", summary.zh]],
  };
}

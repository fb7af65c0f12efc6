// Does an error say what is wrong, in the form of RFC 9457 (problem details)?

import { MUST, Report, SHOULD, fail, header, inconclusive, json, skip, text } from "./mustdo/index.js";

// The members that RFC 9457 (3.1) defines, each with the type that it must have.
const MEMBERS = { type: "string", title: "string", status: "number", detail: "string", instance: "string" };

// What only a stack trace has: Python, JavaScript and Java, Go, Rust, PHP, .NET.
const TRACES = [
  /Traceback \(most recent call last\)/,
  /\n\s+at .+:\d+:\d+\)?/,
  /\n\s+at [\w.$]+\(\w+\.(?:java|kt|scala):\d+\)/,
  /goroutine \d+ \[/,
  /panicked at /,
  /Stack trace:\s*\n\s*#0 /,
  /\n\s+at .+ in .+:line \d+/,
];

export const problem = {
  id: "problem",
  title: text("Errors say what is wrong", "错误说得清楚"),
  description: text(
    "Asks for a page that is not there. Passes when the error is a problem document (RFC 9457): its media type, " +
      "members of the right types, the same status as the answer's, and no stack trace.",
    "请求一个不存在的页面。错误以问题文档（RFC 9457）返回才算通过：媒体类型对、成员类型对、status 与状态码一致、不泄露调用栈。",
  ),
  params: {
    path: { value: "", words: "A path whose answer is an error; without it, one that is not there is made up" },
  },
  http: { api: "to ask for a page that is not there" },

  run({ params, choices, http }) {
    const report = new Report(text("errors are problem documents", "错误以问题文档返回"));
    const path = params.path || `/${choices.word(12)}`;
    const answer = report.judge("error", MUST, () => ask(http("api"), path), ({ status }) =>
      text(`${path} answered ${status}`, `${path} 返回 ${status}`),
    );
    if (!answer) return report;
    const kind = report.judge("media-type", MUST, () => mediaType(answer), (kind) => text(kind, kind));
    if (kind) {
      const found = report.judge("members", MUST, () => members(answer), (found) =>
        text(Object.keys(found).join(", ") || "none named", Object.keys(found).join("、") || "没有成员"),
      );
      if (found) {
        const same = () => sameStatus(found, answer);
        report.judge("status", MUST, same, () => text("the same as the answer's", "与状态码一致"));
        report.judge("words", SHOULD, () => words(found), () => text("it says what is wrong", "说明了问题"));
      }
    }
    report.judge("no-trace", MUST, () => noTrace(answer), () => text("no stack trace", "没有调用栈"));
    return report;
  },
};

function ask(api, path) {
  const answer = api.send({ path, headers: [["Accept", "application/problem+json, application/json;q=0.5"]] });
  if (answer.status >= 400) return answer;
  const kind = (header(answer, "content-type") ?? "").toLowerCase();
  if (kind.startsWith("application/problem+json")) {
    const hint = text("answer with the status of the error", "用错误的状态码返回");
    throw fail(`a problem comes with status ${answer.status}`, `问题文档却带着 ${answer.status}`, hint);
  }
  throw inconclusive(
    `${path} answered ${answer.status}, which is no error: name one that fails with the parameter \`path\``,
    `${path} 返回 ${answer.status}，不是错误：用参数 path 指明一个会出错的路径`,
  );
}

function mediaType(answer) {
  const kind = header(answer, "content-type") ?? "none";
  const essence = kind.split(";")[0].trim().toLowerCase();
  if (essence === "application/problem+json") return kind;
  if (essence === "application/problem+xml") {
    throw inconclusive("problem+xml is right too, but this check reads JSON", "problem+xml 也对，但这里只读 JSON");
  }
  const hint = text("Content-Type: application/problem+json", "Content-Type: application/problem+json");
  throw fail(`the error's media type is ${kind}`, `错误的媒体类型是 ${kind}`, hint);
}

function members(answer) {
  if (answer.truncated) throw inconclusive("the error is too long to be read whole", "错误太长，读不完");
  let problem;
  try {
    problem = json(answer);
  } catch {
    throw fail("the error is no JSON, though it says so", "自称 JSON，其实不是");
  }
  if (problem === null || typeof problem !== "object" || Array.isArray(problem)) {
    throw fail("a problem is a JSON object", "问题文档应当是 JSON 对象");
  }
  for (const [name, type] of Object.entries(MEMBERS)) {
    // A member of another type is to be ignored by who reads it (3.1), so it says nothing.
    if (name in problem && typeof problem[name] !== type) {
      throw fail(`"${name}" is no ${type}, so readers ignore it`, `"${name}" 不是 ${type}，读者会忽略它`);
    }
  }
  return problem;
}

function sameStatus(problem, answer) {
  if (problem.status === undefined) throw skip("it names no status, which is allowed", "没有写 status，这是允许的");
  if (problem.status !== answer.status) {
    const hint = text("3.1.2: generators must use the same status", "3.1.2：两处必须一致");
    throw fail(`says ${problem.status}, comes with ${answer.status}`, `写着 ${problem.status}，实际是 ${answer.status}`, hint);
  }
}

function words(problem) {
  const typed = problem.type !== undefined && problem.type !== "about:blank";
  if (!typed && !problem.title && !problem.detail) {
    throw fail("has neither type, title nor detail", "没有 type、title，也没有 detail");
  }
}

function noTrace(answer) {
  let said = answer.body;
  try {
    // In JSON the lines of a trace stand in one string.
    said += JSON.stringify(json(answer), null, 1).replaceAll("\\n", "\n");
  } catch {
    // Text that is no JSON is read as it is.
  }
  const trace = TRACES.map((trace) => trace.exec(said)).find((found) => found);
  if (trace) {
    const seen = trace[0].trim().slice(0, 60);
    const hint = text("log the trace, answer with words for the caller", "调用栈写进日志，回应只说给调用者听");
    throw fail(`shows a stack trace: ${seen}`, `泄露了调用栈：${seen}`, hint);
  }
  if (answer.truncated) throw inconclusive("the error is too long to be read whole", "错误太长，读不完");
}

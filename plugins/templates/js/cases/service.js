// A service whose errors are problem documents, or have one flaw: `node cases/service.js PORT [FLAW]`. Port 0 takes a
// free one.

import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

export const FLAWS = ["html", "plain-json", "other-status", "wrong-type", "trace", "ok-status"];

/** Status, headers and body of a GET. */
export function answer(path, flaw = null) {
  if (path === "/") return { status: 200, headers: [["Content-Type", "text/plain"]], body: "hello" };
  if (flaw === "html") return { status: 404, headers: [["Content-Type", "text/html"]], body: "<h1>Not Found</h1>" };
  const problem = { type: "about:blank", title: "Not Found", status: 404, detail: `there is no ${path}` };
  if (flaw === "other-status") problem.status = 400;
  if (flaw === "wrong-type") problem.status = "404";
  if (flaw === "trace") problem.detail = "Error: no route\n    at find (/srv/app/router.js:17:11)\n    at main (/srv/app.js:3:1)";
  const kind = flaw === "plain-json" ? "application/json" : "application/problem+json; charset=utf-8";
  return { status: flaw === "ok-status" ? 200 : 404, headers: [["Content-Type", kind]], body: JSON.stringify(problem) };
}

function main(port, flaw = null) {
  if (flaw !== null && !FLAWS.includes(flaw)) {
    console.error(`unknown flaw ${flaw}: one of ${FLAWS.join(", ")}`);
    process.exit(2);
  }
  const server = createServer((request, response) => {
    const { status, headers, body } = answer(request.url, flaw);
    response.writeHead(status, Object.fromEntries(headers));
    response.end(body);
  });
  server.listen(Number(port), "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) main(...process.argv.slice(2));

// Uses the report's page as a reader does: node drive.mjs CHROMIUM AXE PAGE BIG-PAGE
//
// PAGE holds a failing, a proven and a hostile item; BIG-PAGE holds ten thousand. Ends with 0 and a line of figures where
// everything holds, else with 1 and what did not.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { Chromium } from "./chromium.mjs";

const [program, axe, small, big] = process.argv.slice(2);
const rules = readFileSync(axe, "utf8");
const settled = "new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))";
const shown = "[...document.querySelectorAll('#list .item')].filter((row) => row.checkVisibility({ contentVisibilityAuto: false })).map((row) => row.dataset.item)";

// Nothing but the page itself was fetched, and nothing went wrong in it.
function quiet(page) {
  assert.deepEqual(page.complaints, []);
  assert.deepEqual(page.requests.filter((url) => !url.startsWith("file:")), []);
  assert.equal(page.requests.length, 1);
}

async function accessible(page, what) {
  await page.value(rules);
  const { violations } = await page.value(
    "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => ({ violations: violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160) + ' ' + node.failureSummary).join(' | ')}`) }))");
  assert.deepEqual(violations, [], what);
}

async function type(page, text) {
  await page.value("document.getElementById('search').focus()");
  await page.send("Input.insertText", { text });
  await page.value(settled);
}

async function press(page, selector) {
  await page.value(`document.querySelector(${JSON.stringify(selector)}).focus()`);
  await page.key("Enter", "Enter", 13, "\r");
  await page.value(settled);
}

async function reads(browser, address) {
  const page = await browser.open(address);
  const { items, title } = await page.value(
    "({ items: JSON.parse(document.getElementById('data').textContent).report.checklists.flatMap((c) => c.groups).flatMap((g) => g.items), title: document.title })");
  assert.deepEqual(await page.value(shown), items.map(({ id }) => id));
  assert.match(title, /%.*mustdo$/);
  assert.equal(await page.value("window.owned"), undefined, "a text of the report ran as a script");
  assert.equal(await page.value("document.querySelectorAll('img, iframe, object, link').length"), 0);

  // Words, a status and both together; what is not found is said.
  await type(page, "idempotent");
  const found = await page.value(shown);
  assert.ok(found.length > 0 && found.length < items.length, found.join());
  assert.match(await page.value("document.getElementById('found').textContent"), new RegExp(`^${found.length} of ${items.length} `));
  await type(page, " nowhere-at-all");
  assert.deepEqual(await page.value(shown), []);
  assert.equal(await page.value("document.getElementById('none').checkVisibility()"), true);
  await press(page, "#clear");
  assert.equal((await page.value(shown)).length, items.length);
  for (const status of ["failing", "proven", "open"]) {
    await press(page, `.statuses [value=${status}]`);
    const wanted = items.filter((item) => item.status === status).map(({ id }) => id);
    assert.ok(wanted.length > 0, status);
    assert.deepEqual(await page.value(shown), wanted);
    await press(page, `.statuses [value=${status}]`);
  }
  await page.value("document.getElementById('level').value = 'challenge'; document.getElementById('level').dispatchEvent(new Event('change'))");
  assert.deepEqual(await page.value(shown), items.filter((item) => item.level === "challenge").map(({ id }) => id));
  await press(page, "#clear");

  // An item's page, by the keyboard: steps, figures, findings, hints, how to repeat it.
  const failing = items.find((item) => item.status === "failing");
  const row = `[data-item='${failing.id}']`;
  await press(page, `${row} > summary`);
  const opened = await page.value(`document.querySelector("${row} .body").innerText`);
  const record = failing.checks.find((check) => check.decided?.outcome === "fail").decided;
  for (const part of [record.summary.en, record.steps[0].id, record.findings[0].message.en, record.findings[0].hint.en.split("\n")[0], record.seed, `mustdo show ${failing.id} --transcript`])
    assert.ok(opened.includes(part), `${part} is not in\n${opened}`);
  await accessible(page, "light, with an item open");

  // Chinese, in what is seen and in what is named for those who do not see.
  await press(page, "#language");
  assert.equal(await page.value("document.documentElement.lang"), "zh");
  // What is far from the window has no text that is seen.
  await page.value(`document.querySelector("${row}").scrollIntoView(); ${settled}`);
  assert.equal(await page.value(`document.querySelector("${row} .title").innerText`), failing.title.zh);
  assert.ok((await page.value(`document.querySelector("${row} .body").innerText`)).includes(record.summary.zh));
  assert.equal(await page.value("document.querySelector('.tools').getAttribute('aria-label')"), "查找条目");
  await accessible(page, "Chinese");
  await press(page, "#language");

  // Dark, by the system's wish and by the button.
  const ground = "getComputedStyle(document.body).backgroundColor";
  const light = await page.value(ground);
  await page.media("dark");
  const dark = await page.value(ground);
  assert.notEqual(dark, light);
  await accessible(page, "dark");
  await press(page, "#theme");
  assert.equal(await page.value(ground), light);
  await page.value("localStorage.clear()");

  // A link to an item opens it.
  await page.value(`location.hash = "#i-${items.at(-1).id}"; ${settled}`);
  assert.equal(await page.value(`document.querySelector("[data-item='${items.at(-1).id}']").open`), true);

  // On paper there is nothing to press, and what fails is open.
  await page.media("light", "print");
  assert.equal(await page.value("document.querySelector('.tools').checkVisibility()"), false);
  await page.media("light");
  assert.ok((await page.paper()).subarray(0, 5).equals(Buffer.from("%PDF-")));
  quiet(page);

  // What gets into the page all the same is stopped by its policy.
  await page.value("const script = document.createElement('script'); script.textContent = 'window.owned = 1'; document.body.append(script); document.body.append(Object.assign(new Image(), { src: 'http://127.0.0.1:9/x.png' })); new Promise((resolve) => setTimeout(resolve, 100))");
  assert.equal(await page.value("window.owned"), undefined);
  assert.equal(page.complaints.filter((text) => text.includes("Content Security Policy")).length, 2, page.complaints.join());
  await page.close();
}

async function readsOnAPhone(browser, address) {
  const page = await browser.open(address, { width: 360, height: 740, mobile: true });
  const { wide, view } = await page.value("({ wide: document.documentElement.scrollWidth, view: innerWidth })");
  assert.ok(wide <= view, `${wide} of ${view} pixels`);
  await accessible(page, "phone");
  quiet(page);
  await page.close();
}

async function readsWithoutScripts(browser, address) {
  const page = await browser.open("about:blank");
  await page.send("Emulation.setScriptExecutionDisabled", { value: true });
  await page.go(address);
  const { root } = await page.send("DOM.getDocument", {});
  const count = async (selector) => (await page.send("DOM.querySelectorAll", { nodeId: root.nodeId, selector })).nodeIds.length;
  assert.ok((await count("#list .item .title")) > 5);
  assert.equal(await count("html.js"), 0);
  const { nodeId } = await page.send("DOM.querySelector", { nodeId: root.nodeId, selector: ".tools" });
  await assert.rejects(page.send("DOM.getBoxModel", { nodeId }), "tools that do nothing are shown");
  const row = await page.send("DOM.querySelector", { nodeId: root.nodeId, selector: "#list .item" });
  const { model } = await page.send("DOM.getBoxModel", row);
  assert.ok(model.height > 20);
  await page.close();
}

// How long a reader waits: what the page's thread computes from the act to the second frame after it, in milliseconds.
async function bears(browser, address) {
  const page = await browser.open(address);
  const load = await page.computed();
  const wait = async (act) => {
    const before = await page.computed();
    await page.value(`(async () => { ${act}; await ${settled}; })()`);
    return await page.computed() - before;
  };
  assert.equal(await page.value("document.querySelectorAll('#list .item').length"), 10000);
  const letters = [];
  for (const text of ["i", "it", "item", "item 99", "item 9999"])
    letters.push(await wait(`document.getElementById('search').value = '${text}'; document.getElementById('search').dispatchEvent(new Event('input'))`));
  assert.deepEqual(await page.value(shown), ["big.i9999"]);
  const clear = await wait("document.getElementById('clear').click()");
  const status = await wait("document.querySelector('.statuses [value=failing]').click()");
  await wait("document.getElementById('clear').click()");
  const language = await wait("document.getElementById('language').click()");
  const open = await wait("document.querySelectorAll('#list .item')[500].open = true");
  const frame = await wait("for (let step = 0; step < 90; step++) { scrollBy(0, 900); await new Promise(requestAnimationFrame); }") / 90;
  const figures = { load, letter: Math.max(...letters), clear, status, language, open, frame };
  for (const name of Object.keys(figures)) figures[name] = Math.round(figures[name]);
  console.log(JSON.stringify(figures));
  const most = { load: 6000, letter: 400, clear: 1000, status: 400, language: 1000, open: 200, frame: 50 };
  for (const [name, limit] of Object.entries(most)) assert.ok(figures[name] <= limit, `${name}: ${figures[name]} ms`);
  quiet(page);
  await page.close();
}

const browser = new Chromium(program);
try {
  const [address, bigAddress] = [small, big].map((file) => pathToFileURL(file).href);
  await reads(browser, address);
  await readsOnAPhone(browser, address);
  await readsWithoutScripts(browser, address);
  await bears(browser, bigAddress);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await browser.close();
}

// Uses pages as a reader does: node drive.mjs CHROMIUM AXE ACT PAGE...
//
// ACT "report": the first page holds a failing, a proven and a hostile item, the second ten thousand; prints a line of
// figures. "items": the first holds a flaky item, the second one whose pass was kept. "cohort": the page of a class of four, one of
// whom can not be read. Ends with 0 where everything holds, else with 1 and what did not.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { Chromium } from "./chromium.mjs";

const [program, axe, act, ...files] = process.argv.slice(2);
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

// An item's page shows `parts` of its data, in both languages, light and dark.
async function opens(browser, address, choose, parts) {
  const page = await browser.open(address);
  const items = await page.value(
    "JSON.parse(document.getElementById('data').textContent).report.checklists.flatMap((c) => c.groups).flatMap((g) => g.items)");
  const item = items.find(choose);
  const row = `[data-item='${item.id}']`;
  await press(page, `${row} > summary`);
  for (const lang of ["en", "zh"]) {
    await page.value(`document.querySelector("${row}").scrollIntoView(); ${settled}`);
    const seen = await page.value(`document.querySelector("${row}").innerText`);
    for (const part of parts(item, lang)) assert.ok(seen.includes(part), `${part} is not in\n${seen}`);
    await accessible(page, `${item.id}, ${lang}`);
    await press(page, "#language");
  }
  await page.media("dark");
  await accessible(page, `${item.id}, dark`);
  await page.value("localStorage.clear()");
  quiet(page);
  const burnup = await page.value("document.querySelector('.burnup').innerText");
  await page.close();
  return burnup;
}

async function readsItems(browser, flaky, kept) {
  const words = { en: ["flaky", "Attempts that could not tell"], zh: ["结果不稳定", "未能判定的尝试"] };
  const uncommitted = await opens(browser, flaky, (item) => item.checks.some((check) => check.undecided?.outcome === "flaky"), (item, lang) => {
    const { attempts, evidence } = item.checks.find((check) => check.undecided).undecided;
    assert.ok(attempts.length > 0 && evidence.length > 0);
    return [...words[lang], attempts[0].summary[lang], evidence[0].label, `${evidence[0].size} B`, evidence[0].digest];
  });
  assert.match(uncommitted, /Nothing is proven/);
  const moment = (item) => item.checks.find((check) => check.kept).decided.at.slice(0, 16).replace("T", " ");
  const committed = await opens(browser, kept, (item) => item.checks.some((check) => check.kept), (item, lang) =>
    lang === "en" ? ["· kept", `kept from ${moment(item)} UTC`] : ["· 沿用", `沿用 ${moment(item)} UTC`]);
  assert.match(committed, /What each commit held/);
}

async function readsACohort(browser, address) {
  const page = await browser.open(address);
  const names = "[...document.querySelectorAll('.learners tbody tr')].filter((row) => row.checkVisibility()).map((row) => row.cells[0].dataset.v)";
  const all = await page.value(names);
  assert.deepEqual([all.length, all[0], all[1], all[3]], [4, "Ada", "Bo", "Di"]);
  assert.equal(await page.value("window.owned"), undefined, "a name ran as a script");
  await accessible(page, "light");

  // Sorted by the keyboard: who can not be read stands last, however it is sorted.
  const claimed = await page.value("[...document.querySelectorAll('.learners thead th')].findIndex((head) => head.querySelector('.sort')?.innerText === 'claimed') + 1");
  const head = `.learners thead th:nth-child(${claimed})`;
  await press(page, `${head} .sort`);
  assert.equal(await page.value(`document.querySelector("${head}").getAttribute("aria-sort")`), "descending");
  assert.deepEqual(await page.value(names), all);
  await press(page, `${head} .sort`);
  assert.equal(await page.value(`document.querySelector("${head}").getAttribute("aria-sort")`), "ascending");
  assert.deepEqual(await page.value(names), [all[2], "Bo", "Ada", "Di"]);
  await accessible(page, "sorted");

  // Found by words and by one choice; how many is said.
  await page.value("document.getElementById('find-learner').focus()");
  await page.send("Input.insertText", { text: "bo" });
  assert.deepEqual(await page.value(names), ["Bo"]);
  assert.match(await page.value("document.getElementById('found-learners').textContent"), /^1 of 4 /);
  await page.value("{ const search = document.getElementById('find-learner'); search.value = ''; search.dispatchEvent(new Event('input')); const only = document.getElementById('only'); only.value = 'unreadable'; only.dispatchEvent(new Event('change')); }");
  assert.deepEqual(await page.value(names), ["Di"]);
  const items = "[...document.querySelectorAll('.matrix tbody tr')].filter((row) => row.checkVisibility()).map((row) => row.cells[0].dataset.v)";
  const whole = (await page.value(items)).length;
  await page.value("document.getElementById('find-item').focus()");
  await page.send("Input.insertText", { text: "must-do.xss" });
  assert.deepEqual(await page.value(items), ["must-do.xss"]);
  assert.match(await page.value("document.getElementById('found-items').textContent"), new RegExp(`^1 of ${whole} `));

  // Chinese and dark, which a reader finds again on the next visit.
  await press(page, "#language");
  assert.match(await page.value("document.getElementById('found-items').textContent"), /个条目$/);
  assert.equal(await page.value("document.getElementById('find-item').placeholder"), "查找条目");
  await accessible(page, "Chinese");
  const ground = "getComputedStyle(document.body).backgroundColor";
  const light = await page.value(ground);
  await press(page, "#theme");
  assert.notEqual(await page.value(ground), light);
  await accessible(page, "dark");
  quiet(page);
  await page.go(address);
  assert.equal(await page.value("document.documentElement.lang"), "zh");
  assert.notEqual(await page.value(ground), light);
  await page.value("localStorage.clear()");
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

async function readsWithoutScripts(browser, address, many, one) {
  const page = await browser.open("about:blank");
  await page.send("Emulation.setScriptExecutionDisabled", { value: true });
  await page.go(address);
  const { root } = await page.send("DOM.getDocument", {});
  const count = async (selector) => (await page.send("DOM.querySelectorAll", { nodeId: root.nodeId, selector })).nodeIds.length;
  assert.ok((await count(many)) > 5);
  assert.equal(await count("html.js"), 0);
  const { nodeId } = await page.send("DOM.querySelector", { nodeId: root.nodeId, selector: ".tools" });
  await assert.rejects(page.send("DOM.getBoxModel", { nodeId }), "tools that do nothing are shown");
  const row = await page.send("DOM.querySelector", { nodeId: root.nodeId, selector: one });
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
  const [address, second] = files.map((file) => pathToFileURL(file).href);
  if (act === "report") {
    await reads(browser, address);
    await readsOnAPhone(browser, address);
    await readsWithoutScripts(browser, address, "#list .item .title", "#list .item");
    await bears(browser, second);
  } else if (act === "items") {
    await readsItems(browser, address, second);
  } else {
    await readsACohort(browser, address);
    await readsOnAPhone(browser, address);
    await readsWithoutScripts(browser, address, ".matrix tbody th", ".learners tbody tr");
  }
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await browser.close();
}

// What is on the page is there without this script; it finds, filters, and opens an item's page from the data below it.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const words = data.words;
  const { byId, word, wanted, start } = frame(words);

  // Both languages stand side by side; the page's own decides which is seen.
  function element(name, attributes = {}, ...inside) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...inside.filter((part) => part !== null && part !== ""));
    return made;
  }
  function both(en, zh, name = "span", attributes = {}) {
    if (en === zh) return element(name, attributes, en);
    const spans = [element("span", { lang: "en" }, en), element("span", { lang: "zh" }, zh)];
    return element(name, attributes, ...spans);
  }
  const said = (key, name, attributes) => both(...words[key], name, attributes);
  const text = (value, name, attributes) => both(value.en, value.zh, name, attributes);

  const items = new Map();
  for (const checklist of data.report.checklists)
    for (const group of checklist.groups) for (const item of group.items) items.set(item.id, { item, checklist });
  const rows = [...document.querySelectorAll("#list .item")].map((row) => {
    const { item, checklist } = items.get(row.dataset.item);
    const summaries = item.checks.flatMap((check) =>
      [check.decided, check.undecided].filter(Boolean).flatMap((record) => [
        record.summary.en, record.summary.zh, ...record.findings.map((finding) => finding.code),
      ]));
    const parts = [item.id, item.title.en, item.title.zh, ...item.tags, ...item.checks.map((check) => check.id), ...summaries];
    return { row, item, checklist: checklist.id, text: parts.join("\n").toLowerCase(), shown: true };
  });
  const blocks = [...document.querySelectorAll("#list .lot, #list .group, #list .checklist")].map((block) => ({
    block, rows: [...block.querySelectorAll(".item")],
  }));

  // Filtering.
  const height = rows[0]?.row.offsetHeight || 45;
  const search = byId("search");
  const selects = ["checklist", "level", "tag"].map(byId);
  const buttons = [...document.querySelectorAll(".statuses button")];
  function filter() {
    const parts = wanted(search);
    const [checklist, level, tag] = selects.map((select) => select.value);
    const statuses = new Set(buttons.filter((b) => b.getAttribute("aria-pressed") === "true").map((b) => b.value));
    const stands = ({ item }) => statuses.has(item.status) || (statuses.has("inconclusive") && item.inconclusive.length > 0);
    const shown = new Set();
    for (const one of rows) {
      const fits = (statuses.size === 0 || stands(one)) && (!checklist || one.checklist === checklist) &&
        (!level || one.item.level === level) && (!tag || one.item.tags.includes(tag)) &&
        parts.every((part) => one.text.includes(part));
      if (fits !== one.shown) one.row.hidden = !fits;
      one.shown = fits;
      if (fits) shown.add(one.row);
    }
    for (const { block, rows: inside } of blocks) {
      const left = inside.reduce((sum, row) => sum + Number(shown.has(row)), 0);
      if (block.hidden !== (left === 0)) block.hidden = left === 0;
      // What is not laid out yet is as high as its rows will be.
      if (block.className === "lot") block.style.containIntrinsicBlockSize = `${left * height}px`;
    }
    byId("none").hidden = shown.size > 0;
    count();
  }
  function count() {
    const number = rows.filter((one) => one.shown).length;
    byId("found").textContent = word("found").replace("{}", number).replace("{}", rows.length);
  }
  let waiting = 0;
  search.addEventListener("input", () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(filter); });
  for (const select of selects) select.addEventListener("change", filter);
  for (const button of buttons)
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      filter();
    });
  byId("clear").addEventListener("click", () => {
    search.value = "";
    for (const select of selects) select.value = "";
    for (const button of buttons) button.setAttribute("aria-pressed", "false");
    filter();
    search.focus();
  });
  document.querySelector(".tools").addEventListener("submit", (event) => event.preventDefault());

  // An item's page, made when it is opened.
  const outcomes = { pass: ["✔", "s-proven"], fail: ["✘", "s-failing"], inconclusive: ["?", "s-unsure"], skip: ["⊘", "s-waived"], flaky: ["?", "s-unsure"] };
  function outcome(name) {
    const [sign, ink] = outcomes[name];
    return element("span", { class: `status ${ink}` }, element("span", { class: "sign", "aria-hidden": "true" }, sign), said(name));
  }
  function place(at) {
    if (at.kind === "note") return at.text;
    if (at.kind === "exchange") return `${at.target}: ${at.request}`;
    if (at.kind !== "source") return at.target;
    return `${at.target}: ${[at.path, at.line, at.column].filter(Boolean).join(":")}`;
  }
  function finding(one) {
    const made = element("div", { class: `finding ${one.severity}` },
      element("p", {}, said(one.severity, "b"), " ", text(one.message)),
      element("p", { class: "at" }, [one.code, one.at ? place(one.at) : ""].filter(Boolean).join(" · ")));
    if (one.hint) made.append(text(one.hint, "p", { class: "hint" }));
    return made;
  }
  function table(heads, lines) {
    const head = element("tr", {}, ...heads.map((key) => said(key, "th", { scope: "col" })));
    const body = lines.map((line) => element("tr", {}, ...line.map((cell) => element("td", {}, cell))));
    return element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
  }
  // The unit of a plain number is "1" (UCUM).
  const unit = (name) => (name === "1" ? "" : ` ${name}`);
  const number = (value) => Number(value.toPrecision(6)).toString();
  const seconds = (millis) => `${(millis / 1000).toFixed(1)} s`;
  function record(item, one) {
    const made = [element("p", {}, outcome(one.outcome), " ", text(one.summary))];
    if (one.attempts.length > 0) {
      made.push(said("attempts", "h4"), table(["attempt", "seen", "took"],
        one.attempts.map((attempt, place) => [String(place + 1), text(attempt.summary), seconds(attempt.elapsed_ms)])));
    }
    made.push(...one.findings.map(finding));
    if (one.steps.length > 0) {
      made.push(said("steps", "h4"), table(["result", "step", "need", "seen"],
        one.steps.map((step) => [outcome(step.outcome), element("code", {}, step.id), said(step.need), text(step.summary)])));
    }
    if (one.figures.length > 0) {
      made.push(said("figures", "h4"), table(["figure", "value", "of"],
        one.figures.map((figure) => [`${figure.name} ${figure.statistic}`.trim(), `${number(figure.value)}${unit(figure.unit)}`, String(figure.samples)])));
    }
    if (one.evidence.length > 0) {
      made.push(said("evidence", "h4"), table(["exhibit", "size", "digest"],
        one.evidence.map((exhibit) => [`${exhibit.label} (${exhibit.media_type})`, `${exhibit.size} B`, element("code", {}, exhibit.digest)])));
    }
    const how = element("dl", { class: "how" });
    const fact = (key, value) => value && how.append(said(key, "dt"), element("dd", {}, value));
    fact("ran", `${one.at.slice(0, 16).replace("T", " ")} UTC · ${seconds(one.elapsed_ms)}`);
    fact("plugin", `${one.plugin_version} ${one.plugin.slice(0, 19)}`);
    if (one.plugin_proven === false) fact("trust", word("unproven"));
    fact("commit", one.commit);
    for (const [name, identity] of Object.entries(one.targets)) fact("target", `${name}: ${identity}`);
    fact("repeat", `mustdo verify ${item.id} --seed 0x${one.seed}`);
    made.push(said("how", "h4"), how);
    return made;
  }
  function page(item) {
    const made = [];
    const facts = element("p", { class: "facts" });
    const fact = (key, ...value) => facts.append(element("span", {}, said(key, "b"), " ", ...value));
    fact("level", said(item.level));
    fact("weight", String(item.weight));
    if (item.tags.length > 0) fact("tag", item.tags.join(", "));
    if (item.needs.length > 0) {
      const links = item.needs.flatMap((id) => [items.has(id) ? element("a", { href: `#${anchor(id)}` }, id) : id, " "]);
      fact("needs", ...links);
    }
    made.push(facts);
    if (item.claim) {
      made.push(element("p", {}, said("claim", "b"), ` ${item.claim.at.slice(0, 10)} `, item.claim.note ?? ""));
      for (const link of item.claim.links)
        made.push(element("p", {}, /^https?:\/\//.test(link) ? element("a", { href: link, rel: "noreferrer noopener" }, link) : link));
    }
    if (item.hint && item.status !== "proven") made.push(element("p", {}, said("hint", "b"), " ", text(item.hint)));
    for (const check of item.checks) {
      const box = element("section", { class: "check" }, element("h4", {}, element("code", {}, check.id)));
      const records = [check.undecided, check.decided].filter(Boolean);
      for (const one of records) box.append(...record(item, one));
      if (records.length === 0) box.append(said("not-run", "p"));
      made.push(box);
    }
    if (item.checks.some((check) => check.decided || check.undecided))
      made.push(element("p", { class: "why" }, said("transcript"), " ", element("code", {}, `mustdo show ${item.id} --transcript`)));
    return made;
  }
  const anchor = (id) => `i-${id}`;
  byId("list").addEventListener("toggle", (event) => {
    const row = event.target;
    if (!row.open || row.dataset.full || !row.matches(".item")) return;
    row.dataset.full = "yes";
    row.querySelector(".body").append(...page(items.get(row.dataset.item).item));
  }, true);
  function visit() {
    const row = location.hash.startsWith("#i-") && byId(decodeURIComponent(location.hash.slice(1)));
    if (!row) return;
    if (row.hidden) byId("clear").click();
    row.open = true;
    row.scrollIntoView({ block: "center" });
    row.querySelector("summary").focus({ preventScroll: true });
  }
  addEventListener("hashchange", visit);

  // On paper, what needs doing is open.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = rows.filter(({ row, item, shown }) => shown && !row.open && (item.status === "failing" || item.inconclusive.length > 0));
    for (const { row } of opened) row.open = true;
  });
  addEventListener("afterprint", () => { for (const { row } of opened) row.open = false; });

  start(count);
  visit();
})();

"use strict";
// What is on the page is there without this script; it finds, sorts, and speaks the other language.
(() => {
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const words = JSON.parse(byId("data").textContent);
  const word = (key) => words[key][root.lang === "zh" ? 1 : 0];
  root.classList.add("js");

  // A table whose rows are filtered by their text and by one choice, and sorted by a heading.
  function live(table, search, choice, found, key) {
    if (!table) return () => {};
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({ row, text: row.cells[0].textContent.toLowerCase() }));
    let shown = rows.length;
    const count = () => { byId(found).textContent = word(key).replace("{}", shown).replace("{}", rows.length); };
    function filter() {
      const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      shown = 0;
      for (const { row, text } of rows) {
        const kinds = row.dataset.kind.split(" ");
        const fits = (!choice.value || kinds.includes(choice.value)) && wanted.every((part) => text.includes(part));
        row.hidden = !fits;
        shown += Number(fits);
      }
      count();
    }
    search.addEventListener("input", filter);
    choice.addEventListener("change", filter);
    search.form.addEventListener("submit", (event) => event.preventDefault());
    const value = (row, column) => row.cells[column]?.dataset.v ?? "";
    for (const button of table.querySelectorAll(".sort")) {
      button.addEventListener("click", () => {
        const head = button.closest("th");
        const column = head.cellIndex;
        const down = head.getAttribute("aria-sort") !== "descending";
        for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const sorted = [...rows].sort((one, other) => {
          const [a, b] = [value(one.row, column), value(other.row, column)];
          // What is not known stands below what is, in either order.
          if (a === "" || b === "") return Number(a === "") - Number(b === "");
          const order = a.localeCompare(b, root.lang, { numeric: true });
          return down ? -order : order;
        });
        body.append(...sorted.map(({ row }) => row));
      });
    }
    return count;
  }
  const counts = [
    live(document.querySelector("table.learners"), byId("find-learner"), byId("only"), "found-learners", "found-learners"),
    live(document.querySelector("table.matrix"), byId("find-item"), byId("checklist"), "found-items", "found-items"),
  ];

  // Language and theme; a page from a file may not be allowed to remember.
  const remember = (key, value) => { try { localStorage.setItem(`mustdo.${key}`, value); } catch { /* nowhere to */ } };
  const remembered = (key) => { try { return localStorage.getItem(`mustdo.${key}`); } catch { return null; } };
  function speak(lang) {
    root.lang = lang;
    const other = lang === "zh" ? "en" : "zh";
    byId("language").lang = other;
    byId("language").textContent = other === "zh" ? "中文" : "English";
    for (const one of document.querySelectorAll("[data-label]")) one.setAttribute("aria-label", word(one.dataset.label));
    for (const one of document.querySelectorAll("[data-placeholder]")) one.placeholder = word(one.dataset.placeholder);
    for (const one of document.querySelectorAll("option[data-en]")) one.textContent = one.dataset[lang];
    for (const count of counts) count();
  }
  byId("language").addEventListener("click", () => { speak(root.lang === "zh" ? "en" : "zh"); remember("language", root.lang); });
  byId("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    remember("theme", root.dataset.theme);
  });
  const theme = remembered("theme");
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;
  const spoken = remembered("language");
  speak(spoken === "en" || spoken === "zh" ? spoken : root.lang);
})();

// What is on the page is there without this script; it finds, sorts, and speaks the other language.
(() => {
  const { root, byId, word, wanted, start } = frame(JSON.parse(document.getElementById("data").textContent));

  // A table whose rows are filtered by their text and by one choice, and sorted by a heading.
  function live(table, search, choice, found, key) {
    if (!table) return () => {};
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({ row, text: row.cells[0].textContent.toLowerCase() }));
    let shown = rows.length;
    const count = () => { byId(found).textContent = word(key).replace("{}", shown).replace("{}", rows.length); };
    function filter() {
      const parts = wanted(search);
      shown = 0;
      for (const { row, text } of rows) {
        const kinds = row.dataset.kind.split(" ");
        const fits = (!choice.value || kinds.includes(choice.value)) && parts.every((part) => text.includes(part));
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

  start(() => counts.forEach((count) => count()));
})();

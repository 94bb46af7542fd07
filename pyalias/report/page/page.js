"use strict";
// Filters and sorts the tables. Without it they show all of their rows, in the order of the report.
(() => {
  const textOf = (cell) => cell.textContent.trim();
  const keyOf = (cell) => (cell.dataset.value === undefined ? textOf(cell).toLowerCase() : Number(cell.dataset.value));
  const compare = (a, b) => (typeof a === "number" ? a - b : a < b ? -1 : a > b ? 1 : 0);

  function makeSortable(table, redraw) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      if (!textOf(head)) return;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = textOf(head);
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        // Numbers are asked for from the largest down, texts from A on.
        const first = head.classList.contains("number") ? "descending" : "ascending";
        const second = first === "ascending" ? "descending" : "ascending";
        const order = head.getAttribute("aria-sort") === first ? second : first;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", order);
        const sign = order === "ascending" ? 1 : -1;
        const keyed = [...table.tBodies[0].rows].map((row) => [keyOf(row.cells[column]), row]);
        keyed.sort(([a], [b]) => sign * compare(a, b));
        table.tBodies[0].append(...keyed.map(([, row]) => row));
        redraw();
      });
    });
  }

  function fillClasses(select, rows) {
    const counts = new Map();
    for (const row of rows) {
      const name = textOf(row.querySelector(".class"));
      counts.set(name, (counts.get(name) || 0) + 1);
    }
    for (const name of [...counts.keys()].sort()) select.add(new Option(`${name} (${counts.get(name)})`, name));
  }

  function setUp(frame) {
    const table = frame.querySelector("table");
    const controls = frame.querySelector(".controls");
    const [filter, check] = [controls.querySelector("[type=search]"), controls.querySelector("[type=checkbox]")];
    const [select, state, more] = [controls.querySelector("select"), controls.querySelector(".state"), controls.querySelector(".more")];
    const short = Number(frame.dataset.short);
    const rows = [...table.tBodies[0].rows];
    const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
    let all = short === 0;

    function redraw() {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      const wanted = select ? select.value : "";
      let [found, shown, left] = [0, 0, 0];
      for (const row of table.tBodies[0].rows) {
        const fits = words.every((word) => texts.get(row).includes(word)) && (!wanted || textOf(row.querySelector(".class")) === wanted);
        // Whoever asks for a class gets it.
        const out = fits && check && check.checked && !wanted && row.hasAttribute("data-system");
        if (out) left += 1;
        else if (fits) found += 1;
        row.hidden = !fits || out || (!all && found > short);
        if (!row.hidden) shown += 1;
      }
      const hint = left ? `; ${left.toLocaleString("en")} bridges and system devices left out` : "";
      state.textContent = `${shown.toLocaleString("en")} of ${found.toLocaleString("en")} rows${hint}`;
      more.hidden = found <= short || short === 0;
      more.textContent = all ? `Show ${short}` : `Show all ${found.toLocaleString("en")}`;
    }

    makeSortable(table, redraw);
    if (select) fillClasses(select, rows);
    filter.addEventListener("input", redraw);
    if (select) select.addEventListener("change", redraw);
    if (check) check.addEventListener("change", redraw);
    more.addEventListener("click", () => {
      all = !all;
      redraw();
    });
    controls.hidden = false;
    redraw();
  }

  document.querySelectorAll(".frame").forEach(setUp);
})();

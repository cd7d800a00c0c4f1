// Sorting and filtering of the leaderboard. Without this file the table is shown whole, in the order of its ranks.
"use strict";
(function () {
  const table = document.getElementById("board");
  const form = document.getElementById("filters");
  if (!table || !form) return;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const selects = Array.from(form.querySelectorAll("select"));
  const shown = document.getElementById("shown");

  function filter() {
    let count = 0;
    for (const row of rows) {
      const fits = selects.every((each) => !each.value || row.dataset[each.dataset.filter] === each.value);
      row.hidden = !fits;
      count += fits ? 1 : 0;
    }
    shown.textContent = count + " of " + rows.length + " rows";
  }

  function valueOf(row, place, kind) {
    const text = row.cells[place].dataset.value;
    if (kind === "text") return text.toLowerCase();
    // What was not measured comes last, whichever way the table is sorted.
    return text === "" ? NaN : text === "inf" ? Infinity : Number(text);
  }

  function sort(place, kind, head) {
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const keyed = rows.map((row, order) => ({ row, order, value: valueOf(row, place, kind) }));
    keyed.sort((a, b) => {
      const missing = Number(Number.isNaN(a.value)) - Number(Number.isNaN(b.value));
      if (missing) return missing;
      const way = a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
      return (up ? way : -way) || a.order - b.order;
    });
    body.append(...keyed.map((each) => each.row));
  }

  Array.from(table.tHead.rows[0].cells).forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.textContent = "";
    head.append(button);
    button.addEventListener("click", () => sort(place, head.dataset.kind, head));
  });
  for (const each of selects) each.addEventListener("change", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  filter();
})();

// Sorting and filtering of the leaderboard, and another conversation to be priced on a model card. Without this file the
// table is shown whole, in the order of its ranks, and the price is that of the conversation as the site defines it.
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

// What an address points at is shown: the runs behind a figure are folded away until then.
(function () {
  function unfold() {
    const there = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (there instanceof HTMLDetailsElement) there.open = true;
  }
  window.addEventListener("hashchange", unfold);
  unfold();
})();

(function () {
  const form = document.getElementById("conversation");
  if (!form) return;
  const rates = JSON.parse(form.dataset.rates);
  const assumed = JSON.parse(form.dataset.assumed);
  const out = document.getElementById("conversation-usd");

  // The arithmetic of `bench.pricing.estimate`: every response reads the whole call so far.
  function price(said) {
    const minutes = (0.5 + said.exchanges * (said.caller_s + 0.5 + said.agent_s)) / 60;
    if ("minute" in rates) return [rates.minute === null ? NaN : rates.minute * minutes, minutes];
    let text = said.instructions_tokens, audio = 0, textBefore = 0, audioBefore = 0, usd = 0;
    const cost = (tokens, each) => (tokens === 0 ? 0 : each === null ? NaN : tokens * each / 1e6);
    for (let turn = 0; turn < said.exchanges; turn += 1) {
      audio += said.caller_s * said.caller_tokens_per_s;
      const from = said.cache_from_tokens;
      const hit = from !== null && textBefore + audioBefore >= from ? 1 : 0;
      const outText = said.agent_s * said.words_per_s * said.tokens_per_word;
      const outAudio = said.agent_s * said.agent_tokens_per_s;
      for (const [all, before, spoken, each] of [
        [text, textBefore, outText, rates.text],
        [audio, audioBefore, outAudio, rates.audio],
      ]) {
        const cached = Math.round(before * hit);
        usd += cost(Math.round(all) - cached, each.input) + cost(cached, each.cached) + cost(Math.round(spoken), each.output);
      }
      textBefore = text;
      audioBefore = audio;
      text += outText;
      audio += outAudio;
    }
    return [usd, minutes];
  }

  function show() {
    const said = { ...assumed };
    for (const field of form.elements) {
      if (field.name && field.value !== "" && field.checkValidity()) said[field.name] = Number(field.value);
    }
    const [usd, minutes] = price(said);
    out.value = Number.isNaN(usd) ? "a price is not known" : "$" + usd.toPrecision(4) + " for " + minutes.toFixed(1) + " minutes";
  }

  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  show();
})();

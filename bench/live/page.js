// The run: what arrives from /events is shown; nothing is computed here but how far bars reach.

const at = (id) => document.getElementById(id);
const TOKEN = new URLSearchParams(location.search).get("token") || "";
const url = (path) => `${path}?token=${encodeURIComponent(TOKEN)}`;

const CHARTS = [
  new Chart("First audible", "ms", [["headline_p50", "p50", "p50"], ["headline_p95", "p95", "p95"]]),
  new Chart("TTFT", "ms", [["ttft_p50", "p50", "p50"], ["ttft_p95", "p95", "p95"]]),
  new Chart("Calls", "", [["open", "p50", "open"], ["talking", "talking", "callers talking"]]),
  new Chart("Turns per minute", "", [["turns_per_min", "p50", "turns per minute"]], {decimals: 1}),
  new Chart("Turns without an answer", "", [["errors", "bars", "turns"]], {bars: true}),
];
at("charts").append(...CHARTS.map((chart) => chart.figure));

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const latency = (run, name) => run.latency.find((each) => each.name === name);
const ms = (value) => known(value) ? `${number(value)} ms` : "-";

// A turn that fails may end its call, so that one failure is in both counts: they are never added.
const ofLevel = (errors, level) => errors.filter((each) => each.level === level);
const sum = (errors) => errors.reduce((all, each) => all + each.count, 0);
const amounts = (errors) => ["call", "turn"].map((level) => [level, sum(ofLevel(errors, level))]).filter(([, count]) => count)
  .map(([level, count]) => `${number(count)} ${level}${count === 1 ? "" : "s"}`).join(", ") || "0";
const causes = (errors) => ["call", "turn"].map((level) => [level, ofLevel(errors, level).slice(0, 2)]).filter(([, found]) => found.length)
  .map(([level, found]) => `${level}s: ${found.map((each) => `${each.kind} ${number(each.count)}`).join(", ")}`).join("; ");

const cards = (state) => {
  const run = state.run, moment = state.moment;
  const heard = run.latency[0], text = latency(run, "ttft_ms");
  const failed = run.errors.length > 0, none = state.verdict ? "no data" : "no data yet";
  const under = (row) => row
    ? `p95 ${ms(row.p95)} · n=${number(row.n)}${row.unanswered ? `, ${number(row.unanswered)} without` : ""}` : none;
  const found = [
    [moment ? "Calls open" : "Calls open, most", number(moment ? moment.open : run.calls.peak_open), moment ? `${number(moment.talking)} callers talking` : "at a time, of those that ended"],
    ["Calls ended", number(run.calls.ended), moment ? `of ${number(moment.begun)} begun${moment.dropped ? `, ${number(moment.dropped)} dropped` : ""}` : `${number(run.calls.failed)} failed`],
    ["Turns per minute", number(run.turns.per_min, 1), `${number(run.turns.answered)} of ${number(run.turns.measured)} answered${run.turns.warmup ? ` · ${number(run.turns.warmup)} warm-up` : ""}`],
    [`${capital(heard ? heard.title : "first audible")}, median`, ms(heard && heard.p50), under(heard)],
    ["TTFT, median", ms(text && text.p50), under(text)],
    ["Errors", amounts(run.errors), failed ? causes(run.errors) : state.verdict ? "none" : "none so far", failed ? "bad" : ""],
    ["Spend", run.cost.text, `${run.cost.per_minute === "-" ? "" : `${run.cost.per_minute} per minute · `}${run.cost.example ? "example prices" : run.cost.books.join(", ") || "no price book"}`],
  ];
  return found.map(([title, value, below, tone]) => {
    const card = make("div", null, "card");
    card.append(make("dt", title), make("dd", value, `value ${tone || ""}`), make("dd", below, "under"));
    return card;
  });
};

const row = (head, ...cells) => {
  const made = make("tr"), first = make("th", head);
  first.scope = "row";
  made.append(first, ...cells.map(([text, name]) => make("td", text, name)));
  return made;
};

const TONES = {"kept": ["✓", "good left"], "not kept": ["✗", "bad left"], "no data": ["…", "soft left"]};
const thresholds = (run, going) => run.thresholds.map((each) => {
  const [symbol, tone] = TONES[each.state];
  const yet = going && each.state === "no data" ? " yet" : "";
  const rows = each.state === "no data" ? `${number(each.n)} of ${number(each.needed)} needed` : number(each.n);
  return row(`${each.threshold}${each.default ? " (default)" : ""}`, [`${symbol} ${each.state}${yet}`, tone], [each.observed], [`${rows} ${each.per}${rows === "1" ? "" : "s"}`]);
});

const workers = (run, moment) => run.workers.map((each) => {
  const own = each.process;
  const state = own ? own.state : moment ? "in the process of the run" : "-";
  return row(own ? own.title : each.name, [state, state === "lost" ? "bad left" : "left"], [number(own ? own.calls_open : moment && moment.open)], [number(each.turns)],
    [number(each.spoiled), each.spoiled ? "bad" : ""], [number(each.frame_late_ms, 1)], [number(each.recv_lag_ms, 1)],
    ...(own && own.memory_bytes && own.state !== "lost" ? [[`${number(own.cpu_percent)} %`], [`${number(own.memory_bytes / 1048576)} MiB`]] : [["-"], ["-"]]));
});

const limits = (moment) => (moment ? moment.limits : []).map((each) => {
  const line = make("div", null, "limit"), bar = make("progress");
  bar.max = 1;
  bar.value = each.share;
  bar.setAttribute("aria-label", `Budget: ${each.name}`);
  if (each.share >= 0.9) bar.className = "full";
  const said = make("p", null, "small");
  said.append(make("b", `Budget, ${each.name.toLowerCase()}: `), each.text);
  line.append(said, bar);
  return line;
});

const STATES = {
  waiting: "Waiting for the run: its workers get ready.",
  ended: "The calls have ended.",
  lost: "The process of the run has gone: these are the rows that it left.",
  stored: "A stored run.",
  talk: "",
  following: "The run goes on: its rows are read as they are written.",
};

const gone = ({run}) => {
  const lost = (run ? run.workers : []).filter((each) => each.process && each.process.state === "lost").length;
  return !lost ? "" : ` · ${lost} ${lost === 1 ? "worker is lost with its open calls" : "workers are lost with their open calls"}: the run will be incomplete`;
};

const now = (state) => {
  if (state.state !== "running") {
    if (state.quiet_s > 20) return `No new row for ${clock(state.quiet_s)}: the run waits, or it was killed.`;
    const waits = state.state === "ended" && !state.verdict ? " The report is being written." : "";
    return `${STATES[state.state]}${waits}`;
  }
  if (state.stopping === 2) return "Hanging up: the report comes next.";
  if (state.stopping === 1) return "Stopping: no call begins any more, and open calls may finish.";
  return `Phase: ${state.moment.phase}${gone(state)}`;
};

const left = (moment) => {
  if (!moment || !moment.done || moment.done >= 1 || moment.elapsed_s < 3) return "";
  return ` · about ${clock(moment.elapsed_s * (1 - moment.done) / moment.done)} left`;
};

const say = (id, text) => { if (at(id).textContent !== text) at(id).textContent = text; };

const verdict = (found) => {
  at("verdict").hidden = !found;
  if (!found) return;
  at("verdict").className = `verdict ${found.name === "pass" ? "good" : found.exit_code === 130 || found.exit_code === 6 ? "" : "bad"}`;
  say("verdict-word", found.name);
  say("verdict-code", `exit code ${found.exit_code}`);
  say("verdict-meaning", found.meaning);
  at("verdict-reasons").replaceChildren(...found.reasons.map((reason) => make("li", reason)));
};

let state = null;
const show = (fresh) => {
  state = fresh;
  const {about, run, moment} = state;
  document.title = `${state.verdict ? state.verdict.name : moment && state.state === "running" ? moment.phase : state.state} · ${about.title}`;
  say("title", about.title);
  say("about", [about.target, about.model].filter(Boolean).join(" · "));
  at("report").hidden = !about.report_page;
  if (about.report_page) at("report").href = url(about.report_page);
  say("where", !about.folder ? "" : `Run folder: ${about.folder}. ${state.verdict ? `Report: ${about.report}` : "The report is written at the end; its numbers are the last ones of this page."}`);
  say("now", now(state));
  verdict(state.verdict);
  const going = state.state === "running";
  at("done").hidden = !going || !known(moment.done);
  if (going && known(moment.done)) at("done").value = moment.done;
  say("clock", run || moment ? `${clock(moment ? moment.elapsed_s : run.elapsed_s)} elapsed${going && !state.stopping ? left(moment) : ""}` : "");
  at("stop").hidden = !going || state.stopping === 2;
  say("stop", state.stopping ? "Hang up open calls" : "Stop the run");
  at("notes-part").hidden = !state.notes.length;
  at("notes").replaceChildren(...state.notes.map((note) => make("li", note)));
  at("talk").hidden = !state.talk;
  at("talk-beside").hidden = !run;
  at("talk-open").hidden = !going || !about.can_talk || Boolean(state.talk);
  if (state.talk) Talk.show(state.talk);
  at("run").hidden = !run;
  if (!run) return;
  at("cards").replaceChildren(...cards(state));
  at("limits").replaceChildren(...limits(moment));
  say("slice-about", `Each point is ${number(run.slices.width_s)} s of the run. A p95 needs 20 turns: where a point has fewer, the turns before it count too.`);
  CHARTS[0].rename(capital(run.slices.headline));
  for (const chart of CHARTS) chart.show(run.slices, run.elapsed_s, state.verdict ? "no data" : "no data yet");
  at("thresholds").replaceChildren(...thresholds(run, !state.verdict));
  at("no-errors").hidden = run.errors.length > 0;
  at("errors-table").hidden = !run.errors.length;
  at("errors").replaceChildren(...run.errors.map((each) => row(each.kind, [each.level, "left"], [number(each.count)])));
  say("rates", run.rates.filter((each) => each.n).map((each) => `${each.title}: ${number(each.events)} of ${number(each.n)}`).join(" · "));
  at("workers").replaceChildren(...workers(run, moment));
  at("workers-table").hidden = !run.workers.length;
  at("no-workers").hidden = run.workers.length > 0;
};

at("stop").addEventListener("click", () => {
  const again = state.stopping === 1;
  say("ask-title", again ? "Hang up open calls?" : "Stop the run?");
  say("ask-text", again ? "Turns that are under way are cut off. The report is written."
    : `No call begins any more; open calls may finish for up to ${number(state.about.graceful_s)} s. The report is written.`);
  say("ask-yes", again ? "Hang up" : "Stop");
  at("ask").returnValue = "no";
  at("ask").showModal();
});
at("talk-open").addEventListener("click", async () => {
  const reply = await post("talk/open");
  if (!reply.ok) say("now", await reply.text());
});
at("ask").addEventListener("close", async () => {
  if (at("ask").returnValue !== "yes") return;
  const reply = await post("stop");
  if (!reply.ok) say("now", await reply.text());
});

const post = (path, body) => fetch(url(path), {method: "POST", body});
Talk.start({post, url});

const events = new EventSource(url("events"));
events.onmessage = (event) => show(JSON.parse(event.data));
events.addEventListener("end", () => events.close());
events.onerror = () => {
  if (events.readyState !== EventSource.CLOSED || !state || !state.verdict) say("now", "The page cannot reach the run: it has ended, or the connection is lost.");
};

"use strict";
// Charts of one value per slice of time: drawn at the size that there is, with the same in a sentence and in a table.

const SVG = "http://www.w3.org/2000/svg";
const LEFT = 46, RIGHT = 10, TOP = 10, BOTTOM = 24, HEIGHT = 190;

const make = (kind, text, name) => {
  const made = document.createElement(kind);
  if (text !== undefined && text !== null) made.textContent = text;
  if (name) made.className = name;
  return made;
};

const draw = (kind, attributes, text) => {
  const made = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
};

const known = (value) => value !== null && value !== undefined;
const number = (value, decimals = 0) => known(value)
  ? value.toLocaleString("en-US", {minimumFractionDigits: decimals, maximumFractionDigits: decimals}) : "-";

const clock = (seconds) => {
  const whole = Math.round(seconds), hours = Math.floor(whole / 3600), rest = String(whole % 60).padStart(2, "0");
  const minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
};

// Round numbers from 0 on, at most `most` of them.
const ticks = (top, most, least) => {
  const rough = Math.max(least, top / most), power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough);
  const found = [];
  for (let at = 0; at <= top + step / 1e6; at += step) found.push(at);
  return found;
};

// Seconds between the marks of the time axis.
const timeStep = (end, most) =>
  [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400].find((each) => end / each <= most) || 86400;

class Chart {
  // `lines`: [key of the slices, style, title]; `bars`: drawn as columns instead.
  constructor(title, unit, lines, {bars = false, decimals = 0} = {}) {
    Object.assign(this, {title, unit, lines, bars, decimals, slices: null});
    this.figure = make("figure");
    this.svg = draw("svg", {role: "img"});
    this.said = make("p", "", "small soft said");
    this.details = make("details");
    this.table = make("table");
    const scroll = make("div", null, "scroll");
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "group");
    scroll.setAttribute("aria-label", `${title}, as a table`);
    scroll.append(this.table);
    this.details.append(make("summary", "As a table", "small"), scroll);
    this.details.addEventListener("toggle", () => this.fill());
    this.caption = make("figcaption");
    this.rename(title);
    this.figure.append(this.caption);
    if (lines.length > 1) this.figure.append(this.legend());
    this.figure.append(this.svg, this.said, this.details);
    new ResizeObserver(() => this.paint()).observe(this.figure);
  }

  rename(title) {
    this.title = title;
    this.caption.textContent = `${title}${this.unit ? `, ${this.unit}` : ""}`;
  }

  legend() {
    const list = make("ul", null, "legend");
    for (const [, style, title] of this.lines) {
      const item = make("li"), key = draw("svg", {viewBox: "0 0 30 12", "aria-hidden": "true"});
      key.append(draw("path", {class: `line ${style}`, d: "M0 6H30"}));
      item.append(key, title);
      list.append(item);
    }
    return list;
  }

  // `none` stands where a line has no value; a chart without any has no axes, whose scale would say something.
  show(slices, end, none) {
    Object.assign(this, {slices, end, none});
    this.paint();
    this.fill();
  }

  sentence() {
    const parts = this.lines.map(([key, , title]) => {
      const values = this.slices[key].filter(known);
      if (!values.length) return `${title}: ${this.none}`;
      const say = (value) => number(value, this.decimals);
      return `${title}: ${say(values[values.length - 1])} at last, between ${say(Math.min(...values))} and ${say(Math.max(...values))}`;
    });
    return `${parts.join("; ")}.`;
  }

  paint() {
    if (!this.slices) return;
    const box = getComputedStyle(this.figure);
    const width = Math.max(240, this.figure.clientWidth - parseFloat(box.paddingLeft) - parseFloat(box.paddingRight));
    const step = this.slices.width_s, end = Math.max(this.end, step);
    const values = this.lines.flatMap(([key]) => this.slices[key]).filter(known);
    this.svg.style.display = values.length ? "" : "none";
    const top = Math.max(1, ...values) * 1.06, floor = HEIGHT - BOTTOM;
    const x = (seconds) => LEFT + (width - LEFT - RIGHT) * Math.min(1, seconds / end);
    const y = (value) => floor - (floor - TOP) * value / top;
    const parts = [];
    for (const at of ticks(top, 4, this.unit ? 0 : 1)) {
      parts.push(draw("path", {class: "grid", d: `M${LEFT} ${y(at)}H${width - RIGHT}`}));
      parts.push(draw("text", {x: LEFT - 6, y: y(at) + 4, "text-anchor": "end"}, number(at, at % 1 ? 1 : 0)));
    }
    const apart = timeStep(end, Math.max(2, Math.floor(width / 90)));
    for (let at = 0; at <= end; at += apart) {
      parts.push(draw("path", {class: "axis", d: `M${x(at)} ${floor}v4`}));
      if (x(at) < width - 24 || !at) parts.push(draw("text", {x: x(at), y: HEIGHT - 6, "text-anchor": "middle"}, clock(at)));
    }
    parts.push(draw("path", {class: "axis", d: `M${LEFT} ${floor}H${width - RIGHT}`}));
    for (const [key, style] of this.lines) {
      const points = this.slices[key].map((value, slot) => [value, slot * step, Math.min(end, (slot + 1) * step)]);
      if (this.bars) {
        for (const [value, from, until] of points.filter(([value]) => value)) {
          parts.push(draw("rect", {class: "bars", x: x(from) + 0.5, y: y(value), width: Math.max(1.5, x(until) - x(from) - 1), height: floor - y(value)}));
        }
        continue;
      }
      let path = "", drawn = false;
      points.forEach(([value, from, until], slot) => {
        if (!known(value)) { drawn = false; return; }
        const at = `${x((from + until) / 2).toFixed(1)} ${y(value).toFixed(1)}`;
        const alone = !drawn && !known((points[slot + 1] || [])[0]);
        if (alone) parts.push(draw("circle", {class: `point ${style}`, cx: at.split(" ")[0], cy: at.split(" ")[1], r: 3}));
        path += `${drawn ? "L" : "M"}${at}`;
        drawn = true;
      });
      if (path) parts.push(draw("path", {class: `line ${style}`, d: path}));
    }
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.svg.setAttribute("aria-label", `${this.title} over time. ${this.sentence()}`);
    this.svg.replaceChildren(...parts);
    this.said.textContent = this.sentence();
  }

  fill() {
    if (!this.slices || !this.details.open) return;
    const head = make("tr"), rows = [];
    for (const title of ["From", ...this.lines.map(([, , title]) => title)]) {
      const cell = make("th", title);
      cell.scope = "col";
      head.append(cell);
    }
    this.slices[this.lines[0][0]].forEach((_, slot) => {
      const row = make("tr"), from = make("th", clock(slot * this.slices.width_s));
      from.scope = "row";
      row.append(from, ...this.lines.map(([key]) => make("td", number(this.slices[key][slot], this.decimals))));
      rows.push(row);
    });
    const top = make("thead"), body = make("tbody");
    top.append(head);
    body.append(...rows);
    this.table.replaceChildren(top, body);
  }
}

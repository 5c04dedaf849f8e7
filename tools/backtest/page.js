"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const svgNS = "http://www.w3.org/2000/svg";
  const whole = { begin: data.begin_ms, end: data.end_ms };
  const view = { ...whole };
  const plots = [];
  const MARGIN = { left: 18, right: 74, bottom: 22, top: 6 };
  const LINKS_MOST = 250, MARKS_LARGE = 120, MARKS_MOST = 4000;

  const make = (parent, name, attributes) => {
    const found = document.createElementNS(svgNS, name);
    for (const key in attributes) found.setAttribute(key, attributes[key]);
    return parent.appendChild(found);
  };
  const color = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const pad = (number, places = 2) => String(number).padStart(places, "0");
  const day = at => `${at.getUTCFullYear()}-${pad(at.getUTCMonth() + 1)}-${pad(at.getUTCDate())}`;
  const clock = at => `${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}`;
  const moment = ms => { const at = new Date(ms); return `${day(at)} ${clock(at)}:${pad(at.getUTCSeconds())}`; };
  const grouped = (value, places) =>
    (Math.abs(value) < 0.5 * 10 ** -places ? 0 : value).toLocaleString("en-GB", { minimumFractionDigits: places, maximumFractionDigits: places }).replace("-", "\u2212");
  const signed = (value, places) => (value > 0 ? "+" : value < 0 ? "\u2212" : "") + grouped(Math.abs(value), places);

  // The first dot at or behind an instant.
  const seek = (dots, ms) => {
    let low = 0, high = dots.length;
    while (low < high) { const middle = (low + high) >> 1; if (dots[middle][0] < ms) low = middle + 1; else high = middle; }
    return low;
  };
  const nice = (span, most) => {
    const raw = span / most, power = 10 ** Math.floor(Math.log10(raw));
    return [1, 2, 2.5, 5, 10].map(step => step * power).find(step => step >= raw);
  };
  const TIMES = [1e3, 5e3, 15e3, 6e4, 3e5, 9e5, 18e5, 36e5, 108e5, 216e5, 432e5, 864e5, 2 * 864e5, 7 * 864e5,
    14 * 864e5, 30 * 864e5, 91 * 864e5, 182 * 864e5, 365 * 864e5];
  const timeStep = (span, most) => TIMES.find(step => span / step <= most) || 730 * 864e5;
  const timeLabel = (ms, step) => {
    const at = new Date(ms);
    if (step >= 364 * 864e5) return String(at.getUTCFullYear());
    if (step >= 864e5) return day(at);
    if (step >= 6e4) return at.getUTCHours() || at.getUTCMinutes() ? clock(at) : day(at).slice(5);
    return `${clock(at)}:${pad(at.getUTCSeconds())}`;
  };

  class Plot {
    constructor(place, options) {
      Object.assign(this, options);
      this.box = document.getElementById(place);
      this.read = this.box.querySelector(".read");
      this.svg = make(this.box, "svg", { height: this.height, role: "img", "aria-label": this.about });
      this.svg.addEventListener("pointermove", event => this.move(event));
      this.svg.addEventListener("pointerleave", () => plots.forEach(plot => plot.point(null)));
      this.svg.addEventListener("pointerdown", event => { this.from = this.at(event); });
      this.svg.addEventListener("pointerup", event => this.zoom(event));
      this.svg.addEventListener("dblclick", () => show(whole));
      plots.push(this);
    }
    at(event) {
      const box = this.svg.getBoundingClientRect();
      const part = (event.clientX - box.left - MARGIN.left) / (box.width - MARGIN.left - MARGIN.right);
      return view.begin + Math.min(Math.max(part, 0), 1) * (view.end - view.begin);
    }
    zoom(event) {
      const from = this.from, to = this.at(event);
      this.from = null;
      if (from != null && Math.abs(this.x(to) - this.x(from)) > 6) show({ begin: Math.min(from, to), end: Math.max(from, to) });
    }
    draw() {
      this.width = this.box.clientWidth;
      this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
      this.svg.textContent = "";
      this.scale();
      this.axes();
      this.series.forEach(series => this.line(series));
      if (this.fills) this.marks();
      this.front = make(this.svg, "g", {});
    }
    scale() {
      let low = Infinity, high = -Infinity;
      for (const { dots } of this.series) {
        const first = Math.max(seek(dots, view.begin) - 1, 0), last = Math.min(seek(dots, view.end) + 1, dots.length);
        for (let place = first; place < last; place++) {
          low = Math.min(low, dots[place][1]); high = Math.max(high, dots[place][1]);
        }
      }
      if (this.zero) { low = Math.min(low, 0); high = Math.max(high, 0); }
      if (!(low <= high)) { low = 0; high = 1; }
      const space = (high - low || Math.abs(high) || 1) * 0.06;
      this.low = this.ceiling ? low - space : low - space;
      this.high = this.ceiling ? high : high + space;
      const right = this.width - MARGIN.right, bottom = this.height - MARGIN.bottom;
      this.x = ms => MARGIN.left + (ms - view.begin) / (view.end - view.begin || 1) * (right - MARGIN.left);
      this.y = value => MARGIN.top + (this.high - value) / (this.high - this.low) * (bottom - MARGIN.top);
    }
    axes() {
      const right = this.width - MARGIN.right, bottom = this.height - MARGIN.bottom;
      const step = nice(this.high - this.low, Math.max(this.height / 48, 2));
      for (let value = Math.ceil(this.low / step) * step; value <= this.high; value += step) {
        const y = this.y(value);
        make(this.svg, "line", { class: Math.abs(value) < step / 1e6 && this.zero ? "zero" : "grid", x1: MARGIN.left, x2: right, y1: y, y2: y });
        make(this.svg, "text", { x: right + 8, y: y + 4 }).textContent = this.tick(value, step);
      }
      const every = timeStep(view.end - view.begin, Math.max(this.width / 120, 2));
      for (let ms = Math.ceil(view.begin / every) * every; ms <= view.end; ms += every) {
        const text = make(this.svg, "text", { x: this.x(ms), y: this.height - 6, "text-anchor": "middle" });
        if (this.x(ms) > 40 && this.x(ms) < right - 20) text.textContent = timeLabel(ms, every);
      }
    }
    // One column of pixels shows the first, least, greatest and last value that fall into it: no extreme is lost.
    line({ dots, tint, area, step }) {
      const first = Math.max(seek(dots, view.begin) - 1, 0), last = Math.min(seek(dots, view.end) + 1, dots.length);
      const path = [];
      let column = null, before = null;
      const flush = () => {
        if (!column) return;
        if (before !== null && step) path.push(`L${column.x} ${this.y(before).toFixed(1)}`);
        const order = column.lowAt < column.highAt ? [column.low, column.high] : [column.high, column.low];
        for (const value of [column.first, ...order, column.last]) path.push(`L${column.x} ${this.y(value).toFixed(1)}`);
        before = column.last;
      };
      for (let place = first; place < last; place++) {
        const [ms, value] = dots[place], x = Math.round(this.x(ms) * 2) / 2;
        if (!column || column.x !== x) {
          flush();
          column = { x, first: value, last: value, low: value, high: value, lowAt: place, highAt: place };
        }
        if (value < column.low) { column.low = value; column.lowAt = place; }
        if (value > column.high) { column.high = value; column.highAt = place; }
        column.last = value;
      }
      flush();
      if (!path.length) return;
      const end = Math.min(this.x(dots[dots.length - 1][0]), this.x(view.end));
      const clip = `M${path[0].slice(1)}${path.join("")}`;
      if (area) make(this.svg, "path", { d: `${clip}L${end} ${this.y(0)}L${path[0].slice(1).split(" ")[0]} ${this.y(0)}Z`, fill: color(tint), opacity: 0.16 });
      make(this.svg, "path", { d: clip, class: "line", stroke: color(tint) });
    }
    visible() { return this.fills.filter(fill => fill.at >= view.begin && fill.at <= view.end); }
    marks() {
      const trips = this.trips.filter(trip => trip.to >= view.begin && trip.at <= view.end);
      if (trips.length <= LINKS_MOST)
        for (const trip of trips)
          make(this.svg, "line", { x1: this.x(trip.at), y1: this.y(trip.entry), x2: this.x(trip.to), y2: this.y(trip.exit), stroke: color(trip.net >= 0 ? "--gain" : "--loss"), "stroke-width": 1.2, opacity: 0.75, "stroke-dasharray": "3 2" });
      const fills = this.visible(), size = fills.length <= MARKS_LARGE ? 5 : fills.length <= 500 ? 3.2 : 2;
      for (const fill of fills.slice(0, MARKS_MOST)) {
        const x = this.x(fill.at), y = this.y(fill.price), down = fill.side === "buy" ? 1 : -1;
        make(this.svg, "path", { d: `M${x} ${y + down}l${size} ${down * size * 1.7}h${-2 * size}Z`, fill: color(fill.side === "buy" ? "--gain" : "--loss"), opacity: 0.9 });
      }
    }
    move(event) { const ms = this.at(event); plots.forEach(plot => plot.point(ms, plot === this ? this.from : null)); }
    point(ms, from) {
      this.front.textContent = "";
      if (ms === null) { this.read.textContent = ""; return; }
      const x = this.x(ms), bottom = this.height - MARGIN.bottom;
      if (from != null) make(this.front, "rect", { class: "brush", x: Math.min(x, this.x(from)), width: Math.abs(x - this.x(from)), y: MARGIN.top, height: bottom - MARGIN.top });
      make(this.front, "line", { class: "hair", x1: x, x2: x, y1: MARGIN.top, y2: bottom });
      const words = [moment(ms)];
      for (const { dots, tint, name } of this.series) {
        const place = Math.min(seek(dots, ms + 1), dots.length) - 1;
        if (place < 0) continue;
        make(this.front, "circle", { cx: x, cy: this.y(dots[place][1]), r: 3.5, fill: color(tint) });
        words.push(`${this.series.length > 1 ? name + " " : ""}${this.tell(dots[place][1])}`);
      }
      const near = this.fills && this.nearest(x);
      if (near) words.push(near.words);
      this.read.textContent = words.join("  ·  ");
    }
    nearest(x) {
      let found = null, least = 8;
      for (const fill of this.visible()) {
        const distance = Math.abs(this.x(fill.at) - x);
        if (distance < least) { least = distance; found = fill; }
      }
      return found;
    }
  }

  const show = span => { Object.assign(view, span); plots.forEach(plot => plot.draw()); };
  const places = step => Math.max(0, Math.min(8, -Math.floor(Math.log10(step) + 1e-9)));

  if (data.equity.length) {
    new Plot("equity", {
      about: "equity by time", height: 300, zero: true, series: data.equity.map((each, number) => ({ ...each, tint: `--c${number % 6}`, area: number === 0, step: true })),
      tick: (value, step) => grouped(value, places(step)), tell: value => `${signed(value, 2)} ${data.asset}`,
    });
    new Plot("drawdown", {
      about: "drawdown by time", height: 130, zero: true, ceiling: true, series: [{ name: "drawdown", dots: data.drawdown, tint: "--loss", area: true, step: true }],
      tick: (value, step) => `${grouped(value, places(step))} %`, tell: value => `${grouped(value, 3)} %`,
    });
  }
  if (data.prices.length) {
    const plot = new Plot("price", { about: "price and trades by time", height: 340, zero: false, series: [], fills: [], trips: [],
      tick: (value, step) => grouped(value, places(step)), tell: value => grouped(value, plot.places) });
    const choose = number => {
      const chosen = data.prices[number];
      plot.series = [{ name: chosen.name, dots: chosen.dots, tint: "--c5", step: true }];
      plot.fills = chosen.fills; plot.trips = chosen.trips; plot.places = chosen.places;
      document.querySelectorAll("#price button").forEach((button, place) => button.setAttribute("aria-pressed", place === number));
    };
    document.querySelectorAll("#price button").forEach((button, number) => button.addEventListener("click", () => { choose(number); plot.draw(); }));
    choose(0);
  }
  document.getElementById("whole")?.addEventListener("click", () => show(whole));
  addEventListener("resize", () => plots.forEach(plot => plot.draw()));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plots.forEach(plot => plot.draw()));
  show(whole);
})();

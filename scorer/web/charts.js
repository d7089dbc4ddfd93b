// Charts, drawn as SVG in the pixels they have, so that text keeps its size from a phone to a wall. Each has a name for those who
// do not see it; what it shows also stands in words or a table beside it.
import { element, svg } from "./dom.js";
import { number, percent } from "./words.js";

const LEFT = 44;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 26;

// draw(width, height) gives the SVG's children; it is called again when the width changes.
function drawn(label, height, draw) {
  const holder = element("div", { class: "chart", role: "img", "aria-label": label });
  let width = 0;
  new ResizeObserver(() => {
    const now = Math.floor(holder.clientWidth);
    if (now === width || now < 40) return;
    width = now;
    holder.replaceChildren(svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, ...draw(width, height)));
  }).observe(holder);
  return holder;
}

// Two to five round numbers from 0 to at least `most`.
export function ticks(most) {
  const rough = (most || 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) * power;
  return Array.from({ length: Math.ceil((most || 1) / step) + 1 }, (_, i) => i * step);
}

function yAxis(width, y, values, write) {
  return values.flatMap((value) => [
    svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }),
    svg("text", { class: "tick", x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, write(value))]);
}

const xLabel = (x, height, text, anchor = "middle") => svg("text", { class: "tick", x, y: height - 7, "text-anchor": anchor }, text);

// counts in equal steps of x; names: [[position 0…1, text]]; mark: a position 0…1 with a text.
export function histogram(label, counts, names, mark = null) {
  return drawn(label, 190, (width, height) => {
    const inner = width - LEFT - RIGHT;
    const scale = ticks(Math.max(...counts, 1)).filter(Number.isInteger);
    const y = (value) => height - BOTTOM - ((height - TOP - BOTTOM) * value) / scale.at(-1);
    const step = inner / counts.length;
    const bars = counts.map((count, i) => svg("rect", { class: "bar", x: LEFT + i * step + 1, width: Math.max(step - 2, 1), y: y(count), height: y(0) - y(count) }));
    const anchor = (at) => (at === 0 ? "start" : at === 1 ? "end" : "middle");
    const line = mark === null ? [] : [svg("line", { class: "mark", x1: LEFT + inner * mark.at, x2: LEFT + inner * mark.at, y1: TOP, y2: y(0) }),
      svg("text", { class: "tick strong", x: LEFT + inner * mark.at + (mark.at > 0.6 ? -5 : 5), y: TOP + 10, "text-anchor": mark.at > 0.6 ? "end" : "start" }, mark.text)];
    return [...yAxis(width, y, scale, (value) => number(value)), ...bars, ...line,
      ...names.map(([at, text]) => xLabel(LEFT + inner * at, height, text, anchor(at)))];
  });
}

// values one a second, the last one now.
export function rateChart(label, values) {
  return drawn(label, 190, (width, height) => {
    const inner = width - LEFT - RIGHT;
    const scale = ticks(Math.max(...values, 1));
    const y = (value) => height - BOTTOM - ((height - TOP - BOTTOM) * value) / scale.at(-1);
    const step = inner / Math.max(values.length - 1, 1);
    return [...yAxis(width, y, scale, (value) => number(value, 2)),
      svg("polyline", { class: "line", points: values.map((value, i) => `${(LEFT + i * step).toFixed(1)},${y(value).toFixed(1)}`).join(" ") }),
      xLabel(LEFT, height, `${Math.max(values.length - 1, 0)} s ago`, "start"), xLabel(width - RIGHT, height, "now", "end")];
  });
}

function dateTicks(from, to, width) {
  const count = Math.max(2, Math.min(6, Math.floor(width / 130)));
  const short = to - from < 3 * 86400e3;
  const write = (time) => new Date(time).toLocaleString("en-GB", short ? { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" } : { day: "numeric", month: "short", year: "2-digit" });
  return Array.from({ length: count }, (_, i) => from + ((to - from) * i) / (count - 1)).map((time) => [time, write(time)]);
}

// points: [{time, risk, threshold, model, text}], oldest first. Where the model changes stands a line with its name.
export function riskChart(label, points) {
  return drawn(label, 260, (width, height) => {
    const times = points.map((point) => new Date(point.time).getTime());
    const spread = Math.max(times.at(-1) - times[0], 1);
    const inner = width - LEFT - RIGHT;
    const x = (time) => LEFT + (points.length === 1 ? inner / 2 : (inner * (time - times[0])) / spread);
    const top = TOP + 16;
    const scale = ticks(Math.max(...points.map((point) => point.risk), ...points.map((point) => point.threshold ?? 0), 0.2)).filter((value) => value <= 1);
    if (scale.at(-1) < 1 && scale.at(-1) < Math.max(...points.map((point) => point.risk))) scale.push(1);
    const y = (risk) => height - BOTTOM - ((height - top - BOTTOM) * risk) / scale.at(-1);
    const path = points.map((point, i) => `${i ? "L" : "M"}${x(times[i]).toFixed(1)},${y(point.risk).toFixed(1)}`).join("");
    const limits = points.filter((point) => point.threshold !== null && point.threshold !== undefined);
    const limit = limits.map((point, i) => {
      const at = x(new Date(point.time).getTime()).toFixed(1);
      return i ? `H${at}V${y(point.threshold).toFixed(1)}` : `M${points.length === 1 ? LEFT : at},${y(point.threshold).toFixed(1)}`;
    }).join("") + (points.length === 1 && limits.length ? `H${width - RIGHT}` : "");
    const changes = points.map((point, i) => ({ point, i })).filter(({ point, i }) => i > 0 && point.model !== points[i - 1].model);
    let last = -Infinity; // names that would overlap are left to the table below
    const marks = changes.flatMap(({ point, i }) => {
      const at = x(times[i]);
      const isRight = at > width * 0.7;
      const name = at - last > 110 ? svg("text", { class: "tick strong", x: at + (isRight ? -5 : 5), y: TOP + 8, "text-anchor": isRight ? "end" : "start" }, `model ${point.model}`) : null;
      if (name) last = at;
      return [svg("line", { class: "model-mark", x1: at, x2: at, y1: TOP, y2: y(0) }), name].filter(Boolean);
    });
    return [...yAxis(width, y, scale, (value) => percent(value, 0)), svg("path", { class: "limit", d: limit }), ...marks,
      svg("path", { class: "line", d: path }),
      ...points.map((point, i) => svg("circle", { class: point.isOver ? "dot over" : "dot", cx: x(times[i]), cy: y(point.risk), r: 3.5 }, svg("title", {}, point.text))),
      ...(points.length === 1 ? [xLabel(x(times[0]), height, dateTicks(times[0], times[0] + 4 * 86400e3, 0)[0][1])]
        : dateTicks(times[0], times.at(-1), inner).map(([time, text], i, all) => xLabel(x(time), height, text, i === 0 ? "start" : i === all.length - 1 ? "end" : "middle")))];
  });
}

// A line as high as a word, from the lowest to the highest value, and its end marked. What it shows stands beside it.
export function trendLine(values, threshold) {
  const [width, height, pad] = [72, 22, 3];
  const low = Math.min(...values), spread = Math.max(Math.max(...values) - low, 0.1);
  const x = (i) => pad + ((width - 2 * pad) * i) / (values.length - 1);
  const y = (value) => height - pad - ((height - 2 * pad) * (value - low)) / spread;
  const line = threshold > low && threshold < low + spread ? svg("line", { class: "limit", x1: 0, x2: width, y1: y(threshold), y2: y(threshold) }) : null;
  return svg("svg", { class: "trend", width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, line, svg("polyline", { class: "line", points: values.map((value, i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`).join(" ") }),
    svg("circle", { class: "end", cx: x(values.length - 1), cy: y(values.at(-1)), r: 2.5 }));
}

// bins: [{risk, share, share_low, share_high}]; the dashed line is where both are equal.
export function calibrationChart(label, bins) {
  return drawn(label, 260, (width, height) => {
    const inner = width - LEFT - RIGHT;
    const scale = ticks(Math.min(1, Math.max(...bins.map((bin) => Math.max(bin.share_high, bin.risk))))).filter((value) => value <= 1);
    const most = Math.max(scale.at(-1), ...bins.map((bin) => Math.max(bin.share_high, bin.risk)));
    const x = (value) => LEFT + (inner * value) / most;
    const y = (value) => height - BOTTOM - ((height - TOP - BOTTOM) * value) / most;
    return [...yAxis(width, y, scale, (value) => percent(value, 0)), svg("line", { class: "mark", x1: x(0), y1: y(0), x2: x(most), y2: y(most) }),
      ...bins.map((bin) => svg("line", { class: "whisker", x1: x(bin.risk), x2: x(bin.risk), y1: y(bin.share_low), y2: y(bin.share_high) })),
      svg("polyline", { class: "line", points: bins.map((bin) => `${x(bin.risk).toFixed(1)},${y(bin.share).toFixed(1)}`).join(" ") }),
      ...bins.map((bin) => svg("circle", { class: "dot over", cx: x(bin.risk), cy: y(bin.share), r: 3.5 }, svg("title", {}, `Risk ${percent(bin.risk)}: ${percent(bin.share)} realised, of ${number(bin.employees)}`))),
      xLabel(x(0), height, "risk 0 %", "start"), xLabel(x(most), height, percent(most, 0), "end")];
  });
}

// Groups as their bars stand: the longest first.
export const byExpected = (groups) => [...groups].sort((a, b) => b.expected_exits - a.expected_exits);

// Bars with names, largest at full width; `low` and `high` draw the interval. rows: [{name, value, low, high, text, href, note}]
export function bars(label, rows) {
  const most = Math.max(...rows.map((row) => row.high ?? row.value ?? 0), 1e-9);
  const place = (node, from, to) => {
    node.style.left = `${(100 * from) / most}%`;
    node.style.width = `${(100 * (to - from)) / most}%`;
    return node;
  };
  const row = ({ name, value, low, high, text, href, note }) => element("div", { class: "bar-row", role: "listitem" },
    element("span", { class: "bar-name" }, href ? element("a", { href }, name) : name),
    element("span", { class: "bar-track", "aria-hidden": "true" }, value === null || value === undefined ? null : place(element("i", { class: "bar-fill" }), 0, value),
      low === null || low === undefined ? null : place(element("i", { class: "bar-interval" }), low, high)),
    element("span", { class: "bar-text" }, text, note ? element("small", {}, note) : null));
  return element("div", { class: "bar-rows", role: "list", "aria-label": label }, ...rows.map(row));
}

// The stream at a glance, from /stream, every two seconds while it is looked at.
import { byId, element, number, percent, svg, table } from "./dom.js";

const WIDTH = 300;
const HEIGHT = 100;

function barChart(label, counts, mark = null) {
  const top = Math.max(...counts, 1);
  const width = WIDTH / counts.length;
  const bars = counts.map((count, i) => svg("rect", { class: "bar", x: i * width + 1, width: Math.max(width - 2, 1), y: HEIGHT - (HEIGHT * count) / top, height: (HEIGHT * count) / top }));
  const line = mark === null ? null : svg("line", { class: "mark", x1: mark * WIDTH, x2: mark * WIDTH, y1: 0, y2: HEIGHT });
  return svg("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label }, ...bars, line);
}

function lineChart(label, values) {
  const top = Math.max(...values, 1);
  const step = WIDTH / Math.max(values.length - 1, 1);
  const points = values.map((value, i) => `${(i * step).toFixed(1)},${(HEIGHT - 2 - ((HEIGHT - 4) * value) / top).toFixed(1)}`).join(" ");
  return svg("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label }, svg("polyline", { class: "line", points }));
}

const axis = (...texts) => element("div", { class: "axis", "aria-hidden": "true" }, ...texts.map((text) => element("span", {}, text)));
const card = (title, ...content) => element("section", { class: "card" }, element("h2", {}, title), ...content);
const tile = (name, value) => element("div", { class: "tile" }, element("b", {}, value), element("span", {}, name));
const up = (state) => (state === null || state === undefined ? "not used" : state ? "up" : "unavailable");
const clock = (time) => new Date(time).toLocaleTimeString("en-GB");

function tiles({ events, events_per_s: rate, lag, latency_us: latency, kafka_up, postgresql_up }) {
  const waiting = lag.reduce((sum, { events: left }) => sum + left, 0);
  return [tile("events a second", number(rate.now, 1)), tile("scored", number(events.scored)), tile("dead letters", number(events.dead_lettered)),
    tile("outcomes", number(events.outcome)), tile("erased", number(events.erased)), tile("ignored", number(events.ignored)), tile("waiting", number(waiting)),
    tile("latency p50 / p99", latency.p50 === null ? "–" : `${number(latency.p50)} / ${number(latency.p99)} µs`), tile("Kafka / PostgreSQL", `${up(kafka_up)} / ${up(postgresql_up)}`)];
}

function latencyCard({ bounds, counts }) {
  return card("Latency", barChart("Latency, from the client's queue to the score", counts),
    axis(`≤ ${number(bounds[0])} µs`, `≤ ${number(bounds[Math.floor(bounds.length / 2)])} µs`, `> ${number(bounds.at(-1))} µs`));
}

function riskCard({ bins, counts, threshold }) {
  const over = counts.slice(Math.floor(threshold * bins)).reduce((sum, count) => sum + count, 0);
  return card("Risks", barChart(`Scored events by risk; ${number(over)} in bins from the threshold on`, counts, threshold),
    axis("0 %", threshold === null ? "" : `threshold ${percent(threshold)}`, "100 %"));
}

function lagCard(lag) {
  const rows = lag.map((row) => [row.partition, number(row.offset), number(row.end), number(row.events), row.seconds === null ? "–" : number(row.seconds, 1)]);
  return card("Partitions", rows.length ? table("Lag per partition", ["partition", "next offset", "end", "events waiting", "seconds"], rows) : element("p", {}, "None is assigned."));
}

function deadLetterCard(letters) {
  const rows = Object.entries(letters).sort((a, b) => b[1] - a[1]).map(([code, count]) => [code, number(count)]);
  return card("Dead letters", rows.length ? table("Dead letters by code", ["code", "count"], rows) : element("p", {}, "None."));
}

function modelCard(model, models) {
  const rows = models.map((event) => [clock(event.time), event.outcome, `${event.name} ${event.version ?? ""}`, event.alias ?? "–", event.text ?? ""]);
  return card("Model", element("p", {}, model ? `${model.name} ${model.version ?? ""}${model.alias ? ` (${model.alias})` : ""} since ${clock(model.loaded_at)}` : "none"),
    model?.problem ? element("p", { class: "error" }, model.problem) : null, table("History of the model", ["time", "what", "version", "alias", "note"], rows));
}

function challengerCard(challengers) {
  const rows = challengers.map((row) => [row.model ?? row.problem ?? row.uri, number(row.scored), row.scored ? percent(row.agreement) : "–", row.scored ? number(row.mean_difference, 4) : "–"]);
  return card("Challengers", table("Challengers beside the model in use", ["model", "scored", "same answer", "mean difference"], rows));
}

export function showStream(state) {
  const about = `Process ${state.instance_id}`;
  byId("stream-state").textContent = `${about}, at ${clock(state.time)}, up for ${number(state.uptime_s / 60)} minutes.`;
  byId("tiles").replaceChildren(...tiles(state));
  byId("cards").replaceChildren(
    card("Events a second", lineChart("Events a second, of late", state.events_per_s.history), axis(`${state.events_per_s.history.length} s ago`, `top ${number(Math.max(...state.events_per_s.history, 0), 0)}`, "now")),
    riskCard(state.risk), latencyCard(state.latency_us), lagCard(state.lag), deadLetterCard(state.dead_letters), modelCard(state.model, state.models),
    ...(state.challengers.length ? [challengerCard(state.challengers)] : []));
}

// The stream at a glance, from /stream, every two seconds while it is looked at. Latency is that of the last minute: the service
// counts since its start, and what was counted a minute ago is taken off.
import { ApiError, getStream } from "./api.js";
import { histogram, rateChart } from "./charts.js";
import { address, element } from "./dom.js";
import { challengerTable, historyCard } from "./model.js";
import { empty, panel, table, tile } from "./widgets.js";
import { clock, duration, modelName, moment, number, percent, span } from "./words.js";

const EVERY_MS = 2000;
const RECENT_MS = 60000;

const card = (title, ...content) => element("section", { class: "card" }, element("h2", {}, title), ...content);
const up = (state) => (state === null || state === undefined ? "not used" : state ? "up" : "unavailable");

// The counts of the last minute; since the start, as long as nothing older is known or another process answers.
class Recent {
  constructor() { this.kept = []; }

  of({ instance_id: instance, uptime_s: uptime, latency_us: { counts } }) {
    const now = performance.now();
    if (this.instance !== instance || uptime < this.uptime) this.kept = [];
    Object.assign(this, { instance, uptime });
    this.kept.push({ at: now, counts });
    while (this.kept.length > 2 && this.kept[1].at < now - RECENT_MS) this.kept.shift();
    const before = this.kept[0];
    const recent = counts.map((count, i) => count - before.counts[i]);
    return recent.some((count) => count > 0) ? { counts: recent, when: `in the last ${span(Math.max(1, Math.round((now - before.at) / 1000)))}` } : { counts, when: "since the start" };
  }
}

function quantile(bounds, counts, share) {
  const all = counts.reduce((sum, count) => sum + count, 0);
  let sum = 0;
  for (const [i, count] of counts.entries()) {
    sum += count;
    if (all && sum >= share * all) return i < bounds.length ? `≤ ${duration(bounds[i])}` : `> ${duration(bounds.at(-1))}`;
  }
  return "–";
}

function stateTiles({ employees, partitions_restoring: restoring }) {
  return [tile("current records", number(employees)), tile("partitions being restored", number(restoring))];
}

function tiles({ events, events_per_s: rate, lag, latency_us: { bounds }, kafka_up: kafka, postgresql_up: database, state }, recent) {
  const waiting = lag.reduce((sum, { events: left }) => sum + left, 0);
  return [tile("events a second", number(rate.now, 1)), tile("scored", number(events.scored)), tile("dead letters", number(events.dead_lettered)), tile("outcomes", number(events.outcome)),
    tile("erased", number(events.erased)), tile("ignored", number(events.ignored)), tile("waiting", number(waiting)),
    tile("latency, half of them", quantile(bounds, recent.counts, 0.5), recent.when), tile("latency, 99 of 100", quantile(bounds, recent.counts, 0.99), recent.when),
    ...(state ? stateTiles(state) : []), tile("Kafka", up(kafka)), tile("PostgreSQL", up(database))];
}

function latencyCard({ latency_us: { bounds } }, { counts, when }) {
  const used = Math.max(counts.findLastIndex((count) => count > 0) + 2, 4);
  const shown = counts.slice(0, used);
  const names = [0, Math.floor(shown.length / 2), shown.length - 1].map((i) => [i === 0 ? 0 : i === shown.length - 1 ? 1 : (i + 0.5) / shown.length, i < bounds.length ? `≤ ${duration(bounds[i])}` : `> ${duration(bounds.at(-1))}`]);
  return card("Latency", histogram(`Latency ${when}, from the client's queue to the score`, shown, names), element("p", { class: "hint" }, `Events by time from the client's queue to the score, ${when}.`));
}

function riskCard({ bins, counts, threshold }) {
  const over = threshold === null ? 0 : counts.slice(Math.floor(threshold * bins)).reduce((sum, count) => sum + count, 0);
  return card("Risks", histogram(`Scored events by risk; ${number(over)} in bins from the threshold on`, counts, [[0, "0 %"], [0.5, "50 %"], [1, "100 %"]], threshold === null ? null : { at: threshold, text: `threshold ${percent(threshold)}` }));
}

function lagCard(lag) {
  const rows = lag.map((row) => [row.partition, number(row.offset), number(row.end), number(row.events), row.seconds === null ? "–" : number(row.seconds, 1)]);
  return card("Partitions", rows.length ? table("Lag per partition", ["Partition", "Next offset", "End", "Waiting", "Seconds"], rows, { className: "stacked" }) : empty("None is assigned."));
}

function deadLetterCard(letters) {
  const rows = Object.entries(letters).sort((a, b) => b[1] - a[1]).map(([code, count]) => [element("a", { href: address("dead-letters", { id: code }) }, code), number(count)]);
  return card("Dead letters", rows.length ? table("Dead letters by code", ["Code", "Since the start"], rows) : empty("None since the start."), element("p", { class: "hint" }, "A code opens its letters. ", element("a", { href: address("dead-letters") }, "All that are stored")));
}

function alertCard(words, alerts) {
  return card("Alerts", table("Alerts by kind", ["Kind", "Since the start"], Object.entries(alerts).map(([kind, count]) => [words.alertKind(kind), number(count)])));
}

function modelCard(model, models) {
  return card("Model", element("p", {}, model ? `${modelName(model)}, since ${moment(model.loaded_at)}` : "none"), model?.problem ? element("p", { class: "error" }, model.problem) : null, historyCard(models));
}

function cards(words, state, recent) {
  const { history } = state.events_per_s;
  return [card("Events a second", rateChart("Events a second, of late", history)), riskCard(state.risk), latencyCard(state, recent), lagCard(state.lag), deadLetterCard(state.dead_letters),
    ...(state.alerts ? [alertCard(words, state.alerts)] : []), modelCard(state.model, state.models),
    ...(state.challengers.length ? [card("Challengers", challengerTable(state.challengers))] : [])];
}

export function showStream(context) {
  const recent = new Recent();
  const about = element("p", { class: "hint", id: "stream-state" });
  const numbers = element("div", { id: "tiles", class: "tiles" });
  const grid = element("div", { id: "cards", class: "cards" });
  const fill = (state) => {
    const latest = recent.of(state);
    about.textContent = `Process ${state.instance_id}, at ${clock(state.time)}, up for ${span(state.uptime_s)}.`;
    numbers.replaceChildren(...tiles(state, latest));
    grid.replaceChildren(...cards(context.words, state, latest));
    context.showStamp(state.model);
  };
  const follow = async () => {
    try {
      if (!document.hidden) fill(await getStream({ signal: context.signal }));
      context.notice("");
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) context.askToken();
      context.notice(`${error.message} The numbers below are from before.`);
    }
    context.later(follow, EVERY_MS);
  };
  context.root.append(element("h1", {}, "Stream"), panel(context, null, getStream, (state) => {
    fill(state);
    context.later(follow, EVERY_MS);
    return [about, numbers, grid];
  }, { className: "stack" }));
}

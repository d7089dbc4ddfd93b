// The overview: how many are at risk, where exits are expected, whose risk has moved, and whether model and data are well.
import { getAlerts, getEmployees, getGroups, getHealth, now } from "./api.js";
import { bars, byExpected } from "./charts.js";
import { address, element } from "./dom.js";
import { alertItem, empty, panel, person, reasonText, table, tile } from "./widgets.js";
import { capital, day, modelName, number, percent, points, risk } from "./words.js";

const DAYS = 7;
const TOP = 6;
const LATEST = 200; // alerts among which the largest moves are found

function tiles(context) {
  const { words } = context;
  const unit = words.firstGrouping;
  const atRisk = panel(context, null, (options) => getEmployees({ where: "flagged=true", limit: 1 }, options),
    ({ total }) => element("a", { class: "tile-link", href: address("people", { query: { where: "flagged=true" } }) }, tile(`${words.many} at risk now`, number(total))), { className: "box" });
  const expected = unit ? panel(context, null, (options) => getGroups({ by: unit.name }, options), (answer) => expectedTile(words, answer), { className: "box" }) : null;
  return element("div", { class: "tiles three" }, atRisk, expected, panel(context, null, getHealth, (health) => healthTile(context, health), { className: "box" }));
}

// Groups do not share anybody, so the squares of their intervals' halves add up.
function expectedTile(words, { groups, horizon_days: horizon, withheld }) {
  if (!groups.length) return empty(`Expected ${words.events}: all withheld, the ${words.groups} are too small.`);
  const sum = groups.reduce((all, group) => all + group.expected_exits, 0);
  const half = (side) => Math.sqrt(groups.reduce((all, group) => all + (group[side] - group.expected_exits) ** 2, 0));
  return tile(`expected ${words.events} in ${horizon} days`, number(sum),
    `likely ${number(Math.max(sum - half("expected_low"), 0))} to ${number(sum + half("expected_high"))}${withheld ? `; ${withheld} small ${withheld === 1 ? "group" : "groups"} not counted` : ""}`);
}

function healthTile({ schema }, health) {
  const { status } = health;
  const isFine = status === "ok" || status === "ready" || status === "up";
  return element("div", { class: "tile" }, element("b", { class: isFine ? "good" : "warn" }, isFine ? "✓ well" : `! ${status ?? "unknown"}`),
    element("span", {}, "model and data"), element("small", {}, `${modelName(schema.model)}; `, element("a", { href: address("stream") }, "stream"), ", ", element("a", { href: address("model") }, "model")));
}

// The list of a group's people, where the list has a condition for it: groups of numbers may be bands.
function placeOf(unit, member) {
  if (unit.values?.includes(member)) return address("people", { query: { where: `${unit.name}=${member}` } });
  return unit.values && member === "missing" ? address("people", { query: { where: `${unit.name}=` } }) : null;
}

function groupBars(context) {
  const { words } = context;
  const unit = words.firstGrouping;
  if (!unit) return null;
  return panel(context, `Expected ${words.events} by ${unit.label.toLowerCase()}`, (options) => getGroups({ by: unit.name }, options), ({ groups, withheld, computed_at: at, is_current: isCurrent }) => [
    groups.length ? bars(`Expected ${words.events}`, byExpected(groups).map((group) => ({
      name: words.member(unit.name, group.members[unit.name]), value: group.expected_exits, low: group.expected_low, high: group.expected_high,
      href: placeOf(unit, group.members[unit.name]),
      text: number(group.expected_exits), note: `of ${number(group.employees)}`,
    }))) : empty("Every group is withheld: they are too small."),
    element("p", { class: "hint" }, `The line is the interval of 95 %. Computed ${day(at)}${isCurrent ? "" : "; today's are not there yet"}.${withheld ? ` ${withheld} withheld.` : ""} `, element("a", { href: address("teams", { query: { by: unit.name } }) }, "More")),
  ]);
}

function topPeople(context) {
  const { words } = context;
  return panel(context, "Highest risk", (options) => getEmployees({ sort: "risk", limit: TOP }, options), ({ employees }) => (employees.length
    ? table("Highest risk", [capital(words.one), "Risk", "Main reason"], employees.map((row) => [person(row.employee_id), risk(row.risk), reasonText(words, row.reasons[0])]))
    : empty(`Nobody has a score yet. Send ${words.many} to the stream, and they appear here.`)));
}

function alerts(context) {
  const { words } = context;
  const since = new Date(now() - DAYS * 86400e3).toISOString().slice(0, 10);
  const movers = element("ul", { class: "plain" });
  const title = element("h2");
  const moversCard = element("section", { class: "card", hidden: true }, title, movers);
  const latest = panel(context, "Latest alerts", (options) => getAlerts({ since, limit: LATEST }, options), ({ alerts: found, next }) => {
    title.textContent = next ? `Largest moves of the latest ${LATEST} alerts` : `Largest moves of ${DAYS} days`;
    if (!found.length) return empty(`None in the last ${DAYS} days.`);
    const moved = found.filter((alert) => alert.risk_change !== null).sort((a, b) => Math.abs(b.risk_change) - Math.abs(a.risk_change)).slice(0, TOP);
    moversCard.hidden = !moved.length;
    movers.replaceChildren(...moved.map((alert) => element("li", {}, person(alert.employee_id), " ",
      element("b", { class: alert.risk_change < 0 ? "lowers" : "raises" }, `${alert.risk_change < 0 ? "▼" : "▲"} ${points(alert.risk_change)}`), ` to ${percent(alert.after.risk)}`)));
    return element("ul", { class: "plain" }, ...found.slice(0, TOP).map((alert) => alertItem(words, alert)));
  });
  return [moversCard, latest];
}

export function showOverview(context) {
  context.root.append(element("h1", {}, "Overview"), tiles(context), element("div", { class: "cards flow" }, groupBars(context), topPeople(context), ...alerts(context)));
}

// One person: the risk and why, how it has moved and what moved it, what would change it, the record.
import { getEmployee, predict } from "./api.js";
import { riskChart } from "./charts.js";
import { address, element } from "./dom.js";
import { alertItem, counterfactualText, decision, empty, meter, panel, reasonList, table, unitHint } from "./widgets.js";
import { capital, modelName, moment, number, percent, points, utcDay } from "./words.js";

const card = (title, ...content) => element("section", { class: "card" }, element("h2", {}, title), ...content);

function head(words, row) {
  const units = words.units.filter((column) => column.kind === "nominal" && row.attributes[column.name] !== undefined).map((column) => words.value(column.name, row.attributes[column.name]));
  return element("section", { class: "card hero" },
    element("div", {}, element("p", { class: "answer" }, `${percent(row.risk)} `, decision(words, row.decision)), meter(row.risk, row.threshold),
      element("p", { class: "hint" }, `From ${percent(row.threshold)} on the answer is “at risk”. Scored ${moment(row.scored_at)} by ${modelName(row.model)}.`),
      units.length ? element("p", {}, units.join(" · ")) : null),
    element("p", {}, element("a", { class: "button", href: address("what-if", { query: { id: row.employee_id } }) }, "Try changes")));
}

function historyCard(words, row) {
  const points = [...row.history].reverse().map((score) => ({
    time: score.occurred_at, risk: score.risk, threshold: score.threshold, model: score.model.version ?? score.model.name, isOver: score.flagged,
    text: `${moment(score.occurred_at)}: ${percent(score.risk)}, model ${score.model.version ?? ""}`,
  })).sort((a, b) => new Date(a.time) - new Date(b.time));
  if (!points.length) return card("Risk over time", empty("No scores of the stream yet."));
  const first = points[0], last = points.at(-1);
  return card("Risk over time", riskChart(`Risk from ${percent(first.risk)} to ${percent(last.risk)} in ${points.length} scores`, points),
    element("p", { class: "hint" }, `Filled dots are at risk; the dashed line is the threshold; a vertical line is a new model.${row.history_total > points.length ? ` The newest ${points.length} of ${number(row.history_total)} scores.` : ""}`));
}

function changeText(words, score) {
  if (score.risk_change === null) return "first score";
  const parts = score.changed.map((change) => `${words.label(change.feature)}: ${words.value(change.feature, change.before)} → ${words.value(change.feature, change.after)}`);
  if (score.model_changed) parts.push("a new model");
  return parts.join("; ") || "nothing in the record";
}

function changesCard(words, row) {
  const rows = row.history.map((score) => [moment(score.occurred_at), percent(score.risk), score.risk_change === null ? "–" : points(score.risk_change), changeText(words, score), score.model.version ?? "–"]);
  return card("What changed", rows.length ? table("What changed", ["When", "Risk", "Change", "What", "Model"], rows, { className: "stacked" }) : empty("Nothing yet."));
}

// What people said of the decisions, and earlier exits.
function outcomeCard(words, { exits, reviews }) {
  if (!exits.length && !reviews.length) return null;
  const said = (review) => (review.overridden === null ? "under review" : review.overridden ? "overridden" : "confirmed");
  return card("Outcome and reviews", ...exits.map((at) => element("p", {}, `${capital(words.event)}: ${utcDay(at)}`)),
    reviews.length ? table("Reviews", ["When", "Decision", "Why", "By"], reviews.map((review) => [moment(review.reviewed_at), said(review), element("span", { dir: "auto" }, review.reason), review.reviewed_by]), { className: "stacked" }) : null);
}

function recordCard(context, row) {
  const { schema, words } = context;
  const groups = schema.groups.map((group) => element("div", {}, element("h3", {}, group), element("dl", {}, ...schema.attributes.filter((column) => column.group === group)
    .flatMap((column) => [element("dt", {}, column.label), element("dd", {}, words.value(column.name, row.attributes[column.name]))]))));
  return card("Record", element("div", { class: "record" }, ...groups));
}

const isSame = (model, other) => model?.name === other?.name && model?.version === other?.version;

// The record has the logged reasons; all of them come from a trial, where the model in use is the one that made the score, and
// what would change the answer always does.
function trialPanels(context, row) {
  const { schema, words } = context;
  const unit = isSame(row.model, schema.model) ? unitHint(words) : element("p", { class: "hint" }, `As logged by ${modelName(row.model)}, which made this score.`);
  const why = card("Why", unit, ...reasonList(words, row.attributes, row.reasons));
  const would = panel(context, "What would change it", (options) => predict({ attributes: row.attributes }, options), (answer) => {
    if (answer.reasons.length && isSame(row.model, answer.model)) why.replaceChildren(element("h2", {}, "Why"), unitHint(words), ...reasonList(words, row.attributes, answer.reasons));
    const now = Math.abs(answer.probability - row.risk) > 0.0005 ? `Under the model in use now the risk is ${percent(answer.probability)}, and the answer “at risk” from ${percent(answer.threshold)} on.` : null;
    return [now ? element("p", { class: "hint" }, now) : null, element("p", { id: "counterfactual" }, counterfactualText(words, answer)), element("p", { class: "hint" }, "The smallest change of one value that turns the answer; it says nothing about causes.")];
  });
  return [why, would];
}

function shown(context, row) {
  const { words } = context;
  const alerts = row.alerts.length ? card("Alerts", element("ul", { class: "plain" }, ...row.alerts.slice(0, 10).map((alert) => alertItem(words, alert, { named: false })))) : null;
  return [head(words, row), element("div", { class: "cards flow" }, historyCard(words, row), ...trialPanels(context, row), changesCard(words, row), alerts, outcomeCard(words, row)), recordCard(context, row)];
}

export function showPerson(context) {
  const { words, id } = context;
  const gone = () => empty(`Nobody has this id now: never scored, no longer a current ${words.one}, or erased.`, element("a", { href: address("people") }, `To the ${words.many}`));
  context.root.append(element("p", { class: "crumbs" }, element("a", { href: address("people") }, `‹ ${capital(words.many)}`)), element("h1", { class: "id", dir: "auto" }, id ?? ""),
    panel(context, null, (options) => getEmployee(id ?? "", options), (row) => shown(context, row), { className: "person", notFound: gone }));
}

// How well the model does: expected and realised performance, calibration, drift, fairness. Figures are the service's own, of the
// day; what is too little to say anything is said so, never drawn.
import { getQuality } from "./api.js";
import { calibrationChart } from "./charts.js";
import { element } from "./dom.js";
import { empty, panel, table } from "./widgets.js";
import { capital, day, fixed, modelName, month, moment, number, percent } from "./words.js";

const SHOWN_COLUMNS = 8;
const range = (low, high, digits = 0) => (low === null || low === undefined ? "" : `${percent(low, digits)} to ${percent(high, digits)}`);
const withRange = (value, low, high) => element("span", {}, percent(value, 0), low === null || low === undefined ? null : element("small", {}, range(low, high)));
const computed = ({ computed_at: at, is_current: isCurrent }) => element("p", { class: "hint" }, `Computed ${moment(at)}${isCurrent ? "" : "; newer figures are not there yet"}.`);

function performanceOf({ words }, answer) {
  const { figures, horizon_days: horizon, minimum_group: least } = answer;
  if (!figures.length) return [empty(`Nothing was scored of late, or fewer than ${least} ${words.many} a month.`), computed(answer)];
  const few = figures.some((row) => !row.expected.is_enough);
  return [table("Expected and realised performance by month of scoring", ["Scored in", "Model", capital(words.many), `${capital(words.events)}: expected`, "realised", "Precision: expected", "realised", "Recall: expected", "realised", "AUC: expected", "realised"],
    figures.map(({ cohort, model, employees, expected, realised }) => [`${month(cohort)}${expected.is_enough ? "" : " *"}`, model.version ?? model.name, number(employees), number(expected.exits), realised ? number(realised.exits) : "–",
      withRange(expected.precision, expected.precision_low, expected.precision_high), realised ? withRange(realised.precision, realised.precision_low, realised.precision_high) : "–",
      withRange(expected.recall, expected.recall_low, expected.recall_high), realised ? withRange(realised.recall, realised.recall_low, realised.recall_high) : "–",
      fixed(expected.auc, 2), realised ? fixed(realised.auc, 2) : "–"]), { className: "stacked" }),
  element("p", { class: "hint" }, `“Expected” holds as far as the risks are calibrated. “Realised” is known ${number(horizon)} days after scoring, once the whole horizon has passed${figures.some((row) => row.realised) ? "" : "; no month is so old yet"}.`),
  few ? element("p", { class: "hint" }, `* fewer than 30 ${words.events}, others or flagged ${words.many}: such figures say little.`) : null, computed(answer)];
}

function calibrationOf({ words, schema }, answer) {
  const { figures, minimum_group: least, horizon_days: horizon } = answer;
  const mine = figures.find(({ model }) => model.name === schema.model?.name && model.version === schema.model?.version) ?? figures[0];
  if (!mine?.bins.length) return [empty(figures.length ? `Too few: every tenth of risk has fewer than ${least} ${words.many}.` : `No outcomes yet: nobody was scored more than ${number(horizon)} days ago.`), computed(answer)];
  const exits = mine.bins.reduce((sum, bin) => sum + bin.exits, 0);
  return [calibrationChart(`Realised share by risk, of ${number(mine.employees)} ${words.many}`, mine.bins),
    element("p", { class: "hint" }, `${modelName(mine.model)}: ${number(mine.employees)} ${words.many}, ${number(exits)} ${words.events}. On the dashed line there are as many as expected; lines up and down are intervals of 95 %.${mine.withheld ? ` ${mine.withheld} tenths of risk with fewer than ${least} are withheld.` : ""}`),
    element("details", {}, element("summary", {}, "As a table"), table("Calibration", ["Risk", capital(words.many), "Expected", "Realised", "95 % interval"], mine.bins.map((bin) => [range(bin.low, bin.high), number(bin.employees), percent(bin.risk), percent(bin.share), range(bin.share_low, bin.share_high)]))), computed(answer)];
}

function driftText({ psi, psi_by_chance: chance, has_drifted: has }) {
  return element("span", { class: has ? "raises" : "" }, has ? "▲ has drifted" : psi > 0.1 && psi > chance ? "some" : "✓ none");
}

function driftOfModel({ schema }, { model, day: when, events, columns }) {
  const title = element("h3", {}, `${modelName(model)}, ${day(when)}: ${number(events)} ${events === 1 ? "score" : "scores"}`);
  if (!columns) return [title, empty("No training reference: the model's run has no drift_reference.json, or no sink has stored it.")];
  const drifted = columns.filter((column) => column.has_drifted).length;
  const rows = (part) => part.map((column) => [column.is_score ? "the risk itself" : column.label, fixed(column.psi, 3), driftText(column), fixed(column.distance, 2), `${percent(column.missing_share, 1)} (${percent(column.training_missing_share, 1)})`]);
  const heads = ["Column", "PSI", "Drift", "Shift, sd", "Missing (training)"];
  return [title, element("p", {}, drifted ? `${drifted} of ${columns.length} differ from the training table.` : `None of ${columns.length} differs from the training table beyond chance.`),
    table(`Drift of ${schema.target.label}`, heads, rows(columns.slice(0, SHOWN_COLUMNS)), { className: "stacked" }),
    columns.length > SHOWN_COLUMNS ? element("details", {}, element("summary", {}, `${columns.length - SHOWN_COLUMNS} more`), table("More columns", heads, rows(columns.slice(SHOWN_COLUMNS)), { className: "stacked" })) : null];
}

function driftOf(context, answer) {
  const { figures } = answer;
  if (!figures.length) return [empty("The stream has scored nobody for 30 days."), computed(answer)];
  return [...figures.flatMap((model) => driftOfModel(context, model)), element("p", { class: "hint" }, "PSI: below 0.1 no shift, above 0.25 a large one, unless chance explains it."), computed(answer)];
}

function fairnessOf({ words }, answer) {
  const { figures, minimum_group: least } = answer;
  if (!figures.length) return [empty(`Nothing to compare: the schema marks no attribute for it, or each group has fewer than ${least} ${words.many}.`), computed(answer)];
  const flagged = figures.filter((row) => row.disparate).length;
  return [element("p", {}, flagged ? `${flagged} ${flagged === 1 ? "ratio is" : "ratios are"} below four fifths beyond chance.` : "No ratio is below four fifths beyond chance."),
    table("Impact ratios", ["Attribute", "Group", capital(words.many), "At risk", "Ratio", "95 % interval", "Finding"], figures.map((row) => [row.label, words.member(row.feature, row.member), number(row.employees), percent(row.flagged_share),
      fixed(row.impact_ratio, 2), row.low === null ? "–" : `${fixed(row.low, 2)} to ${fixed(row.high, 2)}`, row.compared_with === null ? "the others are compared with it" : row.disparate ? element("span", { class: "raises" }, "▲ below 0.8") : "–"]), { className: "stacked" }),
    element("p", { class: "hint" }, `Ratio: the share at risk by that of the group with the largest. Groups of fewer than ${least} are withheld.`), computed(answer)];
}

const PARTS = [["performance", "Expected and realised", performanceOf, "card wide"], ["calibration", "Calibration", calibrationOf, "card"], ["drift", "Drift against training", driftOf, "card"], ["fairness", "Fairness", fairnessOf, "card wide"]];

export const qualityPanels = (context) => PARTS.map(([part, title, show, className]) =>
  panel(context, title, (options) => getQuality({ part }, options), (answer) => show(context, answer), { className, level: "h3" }));

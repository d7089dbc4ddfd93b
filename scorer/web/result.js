// What the service answered about one employee, in words and bars. Every number is the service's own.
import { byId, element, percent, signed } from "./dom.js";

const SHOWN = 8;

function reasonRow(form, attributes, widest, { feature, contribution }) {
  const { label, value } = form.describe(feature, attributes[feature]);
  const bar = element("i", { class: "bar" });
  bar.style.width = `${(50 * Math.abs(contribution)) / widest}%`;
  return element("div", { class: `reason ${contribution < 0 ? "lower" : "raise"}`, role: "listitem" },
    element("span", {}, `${label}: ${value}`), element("span", { class: "track", "aria-hidden": "true" }, bar),
    element("span", { class: "sum" }, signed(contribution)));
}

function showReasons(form, attributes, answer) {
  if (!answer.reasons.length) {
    byId("reasons").replaceChildren(element("p", {}, "This model's file has no reference values, so it gives no reasons (registry import --background adds them)."));
    return;
  }
  const widest = Math.max(...answer.reasons.map((reason) => Math.abs(reason.contribution))) || 1;
  const rows = answer.reasons.map((reason) => reasonRow(form, attributes, widest, reason));
  const list = (part) => element("div", { role: "list" }, ...part);
  const wasOpen = byId("reasons").querySelector("details")?.open;
  const rest = element("details", { open: wasOpen }, element("summary", {}, `${rows.length - SHOWN} more`), list(rows.slice(SHOWN)));
  byId("reasons").replaceChildren(list(rows.slice(0, SHOWN)), ...(rows.length > SHOWN ? [rest] : []),
    element("p", { class: "hint" }, `base ${signed(answer.base)}, raw score ${signed(answer.margin)}`));
}

function showCounterfactual(form, answer) {
  const change = answer.counterfactual;
  const text = byId("counterfactual");
  if (!change) { text.textContent = "No single change within the schema's ranges does."; return; }
  const { label, value } = form.describe(change.feature, change.value);
  text.textContent = `${label}: ${value} alone would make it ${percent(change.probability)}.`;
}

// `before` is the answer that a change is measured from, or null.
export function showResult(form, schema, attributes, answer, before, wasLogged) {
  const { target } = schema;
  const others = target.values.filter((value) => value !== target.positive);
  byId("result-empty").hidden = true;
  byId("result-body").hidden = false;
  byId("answer").textContent = `${target.label}: ${answer.prediction}, risk ${percent(answer.probability)}`;
  byId("meter").querySelector(".fill").style.width = `${100 * answer.probability}%`;
  byId("meter").querySelector(".mark").style.left = `${100 * answer.threshold}%`;
  byId("shares").textContent = `Confidence: ${target.positive} ${percent(answer.probability)}, ${others.join(", ")} ${percent(1 - answer.probability)}. `
    + `From ${percent(answer.threshold)} on the answer is ${target.positive}.`;
  byId("change").textContent = before && before.probability !== answer.probability
    ? `${percent(before.probability)} → ${percent(answer.probability)} since the last prediction` : "";
  showReasons(form, attributes, answer);
  showCounterfactual(form, answer);
  const { model } = answer;
  byId("stamp").textContent = `Model ${model.name} ${model.version ?? ""}${model.alias ? ` (${model.alias})` : ""}, ${answer.latency_us} µs, `
    + (wasLogged ? `logged as event ${answer.event_id}.` : "not logged.");
}

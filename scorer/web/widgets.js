// What pages share: a panel with an answer of its own (loading, shown, empty, refused, unavailable), tables, meters, reasons.
import { ApiError, PurposeNeeded } from "./api.js";
import { address, button, element } from "./dom.js";
import { capital, moment, percent } from "./words.js";

const SHOWN = 8;
const RETRY_S = 4;
const RETRY_MOST_S = 300;

export const empty = (text, ...more) => element("div", { class: "state" }, element("p", {}, text), ...more);
const wrong = (title, text, ...more) => element("div", { class: "state wrong", role: "status" }, element("p", {}, element("b", {}, title)), element("p", { class: "hint" }, text), ...more);

const sentence = (text) => capital(/[.!?]$/.test(text) ? text : `${text}.`);

// What stands where an answer should: what is wrong, and what to do.
function problem(context, error, again, notFound) {
  if (error instanceof PurposeNeeded) {
    context.askPurpose();
    return empty("Names are shown once you have said, at the top of the page, what you need them for.");
  }
  if (!(error instanceof ApiError)) throw error;
  const retry = button("Try again", again);
  if (error.status === 401) {
    context.askToken();
    return empty("Waiting for an access token, at the top of the page.");
  }
  if (error.status === 403) return wrong("Your token does not open this", `${sentence(error.message)} Ask whoever runs the service for a token with that scope.`);
  if (error.status === 409) return wrong("Not possible", sentence(error.message));
  if (error.status === 404) return notFound ? notFound(error) : wrong("Not available", "This service does not offer it. A service with a database does.");
  if (error.status === 0 || error.status === 503 || error.status === 429) {
    const wait = error.retryAfter ?? RETRY_S;
    context.later(again, wait * 1000);
    return wrong("Not available at the moment", `${sentence(error.message)} Asked again in ${wait} s.`, retry);
  }
  const faults = error.faults.map((fault) => `${fault.loc?.at(-1)}: ${fault.msg}`).join("; ");
  const [page, query] = location.hash.split("?");
  const afresh = error.status === 400 && query ? element("a", { class: "button", href: page }, "Start afresh") : null;
  return wrong(error.status === 400 || error.status === 422 ? "The service does not accept this question" : "That did not work", faults || error.message, afresh ?? retry);
}

// What went wrong when something was asked for on purpose.
export const failure = (error) => {
  if (!(error instanceof ApiError)) throw error;
  return wrong(error.status === 409 ? "Nothing was changed" : error.status === 403 ? "Your token does not open this" : "That did not work", sentence(error.faults.map((fault) => `${fault.loc?.at(-1)}: ${fault.msg}`).join("; ") || error.message));
};

// read(said) gives the file's parts, and says meanwhile how far it is.
export function csvButton(name, read) {
  const said = element("span", { class: "hint", role: "status" });
  const save = button("Save as CSV", async () => {
    save.disabled = true;
    said.textContent = "Reading …";
    try {
      const link = element("a", { href: URL.createObjectURL(new Blob(["\ufeff", ...await read(said)], { type: "text/csv" })), download: `${name.replaceAll(/[^\p{L}\p{N}]+/gu, "-")}.csv` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
      said.textContent = "Saved.";
    } catch (error) {
      if (error.name !== "AbortError") said.replaceChildren(failure(error));
    }
    save.disabled = false;
  }, { id: "csv" });
  return [save, said];
}

// A section that loads by itself: show(answer) gives its content. What is not current is asked for again, after growing pauses.
export function panel(context, title, load, show, { notFound, className = "card", level = "h2" } = {}) {
  const body = element("div", { "aria-busy": "true" }, element("p", { class: "hint loading" }, "Loading …"));
  const section = element("section", { class: className }, title ? element(level, {}, title) : null, body);
  let stale = null; // when what is shown was computed, where that is not current
  let pause = RETRY_S;
  const run = async () => {
    try {
      const answer = await load({ signal: context.signal });
      if (context.signal.aborted) return;
      const isStale = answer.is_current === false;
      if (!isStale || stale !== answer.computed_at) body.replaceChildren(...[show(answer)].flat().filter(Boolean));
      stale = isStale ? answer.computed_at : null;
      if (!isStale) return;
      context.later(run, pause * 1000);
      pause = Math.min(2 * pause, RETRY_MOST_S);
    } catch (error) {
      if (error.name === "AbortError" || context.signal.aborted) return;
      stale = null;
      body.replaceChildren(problem(context, error, run, notFound));
    } finally {
      body.removeAttribute("aria-busy");
    }
  };
  run();
  return section;
}

const isNumber = (value) => typeof value === "number" || /^[+−]?[\d–.,]+( %| pp| s| ms)?$/.test(value);

// Cells are texts or elements; a column of numbers is set to the right.
export function table(caption, heads, rows, { className } = {}) {
  const numeric = heads.map((_, i) => rows.some((row) => row[i] !== "–") && rows.every((row) => isNumber(row[i])));
  const cell = (tag, value, i, more = {}) => element(tag, { class: numeric[i] ? "number" : null, ...more }, value instanceof Node ? value : String(value));
  return element("div", { class: "table", tabindex: "0", role: "region", "aria-label": caption }, element("table", { class: className },
    element("thead", {}, element("tr", {}, ...heads.map((head, i) => cell("th", head, i, { scope: "col" })))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((value, i) => cell("td", value, i, { "data-head": heads[i] })))))));
}

export const tile = (name, value, note = null) => element("div", { class: "tile" }, element("b", {}, value), element("span", {}, name), note ? element("small", {}, note) : null);
export const person = (id) => element("a", { class: "id", href: address("person", { id }), dir: "auto" }, id);

export function meter(risk, threshold) {
  const fill = element("i", { class: "fill" });
  fill.style.width = `${100 * risk}%`;
  const mark = element("i", { class: "mark" });
  if (threshold !== null && threshold !== undefined) mark.style.left = `${100 * threshold}%`;
  return element("div", { class: "meter", "aria-hidden": "true" }, fill, threshold === null || threshold === undefined ? null : mark);
}

export const decision = (words, prediction) =>
  element("span", { class: `tag ${words.isPositive(prediction) ? "positive" : ""}` }, words.isPositive(prediction) ? "▲ at risk" : "not at risk");

// "Overtime: Yes", with its direction.
export function reasonText(words, reason) {
  if (!reason) return "–";
  return element("span", { class: "reason-text" }, element("span", { class: reason.contribution < 0 ? "lowers" : "raises", role: "img", "aria-label": reason.contribution < 0 ? words.lowers : words.raises },
    reason.contribution < 0 ? "▼" : "▲"), ` ${words.label(reason.feature)}: ${words.value(reason.feature, reason.value)}`);
}

function reasonRow(words, attributes, widest, { feature, contribution }) {
  const bar = element("i", { class: "bar" });
  bar.style.width = `${(50 * Math.abs(contribution)) / widest}%`;
  return element("div", { class: `reason ${contribution < 0 ? "lower" : "raise"}`, role: "listitem" },
    element("span", {}, `${words.label(feature)}: ${words.value(feature, attributes[feature])}`,
      element("small", {}, words.direction(contribution))),
    element("span", { class: "track", "aria-hidden": "true" }, bar), element("span", { class: "sum" }, words.contribution(contribution)));
}

// reasons: [{feature, contribution}], largest first. wasOpen: whether the rest is shown at once.
export function reasonList(words, attributes, reasons, wasOpen = false) {
  if (!reasons.length) return [element("p", {}, "This model's file has no reference values, so it gives no reasons (registry import --background adds them).")];
  const widest = Math.max(...reasons.map((reason) => Math.abs(reason.contribution))) || 1;
  const rows = reasons.map((reason) => reasonRow(words, attributes, widest, reason));
  const list = (part) => element("div", { role: "list" }, ...part);
  const rest = rows.length > SHOWN ? element("details", { open: wasOpen }, element("summary", {}, `${rows.length - SHOWN} more`), list(rows.slice(SHOWN))) : null;
  return [list(rows.slice(0, SHOWN)), rest].filter(Boolean);
}

export const unitHint = (words) => element("p", { class: "hint" }, `What raises the risk goes right, what lowers it left; the longer, the more. The numbers are in ${words.contributionUnit}.`);

export function counterfactualText(words, { counterfactual, prediction, threshold }) {
  if (!counterfactual) return "No single change within the schema's ranges does.";
  const then = percent(counterfactual.probability);
  const isBelow = words.isPositive(prediction);
  return `${words.label(counterfactual.feature)}: ${words.value(counterfactual.feature, counterfactual.value)} alone would make it ${isBelow && then === percent(threshold) ? "just under " : ""}${then}: ${isBelow ? "not at risk" : "at risk"}.`;
}

// One alert in words.
export function alertItem(words, alert, { named = true } = {}) {
  const driver = alert.drivers?.[0];
  return element("li", {}, named ? [person(alert.employee_id), " "] : null, element("b", {}, words.alertKind(alert.kind)),
    `: ${alert.before ? `${percent(alert.before.risk)} → ` : ""}${percent(alert.after.risk)}`,
    driver ? element("small", { dir: "auto" }, `${words.label(driver.feature)}: ${words.value(driver.feature, driver.before)} → ${words.value(driver.feature, driver.after)}`) : null,
    alert.cause === "MODEL" || alert.cause === "BOTH" ? element("small", {}, `because of ${words.alertCause(alert.cause)}`) : null, element("small", {}, moment(alert.occurred_at)));
}

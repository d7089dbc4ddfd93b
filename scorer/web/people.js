// The list of persons: search, filters, order, one page at a time by key, so that a hundred thousand are as quick as ten.
import { getEmployees, getEmployeesCsv } from "./api.js";
import { trendLine } from "./charts.js";
import { address, button, element, labelled } from "./dom.js";
import { csvButton, decision, empty, meter, panel, person, reasonText, table } from "./widgets.js";
import { capital, day, number, percent, risk } from "./words.js";

const LIMIT = 50;
const CSV_LIMIT = 1000;
const TYPING_MS = 300;

// Any change begins at the first page again, with the search as it stands in its box. isMore: of what the last change began, so
// that one step back leads before both.
function go(view, change, isMore = false) {
  const next = new URLSearchParams(view.context.query);
  view.searched = view.search.value;
  if (view.searched) next.set("q", view.searched);
  else next.delete("q");
  next.delete("cursor");
  change(next);
  const to = `#/people${next.size ? `?${next}` : ""}`;
  if (isMore) location.replace(to);
  else location.hash = to;
}

function describeFilter(words, text) {
  const [field, value] = text.split(/=(.*)/s);
  if (field === "flagged") return value === "true" ? "at risk" : "not at risk";
  return `${words.label(field)}: ${value === "" ? "not known" : words.value(field, value)}`;
}

function chips(view) {
  const { words, query } = view.context;
  const active = query.getAll("where");
  return element("p", { class: "chips" }, ...active.map((text) => button(`${describeFilter(words, text)} ✕`, () => go(view, (next) => {
    next.delete("where");
    for (const other of active) if (other !== text) next.append("where", other);
  }), { "aria-label": `Remove the filter ${describeFilter(words, text)}` })));
}

function valueControl(column) {
  if (!column.values) return element("input", { id: "filter-value", autocomplete: "off", placeholder: "3, or 30..39" });
  return element("select", { id: "filter-value" }, ...column.values.map((value) => element("option", { value }, value.replaceAll("_", " "))));
}

function filterForm(view) {
  const { schema, words } = view.context;
  const field = element("select", { id: "filter-field" }, ...schema.attributes.map((column) => element("option", { value: column.name }, column.label)));
  const holder = element("div", { class: "field" });
  const pick = () => holder.replaceChildren(element("label", { for: "filter-value" }, "is"), valueControl(schema.attributes.find((column) => column.name === field.value)));
  if (words.firstGrouping) field.value = words.firstGrouping.name;
  field.addEventListener("change", pick);
  pick();
  const form = element("form", { class: "row filters", "aria-label": "Add a filter" }, labelled("Filter by", field), holder, element("button", {}, "Add filter"), view.flagged);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    go(view, (next) => next.append("where", `${field.value}=${holder.querySelector("#filter-value").value}`));
  });
  return form;
}

function searchBox(view) {
  const box = element("input", { id: "search", type: "search", autocomplete: "off", maxlength: 256 });
  const search = () => {
    const isHere = box.isConnected && location.hash.startsWith("#/people");
    if (isHere && box.value !== view.searched) go(view, () => {}, view.context.query.has("q"));
  };
  box.addEventListener("input", () => { clearTimeout(view.timer); view.timer = setTimeout(search, TYPING_MS); });
  return box;
}

function sortBox(view) {
  const orders = [["risk", "highest risk"], ["-risk", "lowest risk"], ["employee_id", "id"], ["-scored_at", "scored last"], ...view.context.words.units.map((column) => [column.name, column.label])];
  const box = element("select", { id: "sort" }, ...orders.map(([value, text]) => element("option", { value }, text)));
  box.addEventListener("change", () => go(view, (next) => next.set("sort", box.value)));
  return box;
}

// What the address says, in the boxes; a search that is being typed is left alone.
function fillBoxes(view) {
  const { words, query } = view.context;
  const searched = query.get("q") ?? "";
  if (searched !== view.searched) {
    clearTimeout(view.timer);
    view.search.value = view.searched = searched;
  }
  const order = query.get("sort") ?? "risk";
  if (![...view.sort.options].some(({ value }) => value === order)) view.sort.append(element("option", { value: order }, `${words.label(order.replace(/^-/, ""))}${order.startsWith("-") ? ", descending" : ""}`));
  view.sort.value = order;
  view.flagged.hidden = query.getAll("where").includes("flagged=true");
}

// The last scores as a line, and in words.
function trendOf(trend, threshold) {
  if (!trend || trend.length < 2) return "–";
  const change = trend.at(-1) - trend.at(-2);
  return element("span", { class: "trend-cell" }, trendLine(trend, threshold), Math.abs(change) < 0.005 ? "→ same" : `${change < 0 ? "▼" : "▲"} from ${percent(trend.at(-2), 0)}`);
}

const bodyOf = (text) => text.slice(text.indexOf("\r\n") + 2);

// A page of CSV; asked again where the service says when.
async function csvPage(context, query, tries = 3) {
  try {
    return await getEmployeesCsv(query, { signal: context.signal });
  } catch (error) {
    if (!error.retryAfter || !tries) throw error;
    await new Promise((resolve) => { context.later(resolve, error.retryAfter * 1000); });
    return csvPage(context, query, tries - 1);
  }
}

// All pages of the list that is shown, one after the other; each look is logged.
async function allPages(context, said) {
  const asked = [["limit", CSV_LIMIT], ...[...context.query].filter(([name]) => ["q", "where", "sort"].includes(name))];
  const parts = [];
  let rows = 0;
  for (let cursor = null; ;) {
    const { text, next } = await csvPage(context, cursor ? [...asked, ["cursor", cursor]] : asked);
    parts.push(parts.length ? bodyOf(text) : text);
    rows += CSV_LIMIT;
    if (!next) break;
    said.textContent = `${number(rows)} read …`;
    cursor = next;
  }
  return parts;
}

// Two parts of the organisation, and what the question is about.
function columnsOf({ words, query }) {
  const asked = [query.get("sort") ?? "", ...query.getAll("where")].map((text) => words.columns.get(text.replace(/^-|=.*/gs, "")));
  return [...new Set([...words.units.filter((column) => column.kind === "nominal").slice(0, 2), ...asked])].filter(Boolean);
}

function rowOf(words, columns, row) {
  return [person(row.employee_id), element("span", { class: "risk" }, element("b", {}, risk(row.risk)), meter(row.risk, row.threshold)), decision(words, row.decision), trendOf(row.trend, row.threshold), reasonText(words, row.reasons[0]),
    ...columns.map((column) => words.value(column.name, row.attributes[column.name])), day(row.scored_at)];
}

function listed(context, { employees, total, next }) {
  const { words, query } = context;
  const isFiltered = query.has("q") || query.has("where");
  if (!employees.length) return empty(isFiltered ? `No ${words.one} matches.` : `Nobody has a score yet. Send ${words.many} to the stream, and they appear here.`,
    isFiltered ? element("a", { href: address("people") }, `All ${words.many}`) : null);
  const columns = columnsOf(context);
  const paged = new URLSearchParams(query);
  if (next) paged.set("cursor", next);
  return [element("div", { class: "row between" }, element("span", { class: "hint", role: "status" }, total === null ? `${employees.length} more` : `${number(total)} ${total === 1 ? words.one : words.many}`), element("span", {}, ...csvButton(words.many, (said) => allPages(context, said)))),
    table(capital(words.many), ["Id", "Risk", "Decision", "Trend", "Main reason", ...columns.map((column) => column.label), "Scored"], employees.map((row) => rowOf(words, columns, row)), { className: "people" }),
    element("p", { class: "row pager" }, query.has("cursor") ? button("‹ Back", () => history.back()) : null, next ? element("a", { class: "button", id: "next", href: `#/people?${paged}` }, "Next ›") : null)];
}

// Up and down go from name to name, / to the search.
function keys(context, list) {
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input, select, textarea");
    if (event.key === "/" && !isTyping) { event.preventDefault(); context.root.querySelector("#search").focus(); return; }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || (isTyping && event.target.id !== "search") || event.target.tagName === "SELECT") return;
    const names = [...list.querySelectorAll("tbody a.id")];
    const at = names.indexOf(document.activeElement);
    if (at < 0 && step < 0) return;
    names[at + step]?.focus();
    if (names.length) event.preventDefault();
  }, { signal: context.signal });
}

// The list that the address asks for. The boxes stay as they are, with focus, caret and what is being typed.
function showList(view, context) {
  view.context = context;
  fillBoxes(view);
  const asked = [["limit", LIMIT], ["trend", "true"], ...[...context.query].filter(([name]) => ["q", "where", "sort", "cursor"].includes(name))];
  const list = panel(context, null, (options) => getEmployees(asked, options), (answer) => listed(context, answer));
  for (const node of view.shown) node.remove();
  view.shown = [chips(view), list];
  context.root.append(...view.shown);
  keys(context, list);
}

export function showPeople(context) {
  const { words } = context;
  const view = { context, searched: "", shown: [] };
  Object.assign(view, { search: searchBox(view), sort: sortBox(view), flagged: button("At risk only", () => go(view, (next) => next.append("where", "flagged=true"))) });
  context.root.append(element("h1", {}, capital(words.many)), element("div", { class: "row tools" }, labelled(`Search by ${words.one} id`, view.search), labelled("Order", view.sort)), filterForm(view));
  showList(view, context);
  return (next) => showList(view, next);
}

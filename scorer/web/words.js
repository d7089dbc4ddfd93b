// How things are called and written. Names of things come from the schema (its labels and its "words"), so that the page reads
// right in any domain; numbers, shares and times are written as people write them.

const DASH = "–";
const MINUS = "−";

export const number = (value, digits = 0) =>
  value === null || value === undefined ? DASH : value.toLocaleString("en", { maximumFractionDigits: digits }).replace("-", MINUS);
export const percent = (share, digits = 1) => (share === null || share === undefined ? DASH : `${number(100 * share, digits)} %`);
export const risk = (share) => `${(100 * share).toFixed(1)} %`; // in a column: one under the other
export const fixed = (value, digits) => (value === null || value === undefined ? DASH : value.toFixed(digits)); // figures of a measure, one under the other
const sign = (value) => (value < 0 ? MINUS : "+");
export const signed = (value, digits = 2) => sign(value) + Math.abs(value).toFixed(digits);
export const points = (change) => `${signed(100 * change, 1)} pp`; // of two shares: percentage points
export const capital = (text) => text.charAt(0).toLocaleUpperCase("en") + text.slice(1);

// Microseconds, in the unit that leaves a number one can read.
export function duration(us) {
  if (us === null || us === undefined) return DASH;
  if (us >= 1e6) return `${number(us / 1e6, us < 1e7 ? 1 : 0)} s`;
  return `${number(us / 1e3, us < 1e4 ? 2 : 0)} ms`;
}

export function span(seconds) {
  if (seconds < 120) return `${number(seconds)} s`;
  if (seconds < 7200) return `${number(seconds / 60)} minutes`;
  return seconds < 172800 ? `${number(seconds / 3600)} hours` : `${number(seconds / 86400)} days`;
}

const asDate = (time) => { const date = new Date(time); return time && !Number.isNaN(date.getTime()) ? date : null; };
export const clock = (time) => asDate(time)?.toLocaleTimeString("en-GB") ?? DASH;
export const day = (time) => asDate(time)?.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" }) ?? DASH;
export const utcDay = (time) => asDate(time)?.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" }) ?? DASH; // of a date alone
export const month = (time) => asDate(time)?.toLocaleDateString("en-GB", { month: "short", year: "numeric", timeZone: "UTC" }) ?? DASH;
export const moment = (time) => asDate(time)?.toLocaleString("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" }) ?? DASH;

export const modelName = (model) => (model ? `${model.name} ${model.version ?? ""}${model.alias ? ` (${model.alias})` : ""}`.trim() : "none");

export class Words {
  constructor(schema) {
    this.schema = schema;
    this.columns = new Map(schema.attributes.map((column) => [column.name, column]));
    const label = schema.target.label;
    const given = Object.fromEntries(Object.entries(schema.words ?? {}).filter(([, word]) => typeof word === "string"));
    Object.assign(this, { one: "record", many: "records", group: "group", groups: "groups", event: label, events: label, risk: `${label} risk` }, given);
    this.inLogOdds = schema.margin !== "probability";
  }

  label(name) { return this.columns.get(name)?.label ?? name; }

  value(name, value) {
    const column = this.columns.get(name);
    if (value === null || value === undefined) return "not known";
    if (column?.value_labels && column.range && !column.values) return column.value_labels[value - column.range[0]] ?? String(value);
    if (typeof value === "number") return number(value, 2);
    return typeof value === "object" ? JSON.stringify(value) : String(value).replaceAll("_", " ");
  }

  // A group of /groups and /model/quality: of a number it is a band, "30000 to under 60000".
  member(name, member) {
    const column = this.columns.get(name);
    if (member === "missing" && !column?.values?.includes(member)) return "not known";
    return column?.kind === "numeric" ? member.replace(/\d+(\.\d+)?/g, (digits) => number(Number(digits), 2)) : this.value(name, member);
  }

  // A contribution, or a sum of them.
  contribution(value) { return this.inLogOdds ? signed(value) : points(value); }

  get contributionUnit() { return this.inLogOdds ? "log-odds" : "percentage points (pp)"; }
  get raises() { return "raises the risk"; }
  get lowers() { return "lowers the risk"; }
  direction(contribution) { return contribution < 0 ? `▼ ${this.lowers}` : `▲ ${this.raises}`; }

  isPositive(prediction) { return prediction === this.schema.target.positive; }
  decision(prediction) { return this.isPositive(prediction) ? "at risk" : "not at risk"; }

  alertKind(kind) {
    return { FIRST: "first score: at risk", CROSSED_UP: "now at risk", CROSSED_DOWN: "no longer at risk", MOVED: "risk has moved" }[kind] ?? kind;
  }

  alertCause(cause) {
    return { RECORD: `the ${this.one}'s data`, MODEL: "a new model", BOTH: "data and a new model" }[cause] ?? "";
  }

  // What /groups may be asked by, and the parts of the organisation among it: what the schema marks.
  get groupings() { return this.schema.attributes.filter((column) => column.groupable); }
  get units() { return this.schema.attributes.filter((column) => column.unit); }
  get firstGrouping() { return this.units.find((column) => column.kind === "nominal") ?? this.groupings[0]; }
}

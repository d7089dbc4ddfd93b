// Making elements: element("p", {class: "hint"}, "text", child). Text is always text, never markup.

export const byId = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export const element = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
export const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

export const percent = (share) => `${(100 * share).toLocaleString("en", { maximumFractionDigits: 1 })} %`;
export const number = (value, digits = 0) =>
  value === null || value === undefined ? "–" : value.toLocaleString("en", { maximumFractionDigits: digits });
export const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);

export function table(caption, heads, rows) {
  const isNumber = (value) => typeof value === "number" || /^[\d–.,]+$/.test(value);
  const cell = (tag, value, sample, more = {}) => element(tag, { class: isNumber(sample) ? "number" : null, ...more }, String(value));
  return element("table", { "aria-label": caption },
    element("thead", {}, element("tr", {}, ...heads.map((head, i) => cell("th", head, rows[0]?.[i] ?? "", { scope: "col" })))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((value) => cell("td", value, value))))));
}

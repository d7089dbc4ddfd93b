// The form, made from /schema: a control a column, grouped, with its error beside it. It reads and writes values as JSON has
// them (null: not known) and knows nothing of what they mean.
import { byId, element } from "./dom.js";

const SLIDER_STEPS = 200; // a range of more values than this is better typed

const idOf = (name) => `field-${name.replace(/\W/g, "_")}`;

function numberControl(column, id) {
  const [low, high] = column.range ?? [null, null];
  const step = column.step ?? "any";
  const box = element("input", { id, type: "number", inputmode: column.step ? "numeric" : "decimal", min: low, max: high, step });
  const isSlider = low !== null && high !== null && column.step && (high - low) / column.step <= SLIDER_STEPS;
  if (!isSlider) return { box, node: box };
  const middle = column.default ?? (low + high) / 2;
  const slider = element("input", { type: "range", min: low, max: high, step, value: middle, "aria-label": `${column.label}, slider` });
  slider.addEventListener("input", () => { box.value = slider.value; });
  box.addEventListener("input", () => { if (box.value !== "") slider.value = box.value; });
  return { box, slider, node: element("div", { class: "pair" }, slider, box), reset: () => { slider.value = middle; } };
}

function choices(column) {
  if (column.values) return column.values.map((value) => [value, value.replaceAll("_", " ")]);
  return column.value_labels.map((label, i) => [column.range[0] + i, `${column.range[0] + i}: ${label}`]);
}

function selectControl(column, id) {
  const options = choices(column).map(([value, text]) => element("option", { value: JSON.stringify(value) }, text));
  const box = element("select", { id }, element("option", { value: "" }, "not known"), ...options);
  return { box, node: box };
}

function makeField(column) {
  const id = idOf(column.name);
  const isSelect = column.values || (column.value_labels && column.range);
  const control = isSelect ? selectControl(column, id) : numberControl(column, id);
  control.isSelect = Boolean(isSelect);
  control.error = element("p", { class: "error", id: `${id}-error` });
  control.box.setAttribute("aria-describedby", `${id}-error`);
  if (column.required) control.box.setAttribute("aria-required", "true");
  control.field = element("div", { class: "field" },
    element("label", { for: id, title: column.doc }, column.label + (column.required ? " (required)" : "")), control.node, control.error);
  return control;
}

function readControl(control) {
  const text = control.box.value;
  if (control.box.validity.badInput) return "not a number";
  if (text === "") return null;
  return control.isSelect ? JSON.parse(text) : Number(text);
}

function writeControl(control, value) {
  const isNull = value === null || value === undefined;
  control.box.value = isNull ? "" : control.isSelect ? JSON.stringify(value) : value;
  if (control.slider && !isNull) control.slider.value = value;
  else if (control.slider) control.reset();
  // A select has no option for a value outside the schema: it is kept as one, so that the service can say what is wrong with it.
  if (!isNull && control.isSelect && control.box.value === "") {
    control.box.append(element("option", { value: JSON.stringify(value) }, String(value)));
    control.box.value = JSON.stringify(value);
  }
}

export class Form {
  constructor(schema) {
    this.columns = schema.attributes;
    this.controls = new Map(this.columns.map((column) => [column.name, makeField(column)]));
    this.extra = {}; // pasted attributes that the schema does not have: sent too, so that the service names them
    const groups = schema.groups.map((group) => element("fieldset", {}, element("legend", {}, group),
      ...this.columns.filter((column) => column.group === group).map((column) => this.controls.get(column.name).field)));
    byId("fields").replaceChildren(...groups);
  }

  read() {
    const attributes = { ...this.extra };
    for (const [name, control] of this.controls) {
      const value = readControl(control);
      if (value !== null) attributes[name] = value;
    }
    const id = byId("employee-id").value;
    return id ? { employee_id: id, attributes } : { attributes };
  }

  write(attributes) {
    this.extra = Object.fromEntries(Object.entries(attributes).filter(([name]) => !this.controls.has(name)));
    for (const [name, control] of this.controls) writeControl(control, attributes[name]);
  }

  // Each fault goes beside its control; those without one are returned.
  showFaults(faults) {
    const others = [];
    for (const control of this.controls.values()) {
      control.error.textContent = "";
      control.box.removeAttribute("aria-invalid");
      delete control.field.dataset.bad;
    }
    for (const fault of faults) {
      const control = this.controls.get(fault.loc.at(-1));
      if (!control) { others.push(`${fault.loc.slice(1).join(" › ")}: ${fault.msg}`); continue; }
      control.error.textContent = fault.msg;
      control.box.setAttribute("aria-invalid", "true");
      control.field.dataset.bad = "";
    }
    return others;
  }

  focusFault() {
    for (const control of this.controls.values()) if ("bad" in control.field.dataset) { control.box.focus(); return; }
  }
}

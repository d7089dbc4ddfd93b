// The model in use: what it is, how it did in training, what came before, and the challengers beside it.
import { getSchema, getStream } from "./api.js";
import { element } from "./dom.js";
import { empty, panel, table } from "./widgets.js";
import { modelName, moment, number, percent } from "./words.js";

const card = (title, ...content) => element("section", { class: "card" }, element("h2", {}, title), ...content);
const facts = (rows) => element("dl", {}, ...rows.filter(([, value]) => value !== null && value !== undefined).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));

function cardOf(words, { model, card: about, threshold, digest, margin }) {
  if (!model) return empty("There is no model yet. Train one, or import one, and give it the alias that the service follows.");
  return facts([["Name", model.name], ["Version", model.version], ["Alias", model.alias ?? "none: pinned"], ["Run", model.run_id],
    ["Kind", about.trees ? `${number(about.trees)} trees` : "linear (logistic regression)"], ["Inputs", `${number(about.inputs)} of the schema's columns`],
    ["Answer", `“${words.schema.target.positive}” from ${percent(threshold)} on`], ["Reasons", about.reasons ? `yes, in ${margin === "probability" ? "percentage points" : "log-odds"}` : "none: the file has no reference"], ["Columns' digest", digest]]);
}

function metricsCard({ card: about }) {
  const metrics = Object.entries(about?.metrics ?? {}).filter(([, value]) => typeof value === "number");
  return metrics.length ? table("Metrics of the training", ["Metric", "Value"], metrics.map(([name, value]) => [name.replaceAll("_", " "), number(value, 3)])) : empty("The model's file holds no metrics of its training.");
}

export function historyCard(models) {
  return models.length ? table("What happened to the model", ["When", "What", "Model", "Note"], models.map((event) => [moment(event.time), event.outcome, modelName(event), event.text ?? ""])) : empty("Nothing since this process began.");
}

export function challengerTable(challengers) {
  return table("Challengers beside the model in use", ["Model", "Scored", "Same answer", "Mean difference"],
    challengers.map((row) => [row.model ?? row.problem ?? row.uri, number(row.scored), row.scored ? percent(row.agreement) : "–", row.scored ? number(row.mean_difference, 4) : "–"]));
}

export function showModel(context) {
  const { words } = context;
  context.root.append(element("h1", {}, "Model"), element("div", { class: "cards" },
    panel(context, "In use", getSchema, (schema) => cardOf(words, schema)),
    panel(context, "In training", getSchema, metricsCard),
    panel(context, "Since this process began", getStream, ({ models, model }) => [model?.problem ? element("p", { class: "error" }, model.problem) : null, historyCard(models)]),
    panel(context, "Challengers", getStream, ({ challengers }) => (challengers.length ? challengerTable(challengers) : empty("None. CHALLENGER_URIS names models to score beside this one.")))));
}

// The model in use: what it is, how it does, the versions beside it and, for those who may, moving the alias; asked twice.
import { getModel, getSchema, getStream, moveAlias } from "./api.js";
import { button, element } from "./dom.js";
import { qualityPanels } from "./quality.js";
import { empty, failure, panel, table } from "./widgets.js";
import { day, fixed, modelName, moment, number, percent, signed } from "./words.js";

const METRICS = ["roc_auc", "pr_auc", "log_loss", "brier", "accuracy", "precision", "recall", "f1"];
const FOLLOW_MS = 1000;
const FOLLOW_TURNS = 30;

const facts = (rows) => element("dl", {}, ...rows.filter(([, value]) => value !== null && value !== undefined).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));

function cardOf(words, { model, card: about, threshold, digest, margin }) {
  if (!model) return empty("There is no model yet. Train one, or import one, and give it the alias that the service follows.");
  return facts([["Name", model.name], ["Version", model.version], ["Alias", model.alias ?? "none: pinned"], ["Run", model.run_id],
    ["Kind", about.trees ? `${number(about.trees)} trees` : "linear (logistic regression)"], ["Inputs", `${number(about.inputs)} of the schema's columns`],
    ["Answer", `“${words.schema.target.positive}” from ${percent(threshold)} on`], ["Reasons", about.reasons ? `yes, in ${margin === "probability" ? "percentage points" : "log-odds"}` : "none: the file has no reference"], ["Columns' digest", digest]]);
}

function metricsCard({ card: about }) {
  const metrics = Object.entries(about?.metrics ?? {}).filter(([, value]) => typeof value === "number");
  return metrics.length ? table("Metrics of the training", ["Metric", "Value"], metrics.map(([name, value]) => [name.replaceAll("_", " "), fixed(value, 3)])) : empty("The model's file holds no metrics of its training.");
}

export function historyCard(models) {
  return models.length ? table("What happened to the model", ["When", "What", "Model", "Note"], models.map((event) => [moment(event.time), event.outcome, modelName(event), event.text ?? "–"]), { className: "stacked" }) : empty("Nothing since this process began.");
}

export function challengerTable(challengers) {
  return table("Challengers beside the model in use", ["Model", "Scored", "Same answer", "Mean difference"],
    challengers.map((row) => [row.model ?? row.problem ?? row.uri, number(row.scored), row.scored ? percent(row.agreement) : "–", row.scored ? number(row.mean_difference, 4) : "–"]));
}

const metricsOf = (model, version) => model.versions.find((each) => each.version === version)?.metrics ?? {};

// The next version's metrics beside those of the one it replaces.
function beside(model, next) {
  const [now, then] = [metricsOf(model, model.version), metricsOf(model, next)];
  const names = METRICS.filter((name) => typeof then[name] === "number");
  return names.length ? table("Metrics of the training, side by side", ["Metric", `Version ${next}`, `Version ${model.version}`, "Difference"], names.map((name) => [name.replaceAll("_", " "), fixed(then[name], 3),
    fixed(now[name], 3), typeof now[name] === "number" ? signed(then[name] - now[name], 3) : "–"])) : element("p", { class: "hint" }, "Its run holds no metrics to compare.");
}

// Until this process uses the version, as /stream says.
function follow(context, version, said, turns = FOLLOW_TURNS) {
  context.later(async () => {
    const { model } = await getStream({ signal: context.signal }).catch(() => ({ model: null }));
    if (context.signal.aborted) return;
    if (model?.version === version) {
      context.showStamp(model);
      said.textContent += ` The stream uses version ${version} now.`;
    } else if (turns) {
      follow(context, version, said, turns - 1);
    } else {
      said.textContent += " The stream does not use it yet; what it says of the model stands below.";
    }
  }, FOLLOW_MS);
}

// Two questions, then the request; `replaces` makes sure that nobody was faster.
function ask(context, place, model, next, isRollback, done) {
  const close = () => place.replaceChildren();
  const wanted = isRollback ? `Roll back to version ${next}` : `Promote version ${next}`;
  const send = async () => {
    place.replaceChildren(element("p", { role: "status" }, "Loading the version and moving the alias …"));
    try {
      const moved = await moveAlias(isRollback ? "rollback" : "promote", { replaces: model.version, ...(isRollback ? {} : { version: next }) }, { signal: context.signal });
      const said = element("p", { class: "notice calm", role: "status" }, `${moved.name}@${moved.alias} is version ${moved.version} now; before: version ${moved.before}.`);
      follow(context, moved.version, said);
      done(said);
    } catch (error) {
      if (error.name !== "AbortError") place.replaceChildren(failure(error), button("Close", close));
    }
  };
  const show = (text, more, act, name) => {
    const first = button(name, act, { class: "primary" });
    place.replaceChildren(element("section", { class: "notice ask", role: "group", "aria-label": wanted }, element("p", {}, text), more, element("div", { class: "row" }, first, button("Cancel", close))));
    first.focus();
  };
  const again = () => show(`From then on every score and alert comes from version ${next}. Do it now?`, null, send, `${wanted} now`);
  show(`${wanted}: it replaces version ${model.version} of ${model.name}@${model.alias}, for everybody who follows this alias.`, beside(model, next), again, "Go on");
}

function versionTable(context, place, model, done) {
  const act = (row) => (row.version === model.version ? element("b", {}, "in use") : row.gone ? "file is gone" : model.version === null ? "–"
    : button("Promote …", () => ask(context, place, model, row.version, false, done), { "aria-label": `Promote version ${row.version} …` }));
  return table("Versions", ["Version", "Made", "Aliases", "AUC", ""], model.versions.map((row) => [row.version, day(row.created_at), row.aliases.join(", ") || "–", fixed(row.metrics.roc_auc, 3), act(row)]), { className: "stacked" });
}

function versions(context, said) {
  const holder = element("div");
  const place = element("div", { id: "move" });
  const load = (after) => holder.replaceChildren(panel(context, "Versions", getModel, (model) => [after, place, model.versions.length ? versionTable(context, place, model, again) : empty("No version is registered."),
    model.before ? element("p", { class: "row" }, button(`Roll back to version ${model.before} …`, () => ask(context, place, model, model.before, true, again), { id: "rollback" })) : null,
    model.history.length ? element("details", {}, element("summary", {}, "Who moved the alias"), table("Moves of the alias", ["When", "From", "To", "By"],
      model.history.map((move) => [moment(move.at), move.from ?? "nothing", `${move.version}${move.rollback ? " (rolled back)" : ""}`, move.by ?? "–"]), { className: "stacked" })) : null]));
  function again(text) { place.replaceChildren(); load(text); }
  load(said);
  return holder;
}

export function showModel(context) {
  const { words } = context;
  context.root.append(element("h1", {}, "Model"), element("div", { class: "cards" },
    panel(context, "In use", getSchema, (schema) => cardOf(words, schema)), versions(context, null)),
  element("h2", {}, "How well it does"), element("div", { class: "cards" }, ...qualityPanels(context)),
  element("h2", {}, "Training, challengers, events"), element("div", { class: "cards" },
    panel(context, "In training", getSchema, metricsCard),
    panel(context, "Challengers", getStream, ({ challengers }) => (challengers.length ? challengerTable(challengers) : empty("None. CHALLENGER_URIS names models to score beside this one."))),
    panel(context, "Since this process began", getStream, ({ models, model }) => [model?.problem ? element("p", { class: "error" }, model.problem) : null, historyCard(models)])));
}

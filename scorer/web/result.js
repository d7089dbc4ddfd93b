// What the service answered about one trial, in words and bars. Every number is the service's own.
import { byId, element } from "./dom.js";
import { counterfactualText, reasonList, unitHint } from "./widgets.js";
import { capital, duration, modelName, percent } from "./words.js";

// `before` is {probability, text}: the answer that a change is measured from, or null.
export function showResult(words, attributes, answer, before, wasLogged) {
  const { target } = words.schema;
  const others = target.values.filter((value) => value !== target.positive);
  for (const id of ["result-head", "result-body"]) byId(id).hidden = false;
  byId("result-empty").hidden = true;
  byId("answer").textContent = `${capital(words.risk)} ${percent(answer.probability)}: ${words.decision(answer.prediction)}`;
  byId("meter").querySelector(".fill").style.width = `${100 * answer.probability}%`;
  byId("meter").querySelector(".mark").style.left = `${100 * answer.threshold}%`;
  byId("shares").textContent = `${target.label}: ${answer.prediction}. Confidence: ${target.positive} ${percent(answer.probability)}, ${others.join(", ")} ${percent(1 - answer.probability)}. `
    + `From ${percent(answer.threshold)} on the answer is ${target.positive}.`;
  byId("change").textContent = before && before.probability !== answer.probability ? `${percent(before.probability)} → ${percent(answer.probability)} ${before.text}` : "";
  const wasOpen = byId("reasons").querySelector("details")?.open;
  byId("reasons").replaceChildren(unitHint(words), ...reasonList(words, attributes, answer.reasons, wasOpen),
    ...(answer.reasons.length ? [element("p", { class: "hint" }, `Base ${words.inLogOdds ? words.contribution(answer.base) : percent(answer.base)} and all reasons add up to ${words.inLogOdds ? `the raw score ${words.contribution(answer.margin)}` : percent(answer.margin)}.`)] : []));
  byId("counterfactual").textContent = counterfactualText(words, answer);
  byId("stamp").textContent = `Model ${modelName(answer.model)}, in ${duration(answer.latency_us)}, ${wasLogged ? `logged as event ${answer.event_id}.` : "not logged."}`;
}

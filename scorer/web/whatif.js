// What if: a form of the schema's columns, started from a sample or from a person's present record; every change is scored at once.
import { ApiError, PurposeNeeded, getEmployee, keepTrial, keptTrial, predict } from "./api.js";
import { byId, element } from "./dom.js";
import { Form } from "./form.js";
import { showResult } from "./result.js";
import { capital } from "./words.js";

const TRY_AFTER_MS = 150;
const RETRY_S = 4;

class Trial {
  constructor(context) {
    this.context = context;
    this.form = new Form(context.schema, context.words);
    this.fills = 0;
    this.last = null; // what a change is measured from: {probability, text}
    this.isFixed = false; // … the present of a person
  }

  showFaults(faults, isSubmit) {
    const others = this.form.showFaults(faults);
    byId("summary").toggleAttribute("data-stale", faults.length > 0);
    byId("result-stale").textContent = faults.length ? "Some values have faults; what stands here is from before." : "";
    byId("form-errors").hidden = !others.length;
    byId("form-errors").replaceChildren(...others.map((text) => element("p", {}, text)));
    if (isSubmit) this.form.focusFault();
  }

  async run(isSubmit) {
    const { context } = this;
    this.current?.abort();
    this.current = new AbortController();
    const body = this.form.read();
    try {
      const answer = await predict(body, { log: isSubmit, signal: AbortSignal.any([this.current.signal, context.signal]) });
      context.notice("");
      this.showFaults([], false);
      showResult(context.words, body.attributes, answer, isSubmit && !this.isFixed ? null : this.last, isSubmit);
      if (!this.last || (isSubmit && !this.isFixed)) this.last = { probability: answer.probability, text: this.isFixed ? "against the present" : isSubmit ? "since the last prediction" : "since the start" };
      context.showStamp(answer.model);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 422) this.showFaults(error.faults, isSubmit);
      else this.fail(error, isSubmit ? null : () => this.run(false));
    }
  }

  // again: what is done by itself as soon as the service may be there.
  fail(error, again) {
    const { context } = this;
    byId("summary").toggleAttribute("data-stale", true);
    byId("result-stale").textContent = "This could not be scored; what stands here is from before.";
    if (error.status === 401) { context.askToken(); return; }
    const wait = again && [0, 429, 503].includes(error.status) ? error.retryAfter ?? RETRY_S : 0;
    context.notice(error.status === 403 ? `${error.message} Your token does not open this page.` : `${error.message}${wait ? ` Asked again in ${wait} s.` : ""}`);
    if (!wait) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(again, wait * 1000);
  }

  keep() { keepTrial(location.hash, { ...this.form.read(), sample: byId("sample").value }); }

  tryLater() {
    this.keep();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.run(false), TRY_AFTER_MS);
  }

  fillFrom(attributes, id) {
    this.fills++;
    this.loading?.abort();
    byId("fields").inert = false;
    byId("employee-id").value = id ?? "";
    this.last = null;
    this.isFixed = false;
    this.form.write(attributes);
    this.tryLater();
  }

  // What was kept of an earlier trial: changes of the sample or record that it began with.
  fillKept(kept) {
    if (!kept) return;
    byId("employee-id").value = kept.employee_id ?? "";
    this.form.write(kept.attributes);
    this.tryLater();
  }

  // Until the record and what was kept of it are there the form takes nothing, which they would overwrite.
  async fillPresent(id, kept = null) {
    const { context } = this;
    byId("fields").inert = true;
    this.loading?.abort();
    this.loading = new AbortController();
    try {
      const row = await getEmployee(id, { signal: AbortSignal.any([this.loading.signal, context.signal]) });
      byId("sample").options[0].textContent = `the present record of ${id}`;
      byId("sample").value = "";
      this.fillFrom(row.attributes, id);
      this.isFixed = true;
      if (!kept) return;
      const { fills } = this;
      byId("fields").inert = true;
      clearTimeout(this.timer);
      await this.run(false); // what the kept changes are measured from
      if (context.signal.aborted || fills !== this.fills) return;
      byId("fields").inert = false;
      this.fillKept(kept);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error instanceof PurposeNeeded) { context.askPurpose(); return; }
      if (!(error instanceof ApiError)) throw error;
      byId("fields").inert = [0, 429, 503].includes(error.status);
      if (error.status === 404) context.notice("Nobody has this id now. Start from a sample, or fill the form.");
      else this.fail(error, () => this.fillPresent(id, kept));
    }
  }
}

function usePasted(trial) {
  try {
    const given = JSON.parse(byId("paste-text").value);
    const isWrapped = typeof given?.attributes === "object" && given.attributes !== null;
    const attributes = isWrapped ? given.attributes : given;
    if (typeof attributes !== "object" || attributes === null || Array.isArray(attributes)) throw new SyntaxError("an object is wanted");
    trial.fillFrom(attributes, isWrapped ? given.employee_id : "");
    byId("paste-error").textContent = "";
  } catch (error) {
    byId("paste-error").textContent = `This is no JSON object: ${error.message}`;
  }
}

function wire(trial, samples, present) {
  byId("employee").addEventListener("input", (event) => { if (event.target.closest("#fields")) trial.tryLater(); });
  byId("employee-id").addEventListener("input", () => trial.keep());
  byId("employee").addEventListener("submit", (event) => { event.preventDefault(); if (byId("fields").inert) return; clearTimeout(trial.timer); trial.run(true); });
  byId("sample").addEventListener("change", ({ target }) => {
    if (target.value === "" && present) trial.fillPresent(present);
    else trial.fillFrom(target.value === "" ? {} : samples[target.value].attributes);
  });
  byId("paste-open").addEventListener("click", () => { byId("paste").hidden = false; byId("paste-text").focus(); });
  byId("paste-close").addEventListener("click", () => { byId("paste").hidden = true; byId("paste-open").focus(); });
  byId("paste-use").addEventListener("click", () => usePasted(trial));
  trial.context.signal.addEventListener("abort", () => clearTimeout(trial.timer));
}

export function showWhatIf(context) {
  const { schema, words, root, query } = context;
  root.append(byId("what-if").content.cloneNode(true));
  byId("employee-id-label").textContent = `${capital(words.one)} id (optional)`;
  const trial = new Trial(context);
  byId("sample").append(...schema.samples.map((sample, i) => element("option", { value: i }, sample.name)));
  wire(trial, schema.samples, query.get("id"));
  const kept = keptTrial(location.hash);
  if (query.get("id")) { trial.fillPresent(query.get("id"), kept); return; }
  const sample = kept?.sample ?? (schema.samples.length ? "0" : "");
  byId("sample").value = sample;
  if (kept) trial.fillKept(kept);
  else if (sample !== "") trial.fillFrom(schema.samples[sample].attributes);
}

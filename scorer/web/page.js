// Starts the page and ties form, result and stream to the service. No rule about employees or models lives here.
import { ApiError, getSchema, getStream, predict, setToken } from "./api.js";
import { byId, element } from "./dom.js";
import { Form } from "./form.js";
import { showResult } from "./result.js";
import { showStream } from "./stream.js";

const TRY_AFTER_MS = 150;
const STREAM_EVERY_MS = 2000;
const RETRY_MS = 3000;

let schema = null;
let form = null;
let last = null; // the last answer that was asked for by the button
let trial = null; // the request under way
let timer = 0;

function notice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = !text;
}

function showError(error) {
  if (error.status === 401) {
    byId("token").hidden = false;
    byId("token-value").focus();
    return;
  }
  notice(error.message);
}

function showFaults(faults, isSubmit) {
  const others = form.showFaults(faults);
  byId("result").toggleAttribute("data-stale", faults.length > 0);
  byId("result-stale").textContent = faults.length ? "Some values have faults; what stands here is from before." : "";
  byId("form-errors").hidden = !others.length;
  byId("form-errors").replaceChildren(...others.map((text) => element("p", {}, text)));
  if (isSubmit) form.focusFault();
}

async function run(isSubmit) {
  trial?.abort();
  trial = new AbortController();
  const body = form.read();
  try {
    const answer = await predict(body, { log: isSubmit, signal: trial.signal });
    notice("");
    showFaults([], false);
    showResult(form, schema, body.attributes, answer, isSubmit ? null : last, isSubmit);
    if (isSubmit || !last) last = answer;
    showModel(answer.model);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 422) showFaults(error.faults, isSubmit);
    else showError(error);
  }
}

function tryLater() {
  clearTimeout(timer);
  timer = setTimeout(() => run(false), TRY_AFTER_MS);
}

function showModel(model) {
  byId("model").textContent = model ? `Model: ${model.name} ${model.version ?? ""}${model.alias ? ` (${model.alias})` : ""}` : "Model: none";
}

function fillFrom(attributes, id) {
  byId("employee-id").value = id ?? "";
  last = null;
  form.write(attributes);
  tryLater();
}

function usePasted() {
  try {
    const given = JSON.parse(byId("paste-text").value);
    const isWrapped = typeof given?.attributes === "object" && given.attributes !== null;
    const attributes = isWrapped ? given.attributes : given;
    if (typeof attributes !== "object" || attributes === null || Array.isArray(attributes)) throw new SyntaxError("an object is wanted");
    fillFrom(attributes, isWrapped ? given.employee_id : "");
    byId("paste-error").textContent = "";
  } catch (error) {
    byId("paste-error").textContent = `This is no JSON object: ${error.message}`;
  }
}

function wireForm() {
  byId("employee").addEventListener("input", (event) => { if (form && event.target.closest("#fields")) tryLater(); });
  byId("employee").addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(timer); if (form) run(true); });
  byId("sample").addEventListener("change", ({ target }) => fillFrom(target.value === "" ? {} : schema.samples[target.value].attributes));
  byId("paste-open").addEventListener("click", () => { byId("paste").hidden = false; byId("paste-text").focus(); });
  byId("paste-close").addEventListener("click", () => { byId("paste").hidden = true; byId("paste-open").focus(); });
  byId("paste-use").addEventListener("click", usePasted);
  byId("token").addEventListener("submit", (event) => {
    event.preventDefault();
    setToken(byId("token-value").value);
    byId("token").hidden = true;
    start();
  });
}

function select(tab) {
  for (const other of document.querySelectorAll("[role=tab]")) {
    const isChosen = other === tab;
    other.setAttribute("aria-selected", isChosen);
    other.tabIndex = isChosen ? 0 : -1;
    byId(other.getAttribute("aria-controls")).hidden = !isChosen;
  }
  tab.focus();
  if (tab.id === "tab-stream") followStream();
}

function wireTabs() {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  for (const [i, tab] of tabs.entries()) {
    tab.addEventListener("click", () => select(tab));
    tab.addEventListener("keydown", ({ key }) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
      if (step) select(tabs[(i + step + tabs.length) % tabs.length]);
    });
  }
}

let following = false;
async function followStream() {
  if (following) return;
  following = true;
  while (!byId("view-stream").hidden) {
    if (!document.hidden) {
      try {
        const state = await getStream();
        notice("");
        showStream(state);
        showModel(state.model);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        showError(error);
      }
    }
    await new Promise((done) => setTimeout(done, STREAM_EVERY_MS));
  }
  following = false;
}

async function start() {
  try {
    schema = await getSchema();
  } catch (error) {
    showError(error);
    if (error.status !== 401) setTimeout(start, RETRY_MS);
    return;
  }
  notice("");
  document.title = `${schema.target.label} risk`;
  form = new Form(schema);
  const first = byId("sample").options[0];
  byId("sample").replaceChildren(first, ...schema.samples.map((sample, i) => element("option", { value: i }, sample.name)));
  showModel(schema.model);
}

wireForm();
wireTabs();
start();

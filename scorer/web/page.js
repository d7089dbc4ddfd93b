// Starts the page and shows what the address says: each page has an address of its own behind the #, so that reload and back keep
// it and no name reaches a server's log of addresses. No rule about persons or models lives here.
import { ApiError, forget, getFile, getSchema, hasToken, remembersAnything, setPurpose, setToken } from "./api.js";
import { address, byId, element } from "./dom.js";
import { showDeadLetters } from "./deadletters.js";
import { showModel } from "./model.js";
import { showOverview } from "./overview.js";
import { showPeople } from "./people.js";
import { showPerson } from "./person.js";
import { showStream } from "./stream.js";
import { showTeams } from "./teams.js";
import { showWhatIf } from "./whatif.js";
import { empty } from "./widgets.js";
import { Words, capital, modelName } from "./words.js";

const RETRY_MS = 3000;
const PAGES = [
  { name: "overview", title: () => "Overview", show: showOverview },
  { name: "people", title: (words) => capital(words.many), show: showPeople },
  { name: "person", title: (words) => capital(words.one), show: showPerson, within: "people" },
  { name: "teams", title: (words) => capital(words.groups), show: showTeams },
  { name: "what-if", title: () => "What if", show: showWhatIf },
  { name: "stream", title: () => "Stream", show: showStream },
  { name: "dead-letters", title: () => "Dead letters", show: showDeadLetters, within: "stream" },
  { name: "model", title: () => "Model", show: showModel },
];

let schema = null;
let words = null;
let leaving = new AbortController(); // what the page that is shown has under way
let shown = null; // its name and, where its boxes stay when its address changes, what shows the rest again

function notice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = !text;
}

function ask(form, field) {
  const isNew = byId(form).hidden;
  byId(form).hidden = false;
  if (isNew && !document.activeElement?.closest("input, select, textarea")) byId(field).focus(); // nobody's keys are taken
}

const askToken = () => {
  byId("token-error").textContent = sessionStorage.getItem("attrition-token") ? "The service does not know this token (any more)." : "";
  ask("token", "token-value");
};

function showStamp(model) { byId("model").textContent = `Model: ${modelName(model)}`; }

// #/person/a%20b?x=1 → {name: "person", id: "a b", query}
function addressed() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [name, id] = path.split(/\/(.*)/s);
  try {
    return { name: name || "overview", id: id === undefined ? undefined : decodeURIComponent(id), query: new URLSearchParams(query ?? "") };
  } catch {
    return { name: "?", query: new URLSearchParams() };
  }
}

function contextOf({ id, query }) {
  const { signal } = leaving;
  return {
    root: byId("main"), schema, words, id, query, signal, notice, askToken, showStamp,
    askPurpose: () => ask("purpose", "purpose-value"),
    later: (act, ms) => { const timer = setTimeout(act, ms); signal.addEventListener("abort", () => clearTimeout(timer)); },
  };
}

function show(isFirst = false) {
  if (!schema) return;
  leaving.abort();
  leaving = new AbortController();
  notice("");
  const asked = addressed();
  const page = PAGES.find((candidate) => candidate.name === asked.name);
  const again = !isFirst && shown?.name === asked.name ? shown.again : null;
  if (!again) {
    byId("purpose").hidden = true; // asked again by what needs it
    byId("main").replaceChildren();
  }
  for (const link of byId("pages").children) link.toggleAttribute("aria-current", false);
  const current = byId(`go-${page?.within ?? asked.name}`);
  current?.setAttribute("aria-current", "page");
  document.title = `${page ? page.title(words) : "No such page"} · ${capital(words.risk)}`;
  byId("main").dataset.page = asked.name;
  byId("forget").hidden = !remembersAnything();
  shown = page ? { name: asked.name, again: (again ?? page.show)(contextOf(asked)) ?? again } : null;
  if (!page) byId("main").append(element("h1", {}, "No such page"), empty("The address leads nowhere.", element("a", { href: address("overview") }, "To the overview")));
  if (!isFirst) {
    const holder = document.activeElement; // hidden just now, it loses the focus at the next rendering
    if (!again || holder === document.body || !holder?.getClientRects().length) byId("main").focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

function frame() {
  words = new Words(schema);
  byId("brand").textContent = capital(words.risk);
  byId("pages").replaceChildren(...PAGES.filter((page) => !page.within)
    .map((page) => element("a", { id: `go-${page.name}`, href: address(page.name) }, page.title(words))));
  showStamp(schema.model);
}

async function start() {
  try {
    schema = await getSchema();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) { askToken(); return; }
    notice(`${error.message} Asked again every ${RETRY_MS / 1000} s.`);
    setTimeout(start, RETRY_MS);
    return;
  }
  notice("");
  frame();
  show(true);
}

// Answers to read, behind a token.
async function follow(event) {
  if (!hasToken()) return;
  event.preventDefault();
  try {
    location.assign(await getFile(event.target.getAttribute("href")));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    notice(error.message);
  }
}

function wire() {
  byId("token").addEventListener("submit", (event) => {
    event.preventDefault();
    setToken(byId("token-value").value);
    byId("token-value").value = "";
    byId("token").hidden = true;
    start();
  });
  byId("purpose").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!byId("purpose-value").value.trim()) return;
    setPurpose(byId("purpose-value").value);
    byId("purpose").hidden = true;
    show();
  });
  for (const link of document.querySelectorAll("footer a")) link.addEventListener("click", follow);
  byId("forget").addEventListener("click", () => { forget(); location.reload(); });
  addEventListener("hashchange", () => show());
}

wire();
start();

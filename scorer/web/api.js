// The service's answers, and nothing else: one function a request; what went wrong is an ApiError with status and detail.
// Requests for named persons carry what the person at the screen said he needs the names for.

export class ApiError extends Error {
  constructor(status, detail, retryAfter = null) {
    super(typeof detail === "string" ? detail : "The request has faults.");
    this.status = status;
    this.faults = Array.isArray(detail) ? detail : [];
    this.retryAfter = retryAfter;
  }
}

// Thrown, instead of asking, as long as nobody has said what for.
export class PurposeNeeded extends Error {}

const TOKEN = "attrition-token";
const PURPOSE = "attrition-purpose";
const TRIAL = "attrition-trial";
const PURPOSE_MAX = 200; // characters that the service takes
export const setToken = (token) => sessionStorage.setItem(TOKEN, token);
export const setPurpose = (purpose) => sessionStorage.setItem(PURPOSE, purpose);
export const remembersAnything = () => [TOKEN, PURPOSE, TRIAL].some((name) => sessionStorage.getItem(name));
export function forget() {
  for (const name of [TOKEN, PURPOSE, TRIAL]) sessionStorage.removeItem(name);
}

// What stands in the form of the what-if page, and at which address: reload and back find it again.
export const keepTrial = (address, trial) => sessionStorage.setItem(TRIAL, JSON.stringify({ address, ...trial }));
export function keptTrial(address) {
  const kept = JSON.parse(sessionStorage.getItem(TRIAL) ?? "null");
  return kept?.address === address ? kept : null;
}

// What a header may hold: other characters are escaped as in an address.
const headerText = (text) => text.trim().replace(/[^\x20-\x7e]|%/gu, encodeURIComponent);

let ahead = 0; // by how many milliseconds the service's clock is before this machine's, which may be wrong
export const now = () => Date.now() + ahead;

async function answer(path, options) {
  const headers = { Accept: "application/json", ...options.headers };
  const token = sessionStorage.getItem(TOKEN);
  if (token) headers.Authorization = `Bearer ${headerText(token)}`;
  try {
    const response = await fetch(path, { ...options, headers, cache: "no-store" });
    ahead = (Date.parse(response.headers.get("Date")) || Date.now()) - Date.now();
    return response;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The service does not answer.");
  }
}

async function ask(path, options = {}) {
  const response = await answer(path, options);
  const retryAfter = Number(response.headers.get("Retry-After")) || null;
  let body = null;
  try {
    body = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(response.status, `The service answered ${response.status} without JSON.`, retryAfter);
  }
  if (!response.ok && !options.anyStatus) throw new ApiError(response.status, body.detail ?? `The service answered ${response.status}.`, retryAfter);
  return body;
}

function purposeHeader() {
  const purpose = sessionStorage.getItem(PURPOSE);
  if (!purpose) throw new PurposeNeeded();
  return { "X-Purpose": headerText([...purpose.trim()].slice(0, PURPOSE_MAX).join("")) };
}

const askNames = (path, options) => ask(path, { ...options, headers: purposeHeader() });

export const getSchema = (options) => ask("schema", options);
export const getStream = (options) => ask("stream", options);
export const getHealth = (options) => ask("health", { ...options, anyStatus: true }); // 503 says what is wrong in its body
export const getModel = (options) => ask("model", options);
export const getQuality = (query, options) => ask(`model/quality?${new URLSearchParams(query)}`, options);
export const getDeadLetters = (query, options) => ask(`dead-letters?${new URLSearchParams(query)}`, options);
export const getGroups = (query, options) => ask(`groups?${new URLSearchParams(query)}`, options);
export const getEmployees = async (query, options) => askNames(`employees?${new URLSearchParams(query)}`, options);
export const getAlerts = async (query, options) => askNames(`alerts?${new URLSearchParams(query)}`, options);

export async function getEmployee(id, options) {
  if (id === "." || id === "..") throw new ApiError(404, "An address cannot hold this id.");
  return askNames(`employees/${encodeURIComponent(id)}`, options);
}

const send = (path, body, options) => ask(path, { ...options, method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

// A page of an answer as text, and where the next one begins.
async function getCsv(path, query, headers, options) {
  const response = await answer(`${path}?${new URLSearchParams(query)}`, { ...options, headers: { ...headers, Accept: "text/csv" } });
  if (!response.ok) throw new ApiError(response.status, (await response.json().catch(() => ({}))).detail ?? `The service answered ${response.status}.`, Number(response.headers.get("Retry-After")) || null);
  return { text: await response.text(), next: response.headers.get("X-Next-Cursor") };
}

export const getEmployeesCsv = async (query, options) => getCsv("employees", query, purposeHeader(), options);
export const getGroupsCsv = (query, options) => getCsv("groups", query, {}, options);

// What a link leads to, as a file of this tab: links cannot carry a token.
export async function getFile(path) {
  const response = await answer(path, {});
  const body = await response.text();
  if (!response.ok) throw new ApiError(response.status, `${path}: the service answered ${response.status}.`);
  const here = new URL(".", location.href).href;
  return URL.createObjectURL(new Blob([body.replaceAll('href="/', `href="${here}`)], { type: response.headers.get("Content-Type") }));
}

export const hasToken = () => Boolean(sessionStorage.getItem(TOKEN));
export const moveAlias = (how, body, options) => send(`model/${how}`, body, options);

export function predict(body, { log = false, signal }) {
  const query = new URLSearchParams({ log, reasons: 1000, counterfactual: true });
  return send(`predict?${query}`, body, { signal });
}

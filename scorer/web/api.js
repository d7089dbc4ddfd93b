// The service's answers, and nothing else: one function a request; what went wrong is an ApiError with status and detail.

export class ApiError extends Error {
  constructor(status, detail) {
    super(typeof detail === "string" ? detail : "The request has faults.");
    this.status = status;
    this.faults = Array.isArray(detail) ? detail : [];
  }
}

const TOKEN = "attrition-token";
export const setToken = (token) => sessionStorage.setItem(TOKEN, token);

async function ask(path, options = {}) {
  const headers = { ...options.headers };
  const token = sessionStorage.getItem(TOKEN);
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The service does not answer.");
  }
  let body = null;
  try {
    body = await response.json();
  } catch {
    throw new ApiError(response.status, `The service answered ${response.status} without JSON.`);
  }
  if (!response.ok) throw new ApiError(response.status, body.detail ?? `The service answered ${response.status}.`);
  return body;
}

export const getSchema = () => ask("schema");
export const getStream = () => ask("stream");

export function predict(body, { log, signal }) {
  const query = new URLSearchParams({ log, reasons: 1000, counterfactual: true });
  return ask(`predict?${query}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal,
  });
}

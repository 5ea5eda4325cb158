// The one way to the API: same origin, JSON, errors with the server's own words, and the reader's token where there is
// one. When the server does not know who asks, the document hears `unauthorized`.
// Must never ask anybody but the server that sent the page.

import * as credentials from "./credentials.js";

const TIMEOUT_MS = 60_000;
const RETRIES_MAX = 2;

export class ApiError extends Error {
  constructor(message, { status = 0, code = "", details = {} } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

// A path of the API to what ids name. `.` and `..` would be taken out of a URL, however they are encoded: see `fitsPath`.
// An id that spells a route of the API is told from it by a letter that is encoded (processor/api/paths.py).
export function apiPath(...segments) {
  return `/v1/${segments.map((segment) => (segment === "stats" ? "%73tats" : encodeURIComponent(segment))).join("/")}`;
}

export function fitsPath(id) {
  return id !== "" && id !== "." && id !== "..";
}

export function query(parameters) {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== "" && value !== null && value !== undefined) found.append(name, value);
  }
  return found;
}

export async function get(path, parameters = {}, { signal } = {}) {
  const search = query(parameters).toString();
  for (let attempt = 0; ; attempt += 1) {
    const response = await send(search ? `${path}?${search}` : path, "GET", signal);
    if (response.ok) return response.json();
    if (response.status !== 503 || attempt >= RETRIES_MAX) throw await refused(response);
    await pause(Number(response.headers.get("Retry-After") ?? 1) * 1_000, signal);
  }
}

export async function remove(path) {
  const response = await send(path, "DELETE");
  if (!response.ok) throw await refused(response);
  return response.json();
}

// A whole answer as a file.
export async function download(path, parameters) {
  const response = await send(`${path}?${query(parameters)}`, "GET", undefined, 10 * TIMEOUT_MS);
  if (!response.ok) throw await refused(response);
  return response.blob();
}

// Whether the server would answer who holds this token. Rejects with why not.
export async function tryToken(token) {
  const response = await send("/v1/capabilities", "GET", undefined, TIMEOUT_MS, credentials.headers(token));
  if (!response.ok) throw await failure(response);
}

async function send(url, method, signal, timeoutMs = TIMEOUT_MS, headers = credentials.headers()) {
  const limits = [AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])];
  try {
    return await fetch(url, {
      method,
      headers,
      credentials: "same-origin",
      redirect: "error",
      signal: AbortSignal.any(limits),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    if (error.name === "TimeoutError") throw new ApiError(`No answer within ${timeoutMs / 1_000} s`);
    throw new ApiError("The server can't be reached");
  }
}

async function refused(response) {
  const error = await failure(response);
  if (error.status === 401) document.dispatchEvent(new CustomEvent("unauthorized", { detail: error.message }));
  return error;
}

async function failure(response) {
  const body = await response.json().catch(() => ({}));
  const { code = "", message = `The server answered ${response.status}`, details = {} } = body.error ?? {};
  return new ApiError(message, { status: response.status, code, details });
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

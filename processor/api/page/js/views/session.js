// One session: what it took, and what happened in it.

import { copy, toast } from "../announce.js";
import { breakdown } from "../breakdown.js";
import { capabilities } from "../capabilities.js";
import * as cells from "../cells.js";
import { deleteDialog } from "../delete-dialog.js";
import { el, fill } from "../dom.js";
import { apiPath, fitsPath, get } from "../fetch.js";
import * as format from "../format.js";
import { logs } from "../logs.js";
import { content } from "../messages.js";
import { go as goTo, href } from "../router.js";
import { tabs } from "../tabs.js";
import { label } from "../text.js";
import { tiles } from "../tiles.js";
import { traces } from "../traces.js";

const TABS = [
  ["traces", "Traces"],
  ["usage", "Usage"],
  ["logs", "Logs"],
  ["about", "Details"],
];

export function title({ id = "" }) {
  return `Session ${label(id, 80)}`;
}

export function mount(root, first, { settled }) {
  let parameters = first;
  let tab = "";
  const id = first.id ?? "";
  const abort = new AbortController();
  const go = (changed) => goTo("session", { ...parameters, ...changed });
  const head = el("div", { class: "session-head" });
  const heading = el("h1", { tabindex: "-1" }, cells.data(id));
  const tools = el("div", { class: "head-tools" });
  const summary = el("div", { class: "summary", "aria-busy": "true" });
  const bar = tabs("Parts of the session", TABS, (name) => go({ tab: name === "traces" ? "" : name }));
  const work = traces({ sessionId: id, go });
  const records = logs({ sessionId: id, go });
  bar.panels.get("traces").append(work.root);
  bar.panels.get("logs").append(records.root);
  fill(
    head,
    el("p", { class: "crumb" }, el("a", { href: "#/sessions" }, "Sessions")),
    el("div", { class: "view-head" }, heading, tools),
  );
  root.append(head, summary, bar.bar, ...bar.panels.values());

  async function describe() {
    try {
      const [session, able] = await Promise.all([fetchSession(id, abort.signal), capabilities()]);
      draw(session, able);
    } catch (error) {
      if (abort.signal.aborted) return;
      fill(summary, missing(error, describe));
      const gone = error.status === 404;
      bar.bar.hidden = gone;
      for (const panel of bar.panels.values()) if (gone) panel.hidden = true;
    }
    summary.removeAttribute("aria-busy");
    settled();
  }

  function draw(session, able) {
    fill(heading, cells.data(session.name || session.id));
    fill(
      tools,
      button("Copy ID", () => copy(id, "ID")),
      button("Copy link", () => copy(location.href, "Link")),
      able.features.includes("deletion") &&
        fitsPath(id) &&
        button("Delete…", () => deleteDialog(session, gone), "danger-quiet"),
    );
    fill(summary, about(session), figures(session));
    fill(bar.panels.get("usage"), breakdown(session));
    fill(bar.panels.get("about"), details(session));
  }

  function gone() {
    toast("Session deleted");
    goTo("sessions", {}, { replace: true });
  }

  function update(next) {
    parameters = next;
    const wanted = TABS.some(([name]) => name === next.tab) ? next.tab : "traces";
    if (wanted !== tab) bar.show(wanted);
    tab = wanted;
    if (tab === "logs") records.update(next);
    work.update(next);
  }

  update(first);
  describe();
  work.load();
  return {
    update,
    unmount() {
      abort.abort();
      work.stop();
      records.stop();
    },
  };
}

async function fetchSession(id, signal) {
  if (fitsPath(id)) return (await get(apiPath("sessions", id), {}, { signal })).data;
  // No path can hold this id; in the order of ids it is among the first that contain it.
  const found = await get("/v1/sessions", { search: id, sort_by: "id", sort_order: "asc", limit: 1_000 }, { signal });
  const session = found.data.find((entry) => entry.id === id);
  if (session) return session;
  throw Object.assign(new Error("Session not found"), { status: 404 });
}

function missing(error, again) {
  if (error.status === 404) {
    return el(
      "div",
      { class: "empty" },
      el("h2", {}, "There is no such session"),
      el("p", {}, "It may have been deleted, or none of its spans has arrived yet."),
      el("p", {}, el("a", { href: "#/sessions" }, "All sessions")),
    );
  }
  return el("div", { class: "problem", role: "alert" }, el("p", {}, error.message), button("Try again", again));
}

function button(text, act, className = null) {
  return el("button", { type: "button", class: className, on: { click: act } }, text);
}

// Who and where, on one line.
function about(session) {
  const parts = [
    el("span", { class: "fact" }, cells.status(session.status)),
    el("span", { class: "fact" }, el("span", { class: "muted" }, "ID"), cells.data(session.id)),
    session.user_id && fact("User", cells.dataLink(session.user_id, href("sessions", { user_id: session.user_id }))),
    session.thread_id && fact("Thread", cells.dataLink(session.thread_id, href("thread", { id: session.thread_id }))),
    session.environment &&
      fact("Environment", cells.dataLink(session.environment, href("sessions", { environment: session.environment }))),
    session.tags.length > 0 &&
      fact(
        "Tags",
        cells.list(session.tags, (tag) => href("sessions", { tag })),
      ),
    session.end_reason && fact("Ended with", cells.data(session.end_reason)),
  ];
  return el("div", { class: "facts" }, parts);
}

function fact(name, value) {
  return el("span", { class: "fact" }, el("span", { class: "muted" }, name), value);
}

function figures(session) {
  const cached =
    session.cache_read_tokens > 0 ? ` (${format.percent(session.cache_read_tokens, session.input_tokens)} cached)` : "";
  return tiles([
    ["Duration", format.duration(session.latency_ms), `${format.duration(session.active_ms)} active`],
    [
      "Model time",
      format.duration(session.llm_ms),
      session.ttft_ms === null ? null : `first token after ${format.duration(session.ttft_ms)}`,
    ],
    [
      "Cost",
      cells.cost(session.total_cost, session.unpriced_span_count),
      session.unpriced_span_count > 0
        ? `${format.count(session.unpriced_span_count)} calls without a price`
        : `${format.cost(session.input_cost)} in · ${format.cost(session.output_cost)} out`,
    ],
    [
      "Tokens",
      format.count(session.total_tokens),
      `${format.compact(session.input_tokens)} in${cached} · ${format.compact(session.output_tokens)} out`,
    ],
    ["Calls", format.count(session.llm_call_count), `${format.count(session.tool_call_count)} tool calls`],
    ["Traces", format.count(session.trace_count), `${format.count(session.span_count)} spans`],
    ["Errors", cells.errors(session.error_count)],
    ["First seen", cells.time(session.start)],
    ["Last seen", cells.time(session.end)],
  ]);
}

function details(session) {
  const metadata = Object.entries(session.metadata ?? {});
  const rows = metadata.map(([key, value]) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, cells.data(key)),
      el("td", {}, cells.dataLink(value, href("sessions", { [`metadata.${key}`]: value }))),
    ),
  );
  return [
    session.input_preview && el("section", {}, el("h2", {}, "First input"), content(session.input_preview)),
    session.output_preview && el("section", {}, el("h2", {}, "Last output"), content(session.output_preview)),
    el(
      "section",
      {},
      el("h2", {}, "Metadata"),
      rows.length > 0
        ? el("table", { class: "attributes" }, el("caption", { class: "unseen" }, "Metadata"), el("tbody", {}, rows))
        : el("p", { class: "muted" }, "None"),
    ),
    el(
      "section",
      {},
      el("h2", {}, "Services"),
      el(
        "p",
        {},
        cells.list(session.services, (service) => href("sessions", { service })),
      ),
    ),
    el(
      "section",
      {},
      el("h2", {}, "Models"),
      el(
        "p",
        {},
        cells.list(session.models, (model) => href("sessions", { model })),
      ),
    ),
  ];
}

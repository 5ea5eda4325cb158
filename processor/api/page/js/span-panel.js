// One span, whole: what went in, what came out, and everything its emitter said about it.

import { announce, copy } from "./announce.js";
import * as cells from "./cells.js";
import { el, fill } from "./dom.js";
import { apiPath, get } from "./fetch.js";
import * as format from "./format.js";
import { content } from "./messages.js";
import { spanCost } from "./span-tree.js";
import { label } from "./text.js";
import { tiles } from "./tiles.js";

const FILTER_FROM = 12; // attributes from which on a filter helps

// `close()` is called when the reader closes the panel.
export function spanPanel({ close }) {
  let abort = new AbortController();
  let shown = "";
  const heading = el("h3", { tabindex: "-1" }, "Span");
  const closing = el(
    "button",
    { type: "button", class: "quiet", "aria-label": "Close span", on: { click: () => close() } },
    "×",
  );
  const body = el("div", { class: "panel-body" });
  const root = el(
    "section",
    { class: "span-panel", "aria-label": "Span detail", hidden: true },
    el("div", { class: "pane-head" }, heading, closing),
    body,
  );
  root.addEventListener("keydown", (event) => event.key === "Escape" && close());

  async function show(traceId, spanId) {
    const wanted = `${traceId} ${spanId}`;
    root.hidden = false;
    if (wanted === shown) return;
    shown = wanted;
    abort.abort();
    abort = new AbortController();
    const { signal } = abort;
    body.setAttribute("aria-busy", "true");
    try {
      const { data } = await get(apiPath("traces", traceId, "spans", spanId), {}, { signal });
      draw(data);
    } catch (error) {
      if (signal.aborted) return;
      shown = "";
      fill(heading, "Span");
      fill(
        body,
        el(
          "p",
          { class: "problem", role: "alert" },
          error.status === 404 ? "This span is not stored any more." : error.message,
        ),
      );
    }
    body.removeAttribute("aria-busy");
  }

  function draw(span) {
    fill(heading, el("span", { class: `kind kind-${span.kind}` }, span.kind || "other"), " ", cells.data(span.name));
    body.scrollTop = 0;
    announce(`Span ${label(span.name, 80)}`);
    fill(
      body,
      facts(span),
      span.status_message &&
        el(
          "p",
          { class: span.status === "ERROR" ? "status-message failed" : "status-message", dir: "auto" },
          label(span.status_message, 2_000),
        ),
      part("Input", span.input && content(span.input), span.input),
      part("Output", span.output && content(span.output), span.output),
      part("Answer as an object", span.output_object && content(span.output_object), span.output_object),
      part("Tool calls", span.tool_calls && content(span.tool_calls), span.tool_calls),
      part("Attributes", hasAny(span.metadata) && attributes(span.metadata, "Attributes")),
      part("Events", hasAny(span.events) && events(span)),
      part("Links", hasAny(span.links) && links(span.links)),
      part("Resource", hasAny(span.resource) && attributes(flat(span.resource), "Resource"), null, false),
      part("Scope", hasAny(span.scope) && attributes(flat(span.scope), "Scope"), null, false),
    );
  }

  return {
    root,
    show,
    focus() {
      heading.focus({ preventScroll: true });
      root.scrollIntoView({ block: "start" });
    },
    hide() {
      abort.abort();
      shown = "";
      root.hidden = true;
    },
    stop: () => abort.abort(),
  };
}

function facts(span) {
  const tokens = span.tokens > 0 && [
    format.count(span.tokens),
    `${format.count(span.input_tokens)} in · ${format.count(span.output_tokens)} out${span.counts ? "" : " · not counted"}`,
  ];
  return tiles(
    [
      ["Status", cells.status(span.status)],
      [
        "Started",
        el(
          "time",
          { datetime: span.timestamp, title: `${span.timestamp} (UTC)` },
          format.clockMillis(new Date(span.timestamp)),
        ),
        format.day(new Date(span.timestamp)),
      ],
      [
        "Duration",
        format.duration(span.duration_ms),
        span.ttft_ms ? `first token after ${format.duration(span.ttft_ms)}` : null,
      ],
      span.model && ["Model", cells.data(span.model), span.provider && label(span.provider)],
      tokens && ["Tokens", ...tokens],
      span.tokens > 0 && span.counts && ["Cost", spanCost(span)],
      span.finish_reason && ["Finish", cells.data(String(span.finish_reason))],
      [
        "Service",
        cells.data(span.service_name),
        span.span_kind && span.span_kind !== "Unspecified" ? label(span.span_kind, 20) : null,
      ],
      [
        "Span id",
        cells.data(span.id),
        el("button", { type: "button", class: "quiet", on: { click: () => copy(span.id, "Span id") } }, "Copy"),
      ],
    ].filter(Boolean),
  );
}

function part(title, nodes, copied = null, open = true) {
  if (!nodes) return null;
  const tool =
    copied && el("button", { type: "button", class: "quiet copy", on: { click: () => copy(copied, title) } }, "Copy");
  return el("details", { class: "part", open }, el("summary", {}, title), tool, nodes);
}

export function attributes(values, name) {
  const rows = Object.entries(values).map(([key, value]) => [
    key,
    typeof value === "string" ? value : JSON.stringify(value, null, 2),
  ]);
  const body = el(
    "tbody",
    {},
    rows.map(([key, value]) =>
      el(
        "tr",
        {},
        el("th", { scope: "row" }, el("bdi", {}, label(key))),
        el("td", {}, value.length > 200 || value.includes("\n") ? content(value) : cells.data(value)),
      ),
    ),
  );
  const table = el("table", { class: "attributes" }, el("caption", { class: "unseen" }, name), body);
  if (rows.length < FILTER_FROM) return table;
  const filter = el("input", {
    type: "search",
    "aria-label": `Filter ${name.toLowerCase()}`,
    placeholder: `Filter ${rows.length}`,
  });
  filter.addEventListener("input", () => {
    const wanted = filter.value.toLowerCase();
    rows.forEach(([key, value], at) => {
      body.rows[at].hidden = !key.toLowerCase().includes(wanted) && !value.toLowerCase().includes(wanted);
    });
  });
  return [filter, table];
}

function events(span) {
  return el(
    "ol",
    { class: "events" },
    span.events.map((event) => {
      const after = format.instantMs(event.timestamp) - format.instantMs(span.timestamp);
      return el(
        "li",
        {},
        el("span", { class: "event-name" }, cells.data(event.name)),
        el("span", { class: "muted" }, `after ${format.duration(Math.max(0, after))}`),
        hasAny(event.attributes) && attributes(event.attributes, event.name),
      );
    }),
  );
}

function links(entries) {
  return el(
    "ul",
    {},
    entries.map((link) =>
      el(
        "li",
        {},
        el("code", {}, label(`${link.trace_id} ${link.span_id}`)),
        hasAny(link.attributes) && attributes(link.attributes, "Link"),
      ),
    ),
  );
}

// `{name, version, attributes: {...}}` as one list.
function flat(values) {
  const { attributes: inner = {}, ...rest } = values;
  return {
    ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== "" && value !== 0 && value !== null)),
    ...inner,
  };
}

function hasAny(value) {
  return value !== null && value !== undefined && value !== "" && Object.keys(value).length > 0;
}

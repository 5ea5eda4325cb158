// All sessions: search, filters, order, pages. Everything that selects is asked of the server.

import { copy } from "../announce.js";
import * as cells from "../cells.js";
import { el } from "../dom.js";
import { get } from "../fetch.js";
import { filterForm, filtersOf, isFiltered, unfiltered } from "../filters.js";
import { exportMenu } from "../exports.js";
import * as format from "../format.js";
import { listing } from "../listing.js";
import { menuButton } from "../menu.js";
import { href } from "../router.js";

export const COLUMNS = [
  { name: "id", label: "ID", sort: "id", className: "id", cell: (row) => cells.sessionLink(row.id) },
  { name: "name", label: "Name", sort: "name", className: "name", cell: (row) => cells.data(row.name) },
  {
    name: "user",
    label: "User",
    sort: "user_id",
    className: "user",
    cell: (row) =>
      row.user_id ? cells.dataLink(row.user_id, href("sessions", { user_id: row.user_id })) : cells.data(""),
  },
  {
    name: "duration",
    label: "Duration",
    sort: "latency_ms",
    number: true,
    cell: (row) => format.duration(row.latency_ms),
  },
  {
    name: "cost",
    label: "Cost",
    sort: "total_cost",
    number: true,
    cell: (row) => cells.cost(row.total_cost, row.unpriced_span_count),
  },
  { name: "tokens", label: "Tokens", sort: "total_tokens", number: true, cell: (row) => tokens(row) },
  { name: "traces", label: "Traces", sort: "trace_count", number: true, cell: (row) => format.count(row.trace_count) },
  { name: "errors", label: "Errors", sort: "error_count", number: true, cell: (row) => cells.errors(row.error_count) },
  {
    name: "last_seen",
    label: "Last seen",
    sort: "last_seen",
    number: true,
    className: "when",
    cell: (row) => cells.time(row.end),
  },
  {
    name: "menu",
    label: "Actions",
    unseen: true,
    className: "row-menu",
    cell: (row) => menuButton(`Actions for session ${row.id.slice(0, 100)}`, () => actions(row)),
  },
];

export const ORDER = { by: "last_seen", direction: "desc" };

function tokens(row) {
  const title = `${format.count(row.input_tokens)} in (${format.count(row.cache_read_tokens)} from cache), ${format.count(row.output_tokens)} out`;
  return el("span", { title }, format.count(row.total_tokens));
}

function actions(row) {
  const link = href("session", { id: row.id });
  return [
    { label: "Open", href: link },
    { label: "Copy ID", act: () => copy(row.id, "ID") },
    { label: "Copy link", act: () => copy(new URL(link, location.href).href, "Link") },
    ...(row.user_id ? [{ label: "Sessions of this user", href: href("sessions", { user_id: row.user_id }) }] : []),
    ...(row.thread_id ? [{ label: "Open its thread", href: href("thread", { id: row.thread_id }) }] : []),
  ];
}

export function noun(number) {
  return number === 1 ? "session" : "sessions";
}

export function title() {
  return "Sessions";
}

export function mount(root, parameters, { settled }) {
  const filters = filterForm("sessions");
  const exporting = exportMenu("/v1/sessions", "sessions", () => filtersOf(current));
  const head = el("div", { class: "view-head" }, el("h1", { tabindex: "-1" }, "Sessions"));
  root.append(head, filters.form);
  let current = parameters;
  const list = listing(root, {
    view: "sessions",
    noun,
    columns: COLUMNS,
    order: ORDER,
    keyOf: (row) => row.id,
    load: (given, paging, signal) => get("/v1/sessions", { ...filtersOf(given), ...paging }, { signal }),
    empty,
    head,
    settled,
  });
  head.lastChild.append(exporting);

  function update(next) {
    current = next;
    filters.update(next);
    list.update(next);
  }

  update(parameters);
  return { update, unmount: list.unmount };
}

function empty(parameters) {
  if (isFiltered(parameters)) {
    return [
      el("h2", {}, "No session matches"),
      el("p", {}, "Take a filter away, or widen the time range."),
      el("p", {}, el("a", { href: href("sessions", unfiltered(parameters)) }, "Clear filters")),
    ];
  }
  const host = location.hostname.includes(":") ? `[${location.hostname}]` : location.hostname;
  return [
    el("h2", {}, "No sessions yet"),
    el(
      "p",
      {},
      "Point an OpenTelemetry exporter at this processor and give one span of each trace a ",
      el("code", {}, "session.id"),
      ":",
    ),
    el(
      "pre",
      { tabindex: "0", "aria-label": "Environment of an exporter" },
      `OTEL_EXPORTER_OTLP_ENDPOINT=http://${host}:4317\nOTEL_EXPORTER_OTLP_PROTOCOL=grpc`,
    ),
    el("p", { class: "muted" }, "4317 is gRPC, 4318 is HTTP. Sessions appear here a second after their spans."),
  ];
}

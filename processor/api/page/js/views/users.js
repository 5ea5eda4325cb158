// Users: what each of them used. Sessions without a user are no user's.

import * as cells from "../cells.js";
import { el } from "../dom.js";
import { get } from "../fetch.js";
import * as format from "../format.js";
import { listing } from "../listing.js";
import { RANGES, dates } from "../ranges.js";
import { href } from "../router.js";
import { simpleFilters } from "../simple-filters.js";

const COLUMNS = [
  {
    name: "id",
    label: "User",
    sort: "id",
    className: "id",
    cell: (row) => cells.dataLink(row.id, href("sessions", { user_id: row.id }), { "data-focus": `user ${row.id}` }),
  },
  {
    name: "sessions",
    label: "Sessions",
    sort: "session_count",
    number: true,
    cell: (row) => format.count(row.session_count),
  },
  { name: "traces", label: "Traces", sort: "trace_count", number: true, cell: (row) => format.count(row.trace_count) },
  { name: "errors", label: "Errors", sort: "error_count", number: true, cell: (row) => cells.errors(row.error_count) },
  {
    name: "tokens",
    label: "Tokens",
    sort: "total_tokens",
    number: true,
    cell: (row) => format.count(row.total_tokens),
  },
  {
    name: "cost",
    label: "Cost",
    sort: "total_cost",
    number: true,
    cell: (row) => cells.cost(row.total_cost, row.unpriced_span_count ?? null, row.total_tokens),
  },
  {
    name: "first_seen",
    label: "First seen",
    sort: "first_seen",
    number: true,
    className: "when",
    cell: (row) => cells.time(row.first_seen),
  },
  {
    name: "last_seen",
    label: "Last seen",
    sort: "last_seen",
    number: true,
    className: "when",
    cell: (row) => cells.time(row.last_seen),
  },
];

export function title() {
  return "Users";
}

export function mount(root, parameters, { settled }) {
  const presets = RANGES.filter(({ name }) => name !== "custom").map(({ name, label }) => [name, label]);
  const filters = simpleFilters("users", "Filter users", {
    search: "Search user id",
    choices: [["range", "Time", presets]],
  });
  const head = el("div", { class: "view-head" }, el("h1", { tabindex: "-1" }, "Users"));
  root.append(head, filters.form);
  const list = listing(root, {
    view: "users",
    noun: (number) => (number === 1 ? "user" : "users"),
    columns: COLUMNS,
    order: { by: "last_seen", direction: "desc" },
    keyOf: (row) => row.id,
    load: (given, paging, signal) => get("/v1/users", { search: given.search, ...dates(given), ...paging }, { signal }),
    empty: (given) =>
      given.search || given.range
        ? [el("h2", {}, "No user matches"), el("p", {}, el("a", { href: "#/users" }, "Clear filters"))]
        : [el("h2", {}, "No users yet"), el("p", {}, "Spans name their user with ", el("code", {}, "user.id"), ".")],
    head,
    settled,
  });

  function update(next) {
    filters.update(next);
    list.update(next);
  }

  update(parameters);
  return { update, unmount: list.unmount };
}

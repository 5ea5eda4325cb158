// All threads: what groups sessions of one conversation that comes back.

import * as cells from "../cells.js";
import { el } from "../dom.js";
import { get } from "../fetch.js";
import * as format from "../format.js";
import { listing } from "../listing.js";
import { href } from "../router.js";
import { simpleFilters } from "../simple-filters.js";

const COLUMNS = [
  {
    name: "id",
    label: "Thread",
    className: "id",
    cell: (row) => cells.dataLink(row.id, href("thread", { id: row.id }), { "data-focus": `thread ${row.id}` }),
  },
  { name: "status", label: "Status", cell: (row) => activity(row.status) },
  {
    name: "sessions",
    label: "Sessions",
    sort: "session_count",
    number: true,
    cell: (row) => format.count(row.session_count),
  },
  { name: "traces", label: "Traces", number: true, cell: (row) => format.count(row.trace_count) },
  { name: "errors", label: "Errors", number: true, cell: (row) => cells.errors(row.error_count) },
  { name: "users", label: "Users", className: "user", cell: (row) => cells.data(row.user_ids.join(", ")) },
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

export function activity(status) {
  return [el("span", { class: `dot ${status === "active" ? "ok" : "unset"}`, "aria-hidden": "true" }), status];
}

export function title() {
  return "Threads";
}

export function mount(root, parameters, { settled }) {
  const filters = simpleFilters("threads", "Filter threads", {
    search: "Search thread id",
    fields: [["user_id", "User"]],
    choices: [
      [
        "status",
        "Status",
        [
          ["", "any"],
          ["active", "active"],
          ["idle", "idle"],
        ],
      ],
    ],
  });
  const head = el("div", { class: "view-head" }, el("h1", { tabindex: "-1" }, "Threads"));
  root.append(head, filters.form);
  const list = listing(root, {
    view: "threads",
    noun: (number) => (number === 1 ? "thread" : "threads"),
    columns: COLUMNS,
    order: { by: "last_seen", direction: "desc" },
    keyOf: (row) => row.id,
    load: (given, paging, signal) => get("/v1/threads", { ...filters.of(given), ...paging }, { signal }),
    empty: (given) =>
      Object.values(filters.of(given)).some(Boolean)
        ? [el("h2", {}, "No thread matches"), el("p", {}, el("a", { href: "#/threads" }, "Clear filters"))]
        : [
            el("h2", {}, "No threads yet"),
            el(
              "p",
              {},
              "A thread is what sessions name with ",
              el("code", {}, "thread.id"),
              " or ",
              el("code", {}, "gen_ai.conversation.id"),
              " beside their session id.",
            ),
          ],
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

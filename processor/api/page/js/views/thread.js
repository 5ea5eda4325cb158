// One thread and its sessions.

import * as cells from "../cells.js";
import { el, fill } from "../dom.js";
import { apiPath, fitsPath, get } from "../fetch.js";
import * as format from "../format.js";
import { listing } from "../listing.js";
import { href } from "../router.js";
import { label } from "../text.js";
import { tiles } from "../tiles.js";
import { COLUMNS, noun, ORDER } from "./sessions.js";
import { activity } from "./threads.js";

export function title({ id = "" }) {
  return `Thread ${label(id, 80)}`;
}

export function mount(root, parameters, { settled }) {
  const id = parameters.id ?? "";
  const summary = el("div", { class: "summary" });
  const abort = new AbortController();
  const head = el("div", { class: "view-head" }, el("h2", {}, "Sessions"));
  root.append(
    el("p", { class: "crumb" }, el("a", { href: "#/threads" }, "Threads")),
    el("div", { class: "view-head" }, el("h1", { tabindex: "-1" }, cells.data(id))),
    summary,
    head,
  );
  const list = listing(root, {
    view: "thread",
    noun,
    columns: COLUMNS,
    order: ORDER,
    keyOf: (row) => row.id,
    // By filter, not by path: it takes every id.
    load: (_, paging, signal) => get("/v1/sessions", { thread_id: id, ...paging }, { signal }),
    empty: () => [el("h2", {}, "No sessions in this thread")],
    head,
    settled,
  });
  list.update(parameters);
  describe();

  async function describe() {
    if (!fitsPath(id)) return;
    try {
      const { data } = await get(apiPath("threads", id), {}, { signal: abort.signal });
      fill(summary, facts(data));
    } catch (error) {
      if (!abort.signal.aborted) fill(summary, el("p", { class: "problem", role: "alert" }, error.message));
    }
  }

  return {
    update: list.update,
    unmount() {
      abort.abort();
      list.unmount();
    },
  };
}

function facts(thread) {
  return tiles([
    ["Status", activity(thread.status)],
    ["Sessions", format.count(thread.session_count)],
    ["Traces", format.count(thread.trace_count)],
    ["Errors", cells.errors(thread.error_count)],
    [
      "Tokens",
      format.count(thread.total_tokens),
      `${format.compact(thread.input_tokens)} in · ${format.compact(thread.output_tokens)} out`,
    ],
    ["Cost", cells.cost(thread.total_cost, thread.unpriced_span_count ?? null, thread.total_tokens)],
    ["Users", cells.list(thread.user_ids, (user_id) => href("sessions", { user_id }))],
    ["First seen", cells.time(thread.first_seen)],
    ["Last seen", cells.time(thread.last_seen)],
  ]);
}

// The traces of a session in the order they began, with the pauses between them, fetched a page at a time.
// Must hold for 20,000 of them: rows in sight only, and one request at a time.

import * as cells from "./cells.js";
import { el, fill, unseen } from "./dom.js";
import { get } from "./fetch.js";
import * as format from "./format.js";
import { label } from "./text.js";
import { VirtualList } from "./virtual.js";

const PAGE = 1_000;
const ROW_PX = 46;
const PAUSE_MS_MIN = 1_000;

// `choose(trace)`; `changed(traces, total)` after each page.
export function traceList({ sessionId, choose, changed }) {
  let traces = [];
  let selected = "";
  let abort = new AbortController();
  let place = () => 0;
  const state = el("span", { class: "muted", role: "status" });
  const problem = el("div", { class: "problem", role: "alert", hidden: true });
  const scroller = el("div", { role: "listbox", class: "traces", "aria-label": "Traces, the earliest first" });
  const root = el(
    "section",
    { class: "trace-pane", "aria-label": "Traces" },
    el("div", { class: "pane-head" }, el("h3", {}, "Traces"), state),
    problem,
    scroller,
  );
  const list = new VirtualList(scroller, {
    rowHeight: ROW_PX,
    render: drawRow,
    choose: (index) => traces[index] && choose(traces[index]),
  });

  async function load() {
    abort.abort();
    abort = new AbortController();
    const { signal } = abort;
    const found = [];
    problem.hidden = true;
    try {
      for (let offset = 0, total = 1; offset < total; offset += PAGE) {
        state.textContent = offset > 0 ? `${format.count(found.length)} of ${format.count(total)}…` : "Loading…";
        const answer = await get(
          "/v1/traces",
          { session_id: sessionId, spans: "false", limit: PAGE, offset },
          { signal },
        );
        total = answer.pagination.total;
        let until = found.at(-1)?.untilMs ?? -Infinity;
        for (const trace of answer.data) {
          const startMs = format.instantMs(trace.start);
          const endMs = Math.max(startMs, format.instantMs(trace.end));
          const pauseMs = until === -Infinity ? 0 : Math.max(0, startMs - until);
          until = Math.max(until, endMs);
          found.push({ ...trace, startMs, endMs, pauseMs, untilMs: until, label: label(trace.name || trace.id, 80) });
        }
        traces = found;
        list.setCount(traces.length);
        changed(traces, total);
        if (answer.data.length === 0) break;
      }
      state.textContent = format.count(traces.length);
    } catch (error) {
      if (signal.aborted) return;
      state.textContent = "";
      fill(problem, el("p", {}, error.message), el("button", { type: "button", on: { click: load } }, "Try again"));
      problem.hidden = false;
    }
  }

  function drawRow(index) {
    const trace = traces[index];
    const bar = el("span", {
      class: trace.error_count > 0 || trace.status === "ERROR" ? "trace-bar failed" : "trace-bar",
    });
    const left = place(trace.startMs);
    bar.style.left = `${left * 100}%`;
    bar.style.width = `${Math.max(0, place(trace.endMs) - left) * 100}%`;
    const idle = format.duration(trace.pauseMs);
    const pause =
      trace.pauseMs >= PAUSE_MS_MIN &&
      el(
        "span",
        { class: "pause", title: `Began after ${idle} without any trace` },
        `+${idle}`,
        unseen(" idle before"),
      );
    return el(
      "div",
      {
        role: "option",
        class: trace.id === selected ? "trace-row selected" : "trace-row",
        "aria-selected": String(trace.id === selected),
        "aria-posinset": index + 1,
        "aria-setsize": traces.length,
      },
      el(
        "span",
        { class: "trace-line" },
        cells.status(trace.status, false),
        el("bdi", { class: "trace-name", title: trace.label }, trace.label),
        el("span", { class: "number" }, format.duration(trace.latency_ms)),
      ),
      el(
        "span",
        { class: "trace-line muted" },
        el("span", {}, format.clock(new Date(trace.startMs))),
        pause,
        el("span", { class: "spacer" }),
        trace.error_count > 0 &&
          el("span", { class: "errors" }, `${trace.error_count} ${trace.error_count === 1 ? "error" : "errors"}`),
        trace.tokens > 0 && el("span", { class: "trace-tokens" }, `${format.compact(trace.tokens)} tok`),
        trace.tokens > 0 && cells.cost(trace.cost, trace.unpriced_span_count ?? null, trace.tokens),
      ),
      el("span", { class: "track", "aria-hidden": "true" }, bar),
    );
  }

  return {
    root,
    load,
    select(id) {
      selected = id;
      const index = traces.findIndex((trace) => trace.id === id);
      if (index >= 0) list.activate(index, { toCentre: true });
      else list.redraw();
      return traces[index];
    },
    setPlace(next) {
      place = next;
      list.redraw();
    },
    stop() {
      abort.abort();
      list.stop();
    },
  };
}

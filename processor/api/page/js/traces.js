// The work of a session: its timeline, its traces, one of them as a tree, one span of that. What is chosen is in the
// address (`trace`, `span`); without a choice the first trace is shown.

import { el } from "./dom.js";
import * as format from "./format.js";
import { pauses, scale } from "./scale.js";
import { spanPanel } from "./span-panel.js";
import { spanTree } from "./span-tree.js";
import { timeline } from "./timeline.js";
import { traceList } from "./trace-list.js";

// `go(changed)` changes the address.
export function traces({ sessionId, go }) {
  let parameters = {};
  let all = [];
  let fold = true;
  let marked = ""; // the trace that the list has marked
  let byReader = false; // a span was chosen here, not by the address
  const picture = timeline({ choose: (index) => pick(all[index]) });
  const list = traceList({ sessionId, choose: pick, changed });
  const tree = spanTree({
    choose: (span) => {
      byReader = true;
      go({ trace: span.trace_id, span: span.id });
    },
  });
  const panel = spanPanel({
    close: () => {
      go({ span: "" });
      tree.focus();
    },
  });
  const folding = el(
    "button",
    { type: "button", class: "quiet", "aria-pressed": "true", hidden: true },
    "Fold long pauses",
  );
  folding.addEventListener("click", () => {
    fold = !fold;
    folding.setAttribute("aria-pressed", String(fold));
    rescale();
  });
  const empty = el("p", { class: "empty", hidden: true }, "No traces of this session are stored.");
  const panes = el("div", { class: "panes" }, list.root, tree.root, panel.root);
  const root = el(
    "div",
    { class: "work" },
    el("div", { class: "timeline-head" }, el("h2", {}, "Timeline"), folding),
    picture.root,
    empty,
    panes,
  );

  function pick(trace) {
    if (trace) go({ trace: trace.id, span: "" });
  }

  function changed(found, total) {
    const first = all.length === 0;
    all = found;
    empty.hidden = total > 0;
    panes.hidden = total === 0;
    rescale();
    const wanted = all.find((trace) => trace.id === parameters.trace);
    if (first || (wanted && marked !== wanted.id)) showChosen();
  }

  function rescale() {
    if (all.length === 0) return;
    const busy = all.map((trace) => [trace.startMs, trace.endMs]);
    const end = all.at(-1).untilMs;
    const placed = scale(all[0].startMs, end, busy, { fold });
    folding.hidden = scale(all[0].startMs, end, busy).folds.length === 0;
    const longest = pauses(busy)[0];
    const idle = longest ? `; the longest pause is ${format.duration(longest[1] - longest[0])}` : "";
    const failed = all.filter((trace) => trace.status === "ERROR").length;
    const selected = all.findIndex((trace) => trace.id === chosenId());
    picture.update(
      { traces: all, scale: placed, selected },
      `${format.count(all.length)} traces over ${format.duration(end - all[0].startMs)}, ${format.count(failed)} failed${idle}`,
    );
    list.setPlace(placed.place);
  }

  function chosenId() {
    return parameters.trace || all[0]?.id;
  }

  function showChosen() {
    if (all.length === 0) return;
    const id = chosenId();
    const trace = list.select(id);
    marked = trace ? id : "";
    // A trace on a page that has not come yet has no name yet, and is shown all the same.
    tree.show(trace ?? { id, name: "" }, parameters.span ?? "");
    panes.classList.toggle("with-span", Boolean(parameters.span));
    if (!parameters.span) panel.hide();
    else show(id, parameters.span, byReader && !matchMedia("(min-width: 1100px)").matches);
    byReader = false;
  }

  // Where panes lie below each other, what was asked for may be out of sight: it gets the focus.
  async function show(traceId, spanId, withFocus) {
    await panel.show(traceId, spanId);
    if (withFocus) panel.focus();
  }

  return {
    root,
    load: list.load,
    update(next) {
      parameters = next;
      showChosen();
      rescale();
    },
    stop() {
      picture.stop();
      list.stop();
      tree.stop();
      panel.stop();
    },
  };
}

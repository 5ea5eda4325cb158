// One trace as a tree of agents, calls and tools. Fetched a page at a time and drawn as pages come; only rows in sight
// are in the document (see `virtual`). Keys as in the ARIA tree pattern.

import { announce } from "./announce.js";
import * as cells from "./cells.js";
import { el, fill } from "./dom.js";
import { apiPath, get } from "./fetch.js";
import * as format from "./format.js";
import { label } from "./text.js";
import { TreeModel } from "./tree-model.js";
import { VirtualList } from "./virtual.js";

const PAGE = 10_000;
const ROW_PX = 28;
const INDENT_PX = 14;
const INDENTS_MAX = 20; // deeper spans stay where there is room to read them

// `choose(span)` when a span is to be shown. `show(trace, spanId)` loads a trace and marks one of its spans.
export function spanTree({ choose }) {
  let trace = null;
  let model = new TreeModel();
  let abort = new AbortController();
  let selected = "";
  let matches = [];
  let matched = new Set();
  let match = 0;

  const title = el("h3", {});
  const state = el("span", { class: "muted tree-state", role: "status" });
  const search = el("input", {
    type: "search",
    "aria-label": "Search in this trace",
    placeholder: "Search name, model, kind, id",
    autocomplete: "off",
    spellcheck: "false",
  });
  const found = el("span", { class: "muted found", role: "status" });
  const openAll = button("Expand all", () => openEverything(true));
  const closeAll = button("Collapse all", () => openEverything(false));
  const problem = el("div", { class: "problem", role: "alert", hidden: true });
  const scroller = el("div", { role: "tree", class: "tree", "aria-label": "Spans of the trace" });
  const tools = el("div", { class: "tree-tools" }, search, found, openAll, closeAll);
  const head = el(
    "div",
    { class: "tree-head", "aria-hidden": "true" },
    ["Span", "Time", "Duration", "Tokens", "Cost"].map((text) => el("span", {}, text)),
  );
  const root = el(
    "section",
    { class: "tree-pane", "aria-label": "Trace" },
    el("div", { class: "pane-head" }, title, state),
    tools,
    problem,
    head,
    scroller,
  );
  const list = new VirtualList(scroller, { rowHeight: ROW_PX, render: drawRow, choose: chooseRow, key: onKey });

  search.addEventListener("input", () => find(0));
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && matches.length > 0) {
      event.preventDefault();
      goTo(match + (event.shiftKey ? -1 : 1));
    } else if (event.key === "ArrowDown") {
      event.preventDefault();
      scroller.focus();
    }
  });

  async function show(next, spanId) {
    selected = spanId;
    fill(title, cells.data(next.name || next.id));
    if (trace?.id === next.id) {
      if (spanId) reveal(spanId);
      list.redraw();
      return;
    }
    trace = next;
    model = new TreeModel();
    matches = [];
    matched.clear();
    search.value = "";
    found.textContent = "";
    list.active = 0;
    list.setCount(0);
    await load();
  }

  async function load() {
    abort.abort();
    abort = new AbortController();
    const { signal } = abort;
    const mine = trace;
    problem.hidden = true;
    try {
      for (let offset = 0, total = 1; offset < total; offset += PAGE) {
        state.textContent = offset > 0 ? `${format.count(model.size)} of ${format.count(total)} spans…` : "Loading…";
        const answer = await get(apiPath("traces", mine.id, "spans"), { limit: PAGE, offset }, { signal });
        total = answer.pagination.total;
        model.add(answer.data);
        measure();
        list.setCount(model.rows.length);
        if (selected && model.node(selected) && offset === 0) reveal(selected);
      }
      state.textContent = `${format.count(model.size)} ${model.size === 1 ? "span" : "spans"}`;
      if (selected) reveal(selected);
      if (search.value) find(match);
    } catch (error) {
      if (signal.aborted) return;
      state.textContent = "";
      fill(problem, el("p", {}, error.message), button("Try again", load));
      problem.hidden = false;
    }
  }

  let from = 0;
  let whole = 1;
  function measure() {
    from = Infinity;
    let to = -Infinity;
    for (const node of model.nodes()) {
      from = Math.min(from, node.at);
      to = Math.max(to, node.at + node.span.duration_ms);
    }
    whole = Math.max(to - from, 0.001);
  }

  function drawRow(index) {
    const node = model.rows[index];
    const { span } = node;
    const open = model.isOpen(node);
    const parent = node.children.length > 0;
    const twist = el("span", { class: `twist ${parent ? (open ? "open" : "closed") : ""}`, "aria-hidden": "true" });
    const bar = el("span", { class: `span-bar kind-${span.kind} ${span.status === "ERROR" ? "failed" : ""}` });
    const left = Math.min(99.5, ((node.at - from) / whole) * 100);
    bar.style.left = `${left}%`;
    bar.style.width = `${Math.min(100 - left, (span.duration_ms / whole) * 100)}%`;
    const lost = !node.parent && span.parent_id;
    const name = el(
      "span",
      { class: "span-name" },
      twist,
      el("span", { class: `kind kind-${span.kind}` }, span.kind || "other"),
      el("bdi", { class: matched.has(span.id) ? "match" : null, title: label(span.name) }, label(span.name, 200)),
      span.status === "ERROR" && el("span", { class: "errors" }, "error"),
      lost && el("span", { class: "muted", title: "Its parent span is not stored" }, "no parent"),
      parent && !open && el("span", { class: "muted" }, `+${format.count(node.children.length)}`),
    );
    name.style.paddingInlineStart = `${Math.min(node.depth, INDENTS_MAX) * INDENT_PX}px`;
    return el(
      "div",
      {
        role: "treeitem",
        class: span.id === selected ? "tree-row selected" : "tree-row",
        "aria-level": node.depth + 1,
        "aria-posinset": node.place,
        "aria-setsize": model.siblingsOf(node),
        "aria-expanded": parent ? String(open) : null,
        "aria-selected": String(span.id === selected),
      },
      name,
      el("span", { class: "track", "aria-hidden": "true" }, bar),
      el("span", { class: "number" }, format.duration(span.duration_ms)),
      el(
        "span",
        {
          class: span.counts ? "number" : "number muted",
          title: span.counts || span.tokens === 0 ? null : "Not counted: another span reports the same call",
        },
        span.tokens > 0 ? format.count(span.tokens) : "",
      ),
      el("span", { class: "number" }, spanCost(span)),
    );
  }

  function chooseRow(index, event) {
    const node = model.rows[index];
    if (!node) return;
    if (event?.target.closest(".twist") && node.children.length > 0) {
      toggle(node, !model.isOpen(node));
      return;
    }
    selected = node.span.id;
    list.redraw();
    choose(node.span);
  }

  function onKey(event, index) {
    const node = model.rows[index];
    if (!node) return false;
    if (event.key === "ArrowRight") {
      if (node.children.length > 0 && !model.isOpen(node)) toggle(node, true);
      else if (node.children.length > 0) list.activate(index + 1);
      return true;
    }
    if (event.key === "ArrowLeft") {
      if (model.isOpen(node)) toggle(node, false);
      else if (node.parent) list.activate(model.rows.indexOf(node.parent));
      return true;
    }
    if (event.key === "*") {
      for (const sibling of node.parent ? node.parent.children : model.roots())
        if (sibling.children.length > 0) model.setOpen(sibling, true);
      list.setCount(model.rows.length);
      return true;
    }
    return /^\S$/u.test(event.key) && typed(event.key, index);
  }

  // A letter goes to the next row in sight whose name begins with it.
  function typed(letter, index) {
    const count = model.rows.length;
    for (let step = 1; step <= count; step += 1) {
      const at = (index + step) % count;
      if (!model.rows[at].span.name.toLowerCase().startsWith(letter.toLowerCase())) continue;
      list.activate(at);
      return true;
    }
    return false;
  }

  function toggle(node, open) {
    model.setOpen(node, open);
    list.setCount(model.rows.length);
    list.activate(model.rows.indexOf(node));
  }

  function openEverything(open) {
    model.setAllOpen(open);
    list.setCount(model.rows.length);
    list.activate(0);
  }

  function reveal(id) {
    const row = model.reveal(id);
    list.setCount(model.rows.length);
    if (row >= 0) list.activate(row, { toCentre: true });
  }

  function find(at) {
    matches = search.value.trim() === "" ? [] : model.search(search.value.trim());
    matched = new Set(matches);
    found.textContent = search.value.trim() === "" ? "" : "none";
    if (matches.length > 0) goTo(at);
    else list.redraw();
  }

  function goTo(at) {
    match = (at + matches.length) % matches.length;
    found.textContent = `${format.count(match + 1)} of ${format.count(matches.length)}`;
    reveal(matches[match]);
    const { span } = model.node(matches[match]);
    announce(`${span.name}, ${found.textContent}`);
  }

  function button(text, act) {
    return el("button", { type: "button", class: "quiet", on: { click: act } }, text);
  }

  return {
    root,
    show,
    focus: () => scroller.focus(),
    stop() {
      abort.abort();
      list.stop();
    },
  };
}

export function spanCost(span) {
  if (!span.counts || (span.tokens === 0 && span.cost === 0)) return "";
  return cells.cost(span.cost, span.cost === 0 ? 1 : 0, span.tokens);
}

// A list that the server sorts and pages: table, pager, live refresh, and what stands there when there is nothing, not
// yet, or not any more. Must never sort or filter rows itself: it holds one page of maybe a million.
// In the address: `sort_by`, `sort_order`, `page`, `size`, `live`.

import { announce } from "./announce.js";
import { el, fill, newId } from "./dom.js";
import * as format from "./format.js";
import { live } from "./live.js";
import { drawPager, SIZES } from "./pager.js";
import { go, href } from "./router.js";
import { reconcile } from "./rows.js";

const SLOW_MS = 150; // an answer that comes sooner needs no sign that it is awaited

// `columns`: `{name, label, sort?, number?, className?, cell(row)}`; `sort` is the server's name for it.
// `head` is the line of the view's heading: sort (on narrow screens), live and freshness go there.
// `load(parameters, paging, signal)` gives `{data, pagination}`; `keyOf(row)`; `empty(parameters)` gives nodes.
export function listing(root, { view, noun, columns, order, load, keyOf, empty, head: viewHead, settled }) {
  let parameters = {};
  let asked = 0;
  let abort = new AbortController();
  let answered = null; // the last good answer and when it came

  const id = newId("list");
  const problem = el("div", { class: "problem", role: "alert", hidden: true });
  const body = el("tbody", { role: "rowgroup" });
  const head = el("tr", { role: "row" });
  const caption = el("caption", { class: "unseen" });
  const table = el(
    "table",
    { role: "table", class: "list", id },
    caption,
    el("thead", { role: "rowgroup" }, head),
    body,
  );
  const nothing = el("div", { class: "empty", hidden: true });
  const pager = el("nav", { class: "pager", "aria-label": "Pages" });
  const sortBox = el("label", { class: "field sort-box" }, el("span", {}, "Sort"), el("select", {}));
  const toggle = el("button", { type: "button", class: "live", "aria-pressed": "false" }, "Live");
  const state = el("span", { class: "muted refreshed" });
  const tools = el("div", { class: "list-tools" }, sortBox, state, toggle);
  viewHead.append(tools);
  root.append(problem, el("div", { class: "table-box" }, table), nothing, pager);

  const refresher = live(() => ask({ quietly: true }));
  toggle.addEventListener("click", () => {
    change({ live: parameters.live === "off" ? "" : "off" }, true);
  });
  sortBox.lastChild.addEventListener("change", (event) => {
    const [by, direction] = event.target.value.split(" ");
    change({ sort_by: by, sort_order: direction, page: "" });
  });

  function change(changed, replace = false) {
    go(view, { ...parameters, ...changed }, { replace });
  }

  function sorted() {
    const by = columns.some((column) => column.sort && column.sort === parameters.sort_by)
      ? parameters.sort_by
      : order.by;
    const direction = ["asc", "desc"].includes(parameters.sort_order) ? parameters.sort_order : order.direction;
    return { by, direction };
  }

  function paging() {
    const size = SIZES.includes(Number(parameters.size)) ? Number(parameters.size) : 50;
    const page = Math.max(1, Math.floor(Number(parameters.page)) || 1);
    return { size, page };
  }

  function update(next) {
    parameters = next;
    drawHead();
    refresher.set(parameters.live !== "off");
    toggle.setAttribute("aria-pressed", String(parameters.live !== "off"));
    return ask({ quietly: false });
  }

  async function ask({ quietly }) {
    asked += 1;
    const mine = asked;
    abort.abort();
    abort = new AbortController();
    const slow = quietly ? 0 : setTimeout(() => table.setAttribute("aria-busy", "true"), SLOW_MS);
    const { by, direction } = sorted();
    const { size, page } = paging();
    const wanted = { sort_by: by, sort_order: direction, limit: size, offset: (page - 1) * size };
    try {
      const answer = await load(parameters, wanted, abort.signal);
      if (mine !== asked) return;
      draw(answer, quietly);
    } catch (error) {
      if (mine === asked) fail(error, quietly);
    } finally {
      clearTimeout(slow);
      if (mine === asked) table.removeAttribute("aria-busy");
    }
  }

  function draw({ data, pagination }, quietly) {
    const { size, page } = paging();
    const { by, direction } = sorted();
    const changed = JSON.stringify(data) !== answered?.text;
    answered = { text: JSON.stringify(data), at: new Date() };
    problem.hidden = true;
    if (changed || !quietly)
      reconcile(
        body,
        data.map((row) => [keyOf(row), drawRow(row)]),
        quietly,
      );
    table.parentNode.hidden = data.length === 0;
    table.setAttribute("aria-rowcount", String(pagination.total + 1));
    nothing.hidden = data.length > 0;
    if (data.length === 0) fill(nothing, ...nothingHere(pagination.total, size));
    drawPager(pager, {
      total: pagination.total,
      page,
      size,
      linkTo: (number) => href(view, { ...parameters, page: number === 1 ? "" : number }),
      choose: (chosen) => {
        if (chosen.size) change({ size: chosen.size, page: "" });
        else change({ page: chosen.page === 1 ? "" : chosen.page });
      },
    });
    const name = columns.find((column) => column.sort === by)?.label ?? by;
    const words = `${format.count(pagination.total)} ${noun(pagination.total)}, page ${page}, by ${name}, ${direction === "asc" ? "ascending" : "descending"}`;
    caption.textContent = words;
    if (!quietly) announce(words);
    state.textContent = `${format.clock(answered.at)}`;
    state.title = "When this list was last brought up to date";
    settled();
  }

  function fail(error, quietly) {
    const since = answered ? `Not up to date since ${format.clock(answered.at)}: ` : "";
    const details = Object.entries(error.details ?? {}).map(([name, text]) => el("li", {}, `${name}: ${text}`));
    const again = el("button", { type: "button", on: { click: () => ask({ quietly: false }) } }, "Try again");
    if (quietly && !problem.hidden) return;
    fill(problem, el("p", {}, since, error.message), details.length > 0 && el("ul", {}, details), again);
    problem.hidden = false;
    if (!answered) {
      table.parentNode.hidden = true;
      nothing.hidden = true;
    }
    settled();
  }

  function nothingHere(total, size) {
    if (total === 0) return empty(parameters);
    const last = Math.ceil(total / size);
    const link = el(
      "a",
      { href: href(view, { ...parameters, page: last === 1 ? "" : last }) },
      `Go to page ${format.count(last)}`,
    );
    return [
      el("p", {}, `The list ends before this page: it has ${format.count(total)} ${noun(total)}.`),
      el("p", {}, link),
    ];
  }

  function drawHead() {
    const { by, direction } = sorted();
    const focused = head.contains(document.activeElement) ? document.activeElement.dataset.sort : null;
    fill(
      head,
      columns.map((column) => heading(column, by, direction)),
    );
    if (focused) head.querySelector(`[data-sort="${focused}"]`)?.focus({ preventScroll: true });
    const options = columns
      .filter((column) => column.sort)
      .flatMap((column) =>
        ["desc", "asc"].map((way) =>
          el(
            "option",
            { value: `${column.sort} ${way}`, selected: column.sort === by && way === direction },
            `${column.label} ${way === "asc" ? "↑" : "↓"}`,
          ),
        ),
      );
    fill(sortBox.lastChild, options);
  }

  function heading(column, by, direction) {
    const className = [column.number && "number", column.className].filter(Boolean).join(" ") || null;
    const attributes = { role: "columnheader", scope: "col", class: className };
    if (!column.sort)
      return el("th", attributes, column.unseen ? el("span", { class: "unseen" }, column.label) : column.label);
    const here = column.sort === by;
    const sign = el(
      "span",
      { class: "sort-sign", "aria-hidden": "true" },
      here ? (direction === "asc" ? "↑" : "↓") : "",
    );
    // The first click on numbers and times asks for the largest, on text for the first of the alphabet.
    const next = here ? (direction === "asc" ? "desc" : "asc") : column.number ? "desc" : "asc";
    const button = el("button", { type: "button", "data-sort": column.sort }, column.label, sign);
    button.addEventListener("click", () => change({ sort_by: column.sort, sort_order: next, page: "" }));
    const ariaSort = here ? { "aria-sort": direction === "asc" ? "ascending" : "descending" } : {};
    return el("th", { ...attributes, ...ariaSort }, button);
  }

  function drawRow(row) {
    const cells = columns.map((column) =>
      el(
        "td",
        {
          role: "cell",
          class: [column.number && "number", column.className].filter(Boolean).join(" ") || null,
          "data-label": column.label,
        },
        column.cell(row),
      ),
    );
    return el("tr", { role: "row" }, cells);
  }

  body.addEventListener("click", (event) => {
    // A whole row is a target for the pointer; its link is what keyboards and readers use.
    if (event.target.closest("a, button, .menu") || String(getSelection()) !== "") return;
    event.target.closest("tr")?.querySelector("a")?.click();
  });

  return {
    update,
    refresh: () => ask({ quietly: true }),
    unmount() {
      asked += 1;
      abort.abort();
      refresher.stop();
    },
  };
}

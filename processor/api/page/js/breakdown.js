// What each model, provider and service took of a session.

import * as cells from "./cells.js";
import { el } from "./dom.js";
import * as format from "./format.js";

const PARTS = [
  ["models", "Model"],
  ["providers", "Provider"],
  ["services", "Service"],
];

export function breakdown(session) {
  return PARTS.map(([part, title]) => table(title, session.breakdown?.[part] ?? [], session));
}

function table(title, entries, session) {
  const heads = ["Calls", "Errors", "Input", "Cached", "Output", "Reasoning", "Tokens", "Cost", "Share"];
  const rows = entries.map((entry) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, cells.data(entry.name)),
      number(format.count(entry.call_count)),
      number(cells.errors(entry.error_count)),
      number(format.count(entry.input_tokens)),
      number(format.count(entry.cache_read_tokens)),
      number(format.count(entry.output_tokens)),
      number(format.count(entry.reasoning_tokens)),
      number(format.count(entry.total_tokens)),
      number(cells.cost(entry.cost, entry.unpriced_count)),
      number(share(entry, session)),
    ),
  );
  const head = el(
    "tr",
    {},
    el("th", { scope: "col" }, title),
    heads.map((text) => el("th", { scope: "col", class: "number" }, text)),
  );
  const body =
    rows.length > 0 ? rows : el("tr", {}, el("td", { colspan: heads.length + 1, class: "muted" }, "No calls"));
  return el(
    "div",
    { class: "table-box", tabindex: "0", role: "region", "aria-label": `Usage by ${title.toLowerCase()}` },
    el(
      "table",
      { class: "usage" },
      el("caption", {}, `By ${title.toLowerCase()}`),
      el("thead", {}, head),
      el("tbody", {}, body),
    ),
  );
}

function number(content) {
  return el("td", { class: "number" }, content);
}

// Of the cost, or of the tokens where nothing has a cost.
function share(entry, session) {
  const [part, all] =
    session.total_cost > 0 ? [entry.cost, session.total_cost] : [entry.total_tokens, session.total_tokens];
  const bar = el("span", { class: "share", "aria-hidden": "true" }, el("span", {}));
  bar.firstChild.style.width = `${all > 0 ? (part / all) * 100 : 0}%`;
  return [bar, format.percent(part, all)];
}

// What sessions cost, took and failed at, over time, under the same filters as the list.

import * as cells from "../cells.js";
import { chart, intervalLabel, niceDuration } from "../chart.js";
import { announce } from "../announce.js";
import { el, fill } from "../dom.js";
import { get } from "../fetch.js";
import { filterForm, filtersOf, isFiltered, unfiltered } from "../filters.js";
import * as format from "../format.js";
import { go, href } from "../router.js";
import { tiles } from "../tiles.js";

const INTERVALS = [
  ["", "auto"],
  ["minute", "minute"],
  ["hour", "hour"],
  ["day", "day"],
  ["week", "week"],
  ["month", "month"],
];
const RANKINGS = [
  ["top_models", "Top models", "model"],
  ["top_users", "Top users", "user_id"],
  ["top_services", "Top services", "service"],
  ["top_environments", "Environments", "environment"],
  ["top_tags", "Top tags", "tag"],
];

export function title() {
  return "Analytics";
}

export function mount(root, first, { settled }) {
  let parameters = first;
  let interval = "day";
  let abort = new AbortController();
  const filters = filterForm("analytics", { withSearch: false });
  const every = el(
    "select",
    {},
    INTERVALS.map(([value, text]) => el("option", { value }, text)),
  );
  every.addEventListener("change", () => go("analytics", { ...parameters, interval: every.value }));
  const problem = el("div", { class: "problem", role: "alert", hidden: true });
  const totals = el("div");
  const rankings = el("div", { class: "rankings" });
  const empty = el("div", { class: "empty", hidden: true });
  const shared = { labelOf: (point) => intervalLabel(point.start, interval), linkOf };
  const number = (value, tight) => (tight ? format.compact(value) : format.count(value));
  const charts = {
    session_count: chart({ ...shared, title: "Sessions", lines: [["session_count", "Sessions"]], show: number }),
    total_cost: chart({
      ...shared,
      title: "Cost",
      lines: [["total_cost", "Cost"]],
      show: (value) => format.cost(value),
    }),
    total_tokens: chart({ ...shared, title: "Tokens", lines: [["total_tokens", "Tokens"]], show: number }),
    error_count: chart({
      ...shared,
      title: "Errors",
      lines: [["error_count", "Errors"]],
      show: number,
      className: "failed",
    }),
    duration: chart({
      ...shared,
      title: "Duration",
      kind: "lines",
      nice: niceDuration,
      lines: [
        ["latency_ms_p50", "p50"],
        ["latency_ms_p95", "p95"],
      ],
      show: (value) => format.duration(value),
    }),
  };
  const grid = el(
    "div",
    { class: "charts" },
    Object.values(charts).map((entry) => entry.root),
  );
  const body = el("div", {}, totals, grid, rankings);
  root.append(
    el(
      "div",
      { class: "view-head" },
      el("h1", { tabindex: "-1" }, "Analytics"),
      el("label", { class: "field" }, el("span", {}, "Interval"), every),
    ),
    filters.form,
    problem,
    empty,
    body,
  );

  async function load() {
    abort.abort();
    abort = new AbortController();
    const { signal } = abort;
    body.setAttribute("aria-busy", "true");
    try {
      const { data } = await get(
        "/v1/sessions/stats",
        { ...filtersOf(parameters), interval: parameters.interval ?? "" },
        { signal },
      );
      problem.hidden = true;
      draw(data);
    } catch (error) {
      if (signal.aborted) return;
      fill(problem, el("p", {}, error.message), el("button", { type: "button", on: { click: load } }, "Try again"));
      problem.hidden = false;
    }
    body.removeAttribute("aria-busy");
    settled();
  }

  function draw(data) {
    ({ interval } = data);
    body.hidden = data.session_count === 0;
    empty.hidden = data.session_count > 0;
    if (data.session_count === 0) fill(empty, nothing());
    announce(`${format.count(data.session_count)} sessions`);
    fill(totals, figures(data));
    charts.session_count.update(data.series, `${format.count(data.session_count)} in all`);
    charts.total_cost.update(data.series, `${format.cost(data.total_cost)} in all`);
    charts.total_tokens.update(data.series, `${format.count(data.total_tokens)} in all`);
    charts.error_count.update(data.series, `${format.count(data.error_count)} in all`);
    charts.duration.update(
      data.series,
      `half of all sessions took up to ${format.duration(data.latency_ms.p50)}, 95 of 100 up to ${format.duration(data.latency_ms.p95)}`,
    );
    fill(
      rankings,
      RANKINGS.filter(([key]) => data[key]?.length > 0).map(([key, name, filter]) =>
        ranking(name, filter, data[key], data),
      ),
    );
  }

  function nothing() {
    return [
      el("h2", {}, isFiltered(parameters) ? "No session matches" : "No sessions yet"),
      isFiltered(parameters) &&
        el("p", {}, el("a", { href: href("analytics", unfiltered(parameters)) }, "Clear filters")),
    ];
  }

  // The sessions of one interval of a chart.
  function linkOf(point) {
    return href("sessions", {
      ...kept(),
      range: "custom",
      start_date: point.start,
      end_date: endOf(point.start, interval),
    });
  }

  function kept() {
    const { interval: _, range: __, ...rest } = parameters;
    return rest;
  }

  function ranking(name, filter, entries, data) {
    const most = Math.max(...entries.map((entry) => entry.total_tokens), 1);
    const rows = entries.map((entry) => {
      const bar = el("span", { class: "share", "aria-hidden": "true" }, el("span", {}));
      bar.firstChild.style.width = `${(entry.total_tokens / most) * 100}%`;
      const text =
        entry.name === ""
          ? el("span", { class: "muted" }, "none")
          : cells.dataLink(entry.name, href("sessions", { ...kept(), ...range(), [filter]: entry.name }));
      return el(
        "tr",
        {},
        el("th", { scope: "row" }, text),
        number_(format.count(entry.session_count)),
        number_([bar, format.compact(entry.total_tokens)]),
        number_(cells.cost(entry.total_cost, data.unpriced_span_count > 0 ? null : 0, entry.total_tokens)),
      );
    });
    const head = el(
      "tr",
      {},
      el("th", { scope: "col" }, "Name"),
      ["Sessions", "Tokens", "Cost"].map((text) => el("th", { scope: "col", class: "number" }, text)),
    );
    return el(
      "div",
      { class: "ranking" },
      el("table", {}, el("caption", {}, name), el("thead", {}, head), el("tbody", {}, rows)),
    );
  }

  function range() {
    return parameters.range ? { range: parameters.range } : {};
  }

  function update(next) {
    parameters = next;
    filters.update(next);
    every.value = next.interval ?? "";
    load();
  }

  update(first);
  return {
    update,
    unmount() {
      abort.abort();
      for (const entry of Object.values(charts)) entry.stop();
    },
  };
}

function number_(content) {
  return el("td", { class: "number" }, content);
}

function figures(data) {
  const failed = `${format.percent(data.error_session_count, data.session_count)} of sessions`;
  return tiles([
    ["Sessions", format.count(data.session_count), `${format.count(data.user_count)} users`],
    [
      "Cost",
      cells.cost(data.total_cost, data.unpriced_span_count),
      data.unpriced_span_count > 0
        ? `${format.count(data.unpriced_span_count)} calls without a price`
        : `${format.cost(data.cost.p50)} p50 · ${format.cost(data.cost.p95)} p95`,
    ],
    [
      "Tokens",
      format.count(data.total_tokens),
      `${format.compact(data.input_tokens)} in · ${format.compact(data.output_tokens)} out`,
    ],
    [
      "Duration p50",
      format.duration(data.latency_ms.p50),
      `${format.duration(data.latency_ms.p95)} p95 · ${format.duration(data.latency_ms.p99)} p99`,
    ],
    ["Model calls", format.count(data.llm_call_count), `${format.count(data.tool_call_count)} tool calls`],
    ["Traces", format.count(data.trace_count), `${format.count(data.span_count)} spans`],
    ["Errors", cells.errors(data.error_count), failed],
  ]);
}

const LENGTH_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000, week: 604_800_000 };

function endOf(iso, interval) {
  const start = new Date(iso);
  if (interval === "month")
    return new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 1) - 1).toISOString();
  return new Date(start.getTime() + LENGTH_MS[interval] - 1).toISOString();
}

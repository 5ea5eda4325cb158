// Log records of a session, the earliest first, a page at a time; a record of a span leads to it.

import * as cells from "./cells.js";
import { el, fill } from "./dom.js";
import { apiPath, get } from "./fetch.js";
import * as format from "./format.js";
import { content } from "./messages.js";
import { drawPager } from "./pager.js";
import { href } from "./router.js";
import { attributes } from "./span-panel.js";
import { label } from "./text.js";

const SEVERITIES = [
  [17, "error"],
  [13, "warn"],
  [9, "info"],
  [1, "debug"],
];

export function logs({ sessionId, go }) {
  let abort = new AbortController();
  const problem = el("div", { class: "problem", role: "alert", hidden: true });
  const list = el("ol", { class: "logs" });
  const empty = el(
    "p",
    { class: "empty", hidden: true },
    "No log records of this session are stored. They come by OTLP, to the same ports as its spans.",
  );
  const pager = el("nav", { class: "pager", "aria-label": "Pages of log records" });
  const root = el("section", { "aria-label": "Logs" }, problem, list, empty, pager);

  async function update(parameters) {
    abort.abort();
    abort = new AbortController();
    const { signal } = abort;
    list.setAttribute("aria-busy", "true");
    const page = Math.max(1, Math.floor(Number(parameters.log_page)) || 1);
    const size = Number(parameters.log_size) || 100;
    try {
      const answer = await get(
        apiPath("sessions", sessionId, "logs"),
        { limit: size, offset: (page - 1) * size },
        { signal },
      );
      problem.hidden = true;
      fill(
        list,
        answer.data.map((record) => draw(record)),
      );
      empty.hidden = answer.pagination.total > 0;
      pager.hidden = answer.pagination.total === 0;
      drawPager(pager, {
        total: answer.pagination.total,
        page,
        size,
        linkTo: (number) => href("session", { ...parameters, log_page: number === 1 ? "" : number }),
        choose: (chosen) => go({ log_page: chosen.page ?? "", ...(chosen.size ? { log_size: chosen.size } : {}) }),
      });
    } catch (error) {
      if (signal.aborted) return;
      fill(
        problem,
        el("p", {}, error.message),
        el("button", { type: "button", on: { click: () => update(parameters) } }, "Try again"),
      );
      problem.hidden = false;
    }
    list.removeAttribute("aria-busy");
  }

  function draw(record) {
    const [, severity] = SEVERITIES.find(([from]) => record.severity_number >= from) ?? [0, "debug"];
    const body = typeof record.body === "string" ? record.body : JSON.stringify(record.body);
    const target = record.span_id && href("session", { id: sessionId, trace: record.trace_id, span: record.span_id });
    return el(
      "li",
      { class: `log ${severity}` },
      el(
        "details",
        {},
        el(
          "summary",
          {},
          el(
            "time",
            { datetime: record.timestamp, title: `${record.timestamp} (UTC)` },
            format.clockMillis(new Date(record.timestamp)),
          ),
          el("span", { class: "severity" }, label(record.severity || severity, 12)),
          el("bdi", { class: "log-body" }, label([record.event_name, body].filter(Boolean).join(" · "), 400)),
        ),
        el(
          "div",
          { class: "log-more" },
          body && content(body),
          Object.keys(record.attributes ?? {}).length > 0 && attributes(record.attributes, "Attributes of the record"),
          el(
            "p",
            { class: "muted" },
            [record.service_name, record.scope?.name ?? record.scope]
              .filter((text) => typeof text === "string" && text)
              .map((text) => [cells.data(text), " "]),
            target && el("a", { href: target }, "Its span"),
          ),
        ),
      ),
    );
  }

  return { root, update, stop: () => abort.abort() };
}

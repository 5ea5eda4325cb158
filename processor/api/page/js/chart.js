// Charts of a time series, as SVG, with the same numbers as a table beside them. One module draws both kinds: columns for
// what is counted, lines for what is measured. Must say everything that it shows in words too.

import { el, fill, svg } from "./dom.js";
import * as format from "./format.js";
import { open } from "./router.js";

const HEIGHT = 150;
const LEFT = 46;
const BOTTOM = 18;
const TOP = 6;
const TICKS = 3;
const X_LABEL_PX = 110;
const DURATION_TOPS_S = [3, 6, 15, 30, 60, 180, 360, 900, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400, 259_200];

// `lines`: `[key, name]`; `show(number)` writes a value; `labelOf(point)` its interval; `linkOf(point)` where it leads.
export function chart({ title, lines, kind = "columns", className = "", nice = niceNumber, show, labelOf, linkOf }) {
  let points = [];
  const readout = el("span", { class: "readout", "aria-hidden": "true" });
  const keys = lines.length > 1 ? lines.map(([, name], at) => el("span", { class: `key line-${at}` }, name)) : [];
  const picture = svg("svg", { role: "img", "aria-label": title });
  const body = el("tbody");
  const head = el(
    "tr",
    {},
    el("th", { scope: "col" }, "From"),
    lines.map(([, name]) => el("th", { scope: "col", class: "number" }, name)),
  );
  const table = el("table", {}, el("caption", { class: "unseen" }, title), el("thead", {}, head), body);
  const numbers = el(
    "details",
    {},
    el("summary", {}, "Numbers", el("span", { class: "unseen" }, ` of ${title}`)),
    el("div", { class: "table-box", tabindex: "0", role: "region", "aria-label": `${title}, numbers` }, table),
  );
  const root = el(
    "figure",
    { class: "chart" },
    el("figcaption", {}, el("strong", {}, title), keys, readout),
    picture,
    numbers,
  );
  const size = new ResizeObserver(draw);
  size.observe(root);
  numbers.addEventListener("toggle", drawTable);

  picture.addEventListener("pointermove", (event) => hover(indexAt(event)));
  picture.addEventListener("pointerleave", () => hover(-1));
  picture.addEventListener("click", (event) => {
    const point = points[indexAt(event)];
    if (point) open(linkOf(point));
  });

  let width = 0;
  const step = () => (width - LEFT) / Math.max(1, points.length);
  const indexAt = (event) => Math.floor((event.clientX - picture.getBoundingClientRect().left - LEFT) / step());

  function draw() {
    width = picture.clientWidth;
    if (width === 0 || points.length === 0) return;
    const most = Math.max(...points.flatMap((point) => lines.map(([key]) => point[key] ?? 0)));
    const top = nice(most || 1);
    const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
    fill(picture, grid(top, y), kind === "columns" ? columns(y) : curves(y), xAxis(), svg("g", { class: "hover" }));
  }

  function grid(top, y) {
    const steps = Array.from({ length: TICKS + 1 }, (_, at) => (top * at) / TICKS);
    return steps.map((value) => [
      svg("line", { class: "grid", x1: LEFT, x2: width, y1: y(value), y2: y(value) }),
      svg("text", { x: LEFT - 6, y: y(value) + 3, "text-anchor": "end" }, show(value, true)),
    ]);
  }

  function columns(y) {
    const [key] = lines[0];
    const wide = Math.max(1, step() - Math.min(3, step() / 4));
    return svg(
      "g",
      { class: `columns ${className}` },
      points.map((point, at) => {
        const high = point[key] > 0 ? Math.max(1.5, y(0) - y(point[key])) : 0;
        return svg("rect", { x: LEFT + at * step(), y: y(0) - high, width: wide, height: high });
      }),
    );
  }

  // An interval without sessions has no duration: the line stops there instead of falling to zero.
  function curves(y) {
    return lines.map(([key], line) => {
      let pen = "M";
      const parts = [];
      const alone = [];
      points.forEach((point, at) => {
        const here = has(point, key);
        if (here) parts.push(`${pen}${LEFT + (at + 0.5) * step()} ${y(point[key])}`);
        if (here && !has(points[at - 1], key) && !has(points[at + 1], key))
          alone.push(
            svg("circle", { class: `line-${line}`, cx: LEFT + (at + 0.5) * step(), cy: y(point[key]), r: 2.5 }),
          );
        pen = here ? "L" : "M";
      });
      return [svg("path", { class: `line-${line}`, d: parts.join("") }), alone];
    });
  }

  function has(point, key) {
    return point !== undefined && point.session_count > 0 && point[key] !== null;
  }

  function xAxis() {
    const every = Math.max(1, Math.ceil(points.length / Math.max(1, Math.floor((width - LEFT) / X_LABEL_PX))));
    return points.flatMap((point, at) =>
      at % every === 0 && (points.length - at) * step() > X_LABEL_PX * 0.7
        ? [svg("text", { x: LEFT + at * step(), y: HEIGHT - 4 }, labelOf(point))]
        : [],
    );
  }

  function hover(at) {
    const point = points[at];
    const place = picture.querySelector(".hover");
    if (!place) return;
    if (!point) {
      readout.textContent = "";
      place.replaceChildren();
      return;
    }
    readout.textContent = `${labelOf(point)} · ${lines.map(([key, name]) => (lines.length > 1 ? `${name} ${show(point[key] ?? 0)}` : show(point[key] ?? 0))).join(", ")}`;
    const x = LEFT + (at + 0.5) * step();
    fill(place, svg("line", { class: "cursor", x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }));
  }

  function drawTable() {
    if (!numbers.open) return;
    fill(
      body,
      points.map((point) =>
        el(
          "tr",
          {},
          el("th", { scope: "row" }, el("a", { href: linkOf(point) }, labelOf(point))),
          lines.map(([key]) =>
            el("td", { class: "number" }, point.session_count > 0 || kind === "columns" ? show(point[key] ?? 0) : "–"),
          ),
        ),
      ),
    );
  }

  return {
    root,
    update(next, total) {
      points = next;
      picture.setAttribute("aria-label", `${title}: ${total}. The numbers are in the table below.`);
      draw();
      drawTable();
    },
    stop: () => size.disconnect(),
  };
}

// The next round number: 1, 2, 3 or 6 times a power of ten, so that thirds of it are round too.
function niceNumber(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return [1.5, 3, 6, 12].map((factor) => factor * power).find((round) => round >= most);
}

// The same for durations in ms: thirds of it are whole seconds, minutes, hours or days.
export function niceDuration(most) {
  return DURATION_TOPS_S.map((seconds) => seconds * 1_000).find((round) => round >= most) ?? niceNumber(most);
}

export function intervalLabel(iso, interval) {
  const moment = new Date(iso);
  if (interval === "minute" || interval === "hour")
    return `${format.day(moment).slice(5)} ${format.clock(moment, false)}`;
  // Days and longer are days in UTC: the server cut them there.
  return interval === "month" ? iso.slice(0, 7) : iso.slice(0, 10);
}

// All traces of a session over time, on one canvas: a bar a trace, in as many lanes as run at once; folded pauses are
// hatched and say how long they were. The list beside it says the same in words. Must draw 20,000 traces in a blink.

import { el } from "./dom.js";
import * as format from "./format.js";

const LANES_MAX = 8;
const LANE_PX = 12;
const AXIS_PX = 18;
const TOP_PX = 16; // the length of folded pauses stands there
const BAR_PX_MIN = 2;
const LABEL_PX = 56;

// `choose(index)` for a click on a trace.
export function timeline({ choose }) {
  const canvas = el("canvas", { class: "timeline", role: "img", tabindex: null });
  const tip = el("div", { class: "timeline-tip", "aria-hidden": "true", hidden: true });
  const root = el("div", { class: "timeline-box" }, canvas, tip);
  let shown = { traces: [], scale: null, selected: -1 };
  let boxes = [];
  let frame = 0;

  const later = () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(draw);
  };
  const size = new ResizeObserver(later);
  size.observe(root);
  document.addEventListener("theme", later);

  canvas.addEventListener("pointermove", (event) => hover(event));
  canvas.addEventListener("pointerleave", () => (tip.hidden = true));
  canvas.addEventListener("click", (event) => {
    const index = at(event);
    if (index >= 0) choose(index);
  });

  function draw() {
    const { traces, scale, selected } = shown;
    if (!scale || root.clientWidth === 0) return;
    const lanes = lanesOf(traces);
    const width = root.clientWidth;
    const height = TOP_PX + lanes.count * LANE_PX + AXIS_PX;
    const ratio = devicePixelRatio || 1;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const colours = coloursOf(root);
    pen.font = "10px system-ui, sans-serif";
    drawFolds(pen, scale, width, height, colours);
    boxes = traces.map((trace, index) => {
      const left = scale.place(trace.startMs) * (width - BAR_PX_MIN);
      const right = Math.max(left + BAR_PX_MIN, scale.place(trace.endMs) * width);
      const top = TOP_PX + lanes.of[index] * LANE_PX;
      pen.fillStyle = trace.error_count > 0 || trace.status === "ERROR" ? colours.error : colours.bar;
      pen.fillRect(left, top, right - left, LANE_PX - 2);
      return [left, right, top];
    });
    if (selected >= 0 && boxes[selected]) mark(pen, boxes[selected], colours);
    drawAxis(pen, scale, width, height, colours);
  }

  function mark(pen, [left, right, top], colours) {
    pen.strokeStyle = colours.text;
    pen.lineWidth = 2;
    pen.strokeRect(left - 1, top - 1, right - left + 2, LANE_PX);
  }

  function at(event) {
    const near = 4;
    let best = -1;
    let bestDistance = near;
    boxes.forEach(([left, right, top], index) => {
      if (event.offsetY < top - 2 || event.offsetY > top + LANE_PX) return;
      const distance = Math.max(left - event.offsetX, event.offsetX - right, 0);
      if (distance < bestDistance) {
        best = index;
        bestDistance = distance;
      }
    });
    return best;
  }

  function hover(event) {
    const index = at(event);
    tip.hidden = index < 0;
    canvas.style.cursor = index < 0 ? "default" : "pointer";
    if (index < 0) return;
    const trace = shown.traces[index];
    tip.textContent = `${trace.label} · ${format.clock(new Date(trace.startMs))} · ${format.duration(trace.latency_ms)}`;
    tip.style.left = `${Math.max(0, Math.min(event.offsetX, root.clientWidth - tip.offsetWidth))}px`;
  }

  return {
    root,
    // `traces` have `startMs`, `endMs`, `label`; `describe` is what the picture says, in words.
    update(next, describe) {
      shown = next;
      canvas.setAttribute("aria-label", describe);
      later();
    },
    stop() {
      cancelAnimationFrame(frame);
      size.disconnect();
      document.removeEventListener("theme", later);
    },
  };
}

// The first lane that is free when a trace starts; the last one takes what no lane is free for.
function lanesOf(traces) {
  const until = [];
  const of = traces.map((trace) => {
    let lane = until.findIndex((end) => end <= trace.startMs);
    if (lane < 0) lane = until.length < LANES_MAX ? until.length : LANES_MAX - 1;
    until[lane] = Math.max(until[lane] ?? -Infinity, trace.endMs);
    return lane;
  });
  return { of, count: Math.max(1, until.length) };
}

function coloursOf(element) {
  const style = getComputedStyle(element);
  const read = (name) => style.getPropertyValue(name);
  return {
    bar: read("--bar"),
    error: read("--bar-error"),
    text: read("--ink"),
    muted: read("--ink-muted"),
    line: read("--edge"),
  };
}

function drawFolds(pen, scale, width, height, colours) {
  pen.textAlign = "center";
  for (const { left, right, from, to } of scale.folds) {
    const [x, wide] = [left * width, (right - left) * width];
    pen.save();
    pen.beginPath();
    pen.rect(x, 0, wide, height - AXIS_PX);
    pen.clip();
    pen.strokeStyle = colours.line;
    for (let stripe = x - height; stripe < x + wide; stripe += 6) {
      pen.beginPath();
      pen.moveTo(stripe, height - AXIS_PX);
      pen.lineTo(stripe + height, -AXIS_PX);
      pen.stroke();
    }
    pen.restore();
    const words = format.duration(to - from).replace(/\.\d s/, " s");
    if (pen.measureText(words).width > wide) continue;
    pen.fillStyle = colours.muted;
    pen.fillText(words, x + wide / 2, 11);
  }
}

// The time of day at both ends, and again after each fold where there is room: there the scale jumps.
function drawAxis(pen, scale, width, height, colours) {
  pen.strokeStyle = colours.line;
  pen.beginPath();
  pen.moveTo(0, height - AXIS_PX + 0.5);
  pen.lineTo(width, height - AXIS_PX + 0.5);
  pen.stroke();
  pen.fillStyle = colours.muted;
  const baseline = height - 5;
  pen.textAlign = "right";
  pen.fillText(format.clock(new Date(scale.end)), width - 3, baseline);
  pen.textAlign = "left";
  let free = 3;
  for (const [ms, x] of [[scale.start, 3], ...scale.folds.map(({ to, right }) => [to, right * width])]) {
    if (x < free || x > width - 2 * LABEL_PX) continue;
    pen.fillText(format.clock(new Date(ms)), x, baseline);
    free = x + LABEL_PX;
  }
}

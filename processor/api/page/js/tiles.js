// Figures side by side, as a description list. `entries`: `[name, value, note?]`.

import { el } from "./dom.js";

export function tiles(entries) {
  const groups = entries.map(([name, value, note]) =>
    el("div", { class: "tile" }, el("dt", {}, name), el("dd", {}, value), note && el("dd", { class: "note" }, note)),
  );
  return el("dl", { class: "tiles" }, groups);
}

// Tabs, as the ARIA tabs pattern has them: arrows move and choose. `entries`: `[name, label]`; `choose(name)`.

import { el, newId } from "./dom.js";

export function tabs(name, entries, choose) {
  const id = newId("tabs");
  const buttons = new Map(
    entries.map(([key, label]) => {
      const attributes = { type: "button", role: "tab", id: `${id}-${key}`, "aria-controls": `${id}-${key}-panel` };
      return [key, el("button", { ...attributes, on: { click: () => choose(key) } }, label)];
    }),
  );
  const panels = new Map(
    entries.map(([key]) => [
      key,
      el("div", { role: "tabpanel", id: `${id}-${key}-panel`, "aria-labelledby": `${id}-${key}`, hidden: true }),
    ]),
  );
  const bar = el("div", { role: "tablist", class: "tabs", "aria-label": name }, [...buttons.values()]);
  bar.addEventListener("keydown", (event) => {
    const all = [...buttons.values()];
    const at = all.indexOf(event.target);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
    if (at < 0 || next === undefined) return;
    event.preventDefault();
    const target = all.at(next % all.length);
    target.focus();
    target.click();
  });

  function show(wanted) {
    for (const [key, button] of buttons) {
      button.setAttribute("aria-selected", String(key === wanted));
      button.tabIndex = key === wanted ? 0 : -1;
      panels.get(key).hidden = key !== wanted;
    }
  }

  return { bar, panels, show };
}

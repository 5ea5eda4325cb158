// A button with a menu, as the ARIA menu button pattern has it. One menu is open at a time. While one is, lists keep
// still (`isOpen`, event "menuclosed" on the document): nothing may move under a pointer that is about to choose.

import { el, newId } from "./dom.js";

let opened = null;

export function isOpen() {
  return opened !== null;
}

// `items()` gives `{label, act}` or `{label, href}`, asked for when the menu opens.
export function menuButton(name, items, { text = "⋯", className = "quiet menu-button" } = {}) {
  const id = newId("menu");
  const button = el(
    "button",
    {
      type: "button",
      class: className,
      "aria-haspopup": "menu",
      "aria-expanded": "false",
      "aria-label": text === name ? null : name,
    },
    text,
  );
  const holder = el("span", { class: "menu-holder" }, button);
  button.addEventListener("click", () => (opened?.button === button ? close() : open(0)));
  button.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    open(event.key === "ArrowDown" ? 0 : -1);
  });

  function open(at) {
    close();
    const entries = items().map((item) => entry(item));
    const menu = el("div", { role: "menu", id, class: "menu", "aria-label": name }, entries);
    menu.addEventListener("keydown", (event) => onKey(event, entries));
    holder.append(menu);
    button.setAttribute("aria-expanded", "true");
    button.setAttribute("aria-controls", id);
    opened = { button, menu };
    entries.at(at).focus();
  }

  return holder;
}

function entry({ label, act, href }) {
  const attributes = { role: "menuitem", tabindex: "-1" };
  const item = href ? el("a", { ...attributes, href }, label) : el("button", { ...attributes, type: "button" }, label);
  item.addEventListener("click", () => {
    close(true);
    act?.();
  });
  return item;
}

function onKey(event, entries) {
  const at = entries.indexOf(document.activeElement);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
  if (next !== undefined) {
    event.preventDefault();
    entries.at(next % entries.length).focus();
  } else if (event.key === "Escape") {
    event.stopPropagation();
    close(true);
  } else if (event.key === "Tab") {
    close();
  }
}

export function close(withFocus = false) {
  if (!opened) return;
  const { button, menu } = opened;
  opened = null;
  menu.remove();
  button.setAttribute("aria-expanded", "false");
  button.removeAttribute("aria-controls");
  if (withFocus) button.focus();
  document.dispatchEvent(new CustomEvent("menuclosed"));
}

document.addEventListener("pointerdown", (event) => {
  if (opened && !opened.menu.contains(event.target) && !opened.button.contains(event.target)) close();
});

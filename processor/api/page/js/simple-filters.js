// A search and a few fields over a list; as with `filters.js`, the address holds their state.

import { el } from "./dom.js";
import { go } from "./router.js";

const TYPING_MS = 250;

// `fields`: `[name, label]`; `choices`: `[name, label, options]`. `of(parameters)` is what the API is asked for.
export function simpleFilters(view, name, { search, fields = [], choices = [] }) {
  let parameters = {};
  const inputs = new Map();
  const form = el("form", { class: "filters", role: "search", "aria-label": name });
  form.addEventListener("submit", (event) => event.preventDefault());

  const change = (key, value, replace) => go(view, { ...parameters, [key]: value, page: "" }, { replace });
  add("search", searchInput());
  for (const [key, label] of fields) add(key, textInput(key, label), label);
  for (const [key, label, options] of choices) add(key, choice(key, label, options), label);

  function add(key, input, label) {
    inputs.set(key, input);
    form.append(label ? el("label", { class: "field" }, el("span", {}, label), input) : input);
  }

  function searchInput() {
    const input = el("input", {
      type: "search",
      "aria-label": search,
      placeholder: search,
      "aria-keyshortcuts": "/",
      autocomplete: "off",
      spellcheck: "false",
    });
    let timer = 0;
    let typing = false;
    const apply = () => {
      clearTimeout(timer);
      if (input.value === (parameters.search ?? "")) return;
      change("search", input.value, typing);
      typing = true;
    };
    input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(apply, TYPING_MS);
    });
    input.addEventListener("blur", () => {
      apply();
      typing = false;
    });
    return input;
  }

  function textInput(key, label) {
    const input = el("input", { type: "text", "aria-label": label, autocomplete: "off", spellcheck: "false" });
    input.addEventListener("change", () => change(key, input.value));
    return input;
  }

  function choice(key, label, options) {
    const select = el(
      "select",
      { "aria-label": label },
      options.map(([value, text]) => el("option", { value }, text)),
    );
    select.addEventListener("change", () => change(key, select.value));
    return select;
  }

  return {
    form,
    of: (given) => Object.fromEntries([...inputs.keys()].map((key) => [key, given[key] ?? ""])),
    update(next) {
      parameters = next;
      for (const [key, input] of inputs) {
        const typed = key === "search" && input === document.activeElement && next.search;
        if (!typed) input.value = next[key] ?? "";
      }
    },
  };
}

// The filters of sessions: a form whose whole state is the address. Used by the list and by analytics.
// Must never hold a value that the address does not: what a reader sees is what a link shares.

import { el, fill } from "./dom.js";
import { localInput } from "./format.js";
import { chosen, dates, RANGES } from "./ranges.js";
import { go } from "./router.js";
import { suggestionsFor } from "./suggestions.js";
import { label } from "./text.js";

const TYPING_MS = 250;
const TEXTS = [
  ["user_id", "User"],
  ["tag", "Tag"],
  ["environment", "Environment"],
  ["model", "Model"],
  ["service", "Service"],
];
const CHOICES = {
  has_error: [
    "Errors",
    [
      ["", "any"],
      ["true", "with errors"],
      ["false", "without"],
    ],
  ],
  status: [
    "Status",
    [
      ["", "any"],
      ["OK", "OK"],
      ["ERROR", "Error"],
      ["UNSET", "none"],
    ],
  ],
};
// No field of their own: they come from links, and are shown to be taken away again.
const OTHERS = /^(name|thread_id|min_cost|min_tokens|min_duration_ms|metadata\..+)$/;
const NAMES = ["search", ...TEXTS.map(([name]) => name), ...Object.keys(CHOICES)];

// What the API is asked for, out of an address.
export function filtersOf(parameters) {
  const others = Object.entries(parameters).filter(([name]) => NAMES.includes(name) || OTHERS.test(name));
  return { ...Object.fromEntries(others), ...dates(parameters) };
}

export function isFiltered(parameters) {
  return Object.values(filtersOf(parameters)).some((value) => value !== "" && value !== undefined);
}

// The parameters without any filter; order, page size and the like stay.
export function unfiltered(parameters) {
  const kept = Object.entries(parameters).filter(
    ([name]) =>
      !NAMES.includes(name) && !OTHERS.test(name) && !["range", "start_date", "end_date", "page"].includes(name),
  );
  return Object.fromEntries(kept);
}

export function filterForm(view, { withSearch = true } = {}) {
  let parameters = {};
  const inputs = {};
  const form = el("form", { class: "filters", role: "search", "aria-label": "Filter sessions" });
  const chips = el("div", { class: "chips" });
  const more = el("details", { class: "more-filters" }, el("summary", {}, "Filters"));
  const fields = el("div", { class: "filter-fields" });

  if (withSearch) form.append(searchField());
  form.append(rangeField());
  for (const [name, title] of TEXTS) fields.append(textField(name, title));
  for (const [name, [title, options]] of Object.entries(CHOICES)) fields.append(choiceField(name, title, options));
  more.append(fields);
  more.open = matchMedia("(min-width: 900px)").matches;
  form.append(more, chips);
  form.addEventListener("submit", (event) => event.preventDefault());

  function change(changed, replace = false) {
    go(view, { ...parameters, ...changed, page: "" }, { replace });
  }

  function searchField() {
    const input = el("input", {
      type: "search",
      "aria-label": "Search by id or name",
      placeholder: "Search id or name",
      "aria-keyshortcuts": "/",
      autocomplete: "off",
      spellcheck: "false",
    });
    let timer = 0;
    let typing = false; // letters of one search are one step back
    const apply = () => {
      clearTimeout(timer);
      if (input.value === (parameters.search ?? "")) return;
      change({ search: input.value }, typing);
      typing = true;
    };
    input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(apply, TYPING_MS);
    });
    input.addEventListener("keydown", (event) => event.key === "Enter" && apply());
    input.addEventListener("blur", () => {
      apply();
      typing = false;
    });
    inputs.search = input;
    return input;
  }

  function textField(name, title) {
    const input = el("input", { type: "text", "aria-label": title, autocomplete: "off", spellcheck: "false" });
    const apply = () => input.value !== (parameters[name] ?? "") && change({ [name]: input.value });
    input.addEventListener("change", apply);
    input.addEventListener("input", (event) => {
      // Chosen from the list, or emptied: nothing more is going to be typed.
      if (event.inputType === "insertReplacementText" || !(event instanceof InputEvent) || input.value === "") apply();
    });
    inputs[name] = input;
    return el("label", { class: "field" }, el("span", {}, title), input, suggestionsFor(input, name));
  }

  function choiceField(name, title, options) {
    const select = el(
      "select",
      { "aria-label": title },
      options.map(([value, text]) => el("option", { value }, text)),
    );
    select.addEventListener("change", () => change({ [name]: select.value }));
    inputs[name] = select;
    return el("label", { class: "field" }, el("span", {}, title), select);
  }

  function rangeField() {
    const select = el(
      "select",
      { "aria-label": "Time range" },
      RANGES.map(({ name, label: text }) => el("option", { value: name }, text)),
    );
    const from = el("input", { type: "datetime-local", step: "1", "aria-label": "From" });
    const to = el("input", { type: "datetime-local", step: "1", "aria-label": "To" });
    const custom = el(
      "span",
      { class: "custom-range", hidden: true },
      from,
      el("span", { "aria-hidden": "true" }, "–"),
      to,
    );
    select.addEventListener("change", () => {
      if (select.value !== "custom") change({ range: select.value, start_date: "", end_date: "" });
      else change({ range: "custom", ...dates(parameters) });
    });
    const apply = () => change({ range: "custom", start_date: instant(from.value), end_date: instant(to.value) });
    for (const input of [from, to]) input.addEventListener("change", apply);
    Object.assign(inputs, { range: select, from, to, custom });
    return el("span", { class: "range-field" }, select, custom);
  }

  function update(next) {
    parameters = next;
    for (const name of NAMES) {
      // Not under somebody's fingers: an answer may come while the next letter of a search is typed.
      const typed = name === "search" && inputs.search === document.activeElement && next.search;
      if (inputs[name] && !typed) inputs[name].value = next[name] ?? "";
    }
    inputs.range.value = chosen(next);
    inputs.custom.hidden = chosen(next) !== "custom";
    inputs.from.value = localInput(next.start_date);
    inputs.to.value = localInput(next.end_date);
    const set = [...TEXTS.map(([name]) => name), ...Object.keys(CHOICES)].filter((name) => next[name]).length;
    more.firstChild.textContent = set > 0 ? `Filters (${set})` : "Filters";
    drawChips();
  }

  function drawChips() {
    const others = Object.entries(parameters).filter(([name, value]) => OTHERS.test(name) && value !== "");
    const clear = el("button", { type: "button", class: "quiet" }, "Clear filters");
    clear.addEventListener("click", () => {
      go(view, unfiltered(parameters));
      inputs.range.focus();
    });
    fill(
      chips,
      others.map(([name, value]) => {
        const text = `${label(name.replace(/^metadata\./, ""), 60)}: ${label(value, 60)}`;
        const button = el(
          "button",
          { type: "button", class: "chip", "aria-label": `Remove filter ${text}` },
          el("bdi", {}, text),
          " ×",
        );
        button.addEventListener("click", () => change({ [name]: "" }));
        return button;
      }),
      isFiltered(parameters) && clear,
    );
  }

  return { form, update };
}

function instant(local) {
  return local ? new Date(local).toISOString() : "";
}

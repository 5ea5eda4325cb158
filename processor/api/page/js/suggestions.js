// What filters may be set to: the most used values, asked for once, when somebody first reaches for a filter.
// A server without statistics leaves the fields to be typed into.

import { el, fill, newId } from "./dom.js";
import { get } from "./fetch.js";

const TOP = 100;
const LISTS = {
  model: "top_models",
  user_id: "top_users",
  service: "top_services",
  environment: "top_environments",
  tag: "top_tags",
};

let asked = null;

export function suggestionsFor(input, name) {
  if (!(name in LISTS)) return null;
  const list = el("datalist", { id: newId("suggest") });
  input.setAttribute("list", list.id);
  input.addEventListener("focus", () => offer(list, LISTS[name]), { once: true });
  return list;
}

async function offer(list, key) {
  asked ??= get("/v1/sessions/stats", { top: TOP }).catch(() => null);
  const answer = await asked;
  if (answer === null) asked = null;
  const values = (answer?.data[key] ?? []).map((entry) => entry.name).filter((value) => value !== "");
  fill(
    list,
    values.map((value) => el("option", { value })),
  );
}

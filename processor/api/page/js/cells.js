// What lists, tiles and trees show of one value. Cost of calls without a known price is marked, never shown as free.

import { el, unseen } from "./dom.js";
import * as format from "./format.js";
import { label } from "./text.js";
import { href } from "./router.js";

export const NOTHING = "–";

export function data(text, title = text) {
  if (text === "" || text === null || text === undefined) return el("span", { class: "muted" }, NOTHING);
  return el("bdi", { class: "data", title: label(title, 1_000) }, label(text));
}

export function dataLink(text, target, attributes = {}) {
  return el("a", { href: target, class: "data-link", ...attributes }, data(text));
}

// `unpriced`: how many calls have tokens and no price; unknown where `null`, then zero dollars for tokens are suspect.
export function cost(dollars, unpriced, tokens = 0) {
  if (unpriced === null && dollars === 0 && tokens > 0) {
    return el(
      "span",
      { class: "unpriced", title: "Tokens without a cost: no price is known, or it is zero" },
      "no price",
    );
  }
  if (!unpriced) return el("span", { title: format.exactCost(dollars) }, format.cost(dollars));
  const calls = `${format.count(unpriced)} ${unpriced === 1 ? "call has" : "calls have"} no known price`;
  if (dollars === 0) return el("span", { class: "unpriced", title: calls }, "no price", unseen(`, ${calls}`));
  const title = `${calls}: the cost is higher than ${format.exactCost(dollars)}`;
  return el("span", { class: "unpriced", title }, `> ${format.cost(dollars)}`, unseen(`, ${calls}`));
}

export function time(iso) {
  return el("time", { datetime: iso, title: `${iso} (UTC)` }, format.time(iso));
}

export function errors(number) {
  return number > 0 ? el("span", { class: "errors" }, format.count(number)) : el("span", { class: "muted" }, "0");
}

const STATUS = { OK: "ok", ERROR: "error", UNSET: "unset" };

// A dot for the eye, a word for everybody who does not see its colour.
export function status(name, withWord = true) {
  const word = { OK: "OK", ERROR: "Error", UNSET: "No status" }[name] ?? name;
  const dot = el("span", { class: `dot ${STATUS[name] ?? "unset"}`, title: word, "aria-hidden": "true" });
  return [dot, withWord ? el("span", { class: "status-word" }, word) : unseen(word)];
}

export function list(texts, target) {
  if (!texts || texts.length === 0) return data("");
  return texts.map((text, at) => [
    at > 0 ? " " : null,
    target ? el("a", { href: target(text), class: "chip" }, data(text)) : el("span", { class: "chip" }, data(text)),
  ]);
}

export function sessionLink(id, text = id) {
  return dataLink(text, href("session", { id }), { "data-focus": `session ${id}` });
}

// Page numbers of a list that the server pages. Every number is a link, so that any page can be opened and shared.

import { el, fill } from "./dom.js";
import { count } from "./format.js";

export const SIZES = [25, 50, 100, 200];
const AROUND = 1;
const ASK_FROM_PAGES = 8;

// `total` rows in all, `page` from 1. `linkTo(page)` is an address; `choose({page?, size?})` goes there.
export function drawPager(root, { total, page, size, linkTo, choose }) {
  const pages = Math.max(1, Math.ceil(total / size));
  const first = (page - 1) * size + 1;
  const last = Math.min(total, page * size);
  const range =
    total === 0 || first > total ? `0 of ${count(total)}` : `${count(first)}–${count(last)} of ${count(total)}`;
  fill(
    root,
    el("span", { class: "range" }, range),
    pages > 1 &&
      el("ul", {}, step("Previous", "‹", page - 1, page > 1), numbers(), step("Next", "›", page + 1, page < pages)),
    pages >= ASK_FROM_PAGES && jump(),
    sizes(),
  );

  function step(name, sign, target, possible) {
    const content = el("span", { "aria-hidden": "true" }, sign);
    const attributes = { "aria-label": `${name} page`, "data-focus": `page ${name}` };
    const inner = possible
      ? el("a", { ...attributes, href: linkTo(target), rel: name === "Next" ? "next" : "prev" }, content)
      : el("a", { ...attributes, role: "link", "aria-disabled": "true" }, content);
    return el("li", {}, inner);
  }

  function numbers() {
    const shown = new Set([1, pages]);
    for (let near = page - AROUND; near <= page + AROUND; near += 1) if (near >= 1 && near <= pages) shown.add(near);
    const sorted = [...shown].sort((a, b) => a - b);
    return sorted.flatMap((number, at) => {
      const gap = at > 0 && number > sorted[at - 1] + 1;
      const here = number === page;
      const attributes = { href: linkTo(number), "aria-label": `Page ${number}`, "aria-current": here ? "page" : null };
      return [
        gap && el("li", { "aria-hidden": "true", class: "gap" }, "…"),
        el("li", {}, el("a", attributes, count(number))),
      ];
    });
  }

  function jump() {
    const input = el("input", {
      type: "number",
      min: "1",
      max: pages,
      value: page,
      "aria-label": `Go to page, 1 to ${pages}`,
    });
    input.addEventListener("change", () => {
      const wanted = Math.min(pages, Math.max(1, Math.round(Number(input.value)) || 1));
      choose({ page: wanted });
    });
    return el("label", { class: "field short" }, el("span", {}, "Page"), input);
  }

  function sizes() {
    const options = SIZES.map((number) => el("option", { value: number, selected: number === size }, number));
    const select = el("select", { "aria-label": "Rows on a page" }, options);
    select.addEventListener("change", () => choose({ size: Number(select.value) }));
    return el("label", { class: "field short" }, el("span", {}, "Rows"), select);
  }
}

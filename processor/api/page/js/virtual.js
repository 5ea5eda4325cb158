// A list of any length of which only what is in sight is in the document. The scroller has the focus; which row is the
// active one is said by `aria-activedescendant`, so that focus can't be lost with a row that leaves the document.
// Must never hold more than the rows in sight and a few around them.

import { el, newId } from "./dom.js";

const AROUND = 8;

// `render(index)` gives the element of a row; `role` and `itemRole` as ARIA has them (listbox/option, tree/treeitem).
// `choose(index)` on Enter, Space and click; `key(event, index)` may take other keys, and then gives true.
export class VirtualList {
  constructor(scroller, { rowHeight, render, choose, key = () => false }) {
    this._scroller = scroller;
    this._rowHeight = rowHeight;
    this._render = render;
    this._choose = choose;
    this._rows = new Map();
    this._prefix = newId("row");
    this._count = 0;
    this._frame = 0;
    this.active = 0;
    this._space = el("div", { role: "presentation", class: "virtual-space" });
    scroller.classList.add("virtual");
    scroller.tabIndex = 0;
    scroller.append(this._space);
    scroller.addEventListener("scroll", () => this._later(), { passive: true });
    scroller.addEventListener("keydown", (event) => this._onKey(event, key));
    scroller.addEventListener("click", (event) => this._onClick(event));
    this._size = new ResizeObserver(() => this._later());
    this._size.observe(scroller);
  }

  // How many rows there are; all of them are drawn anew.
  setCount(count) {
    this._count = count;
    this.active = Math.min(this.active, Math.max(0, count - 1));
    this._space.style.height = `${count * this._rowHeight}px`;
    this.redraw();
  }

  redraw() {
    for (const row of this._rows.values()) row.remove();
    this._rows.clear();
    this._draw();
  }

  // Makes a row the active one and brings it into sight.
  activate(index, { toCentre = false } = {}) {
    if (this._count === 0) return;
    this.active = Math.max(0, Math.min(this._count - 1, index));
    const top = this.active * this._rowHeight;
    const height = this._scroller.clientHeight;
    if (toCentre && (top < this._scroller.scrollTop || top + this._rowHeight > this._scroller.scrollTop + height)) {
      this._scroller.scrollTop = top - height / 2;
    } else if (top < this._scroller.scrollTop) {
      this._scroller.scrollTop = top;
    } else if (top + this._rowHeight > this._scroller.scrollTop + height) {
      this._scroller.scrollTop = top + this._rowHeight - height;
    }
    this.redraw();
  }

  stop() {
    cancelAnimationFrame(this._frame);
    this._size.disconnect();
  }

  _later() {
    cancelAnimationFrame(this._frame);
    this._frame = requestAnimationFrame(() => this._draw());
  }

  _draw() {
    const first = Math.max(0, Math.floor(this._scroller.scrollTop / this._rowHeight) - AROUND);
    const inSight = Math.ceil(this._scroller.clientHeight / this._rowHeight);
    const last = Math.min(this._count, first + inSight + 2 * AROUND);
    for (const [index, row] of this._rows) {
      if (index >= first && index < last) continue;
      row.remove();
      this._rows.delete(index);
    }
    for (let index = first; index < last; index += 1) if (!this._rows.has(index)) this._place(index);
    const active = this._rows.get(this.active);
    if (active) this._scroller.setAttribute("aria-activedescendant", active.id);
    else this._scroller.removeAttribute("aria-activedescendant");
  }

  _place(index) {
    const row = this._render(index);
    row.id = `${this._prefix}-${index}`;
    row.dataset.index = index;
    row.classList.add("virtual-row");
    row.classList.toggle("active", index === this.active);
    row.style.transform = `translateY(${index * this._rowHeight}px)`;
    row.style.height = `${this._rowHeight}px`;
    this._rows.set(index, row);
    // In order of the list, for those who read the document instead of seeing it.
    const next = [...this._space.children].find((other) => Number(other.dataset.index) > index);
    this._space.insertBefore(row, next ?? null);
  }

  _onKey(event, key) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== this._scroller) return;
    const page = Math.max(1, Math.floor(this._scroller.clientHeight / this._rowHeight) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -this._count, End: this._count };
    if (event.key in steps) this.activate(this.active + steps[event.key]);
    else if (event.key === "Enter" || event.key === " ") this._choose(this.active);
    else if (!key(event, this.active)) return;
    event.preventDefault();
  }

  _onClick(event) {
    const row = event.target.closest(".virtual-row");
    if (!row || String(getSelection()) !== "") return;
    this.activate(Number(row.dataset.index));
    this._choose(this.active, event);
  }
}

// The spans of a trace as a tree, and which of them are in sight. Pure: no document.
// Takes spans in any order and a page at a time. Every span is in the tree exactly once: one whose parent is not there is
// a root, and so is the earliest of a circle of parents. Must never recurse: a chain may be 100,000 spans deep.

import { instantMs } from "./format.js";

const OPEN_UP_TO = 1_000; // spans of a trace that opens with everything open
const OPEN_DEPTH = 2; // of a larger one

export class TreeModel {
  constructor() {
    this._spans = [];
    this._byId = new Map();
    this._opened = new Map(); // id -> whether somebody opened or closed it
    this._order = [];
    this._roots = [];
    this.rows = []; // nodes in sight, in order
  }

  get size() {
    return this._spans.length;
  }

  add(spans) {
    for (const span of spans) {
      if (this._byId.has(span.id)) continue;
      this._byId.set(span.id, { span, at: instantMs(span.timestamp), children: [], parent: null, depth: 0, place: 1 });
      this._spans.push(span);
    }
    this._link();
    this._see();
  }

  nodes() {
    return this._byId.values();
  }

  roots() {
    return this._roots;
  }

  node(id) {
    return this._byId.get(id);
  }

  isOpen(node) {
    if (node.children.length === 0) return false;
    return this._opened.get(node.span.id) ?? (this.size <= OPEN_UP_TO || node.depth < OPEN_DEPTH);
  }

  setOpen(node, open) {
    this._opened.set(node.span.id, open);
    this._see();
  }

  setAllOpen(open) {
    for (const node of this._byId.values()) this._opened.set(node.span.id, open);
    this._see();
  }

  // Opens what stands above a span, so that it is in sight. Gives its row, -1 for an unknown one.
  reveal(id) {
    const found = this._byId.get(id);
    if (!found) return -1;
    for (let above = found.parent; above; above = above.parent) this._opened.set(above.span.id, true);
    this._see();
    return this.rows.indexOf(found);
  }

  // Ids of spans that contain the text, in the order of the tree.
  search(text) {
    const wanted = text.toLowerCase();
    return this._order
      .filter(({ span }) =>
        [span.name, span.model, span.kind, span.id].some((part) => part?.toLowerCase().includes(wanted)),
      )
      .map(({ span }) => span.id);
  }

  _link() {
    const nodes = [...this._byId.values()].sort((a, b) => a.at - b.at);
    for (const node of nodes) {
      node.children = [];
      node.parent = null;
    }
    const roots = [];
    for (const node of nodes) {
      const parent = node.span.parent_id === node.span.id ? undefined : this._byId.get(node.span.parent_id);
      if (!parent) roots.push(node);
      else {
        node.parent = parent;
        parent.children.push(node);
      }
    }
    this._order = [];
    const seen = new Set();
    this._walk(roots, seen);
    for (const node of nodes) {
      if (seen.has(node)) continue;
      // Only circles are left.
      node.parent.children.splice(node.parent.children.indexOf(node), 1);
      node.parent = null;
      roots.push(node);
      this._walk([node], seen);
    }
    this._roots = roots;
    roots.forEach((node, at) => (node.place = at + 1));
  }

  _walk(roots, seen) {
    const waiting = [...roots].reverse();
    while (waiting.length > 0) {
      const node = waiting.pop();
      seen.add(node);
      node.depth = node.parent ? node.parent.depth + 1 : 0;
      this._order.push(node);
      node.children.forEach((child, at) => (child.place = at + 1));
      for (let at = node.children.length - 1; at >= 0; at -= 1) waiting.push(node.children[at]);
    }
  }

  _see() {
    this.rows = [];
    const waiting = [...this._roots].reverse();
    while (waiting.length > 0) {
      const node = waiting.pop();
      this.rows.push(node);
      if (!this.isOpen(node)) continue;
      for (let at = node.children.length - 1; at >= 0; at -= 1) waiting.push(node.children[at]);
    }
  }

  // How many siblings a node has, itself included; its `place` among them counts from 1.
  siblingsOf(node) {
    return (node.parent ? node.parent.children : this._roots).length;
  }
}

// Elements, and nothing that parses HTML: every string becomes a text node or an attribute. Must never take an attribute
// that runs or loads anything; those that may are refused here, so that telemetry can't reach them by a slip.

const SVG = "http://www.w3.org/2000/svg";
const REFUSED = /^(on|style$|src$|srcdoc$|action$|formaction$)/i;

function built(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (REFUSED.test(name)) {
      throw new Error(`attribute ${name} is not for data`);
    } else if (name === "href" && !/^(#|\/v1\/)/.test(value)) {
      throw new Error(`link ${value} leaves the page`);
    } else {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  add(element, children);
  return element;
}

function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

export function el(tag, attributes, ...children) {
  return built(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes, ...children) {
  return built(document.createElementNS(SVG, tag), attributes, children);
}

export function fill(element, ...children) {
  element.replaceChildren();
  add(element, children);
  return element;
}

// Read aloud, not seen.
export function unseen(text) {
  return el("span", { class: "unseen" }, text);
}

let ids = 0;
export function newId(prefix) {
  ids += 1;
  return `${prefix}-${ids}`;
}

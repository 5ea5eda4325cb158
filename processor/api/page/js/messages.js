// Input and output of a call: conversations as messages, JSON indented, anything else as it is. All of it is text.

import { el } from "./dom.js";
import { count } from "./format.js";
import { label, plain } from "./text.js";

const CHARS_MAX = 20_000; // drawn at once

export function content(text) {
  const parsed = parse(text);
  const messages = messagesOf(parsed);
  if (messages) return el("ol", { class: "messages" }, messages.map(drawMessage));
  return block(parsed === undefined ? text : JSON.stringify(parsed, null, 2));
}

export function block(text) {
  return cut(el("pre", { dir: "auto", tabindex: "0" }), text);
}

// Long text is cut until somebody asks for all of it.
function cut(element, text) {
  element.textContent = plain(text.slice(0, CHARS_MAX));
  if (text.length <= CHARS_MAX) return element;
  const more = el("button", { type: "button", class: "quiet" }, `Show all ${count(text.length)} characters`);
  more.addEventListener("click", () => {
    element.textContent = plain(text);
    element.tabIndex = 0;
    element.focus();
    more.remove();
  });
  return [element, more];
}

function parse(text) {
  if (!/^\s*[[{"]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// Lists of `{role, content | parts}` as SDKs write them, and a single one of these.
function messagesOf(parsed) {
  const list = Array.isArray(parsed) ? parsed : (parsed?.messages ?? [parsed]);
  const good = Array.isArray(list) && list.length > 0 && list.every((entry) => typeof entry?.role === "string");
  return good ? list : null;
}

function drawMessage(message) {
  const { role, content: body, parts, ...rest } = message;
  const pieces = [body ?? parts ?? []].flat().map(drawPart);
  if (message.tool_calls) pieces.push(block(JSON.stringify(message.tool_calls, null, 2)));
  else if (pieces.length === 0) pieces.push(block(JSON.stringify(rest, null, 2)));
  return el(
    "li",
    { class: `message role-${/^(user|assistant|system|tool)$/.test(role) ? role : "other"}` },
    el("span", { class: "role" }, label(role, 40)),
    pieces,
  );
}

function drawPart(part) {
  if (typeof part === "string") return said(part);
  const text = part?.text ?? (typeof part?.content === "string" && part.type === "text" ? part.content : null);
  return typeof text === "string" ? said(text) : block(JSON.stringify(part, null, 2));
}

function said(text) {
  return cut(el("div", { class: "said", dir: "auto" }), text);
}

// Telemetry text as people may see it: nothing in it may hide, reorder or pretend to be something else.
// Controls, bidirectional overrides, zero-width and tag characters are shown by name. Must never be undone by a caller.

const HIDDEN =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u200b\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
const BREAKS = /\r\n|[\t\n\r\u2028\u2029]/g;
const BREAK_SIGNS = { "\t": "⇥" };
const LABEL_CHARS_MAX = 300;

function named(character) {
  const code = character.codePointAt(0);
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  return code === 0x7f ? "␡" : `[U+${code.toString(16).toUpperCase().padStart(4, "0")}]`;
}

// Text of several lines: breaks and tabs stay.
export function plain(text) {
  return String(text).replace(HIDDEN, named);
}

// One line, cut where nobody reads on: for names and ids. The whole of it belongs into a title or a detail.
export function label(text, charsMax = LABEL_CHARS_MAX) {
  const whole = String(text);
  const cut = whole.length > charsMax ? `${whole.slice(0, charsMax)}…` : whole;
  return plain(cut).replace(BREAKS, (found) => BREAK_SIGNS[found] ?? "↵");
}

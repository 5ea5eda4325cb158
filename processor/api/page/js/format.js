// Numbers and times as people read them: fixed widths, the same words as the command line.

const whole = new Intl.NumberFormat("en-US");
const compactly = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

export function count(number) {
  return whole.format(number);
}

// For axes and tight places.
export function compact(number) {
  return Math.abs(number) < 10_000 ? whole.format(number) : compactly.format(number);
}

// Milliseconds. Two units at most, and never more digits than the measurement has.
export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1) return ms === 0 ? "0 ms" : `${ms.toFixed(ms < 0.1 ? 3 : 2)} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m ${two(seconds % 60)}s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1_440) return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
  const hours = Math.round(minutes / 60);
  return `${whole.format(Math.floor(hours / 24))}d ${two(hours % 24)}h`;
}

// US dollars. What is not zero never looks like zero.
export function cost(dollars) {
  if (dollars === 0) return "$0.00";
  if (dollars < 0.0001) return "<$0.0001";
  return dollars < 1 ? `$${dollars.toFixed(4)}` : `$${whole.format(Math.floor(dollars))}${cents(dollars)}`;
}

function cents(dollars) {
  return ((Math.floor(dollars * 100) / 100) % 1).toFixed(2).slice(1);
}

// All that is known of it, for titles: nano-dollars.
export function exactCost(dollars) {
  return `$${dollars.toFixed(9).replace(/(\.\d\d\d*?)0+$/, "$1")}`;
}

export function percent(part, all) {
  return all > 0 ? `${((part / all) * 100).toFixed(part === all || part === 0 ? 0 : 1)} %` : "–";
}

function two(number) {
  return String(number).padStart(2, "0");
}

// An instant of the API in milliseconds, its microseconds kept.
export function instantMs(iso) {
  return Date.parse(`${iso.slice(0, 19)}Z`) + Number(`0${iso.slice(19, -1) || ".0"}`) * 1_000;
}

// An instant of the API in the reader's own time zone: 2026-11-20 14:10:27.
export function time(iso) {
  const moment = new Date(iso);
  return `${day(moment)} ${clock(moment)}`;
}

export function day(moment) {
  return `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
}

export function clock(moment, withSeconds = true) {
  const minutes = `${two(moment.getHours())}:${two(moment.getMinutes())}`;
  return withSeconds ? `${minutes}:${two(moment.getSeconds())}` : minutes;
}

export function clockMillis(moment) {
  return `${clock(moment)}.${String(moment.getMilliseconds()).padStart(3, "0")}`;
}

// What a `datetime-local` input holds.
export function localInput(iso) {
  return iso ? `${day(new Date(iso))}T${clock(new Date(iso))}` : "";
}

export function ago(iso, now = Date.now()) {
  const ms = now - Date.parse(iso);
  return ms < 0 ? "in the future" : `${duration(Math.max(1_000, ms)).replace(/\.\d s/, " s")} ago`;
}

// Time ranges of the filters: presets stay relative in a link, custom ones are instants.

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export const RANGES = [
  { name: "", label: "All time" },
  { name: "15m", label: "Last 15 minutes", ms: 15 * MINUTE_MS },
  { name: "1h", label: "Last hour", ms: HOUR_MS },
  { name: "24h", label: "Last 24 hours", ms: DAY_MS },
  { name: "7d", label: "Last 7 days", ms: 7 * DAY_MS },
  { name: "30d", label: "Last 30 days", ms: 30 * DAY_MS },
  { name: "90d", label: "Last 90 days", ms: 90 * DAY_MS },
  { name: "custom", label: "Custom…" },
];

// What the API is asked for: `start_date` and `end_date`, ISO 8601.
export function dates({ range = "", start_date = "", end_date = "" }, now = Date.now()) {
  const preset = RANGES.find((entry) => entry.name === range && entry.ms);
  if (preset) return { start_date: new Date(now - preset.ms).toISOString() };
  return { start_date, end_date };
}

export function chosen({ range = "", start_date = "", end_date = "" }) {
  if (range) return range;
  return start_date || end_date ? "custom" : "";
}

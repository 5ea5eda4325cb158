// Time to place, for a session that may have worked for minutes within days. The longest pauses are folded to a fixed
// width each and drawn as such, so that what happened keeps its proportions; what is not folded is linear. Pure.

const FOLDS_MAX = 8;
const FOLD_FROM_SHARE = 0.04; // of the whole, below that a pause shows well enough as it is
const FOLD_SHARE = 0.04; // of the width, a folded pause

// `busy`: [start, end] pairs in ms, in order of their start. Returns the pauses between, longest first.
export function pauses(busy) {
  const found = [];
  let until = -Infinity;
  for (const [start, end] of busy) {
    if (until !== -Infinity && start > until) found.push([until, start]);
    if (end > until) until = end;
  }
  return found.sort((a, b) => b[1] - b[0] - (a[1] - a[0]));
}

// `place(ms)` is 0 to 1 of the width; `folds` are `{from, to, left, right}` in ms and places.
export function scale(start, end, busy, { fold = true } = {}) {
  const whole = Math.max(end - start, 0.001);
  const folded = fold
    ? pauses(busy)
        .slice(0, FOLDS_MAX)
        .filter(([from, to]) => to - from > whole * FOLD_FROM_SHARE)
        .sort((a, b) => a[0] - b[0])
    : [];
  const open = Math.max(whole - folded.reduce((sum, [from, to]) => sum + to - from, 0), 0.001);
  const perMs = (1 - folded.length * FOLD_SHARE) / open;
  const folds = [];
  let shift = 0; // ms folded away so far
  folded.forEach(([from, to], at) => {
    const left = (from - start - shift) * perMs + at * FOLD_SHARE;
    folds.push({ from, to, left, right: left + FOLD_SHARE, shift, at });
    shift += to - from;
  });

  function place(ms) {
    let gone = 0;
    let before = 0;
    for (const entry of folds) {
      if (ms <= entry.from) break;
      if (ms < entry.to) return entry.left + (FOLD_SHARE * (ms - entry.from)) / (entry.to - entry.from);
      gone += entry.to - entry.from;
      before += 1;
    }
    return Math.min(1, Math.max(0, (ms - start - gone) * perMs + before * FOLD_SHARE));
  }

  return { place, folds, start, end };
}

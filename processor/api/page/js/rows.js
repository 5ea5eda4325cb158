// The rows of a table, brought up to date in place: a row that stays keeps its element, and so its focus, its selection
// and its menu; a cell that says the same is not touched. Must never be given rows of the same key twice.

// `wanted` are `[key, tr]` in order. Marks cells that changed when `mark` is set.
export function reconcile(body, wanted, mark) {
  const present = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  const focused = body.contains(document.activeElement) ? document.activeElement : null;
  const final = wanted.map(([key, fresh]) => {
    fresh.dataset.key = key;
    const old = present.get(key);
    if (!old) {
      if (mark && present.size > 0) fresh.classList.add("fresh");
      return fresh;
    }
    present.delete(key);
    update(old, fresh, mark);
    return old;
  });
  for (const gone of present.values()) gone.remove();
  final.forEach((row, at) => {
    const here = body.rows[at];
    if (here === row) return;
    // `moveBefore` keeps focus; where there is none, it is given back below.
    if (row.parentNode === body && body.moveBefore) body.moveBefore(row, here ?? null);
    else body.insertBefore(row, here ?? null);
  });
  if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
}

function update(old, fresh, mark) {
  [...fresh.cells].forEach((cell, at) => {
    const shown = old.cells[at];
    if (sameContent(shown, cell)) return;
    shown.replaceChildren(...cell.childNodes);
    if (mark) pulse(shown);
  });
}

function sameContent(shown, cell) {
  // A menu's ids and listeners differ from one drawing to the next; its row is the same row.
  if (cell.classList.contains("row-menu")) return true;
  if (shown.childNodes.length !== cell.childNodes.length) return false;
  return [...cell.childNodes].every((node, at) => node.isEqualNode(shown.childNodes[at]));
}

function pulse(cell) {
  cell.classList.remove("changed");
  void cell.offsetWidth; // starts the animation again
  cell.classList.add("changed");
}

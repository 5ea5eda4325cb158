// Asks again and again while somebody looks: not in a hidden tab, not under an open menu, and never so often that the
// asking itself becomes the load. Must have one request at a time on its way.

import { isOpen } from "./menu.js";

const EVERY_MS = 3_000;
const SHARE_MAX = 0.2; // of the time spent waiting for answers

// `refresh()` gives a promise that never rejects. Returns `{set(on), stop()}`.
export function live(refresh) {
  let on = false;
  let timer = 0;
  let busy = false;
  let due = false; // was to be asked while it could not

  function schedule(ms) {
    clearTimeout(timer);
    if (on) timer = setTimeout(ask, ms);
  }

  async function ask() {
    if (!on || busy) return;
    if (document.hidden || isOpen()) {
      due = true;
      return;
    }
    due = false;
    busy = true;
    const began = performance.now();
    await refresh();
    busy = false;
    schedule(Math.max(EVERY_MS, (performance.now() - began) / SHARE_MAX));
  }

  function resume() {
    if (due) ask();
  }

  document.addEventListener("visibilitychange", resume);
  document.addEventListener("menuclosed", resume);
  return {
    set(wanted) {
      if (on === wanted) return;
      on = wanted;
      schedule(EVERY_MS);
    },
    stop() {
      on = false;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", resume);
      document.removeEventListener("menuclosed", resume);
    },
  };
}

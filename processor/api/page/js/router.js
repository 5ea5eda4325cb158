// The address bar: `#/view?name=value`. All state that a link should carry stands there, and nowhere else.
// After the `#`, because ids may be of any length and hold any character, `..` and `/` included: no server and no URL
// parser touches them there.

const PLACES_MAX = 200;
const places = new Map(); // history entry -> where its reader was

let onRoute = () => {};
let entries = 0;
let entry = "0";

export function href(view, parameters = {}) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== "" && value !== null && value !== undefined) search.append(name, value);
  }
  const text = search.toString();
  return `#/${view}${text ? `?${text}` : ""}`;
}

export function route() {
  const [view, search = ""] = split(location.hash.replace(/^#\/?/, ""));
  return { view: view || "sessions", parameters: Object.fromEntries(new URLSearchParams(search)) };
}

function split(text) {
  const at = text.indexOf("?");
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

// Goes to a view. `replace` for what "back" should not undo step by step, such as letters of a search.
export function go(view, parameters, { replace = false } = {}) {
  const target = href(view, parameters);
  if (target === location.hash) return;
  if (replace) {
    history.replaceState({ entry }, "", target);
  } else {
    leave();
    entries += 1;
    entry = `${Date.now()}-${entries}`;
    history.pushState({ entry }, "", target);
  }
  onRoute(route(), null);
}

// Calls `listener(route, place)` now and on every change; `place` is where the reader was when he left this entry.
export function start(listener) {
  onRoute = listener;
  history.scrollRestoration = "manual";
  entry = history.state?.entry ?? entry;
  history.replaceState({ entry }, "");
  addEventListener("popstate", (event) => {
    if (location.hash !== "" && !location.hash.startsWith("#/")) return; // a link to a place in the page
    leave();
    entry = event.state?.entry ?? `${Date.now()}-typed`;
    onRoute(route(), places.get(entry) ?? null);
  });
  document.addEventListener("click", follow);
  onRoute(route(), null);
}

function follow(event) {
  const link = event.target.closest?.('a[href^="#"]');
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!link || !plain || event.defaultPrevented) return;
  event.preventDefault();
  const target = link.getAttribute("href");
  if (target === "#main") {
    document.getElementById("main").focus();
    return;
  }
  open(target);
}

// Goes where a link of `href` leads.
export function open(target) {
  const [view, search = ""] = split(target.slice(2));
  go(view, Object.fromEntries(new URLSearchParams(search)));
}

function leave() {
  const focused = document.activeElement?.closest("[data-focus]")?.dataset.focus ?? null;
  places.delete(entry);
  places.set(entry, { scrollY, focused });
  if (places.size > PLACES_MAX) places.delete(places.keys().next().value);
}

export function comeBack(place) {
  scrollTo(0, place.scrollY);
  if (!place.focused) return;
  const found = [...document.querySelectorAll("[data-focus]")].find(
    (element) => element.dataset.focus === place.focused,
  );
  found?.focus({ preventScroll: true });
}

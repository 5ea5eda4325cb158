// Puts the view that the address names into the page, and moves focus there.
// A view is `mount(root, parameters, context)`; it returns `update(parameters)` and `unmount()`, and calls
// `context.settled()` when its first answer is drawn. It must stop everything it started when unmounted.

import { start as startTheme } from "./theme.js";
import { el, fill } from "./dom.js";
import * as router from "./router.js";
import * as analytics from "./views/analytics.js";
import * as session from "./views/session.js";
import * as sessions from "./views/sessions.js";
import * as thread from "./views/thread.js";
import * as threads from "./views/threads.js";
import * as users from "./views/users.js";

const VIEWS = { sessions, session, threads, thread, users, analytics };
const UNDER = { session: "sessions", thread: "threads" }; // the entry of the navigation that a view belongs to

const main = document.getElementById("main");
let mounted = null;

function show({ view, parameters }, place) {
  const module = VIEWS[view];
  mark(view);
  if (!module) {
    mounted?.instance.unmount();
    mounted = null;
    document.title = "Not found · otel-sessions";
    const back = el("a", { href: "#/sessions" }, "All sessions");
    fill(main, el("h1", { tabindex: "-1" }, "There is no such page"), el("p", {}, back));
    main.querySelector("h1").focus();
    return;
  }
  document.title = `${module.title(parameters)} · otel-sessions`;
  const identity = `${view} ${parameters.id ?? ""}`;
  if (mounted?.identity === identity) {
    mounted.instance.update(parameters);
    return;
  }
  const first = mounted === null;
  mounted?.instance.unmount();
  main.replaceChildren();
  let waiting = true;
  const settled = () => {
    if (!waiting) return;
    waiting = false;
    if (place) router.comeBack(place);
  };
  mounted = { identity, instance: module.mount(main, parameters, { settled }) };
  if (place) return;
  scrollTo(0, 0);
  // The first page opens where browsers begin; every later one begins at its heading.
  if (!first) main.querySelector("h1")?.focus({ preventScroll: true });
}

function mark(view) {
  for (const link of document.querySelectorAll("header nav a")) {
    if (link.getAttribute("href") === `#/${UNDER[view] ?? view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, textarea, select, [contenteditable]")) return;
  const search = main.querySelector('input[type="search"]');
  if (!search) return;
  event.preventDefault();
  search.focus();
  search.select();
});

startTheme(document.getElementById("theme"));
router.start(show);

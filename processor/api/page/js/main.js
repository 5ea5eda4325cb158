// Puts the view that the address names into the page, and moves focus there.
// A view is `mount(root, parameters, context)`; it returns `update(parameters)` and `unmount()`, and calls
// `context.settled()` when its first answer is drawn. It must stop everything it started when unmounted.

import * as credentials from "./credentials.js";
import { signIn } from "./sign-in.js";
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
const signOut = document.getElementById("sign-out");
let mounted = null;
let asking = false; // who is there

function show({ view, parameters }, place) {
  if (asking) return;
  signOut.hidden = credentials.token() === "";
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

// Nothing stays in the page that the next reader should not see.
function askWho(message) {
  if (asking) return;
  asking = true;
  credentials.forget();
  signOut.hidden = true;
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  mounted?.instance.unmount();
  mounted = null;
  document.title = "Sign in · otel-sessions";
  signIn(main, message, () => {
    asking = false;
    show(router.route(), null);
  });
}

document.addEventListener("unauthorized", (event) => askWho(credentials.token() ? event.detail : ""));
signOut.addEventListener("click", () => askWho(""));

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

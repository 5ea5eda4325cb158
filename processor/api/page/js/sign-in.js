// Asks who is there, when the server wants to know: a token, which is tried before it is kept.

import { keep } from "./credentials.js";
import { el, fill, newId } from "./dom.js";
import { tryToken } from "./fetch.js";

// `message` is why; `done()` follows a token that the server takes.
export function signIn(root, message, done) {
  const inputId = newId("token");
  const input = el("input", { id: inputId, type: "password", autocomplete: "off", spellcheck: "false", required: true });
  const button = el("button", { type: "submit" }, "Sign in");
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const form = el(
    "form",
    { class: "sign-in" },
    el("h1", { tabindex: "-1" }, "Sign in"),
    el("p", { class: "muted" }, "This server shows sessions to who has a token. It stays in this tab until you close it."),
    problem,
    el("label", { for: inputId }, "Token"),
    input,
    button,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const token = input.value.trim();
    if (!token) return;
    button.disabled = true;
    problem.hidden = true;
    try {
      await tryToken(token);
      keep(token);
      done();
    } catch (error) {
      tell(error.message);
      button.disabled = false;
      input.select();
    }
  });
  fill(root, form);
  if (message) tell(message);
  input.focus();

  function tell(text) {
    problem.textContent = text;
    problem.hidden = false;
  }
}

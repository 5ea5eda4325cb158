// Asks before a session is deleted, and says what goes with it. Opens with the harmless answer in focus.

import { el, newId } from "./dom.js";
import { apiPath, remove } from "./fetch.js";
import * as format from "./format.js";
import { label } from "./text.js";

// `deleted(answer)` after the server has removed it.
export function deleteDialog(session, deleted) {
  const titleId = newId("dialog");
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const cancel = el("button", { type: "button", autofocus: true }, "Cancel");
  const confirm = el("button", { type: "button", class: "danger" }, "Delete session");
  const things = `${format.count(session.trace_count)} ${session.trace_count === 1 ? "trace" : "traces"} and ${format.count(session.span_count)} ${session.span_count === 1 ? "span" : "spans"}`;
  const dialog = el(
    "dialog",
    { "aria-labelledby": titleId },
    el("h2", { id: titleId }, "Delete this session?"),
    el("p", {}, el("bdi", { class: "data strong" }, label(session.name || session.id, 200))),
    el("p", {}, `Its ${things} are deleted too, for everybody. This can't be undone.`),
    problem,
    el("div", { class: "dialog-buttons" }, cancel, confirm),
  );
  cancel.addEventListener("click", () => dialog.close());
  confirm.addEventListener("click", async () => {
    confirm.disabled = true;
    problem.hidden = true;
    try {
      const { data } = await remove(apiPath("sessions", session.id));
      dialog.close();
      deleted(data);
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
      confirm.disabled = false;
      confirm.focus();
    }
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

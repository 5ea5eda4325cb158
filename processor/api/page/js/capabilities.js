// What this server can do, asked once: a page may be newer than what it talks to, and an API may be read-only.

import { get } from "./fetch.js";

let asked = null;

// `{formats, features}`; a server that can't say has the least.
export function capabilities() {
  asked ??= get("/v1/capabilities").then(
    (answer) => answer.data,
    () => {
      asked = null;
      return { formats: ["json"], features: [] };
    },
  );
  return asked;
}

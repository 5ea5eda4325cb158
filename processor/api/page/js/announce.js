// Says things: to screen readers by the announcer, to everybody by a toast. Both stand in the page from the start,
// because a live region that is added together with its text is not read.

const SHOWN_MS = 6_000;
let hiding = 0;

export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

export function toast(text) {
  const place = document.getElementById("toast");
  place.textContent = text;
  place.classList.add("shown");
  clearTimeout(hiding);
  hiding = setTimeout(() => place.classList.remove("shown"), SHOWN_MS);
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied`);
  } catch {
    toast(`The browser does not let the page copy; select the ${what.toLowerCase()} instead`);
  }
}

// The theme: the system's, until somebody chooses another. Tells the document when colours change, for the canvas.

const SIGNS = { light: "☀", dark: "☾" };
const dark = matchMedia("(prefers-color-scheme: dark)");

export function current() {
  return document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");
}

// Makes `button` the switch. Choosing what the system says anyway goes back to following the system.
export function start(button) {
  const show = () => {
    const other = current() === "dark" ? "light" : "dark";
    button.textContent = SIGNS[current()];
    button.setAttribute("aria-label", `Switch to the ${other} theme`);
    button.title = `Switch to the ${other} theme`;
    document.dispatchEvent(new CustomEvent("theme"));
  };
  button.addEventListener("click", () => {
    const wanted = current() === "dark" ? "light" : "dark";
    if (wanted === (dark.matches ? "dark" : "light")) delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = wanted;
    remember(document.documentElement.dataset.theme);
    show();
  });
  dark.addEventListener("change", show);
  show();
}

function remember(theme) {
  try {
    if (theme) localStorage.setItem("theme", theme);
    else localStorage.removeItem("theme");
  } catch {
    // Storage is switched off: the choice lasts as long as the page.
  }
}

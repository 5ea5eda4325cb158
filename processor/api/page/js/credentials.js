// The token that this reader has shown, for as long as the tab lives. Must never be in an address, a link or the page.

const KEY = "token";
let inMemory = ""; // where storage is switched off

export function token() {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return inMemory;
  }
}

export function keep(text) {
  inMemory = text;
  try {
    sessionStorage.setItem(KEY, text);
  } catch {
    // It lasts as long as the page.
  }
}

export function forget() {
  inMemory = "";
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // There was nothing.
  }
}

export function headers(text = token()) {
  return text ? { Authorization: `Bearer ${text}` } : {};
}

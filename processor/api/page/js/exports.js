// The list that is shown, whole, as a file; the server writes it. Not there where the server writes none.

import { toast } from "./announce.js";
import { capabilities } from "./capabilities.js";
import { el } from "./dom.js";
import { download } from "./fetch.js";
import { menuButton } from "./menu.js";

const FORMATS = [
  ["csv", "CSV"],
  ["ndjson", "NDJSON"],
  ["parquet", "Parquet"],
];

export function exportMenu(path, name, parameters) {
  let formats = [];
  const items = () => formats.map(([format, title]) => ({ label: `Export ${title}`, act: () => save(format) }));
  const menu = menuButton("Export", items, { text: "Export", className: "menu-button" });
  menu.hidden = true;
  capabilities().then((able) => {
    formats = FORMATS.filter(([format]) => able.formats.includes(format));
    menu.hidden = formats.length === 0;
  });
  return menu;

  async function save(format) {
    toast("Exporting…");
    try {
      const blob = await download(path, { ...parameters(), format });
      const url = URL.createObjectURL(blob);
      const link = el("a", { download: `${name}.${format}` });
      link.href = url;
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
      toast("Exported");
    } catch (error) {
      toast(`Not exported: ${error.message}`);
    }
  }
}

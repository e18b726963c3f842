/**
 * @file The only script of the page: a click on a column's head sorts the table. Nothing needs it to be read. It runs under
 * a content security policy that names its hash, so that no other script can run, whatever the data hold.
 */

import { createHash } from "node:crypto";

export const script = `
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const rising = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const key = (row) => {
        const text = row.cells[column].textContent.trim();
        const number = Number.parseFloat(text.replaceAll(",", ""));
        return column > 0 && !Number.isNaN(number) ? number : text;
      };
      const order = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
      const rows = [...table.tBodies[0].rows].sort((a, b) => (rising ? 1 : -1) * order(key(a), key(b)));
      table.tBodies[0].append(...rows);
    });
  });
}
`;

/** Nothing may be fetched, and no script run but ours. */
export const contentSecurityPolicy = [
  "default-src 'none'",
  "img-src data:",
  "font-src data:",
  "style-src 'unsafe-inline'",
  `script-src 'sha256-${createHash("sha256").update(script).digest("base64")}'`,
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

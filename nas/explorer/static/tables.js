// Tables that a click on a head sorts, and buttons that copy: one listener for the whole page, whenever they come.
import { copyText } from "./dom.js";

function sortTableBy(head) {
  const table = head.closest("table"), body = table.tBodies[0], column = head.cellIndex;
  const falling = head.getAttribute("aria-sort") === "ascending";
  const numeric = head.classList.contains("number");
  const value = (row) => row.cells[column].dataset.sort;
  const order = (a, b) => {
    const x = value(a), y = value(b);
    if (x === "" || y === "") return (x === "") - (y === ""); // what was not measured stays last
    return (numeric ? x - y : x.localeCompare(y)) * (falling ? -1 : 1);
  };
  for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", falling ? "descending" : "ascending");
  body.append(...[...body.rows].sort(order));
}

async function copyFrom(button) {
  button.textContent = (await copyText(button.dataset.copy)) ? "copied" : "not copied";
  setTimeout(() => { button.textContent = "copy"; }, 1500);
}

/** Gives the heads of sortable tables and the copy buttons of the sections their work. */
export function startTables() {
  document.addEventListener("click", (event) => {
    const head = event.target.closest("table.sortable th"), button = event.target.closest("button.copy[data-copy]");
    if (head) sortTableBy(head);
    if (button) copyFrom(button);
  });
}

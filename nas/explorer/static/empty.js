// What stands in the plot's place when there is nothing to draw: why, and what to do.

import { countOf, element } from "./dom.js";
import { shellQuote } from "./commands.js";

/** Nodes that say why the plot is empty, or null where it is not. */
export function emptyWords(app, axes) {
  const { store } = app,
    { derived } = store,
    { counts } = derived;
  if (!store.studies.length)
    return said("No study here yet.", app.source.mode === "live" ? "It appears as soon as one begins." : "");
  if (!derived.total && counts.failed) return failedWords(store, counts);
  if (!derived.total) return waitingWords(app, counts);
  if (!derived.shown.length) {
    const clear = element(
      "button",
      { type: "button", className: "x-button", onclick: () => app.clearFilters() },
      "Clear the filters",
    );
    return [...said(`0 of ${countOf(derived.total, "network")} pass the filters.`, ""), clear];
  }
  const blank = axes.filter((axis) => Number.isNaN(derived.extent(axis.key)[0]));
  if (blank.length) {
    const names = [...new Set(blank.map((axis) => axis.metric.label))].join(" nor ");
    return said(`No network shown has ${names}.`, "Choose other axes above.");
  }
  const any = derived.shown.some((g) => axes.every((axis) => store.value(g, axis.key) !== null));
  return any
    ? null
    : said(
        `No network shown has both ${axes[0].metric.label} and ${axes[1].metric.label}.`,
        "Choose other axes above.",
      );
}

function said(title, more) {
  return [element("p", { className: "x-empty-title" }, title), ...(more ? [element("p", {}, more)] : [])];
}

function failedWords(store, counts) {
  const reasons = new Map();
  for (const reason of store.sparse.reason.values()) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  const most = [...reasons].sort((a, b) => b[1] - a[1]).slice(0, 5);
  const list = element(
    "ul",
    {},
    most.map(([reason, count]) => element("li", {}, `${count} × ${reason.slice(0, 160)}`)),
  );
  const head = counts.running
    ? "Every trial so far failed"
    : counts.failed === 1
      ? "The only trial failed"
      : `All ${counts.failed} trials failed`;
  return [...said(`${head}${most.length ? ":" : "."}`, ""), ...(most.length ? [list] : [])];
}

function waitingWords(app, counts) {
  if (app.source.mode === "file") return said("This study has no finished trial.", "");
  if (counts.running)
    return said("Waiting for the first trial.", `${counts.running} running; it appears here when it is finished.`);
  const { space } = app.store.studies[0].recipe ?? {},
    command = `nas search ${space ? `--space ${space} ` : ""}--study ${shellQuote(app.store.studies[0].name)}`;
  return [
    ...said("Waiting for the first trial.", ""),
    element(
      "p",
      {},
      "A search such as ",
      element("code", {}, command),
      " writes them; they appear here as they finish.",
    ),
  ];
}

// Two pinned networks side by side: both drawings on one scale, and only what differs, in words.
import { comparisonSentence, networksCompared } from "./comparison.js";
import { drawingScale } from "./drawing.js";
import { drawingBox, drawingLegend, fetchedDrawing } from "./drawingbox.js";
import { cellText, differences, differingRows, parseNotation } from "./difference.js";
import { element, setText } from "./dom.js";
import { showStanding, standingOfNetwork } from "./standing.js";

const KEYS_OF_COMPARISON = ["a", "b", "filters", "hidden", "device", "show"];

export function mountCompare(place, app) {
  const parts = compareParts(app);
  place.append(parts.card);
  const update = () => updateCompare(parts, app);
  app.on(({ data, keys }) => {
    if (data || KEYS_OF_COMPARISON.some((key) => keys.has(key))) update();
  });
  update();
}

const compareButton = (text, act) => element("button", { type: "button", className: "p-button", onclick: act }, text);

// The button goes with its side: the focus goes to the card that stays, else to the plot.
function unpin(app, letter) {
  app.view.set({ [letter]: "" });
  const { a, b } = app.view.get();
  document.getElementById(a || b ? "x-compare-head" : "x-plot")?.focus({ preventScroll: true });
}

function compareSide(app, letter) {
  const parts = {
    name: element("button", { type: "button", className: "p-link p-name" }),
    tag: element("span", {}),
    drawing: drawingBox({ legend: false, table: false }),
  };
  parts.name.addEventListener("click", () => app.view.set({ selected: app.view.get()[letter] }));
  parts.node = element(
    "div",
    { className: `p-side ${letter}` },
    element(
      "div",
      { className: "p-head" },
      element("span", { className: `p-letter ${letter}`, "aria-hidden": "true" }, letter.toUpperCase()),
      parts.name,
      parts.tag,
      compareButton("Unpin", () => unpin(app, letter)),
    ),
    parts.drawing.node,
  );
  parts.node.setAttribute("role", "group");
  parts.node.setAttribute("aria-label", letter.toUpperCase());
  return parts;
}

function compareParts(app) {
  const parts = {
    app,
    a: compareSide(app, "a"),
    b: compareSide(app, "b"),
    said: "",
    drawn: "",
    wait: element("p", { className: "p-quiet" }),
    words: element("div", {}),
    legend: element("div", {}),
  };
  parts.swap = compareButton("Swap A and B", () => app.view.set({ a: app.view.get().b, b: app.view.get().a }));
  parts.both = element(
    "div",
    {},
    element("div", { className: "p-sides" }, parts.a.node, parts.b.node),
    parts.legend,
    parts.words,
  );
  parts.card = element(
    "section",
    { className: "p-card p-compare", "aria-label": "A against B" },
    element(
      "div",
      { className: "p-head" },
      element("h2", { id: "x-compare-head", tabIndex: -1 }, "A against B"),
      parts.swap,
    ),
    parts.wait,
    parts.both,
  );
  return parts;
}

function updateCompare(parts, app) {
  const view = app.view.get();
  const [a, b] = [app.find(view.a), app.find(view.b)];
  parts.card.hidden = a === null && b === null;
  parts.both.hidden = parts.swap.hidden = a === null || b === null;
  parts.wait.hidden = a !== null && b !== null;
  if (parts.card.hidden) return;
  if (parts.both.hidden) {
    const [letter, other, g] = a === null ? ["B", "A", b] : ["A", "B", a];
    setText(
      parts.wait,
      `${app.store.name(g)} is pinned as ${letter}: pin another network as ${other} to see what differs.`,
    );
    return;
  }
  for (const [side, g] of [
    [parts.a, a],
    [parts.b, b],
  ]) {
    setText(side.name, app.store.name(g));
    side.name.title = "Select this network";
    showStanding(side.tag, standingOfNetwork(app, g));
  }
  showWords(parts, app, a, b);
  showBothDrawings(parts, app, a, b);
}

function showWords(parts, app, a, b) {
  const one = parseNotation(app.store.notation(a)),
    two = parseNotation(app.store.notation(b));
  const cells = one && two ? differences(one, two) : null;
  const compared = networksCompared(app, a, b);
  const signature = JSON.stringify([cells, compared, a, b]);
  if (parts.said === signature) return;
  parts.said = signature;
  parts.cells = cells;
  parts.words.replaceChildren(
    element("p", { className: "p-sentence" }, comparisonSentence(app, a, b, compared)),
    element("div", { className: "p-sides" }, readingsCompared(compared, app, a, b), cellsCompared(cells, app, a, b)),
  );
}

const headingRow = (app, a, b, ...more) =>
  element(
    "thead",
    {},
    element(
      "tr",
      {},
      element("td", {}),
      ...[
        ["A", a],
        ["B", b],
      ].map(([letter, g]) => element("th", { scope: "col", className: "number", title: app.store.name(g) }, letter)),
      ...more.map((text) => element("th", { scope: "col" }, text)),
    ),
  );

const scrolled = (label, table) =>
  element("div", { className: "p-scroll", tabIndex: 0, role: "region", "aria-label": label }, table);

function readingsCompared(compared, app, a, b) {
  const rows = compared.map(({ label, texts, words, verdict }) =>
    element(
      "tr",
      { className: verdict },
      element("th", { scope: "row" }, label),
      ...texts.map((text) => element("td", { className: "number" }, text)),
      element("td", { className: "p-words" }, words),
    ),
  );
  return scrolled(
    "Readings",
    element(
      "table",
      {},
      element("caption", {}, "Readings of A and B"),
      headingRow(app, a, b, "B as seen from A"),
      element("tbody", {}, ...rows),
    ),
  );
}

function cellsCompared(cells, app, a, b) {
  if (!cells)
    return element(
      "p",
      { className: "p-quiet" },
      "The inside of one of them is not known, so their cells are not compared.",
    );
  if (!cells.length) {
    const [one, two] = [a, b].map((g) => app.store.training(g));
    const trained = one && two && one !== two ? ` Trained otherwise: A ${one}; B ${two}.` : "";
    return element("p", { className: "p-strong" }, `The same network.${trained}`);
  }
  const rows = cells.map(([what, one, two]) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, what.replaceAll("_", " ")),
      ...[one, two].map((value) => element("td", { className: "number" }, cellText(what, value))),
    ),
  );
  return scrolled(
    "What differs",
    element(
      "table",
      {},
      element("caption", {}, "Cells in which A and B differ"),
      headingRow(app, a, b),
      element("tbody", {}, ...rows),
    ),
  );
}

async function showBothDrawings(parts, app, a, b) {
  const wanted = `${app.store.notation(a)} ${a} | ${app.store.notation(b)} ${b}`;
  if (parts.drawn === wanted) return;
  parts.drawn = wanted;
  const found = await Promise.all([a, b].map((g) => fetchedDrawing(app, g)));
  if (parts.drawn !== wanted) return;
  if (found.some(({ fault }) => fault)) parts.drawn = ""; // asked again with the next change, or by the button
  const rows = found.map(({ drawing }) => drawing?.rows ?? null);
  const scale = drawingScale(...rows),
    align = alignedNames(rows),
    differs = differingRows(parts.cells ?? []);
  [parts.a, parts.b].forEach((side, place) => {
    const { fault } = found[place];
    if (fault) side.drawing.clear(fault, () => updateCompare(parts, app));
    else if (!rows[place]) side.drawing.clear("No drawing: the inside of this network is not known here.");
    else side.drawing.show(rows[place], { scale, align, differs, name: app.store.name([a, b][place]) });
  });
  const tinted = differs.size
    ? element("p", { className: "p-quiet" }, "Tinted rows differ. Both drawings have one scale.")
    : "";
  parts.legend.replaceChildren(drawingLegend(...rows), tinted);
}

// Stem, as many stages as the deeper one has, head.
function alignedNames(drawings) {
  const names = new Set(drawings.filter(Boolean).flatMap((rows) => rows.map((row) => row.name)));
  const stages = [...names].filter((name) => /^\d+$/.test(name)).sort((one, two) => one - two);
  return [...["stem"].filter((name) => names.has(name)), ...stages, ...["head"].filter((name) => names.has(name))];
}

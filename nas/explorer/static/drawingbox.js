// A drawing in its place on the page: as wide as the place, with a legend and the same as a table.
import { copyButton, element, svgElement } from "./dom.js";
import { drawNetwork } from "./drawing.js";
import { OPERATOR_NAMES, stageTableCells } from "./drawingwords.js";

const NARROWEST_DRAWING = 330;
let drawingsMade = 0;

// {drawing, fault}: a network's drawing, null where its inside is not known; or why it did not come.
export async function fetchedDrawing(app, g) {
  try {
    return { drawing: await app.drawing(g), fault: "" };
  } catch (error) {
    return { drawing: null, fault: `The drawing did not come: ${error.message}.` };
  }
}

// {node, show(rows, options), clear(text, again)}: draws again when the width changes, and only then or when asked;
// `again` is what a button beside the text does.
export function drawingBox({ legend = true, table = true } = {}) {
  const id = `drawing-${(drawingsMade += 1)}`;
  const canvas = element("div", { className: "d-box" });
  const below = element("div", { className: "d-below" });
  const node = element("figure", { className: "d-figure" }, canvas, below);
  let shown = null,
    width = 0;
  const draw = () => {
    width = Math.max(NARROWEST_DRAWING, Math.floor(canvas.clientWidth));
    canvas.replaceChildren(drawNetwork(shown.rows, { ...shown.options, width, id }));
  };
  new ResizeObserver(() => {
    if (shown && canvas.clientWidth && Math.abs(Math.floor(canvas.clientWidth) - width) > 1) draw();
  }).observe(canvas);
  const show = (rows, options = {}) => {
    const open = below.querySelector("details")?.open ?? false;
    shown = { rows, options };
    draw();
    below.replaceChildren(...(legend ? [drawingLegend(rows)] : []), ...(table ? [stageDetails(rows, open)] : []));
  };
  const clear = (text = "", again = null) => {
    const said = canvas.firstElementChild?.firstChild?.textContent;
    if (!shown && said === text) return; // a button in use stays
    shown = null;
    const retry = again && element("button", { type: "button", className: "p-button", onclick: again }, "try again");
    canvas.replaceChildren(element("p", { className: "p-quiet" }, text, again && " ", retry));
    below.replaceChildren();
  };
  return { node, show, clear };
}

// What the signs of these networks mean.
export function drawingLegend(...drawings) {
  const ops = new Set(
    drawings
      .filter(Boolean)
      .flat()
      .map((row) => row.op),
  );
  const items = Object.keys(OPERATOR_NAMES)
    .filter((op) => ops.has(op))
    .map((op) => [signOfOperator(op), OPERATOR_NAMES[op]]);
  const list = items.map(([sign, words]) => element("li", {}, sign, words));
  const halo = ops.has("mbconv") || ops.has("fused_mbconv");
  const frame = halo ? ", the frame's of those inside the block" : "";
  const words =
    `A cell is a layer; its height is the root of its channels${frame}.` +
    (ops.has("mbconv") || ops.has("separable") ? " Hatched: depthwise." : "") +
    " Bars: share of the whole.";
  return element("div", { className: "d-legend" }, element("ul", {}, ...list), element("p", {}, words));
}

function signOfOperator(op) {
  const id = `sign-${(drawingsMade += 1)}`;
  const kind = op === "mbconv" || op === "separable" ? "d-depthwise" : op === "fused_mbconv" ? "d-fused" : "d-conv";
  const box = (className, y, height, more) =>
    svgElement("rect", { class: className, x: 1, y, width: 12, height, rx: 1.5, ...more });
  const hatch = svgElement(
    "pattern",
    { id, width: 4, height: 4, patternUnits: "userSpaceOnUse" },
    svgElement("rect", { class: "d-ground", width: 4, height: 4 }),
    svgElement("path", { class: "d-hatch", d: "M-1,5 L5,-1 M1,7 L7,1 M-1,1 L1,-1" }),
  );
  const sign = svgElement("svg", { viewBox: "0 0 14 14", width: 14, height: 14, "aria-hidden": "true" }, hatch);
  if (kind === "d-conv") sign.append(box(`d-core ${kind}`, 1, 12));
  else sign.append(box(`d-halo ${kind}`, 1, 12, kind === "d-depthwise" ? { style: `fill:url(#${id})` } : {}));
  if (kind !== "d-conv" && op !== "separable") sign.append(box(`d-core ${kind}`, 5, 4));
  return sign;
}

function stageDetails(rows, open) {
  const { head, body, total } = stageTableCells(rows);
  const cells = (tag, row) => row.map((text, place) => element(tag, { className: place > 1 ? "number" : "" }, text));
  const table = element(
    "table",
    {},
    element("caption", {}, "The network's stages"),
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        ...head.map((text, place) => element("th", { scope: "col", className: place > 1 ? "number" : "" }, text)),
      ),
    ),
    element("tbody", {}, ...[...body, total].map((row) => element("tr", {}, ...cells("td", row)))),
  );
  table.classList.add("total");
  const copied = [head, ...body, total].map((row) => row.join("\t")).join("\n");
  return element(
    "details",
    { className: "d-table", open },
    element("summary", {}, "The same as a table"),
    element("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Stages" }, table),
    element("p", { className: "d-copy" }, copyButton(copied, "copy the table")),
  );
}

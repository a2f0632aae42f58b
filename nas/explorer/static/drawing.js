// A network as it flows, drawn from top to bottom: a row a stage, a cell a layer, and where its cost goes.
// Left the side of the map, as its root (it narrows at a stride of 2); then the layers, as tall as the root of their
// channels, with a halo as tall as the root of the channels inside the block; right the shares of the whole.
import { svgElement } from "./dom.js";
import { siText } from "./format.js";
import { costColumns, operatorText, stageSentence, summarySentence } from "./drawingwords.js";

const ROW_HEIGHT = 48,
  DRAWING_TOP = 42,
  DRAWING_FOOT = 6,
  TALLEST_CELL = 27,
  WIDEST_CELL = 11;
const DEPTHWISE = new Set(["mbconv", "separable"]);

function drawnText(x, y, text, kind = "", anchor = "start") {
  return svgElement("text", { x, y, class: `d-text ${kind}`, "text-anchor": anchor }, text);
}

// What two drawings must have in common to be compared by eye: {channels, size, share}.
export function drawingScale(...drawings) {
  const scale = { channels: 1, size: 1, share: 0.01 };
  for (const rows of drawings.filter(Boolean)) {
    const columns = costColumns(rows);
    for (const row of rows) {
      scale.channels = Math.max(scale.channels, widestInside(row, rows));
      scale.size = Math.max(scale.size, row.size);
      for (const column of columns) scale.share = Math.max(scale.share, column.share(row));
    }
  }
  return scale;
}

// Channels inside the block: of the input in inverted blocks, of the output in residual ones.
function innerChannels(row, rows) {
  const place = rows.indexOf(row);
  const residual = row.op === "basic" || row.op === "bottleneck";
  const from = residual || row.layers > 1 || place < 1 ? row.channels : rows[place - 1].channels;
  return (row.expand || 1) * from;
}

const widestInside = (row, rows) => Math.max(row.channels, innerChannels(row, rows));

// An SVG element; `differs`: names of stages to be tinted; `align`: names of rows, so that two drawings stand in line.
export function drawNetwork(
  rows,
  { width = 360, scale = drawingScale(rows), differs, align, id = "d", name = "" } = {},
) {
  const layout = drawingLayout(rows, width);
  const order = align ?? rows.map((row) => row.name);
  const height = DRAWING_TOP + order.length * ROW_HEIGHT + DRAWING_FOOT;
  const drawing = svgElement("svg", {
    class: "drawing",
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: "img",
    "aria-labelledby": `${id}-t ${id}-s`,
  });
  drawing.append(
    svgElement("title", { id: `${id}-t` }, name ? `The network ${name}` : "The network"),
    svgElement("desc", { id: `${id}-s` }, summarySentence(rows)),
    hatchPattern(id),
    ...drawingHeadings(rows, layout),
  );
  order.forEach((stage, place) => {
    const row = rows.find((one) => one.name === stage);
    const y = DRAWING_TOP + place * ROW_HEIGHT;
    if (differs?.has(stage)) {
      drawing.append(svgElement("rect", { class: "d-differs", x: 0, y, width, height: ROW_HEIGHT, rx: 5 }));
    }
    drawing.append(row ? drawStageRow(row, rows, y, layout, scale, id) : drawAbsentRow(stage, y, layout));
  });
  return drawing;
}

function drawingLayout(rows, width) {
  const columns = costColumns(rows);
  const narrow = width < 430;
  const gap = narrow ? 11 : 14;
  const each = Math.max(40, Math.min(96, (width * 0.42) / columns.length - gap));
  const map = narrow ? { from: 27, wide: 24 } : { from: 31, wide: 36 };
  const left = map.from + map.wide + (narrow ? 7 : 16);
  const bars = width - columns.length * (each + gap) + gap;
  return { width, columns, each, gap, map, left, bars, cells: bars - left - gap };
}

function hatchPattern(id) {
  const lines = (y) => svgElement("path", { class: "d-hatch", d: "M-1,5 L5,-1 M1,7 L7,1 M-1,1 L1,-1" });
  return svgElement(
    "defs",
    {},
    svgElement(
      "pattern",
      { id: `${id}-hatch`, width: 4, height: 4, patternUnits: "userSpaceOnUse" },
      svgElement("rect", { class: "d-ground", width: 4, height: 4 }),
      lines(),
    ),
  );
}

function drawingHeadings(rows, layout) {
  const nodes = [
    drawnText(0, 13, "map", "d-muted"),
    drawnText(0, 29, "px", "d-muted"),
    drawnText(layout.left, 13, "operator", "d-muted"),
    drawnText(layout.left, 29, "channels × layers", "d-muted"),
  ];
  layout.columns.forEach((column, place) => {
    const x = shareColumnAt(layout, place);
    nodes.push(drawnText(x, 13, layout.each < 60 ? column.short : column.label, "d-muted"));
    nodes.push(drawnText(x, 29, siText(column.total), layout.each < 60 ? "d-strong d-tight" : "d-strong"));
  });
  nodes.push(
    svgElement("line", { class: "d-rule", x1: 0, x2: layout.width, y1: DRAWING_TOP - 4.5, y2: DRAWING_TOP - 4.5 }),
  );
  return nodes;
}

const shareColumnAt = (layout, place) => layout.bars + place * (layout.each + layout.gap);

function drawStageRow(row, rows, y, layout, scale, id) {
  const place = rows.indexOf(row);
  const out = rows[place + 1]?.size ?? row.size;
  const group = svgElement("g", { class: "d-row", "data-stage": row.name });
  group.append(svgElement("title", {}, stageSentence(row, rows)));
  group.append(svgElement("rect", { class: "d-touch", x: 0, y, width: layout.width, height: ROW_HEIGHT }));
  if (place === 0 || row.size !== rows[place - 1].size) {
    group.append(drawnText(0, y + 14, String(row.size), "d-number"));
  }
  group.append(mapFunnel(row.size, out, y, scale.size, layout.map));
  const number = /^\d+$/.test(row.name) ? row.name : "";
  if (number) group.append(drawnText(layout.left, y + 14, number, "d-muted d-number"));
  const indent = number ? 12 + 6 * (number.length - 1) : 0;
  const operator = operatorText(row);
  const fits = operator.length * 6.9 + indent <= layout.cells;
  group.append(
    drawnText(layout.left + indent, y + 14, fits ? operator : operator.replace("SE 0.", "SE ."), "d-operator"),
  );
  group.append(...layerCells(row, rows, y, layout, scale, id), ...shareBars(row, y, layout, scale));
  return group;
}

function drawAbsentRow(stage, y, layout) {
  return svgElement("g", { class: "d-row" }, drawnText(layout.left, y + 14, `${stage}  –`, "d-muted"));
}

// The map as a band that narrows where the stride is 2.
function mapFunnel(size, out, y, largest, map) {
  const middle = map.from + map.wide / 2;
  const half = (side) => Math.max(1.5, (map.wide / 2) * Math.sqrt(side / largest));
  const [a, b] = [half(size), half(out)];
  const bend = y + (a === b ? ROW_HEIGHT : 20);
  return svgElement("path", {
    class: "d-map",
    d:
      `M${middle - a},${y} L${middle + a},${y} L${middle + b},${bend} L${middle + b},${y + ROW_HEIGHT} ` +
      `L${middle - b},${y + ROW_HEIGHT} L${middle - b},${bend} Z`,
  });
}

function layerCells(row, rows, y, layout, scale, id) {
  const said =
    row.layers > 1 ? `${row.channels.toLocaleString("en-US")} × ${row.layers}` : row.channels.toLocaleString("en-US");
  const room = layout.cells - said.length * 6.6 - 8;
  const pitch = Math.min(WIDEST_CELL + 2, room / row.layers);
  const gap = pitch > 6 ? 2 : pitch >= 3 ? 1 : pitch >= 1.7 ? 0.6 : 0;
  const tall = (channels) => Math.max(2, TALLEST_CELL * Math.sqrt(channels / scale.channels));
  const inner = tall(innerChannels(row, rows)),
    core = tall(row.channels);
  const middle = y + 18 + TALLEST_CELL / 2;
  const nodes = [];
  const kind = cellKind(row.op);
  const box = (className, x, height, wide, more = {}) =>
    svgElement("rect", {
      class: className,
      x,
      y: middle - height / 2,
      width: wide,
      height,
      rx: Math.min(1.5, wide / 4, height / 4),
      ...more,
    });
  const count = gap ? row.layers : 1;
  const wide = gap ? pitch - gap : Math.max(2, pitch * row.layers);
  for (let layer = 0; layer < count; layer += 1) {
    const x = layout.left + layer * pitch;
    const fill = DEPTHWISE.has(row.op) ? { style: `fill:url(#${id}-hatch)` } : {};
    if (inner > core || row.op === "separable") nodes.push(box(`d-halo ${kind}`, x, inner, wide, fill));
    if (row.op !== "separable") nodes.push(box(`d-core ${kind}`, x, core, wide));
  }
  const end = layout.left + (count - 1) * pitch + wide;
  nodes.push(drawnText(end + 7, middle + 4, said, "d-number d-muted"));
  return nodes;
}

const cellKind = (op) =>
  op === "mbconv" || op === "separable" ? "d-depthwise" : op === "fused_mbconv" ? "d-fused" : "d-conv";

function shareBars(row, y, layout, scale) {
  return layout.columns.flatMap((column, place) => {
    const share = column.share(row),
      x = shareColumnAt(layout, place);
    const long = Math.max(share > 0 ? 1 : 0, layout.each * (share / scale.share));
    const text =
      share >= 0.995
        ? "100 %"
        : share >= 0.095
          ? `${Math.round(100 * share)} %`
          : share >= 0.0005
            ? `${(100 * share).toFixed(1)} %`
            : "0 %";
    return [
      drawnText(x, y + 14, text, "d-number"),
      svgElement("rect", { class: "d-track", x, y: y + 22, width: layout.each, height: 6, rx: 2 }),
      svgElement("rect", { class: "d-bar", x, y: y + 22, width: long, height: 6, rx: Math.min(2, long / 2) }),
    ];
  });
}

// What is drawn where: every network shown with its place, its sign and its colour. A sign is a shape and a colour.

import { STATUS_CODE } from "./derived.js";

const { unranked, front, tied, dominated, infeasible } = STATUS_CODE;

/** Shape, half its size in px, colour of the style sheet and opacity of every status; later ones lie above. */
export const SIGNS = {
  [dominated]: { shape: "circle", size: 3.5, colour: "dominated", opacity: 0.75, symbol: "circle" },
  [unranked]: { shape: "ring", size: 3.5, colour: "dominated", opacity: 1, symbol: "circle-open" },
  [infeasible]: { shape: "cross", size: 3.8, colour: "infeasible", opacity: 0.9, symbol: "x-thin-open" },
  [tied]: { shape: "open diamond", size: 5.6, colour: "front", opacity: 1, symbol: "diamond-open" },
  [front]: { shape: "diamond", size: 6, colour: "front", opacity: 1, symbol: "diamond" },
};
export const LAYERS = [dominated, unranked, infeasible, tied, front];
export const MANY = 300; // front members beyond which spread bars are drawn for the selected alone

// where several studies lie over each other, the shape of an unranked or dominated network says whose it is
export const STUDY_SHAPES = [
  ["circle", "circle"],
  ["square", "square"],
  ["triangle", "triangle-down"],
  ["bar", "line-ew-open"],
  ["plus", "cross"],
];

/** Which of the shapes a network wears: by its study, where there are several. */
export function shapeNumber(app, g) {
  const { studies } = app.store;
  return studies.length > 1 && g >= 0 ? app.store.study(g).number % STUDY_SHAPES.length : 0;
}

const CIVIDIS = [
  [0, 32, 77],
  [0, 48, 111],
  [42, 63, 109],
  [72, 78, 108],
  [94, 93, 110],
  [114, 108, 113],
  [134, 125, 119],
  [155, 142, 118],
  [177, 159, 112],
  [200, 177, 102],
  [224, 196, 85],
  [243, 216, 62],
  [255, 234, 70],
];

/** Cividis at a share from 0 to 1, as a colour. */
export function cividis(share) {
  const at = Math.max(0, Math.min(1, share)) * (CIVIDIS.length - 1),
    low = Math.min(CIVIDIS.length - 2, Math.floor(at));
  const mixed = CIVIDIS[low].map((part, i) => Math.round(part + (at - low) * (CIVIDIS[low + 1][i] - part)));
  return `rgb(${mixed.join(",")})`;
}

/** The networks to draw with both values known, layer by layer: {rows, code, shade}. shade: 0 to 63 by the colour metric,
    -1 where none is chosen or the value is missing. */
export function plottedRows(app, axes) {
  const { store } = app,
    { derived } = store,
    code = derived.standings,
    columns = axes.map((axis) => store.column(axis.key));
  const layers = new Map(LAYERS.map((status) => [status, []]));
  const usable = columns.includes(null) ? [] : derived.shown;
  for (const g of usable) {
    const x = columns[0][g],
      y = columns[1][g];
    if (Number.isNaN(x) || Number.isNaN(y) || (axes[0].log && x <= 0) || (axes[1].log && y <= 0)) continue;
    layers.get(code[g]).push(g);
  }
  return { rows: Int32Array.from(LAYERS.flatMap((status) => layers.get(status))), layers, shade: shades(app) };
}

function shades(app) {
  const scale = colourScale(app);
  if (!scale) return () => -1;
  const column = app.store.column(scale.key);
  return (g) => (g < 0 || Number.isNaN(column[g]) ? -1 : Math.round(63 * scale.share(column[g])));
}

/** The colour metric and its scale: {key, metric, low, high, log, share(value)}; null where none is chosen. */
export function colourScale(app) {
  const key = app.view.get().colour,
    { store } = app;
  if (!key) return null;
  const metric = store.metric(key),
    [low, high] = store.derived.extent(key);
  if (Number.isNaN(low)) return null;
  const log = low > 0 && ["count", "rate"].includes(metric.style) && high >= 3 * low,
    bend = log ? Math.log : Number;
  const span = bend(high) - bend(low) || 1;
  return { key, metric, low, high, log, share: (value) => (bend(value) - bend(low)) / span };
}

/** Baselines among these rows: they wear a square ring and, if wished, their name. */
export function baselinesAmong(app, rows) {
  const { baseline } = app.store.sparse;
  if (!baseline.size) return [];
  const drawn = new Set(rows);
  return [...baseline.keys()].filter((g) => drawn.has(g));
}

/** Published networks that have both values. */
export function publishedShown(app, axes) {
  if (!app.view.get().show.published) return [];
  const known = (entry, key) => typeof entry[key] === "number";
  return app.store.published.flatMap((entry, i) => (axes.every((axis) => known(entry, axis.key)) ? [-1 - i] : []));
}

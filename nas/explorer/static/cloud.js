// The canvas under plotly's transparent plot area: grid, networks, spread bars. Stamps instead of paths, because ten
// thousand arcs take a software renderer longer than a reader waits.

import { LAYERS, MANY, SIGNS, STUDY_SHAPES, baselinesAmong, cividis, shapeNumber } from "./marks.js";
import { STATUS_CODE } from "./derived.js";
import { themeColour } from "./theme.js";

const CROWD = 2000; // networks from which the unranked ones are drawn smaller and thinner, so that density can be seen
const CROWDED = {
  [STATUS_CODE.dominated]: { size: 2.4, opacity: 0.5 },
  [STATUS_CODE.unranked]: { size: 2.4 },
  [STATUS_CODE.infeasible]: { size: 2.8, opacity: 0.7 },
  [STATUS_CODE.tied]: { size: 4.8 },
  [STATUS_CODE.front]: { size: 5.4 },
};

/** A frame on the page: where the plot area lies and which ranges it shows; px from values. */
export class PlotFrame {
  constructor(size, margin, axes, ranges) {
    Object.assign(this, { size, margin, axes, ranges });
    this.left = margin.l;
    this.top = margin.t;
    this.width = Math.max(10, size.width - margin.l - margin.r);
    this.height = Math.max(10, size.height - margin.t - margin.b);
  }

  across(value) {
    const [low, high] = this.ranges[0],
      at = this.axes[0].log ? Math.log10(value) : value;
    return this.left + ((at - low) / (high - low)) * this.width;
  }

  up(value) {
    const [low, high] = this.ranges[1],
      at = this.axes[1].log ? Math.log10(value) : value;
    return this.top + this.height - ((at - low) / (high - low)) * this.height;
  }

  holds(x, y, room = 0) {
    return (
      x >= this.left - room &&
      x <= this.left + this.width + room &&
      y >= this.top - room &&
      y <= this.top + this.height + room
    );
  }
}

/** Where every network lies, in px: {rows, xs, ys}, published ones last. */
export function placedRows(app, frame, rows, published) {
  const { store } = app,
    all = new Int32Array(rows.length + published.length);
  all.set(rows);
  all.set(published, rows.length);
  const [x, y] = frame.axes.map((axis) => store.column(axis.key)),
    xs = new Float32Array(all.length),
    ys = new Float32Array(all.length);
  all.forEach((g, i) => {
    xs[i] = frame.across(g < 0 ? store.value(g, frame.axes[0].key) : x[g]);
    ys[i] = frame.up(g < 0 ? store.value(g, frame.axes[1].key) : y[g]);
  });
  return { rows: all, xs, ys };
}

/** Draws everything; `ticks`: the tick values of both axes as values. */
export function drawCloud(app, canvas, frame, scene, ticks) {
  const ratio = Math.min(3, devicePixelRatio || 1),
    { width, height } = frame.size;
  const wide = Math.round(width * ratio),
    high = Math.round(height * ratio);
  if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  drawGrid(pen, frame, ticks);
  pen.save();
  pen.beginPath();
  pen.rect(frame.left - 1, frame.top - 1, frame.width + 2, frame.height + 2);
  pen.clip();
  drawStamps(app, pen, frame, scene, ratio);
  drawRings(app, pen, frame, scene);
  pen.restore();
}

function drawGrid(pen, frame, ticks) {
  pen.strokeStyle = themeColour("grid");
  pen.lineWidth = 1;
  pen.beginPath();
  for (const tick of ticks[0]) {
    const x = Math.round(frame.across(tick)) + 0.5;
    if (x < frame.left || x > frame.left + frame.width) continue;
    pen.moveTo(x, frame.top);
    pen.lineTo(x, frame.top + frame.height);
  }
  for (const tick of ticks[1]) {
    const y = Math.round(frame.up(tick)) + 0.5;
    if (y < frame.top || y > frame.top + frame.height) continue;
    pen.moveTo(frame.left, y);
    pen.lineTo(frame.left + frame.width, y);
  }
  pen.stroke();
}

function drawStamps(app, pen, frame, scene, ratio) {
  const { placed, layers, shade } = scene,
    press = stampPress(ratio, placed.rows.length > CROWD);
  let i = 0;
  for (const status of LAYERS) {
    const end = i + layers.get(status).length,
      ranked = status === STATUS_CODE.front || status === STATUS_CODE.tied;
    if (ranked && app.store.derived.ranked <= MANY && app.view.get().show.spread)
      drawBars(app, pen, frame, layers.get(status), "front");
    for (; i < end; i++) {
      const x = placed.xs[i],
        y = placed.ys[i];
      if (!frame.holds(x, y, 8)) continue;
      const g = placed.rows[i],
        stamp = press(status, shade(g), status === STATUS_CODE.dominated ? shapeNumber(app, g) : 0);
      // whole device pixels: a stamp between pixels is smeared
      pen.drawImage(
        stamp.image,
        Math.round((x - stamp.half) * ratio) / ratio,
        Math.round((y - stamp.half) * ratio) / ratio,
        2 * stamp.half,
        2 * stamp.half,
      );
    }
  }
}

/** Spread bars of these networks, as far as they have any. */
export function drawBars(app, pen, frame, rows, colour) {
  pen.strokeStyle = themeColour(colour);
  pen.globalAlpha = 0.6;
  pen.lineWidth = 1;
  pen.beginPath();
  for (const [[x0, y0], [x1, y1]] of rows.flatMap((g) => barEnds(app, frame, g))) {
    const flat = y0 === y1;
    pen.moveTo(x0, y0);
    pen.lineTo(x1, y1);
    for (const [x, y] of [
      [x0, y0],
      [x1, y1],
    ]) {
      pen.moveTo(flat ? x : x - 3, flat ? y - 3 : y);
      pen.lineTo(flat ? x : x + 3, flat ? y + 3 : y);
    }
  }
  pen.stroke();
  pen.globalAlpha = 1;
}

/** The spread bars of a network as lines in px. */
export function barEnds(app, frame, g) {
  const { store } = app,
    [x, y] = frame.axes.map((axis) => store.value(g, axis.key));
  const [dx, dy] = frame.axes.map((axis) => store.spread(g, axis.key)),
    found = [];
  const low = (value, spread, log) => (log ? Math.max(value - spread, value / 100) : value - spread);
  if (x === null || y === null) return found;
  const at = [frame.across(x), frame.up(y)];
  if (dx)
    found.push([
      [frame.across(low(x, dx, frame.axes[0].log)), at[1]],
      [frame.across(x + dx), at[1]],
    ]);
  if (dy)
    found.push([
      [at[0], frame.up(low(y, dy, frame.axes[1].log))],
      [at[0], frame.up(y + dy)],
    ]);
  return found;
}

/** Squares around baselines, hollow triangles for published networks. */
function drawRings(app, pen, frame, { placed, rows, published }) {
  const { store } = app,
    baselines = baselinesAmong(app, rows),
    at = new Map();
  if (app.view.get().show.spread && baselines.length <= MANY) drawBars(app, pen, frame, baselines, "ink");
  const marked = new Set(baselines);
  placed.rows.forEach((g, i) => {
    if (marked.has(g)) at.set(g, [placed.xs[i], placed.ys[i]]);
  });
  pen.strokeStyle = themeColour("ink");
  pen.lineWidth = 1.6;
  for (const [x, y] of at.values()) pen.strokeRect(Math.round(x) - 7.5, Math.round(y) - 7.5, 15, 15);
  pen.strokeStyle = themeColour("link");
  for (const g of published) {
    const x = frame.across(store.value(g, frame.axes[0].key)),
      y = frame.up(store.value(g, frame.axes[1].key));
    pen.beginPath();
    pen.moveTo(x, y - 6);
    pen.lineTo(x + 5.6, y + 4.4);
    pen.lineTo(x - 5.6, y + 4.4);
    pen.closePath();
    pen.stroke();
  }
}

/** A function that gives the stamp of a status and a shade; each is painted once. */
function stampPress(ratio, crowded) {
  const made = new Map(),
    colours = Object.fromEntries(["dominated", "infeasible", "front", "card"].map((name) => [name, themeColour(name)]));
  return (status, shade, number) => {
    const key = (status * 10 + number) * 100 + shade;
    if (!made.has(key)) {
      const sign = {
        ...SIGNS[status],
        ...(number ? { shape: STUDY_SHAPES[number][0] } : {}),
        ...(crowded ? CROWDED[status] : {}),
      };
      made.set(key, paintedStamp(sign, shade, colours, ratio));
    }
    return made.get(key);
  };
}

function paintedStamp({ shape, size, colour, opacity }, shade, colours, ratio) {
  const half = Math.ceil(size + 2.5),
    image = document.createElement("canvas");
  image.width = image.height = Math.ceil(2 * half * ratio);
  const pen = image.getContext("2d"),
    tinted = shade >= 0 && shape !== "cross";
  pen.setTransform(image.width / (2 * half), 0, 0, image.width / (2 * half), image.width / 2, image.width / 2);
  pen.globalAlpha = tinted ? 1 : opacity;
  pen.fillStyle = tinted ? cividis(shade / 63) : colours[colour];
  pen.strokeStyle = tinted && !shape.includes("diamond") ? pen.fillStyle : colours[colour];
  pen.beginPath();
  outline(pen, shape, size);
  if (FILLED.includes(shape) || (tinted && shape === "open diamond")) pen.fill();
  pen.lineWidth = shape === "cross" ? 1.3 : 1.7;
  if (shape === "diamond" || !FILLED.includes(shape)) pen.stroke();
  return { image, half };
}

const FILLED = ["circle", "diamond", "square", "triangle"];
const CORNERS = {
  square: [
    [-0.9, -0.9],
    [0.9, -0.9],
    [0.9, 0.9],
    [-0.9, 0.9],
  ],
  triangle: [
    [0, 1.1],
    [1.15, -0.9],
    [-1.15, -0.9],
  ],
  diamond: [
    [0, -1],
    [1, 0],
    [0, 1],
    [-1, 0],
  ],
};
const STROKES = {
  cross: [
    [-1, -1, 1, 1],
    [-1, 1, 1, -1],
  ],
  bar: [[-1.2, 0, 1.2, 0]],
  plus: [
    [-1.1, 0, 1.1, 0],
    [0, -1.1, 0, 1.1],
  ],
};

function outline(pen, shape, size) {
  if (shape === "circle" || shape === "ring") return pen.arc(0, 0, size, 0, 2 * Math.PI);
  for (const [x0, y0, x1, y1] of STROKES[shape] ?? []) {
    pen.moveTo(x0 * size, y0 * size);
    pen.lineTo(x1 * size, y1 * size);
  }
  const corners = CORNERS[shape.replace("open ", "")] ?? [];
  corners.forEach(([x, y], i) => (i ? pen.lineTo(x * size, y * size) : pen.moveTo(x * size, y * size)));
  return corners.length && pen.closePath();
}

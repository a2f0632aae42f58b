// Above the plot: rings around what is selected or pinned, with letters; the knee; names of baselines; labels of fronts.

import { svgElement } from "./dom.js";
import { baselinesAmong } from "./marks.js";
import { barEnds } from "./cloud.js";

const LETTER = 6.6,
  LINE = 15; // px of a letter of 12 px, and of a line

/** Draws the overlay anew: some tens of nodes. */
export function drawOverlay(plot) {
  const { frame, overlay } = plot,
    taken = [],
    layer = svgElement("g");
  overlay.setAttribute("width", frame.size.width);
  overlay.setAttribute("height", frame.size.height);
  if (!plot.words) {
    const marks = markedNetworks(plot);
    taken.members = memberBoxes(plot);
    for (const { x, y } of marks) taken.push([x - 12, y - 12, x + 12, y + 12]);
    layer.append(
      ...selectedBars(plot),
      ...lineLabels(plot, taken),
      ...kneeLabels(plot, taken),
      ...baselineNames(plot, taken),
    );
    for (const mark of marks) layer.append(ring(mark, frame));
  }
  overlay.replaceChildren(layer);
}

function memberBoxes({ app, scene }) {
  const { placed, layers } = scene,
    from = scene.rows.length - [...layers.values()].slice(-2).reduce((sum, rows) => sum + rows.length, 0);
  if (app.store.derived.ranked > 200) return [];
  return Array.from({ length: scene.rows.length - from }, (_, i) => [placed.xs[from + i], placed.ys[from + i]]).map(
    ([x, y]) => [x - 6, y - 6, x + 6, y + 6],
  );
}

function spot(plot, g) {
  const { app, frame } = plot,
    [x, y] = frame.axes.map((axis) => (g === null ? null : app.store.value(g, axis.key)));
  if (x === null || y === null || (frame.axes[0].log && x <= 0) || (frame.axes[1].log && y <= 0)) return null;
  const at = { x: frame.across(x), y: frame.up(y) };
  return frame.holds(at.x, at.y, 1) ? at : null;
}

function markedNetworks(plot) {
  const { app } = plot,
    view = app.view.get(),
    kinds = [["hovered", plot.hovered], ...["selected", "a", "b"].map((kind) => [kind, app.find(view[kind])])];
  return kinds.flatMap(([kind, g]) => {
    const at = spot(plot, g);
    return at ? [{ kind, g, ...at }] : [];
  });
}

function ring({ kind, x, y }, frame) {
  if (kind === "hovered") return svgElement("circle", { class: "x-ring x-hovered", cx: x, cy: y, r: 9 });
  if (kind === "selected") {
    return svgElement(
      "g",
      { class: "x-ring x-selected" },
      svgElement("circle", { class: "x-halo", cx: x, cy: y, r: 11 }),
      svgElement("circle", { cx: x, cy: y, r: 11 }),
    );
  }
  const left = x > frame.left + frame.width - 30,
    side = kind === "a" ? -1 : 1,
    tx = x + (left ? -19 : 19),
    ty = Math.max(frame.top + 9, y + side * 13);
  const shape = kind === "a" ? { x: x - 9, y: y - 9, width: 18, height: 18, rx: 2 } : { cx: x, cy: y, r: 14 };
  return svgElement(
    "g",
    { class: `x-ring x-pin-${kind}` },
    svgElement(kind === "a" ? "rect" : "circle", { class: "x-halo", ...shape }),
    svgElement(kind === "a" ? "rect" : "circle", shape),
    svgElement("rect", { class: "x-tag", x: tx - 8, y: ty - 8, width: 16, height: 16, rx: kind === "a" ? 2 : 8 }),
    svgElement("text", { class: "x-letter", x: tx, y: ty + 4.2 }, kind.toUpperCase()),
  );
}

function selectedBars(plot) {
  const { app, frame } = plot,
    g = app.find(app.view.get().selected);
  if (g === null || !spot(plot, g)) return [];
  const ends = barEnds(app, frame, g).map(([[x1, y1], [x2, y2]]) =>
    svgElement("line", { class: "x-bar-line", x1, y1, x2, y2 }),
  );
  return ends;
}

function label(text, x, y, { anchor = "middle", kind = "x-name" } = {}) {
  return svgElement("text", { class: kind, x, y, "text-anchor": anchor }, text);
}

/** A place for a text around a point that no other text has taken and, if it can be, that covers no front member; null if
    there is none in the frame. */
function freePlace(frame, at, text, taken, reach = 12) {
  return (
    firstFree(frame, at, text, [...taken, ...(taken.members ?? [])], taken, reach) ??
    firstFree(frame, at, text, taken, taken, reach)
  );
}

function firstFree(frame, at, text, obstacles, taken, reach) {
  const half = (text.length * LETTER) / 2;
  const inside = (x) => Math.max(frame.left + half + 2, Math.min(frame.left + frame.width - half - 2, x)); // above and below may slide
  const offsets = [
    [inside(at.x) - at.x, -reach - 3],
    [inside(at.x) - at.x, reach + 12],
    [half + 6, -reach],
    [-half - 6, -reach],
    [half + 6, reach + 9],
    [-half - 6, reach + 9],
    [reach + half, 4],
    [-reach - half, 4],
  ];
  for (const [dx, dy] of offsets) {
    const x = at.x + dx,
      y = at.y + dy,
      box = [x - half, y - LINE + 3, x + half, y + 3];
    if (
      box[0] < frame.left ||
      box[2] > frame.left + frame.width ||
      box[1] < frame.top ||
      box[3] > frame.top + frame.height
    )
      continue;
    if (obstacles.some((other) => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3]))
      continue;
    taken.push(box);
    return { x, y };
  }
  return null;
}

function baselineNames(plot, taken) {
  const { app, frame, scene } = plot,
    { store } = app;
  if (!app.view.get().show.names) return [];
  const named = [...baselinesAmong(app, scene.rows), ...scene.published]
    .map((g) => [g, spot(plot, g)])
    .filter(([, at]) => at);
  for (const [, at] of named) taken.push([at.x - 8, at.y - 8, at.x + 8, at.y + 8]);
  return named.slice(0, 60).flatMap(([g, at]) => {
    const text = shortened(g < 0 ? store.name(g) : store.baseline(g)),
      place = freePlace(frame, at, text, taken);
    return place ? [label(text, place.x, place.y, { kind: g < 0 ? "x-name x-published" : "x-name" })] : [];
  });
}

function shortened(text) {
  return text.length > 28 ? `${text.slice(0, 27)}…` : text;
}

function kneeLabels(plot, taken) {
  const { app, frame } = plot;
  if (!app.view.get().show.knee) return [];
  return app.store.derived.knees.flatMap(({ g }) => {
    const at = spot(plot, g),
      place = at && freePlace(frame, at, "knee", taken, 20);
    if (!place) return [];
    return [
      svgElement("circle", { class: "x-knee", cx: at.x, cy: at.y, r: 9.5 }),
      label("knee", place.x, place.y, { kind: "x-name x-knee-name" }),
    ];
  });
}

/** Which group a front belongs to, at its end, where there are several. */
function lineLabels(plot, taken) {
  const { app, frame } = plot,
    lines = app.store.derived.lines.filter((line) => line.points.length && line.label);
  if (lines.length < 2) return [];
  return lines.slice(0, 12).flatMap((line) => {
    const at = spot(plot, line.points.at(-1)[2]),
      text = shortened(line.label),
      place = at && freePlace(frame, at, text, taken, 16);
    return place ? [label(text, place.x, place.y, { kind: "x-name x-line-name" })] : [];
  });
}

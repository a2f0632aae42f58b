// Parallel coordinates on a canvas, with the axes and their brushes as SVG above it. Plotly's own need WebGL code made
// from text, which the page's policy forbids; here nothing is compiled, and axes may be logarithmic.
import { element, svgElement } from "./dom.js";
import { themeColour } from "./theme.js";

const PLOT_HEIGHT = 340, PLOT_TOP = 34, PLOT_BOTTOM = 16, PLOT_SIDE = 58, LEAST_GAP = 96, BRUSH_WIDTH = 26;
const LINES_OF_STANDING = [["faint", 0.8], ["link", 1.5], ["front", 2.4]]; // dominated, tied, front: colour and width

// {node, draw(picture)}; a picture: {axes, lines: [[place…]…], standing: [0|1|2…], onBrush(axis, range|null)}.
export function parallelPlot() {
  const canvas = element("canvas", { className: "p-lines" });
  const label = "Parallel coordinates of the networks; the filters above say the same ranges in numbers";
  const frame = svgElement("svg", { class: "p-frame", role: "img", "aria-label": label });
  const node = element("div", { className: "p-parallel-plot" }, canvas, frame);
  const plot = { canvas, frame, node, picture: null, ranges: [], width: 0, brushed: false, late: null };
  new ResizeObserver(() => {
    if (plot.picture && !plot.brushed && node.parentElement.clientWidth && widthOf(plot) !== plot.width) drawPlot(plot);
  }).observe(node);
  return { node, draw: (picture) => takePicture(plot, picture) };
}

// A picture that comes while an axis is dragged waits: its brush would be taken from under the pointer.
function takePicture(plot, picture) {
  plot.late = plot.brushed ? picture : null;
  if (plot.brushed) return;
  plot.picture = picture;
  plot.ranges = picture.axes.map((axis) => axis.range ?? null);
  drawPlot(plot);
}

const widthOf = ({ node, picture }) =>
  Math.max(node.parentElement.clientWidth, 2 * PLOT_SIDE + LEAST_GAP * (picture.axes.length - 1));

function drawPlot(plot) {
  const { node, canvas, frame, picture } = plot;
  plot.width = widthOf(plot);
  node.style.width = `${plot.width}px`;
  node.style.height = `${PLOT_HEIGHT}px`;
  const sharp = devicePixelRatio || 1;
  canvas.width = plot.width * sharp;
  canvas.height = PLOT_HEIGHT * sharp;
  frame.setAttribute("viewBox", `0 0 ${plot.width} ${PLOT_HEIGHT}`);
  frame.replaceChildren(...picture.axes.map((axis, place) => axisNode(plot, axis, place)));
  drawLines(plot);
}

const acrossOf = ({ width, picture }, place) =>
  PLOT_SIDE + (place * (width - 2 * PLOT_SIDE)) / Math.max(1, picture.axes.length - 1);
const downOf = (at) => PLOT_TOP + (1 - at) * (PLOT_HEIGHT - PLOT_TOP - PLOT_BOTTOM);
const placeOf = (down) => Math.max(0, Math.min(1, 1 - (down - PLOT_TOP) / (PLOT_HEIGHT - PLOT_TOP - PLOT_BOTTOM)));

// Lines outside a range lie below, faint; of the others the front lies on top.
function drawLines(plot) {
  const { canvas, picture, ranges } = plot;
  const pen = canvas.getContext("2d");
  const sharp = devicePixelRatio || 1;
  pen.setTransform(sharp, 0, 0, sharp, 0, 0);
  pen.clearRect(0, 0, plot.width, PLOT_HEIGHT);
  const across = picture.axes.map((_, place) => acrossOf(plot, place));
  const within = (at, [from, to]) => at >= from - 1e-9 && at <= to + 1e-9;
  const isInside = (line) => ranges.every((range, axis) => !range || within(line[axis], range));
  const inside = picture.lines.map(isInside);
  const stroke = (colour, wide, opacity, wanted) => {
    pen.beginPath();
    picture.lines.forEach((line, number) => {
      if (wanted(number)) line.forEach((at, axis) => pen[axis ? "lineTo" : "moveTo"](across[axis], downOf(at)));
    });
    Object.assign(pen, { strokeStyle: themeColour(colour), lineWidth: wide, globalAlpha: opacity });
    pen.stroke();
  };
  stroke("rule", 0.5, 0.5, (number) => !inside[number]);
  LINES_OF_STANDING.forEach(([colour, wide], standing) =>
    stroke(colour, wide, standing ? 0.95 : 0.75, (number) => inside[number] && picture.standing[number] === standing));
  pen.globalAlpha = 1;
}

function axisNode(plot, axis, place) {
  const x = acrossOf(plot, place);
  const [top, bottom] = [downOf(1), downOf(0)];
  const group = svgElement("g", { class: "p-axis" },
    svgElement("line", { x1: x, x2: x, y1: top, y2: bottom, class: "p-axis-line" }),
    svgElement("text", { x, y: 14, "text-anchor": "middle", class: "p-axis-label" }, axis.label),
    ...axis.ticks.map(([at, text]) =>
      svgElement("text", { x: x - 6, y: downOf(at) + 4, "text-anchor": "end", class: "p-axis-tick" }, text)));
  const range = svgElement("rect", { class: "p-range", x: x - 5, width: 10, rx: 3 });
  const brush = svgElement("rect", {
    class: "p-brush", "data-axis": place, x: x - BRUSH_WIDTH / 2, y: top - 6, width: BRUSH_WIDTH,
    height: bottom - top + 12,
  });
  showRange(range, plot.ranges[place]);
  group.append(range, brush);
  listenToBrush(plot, brush, range, place);
  return group;
}

function showRange(rect, range) {
  const [from, to] = range ?? [0, 0];
  rect.setAttribute("y", downOf(to));
  rect.setAttribute("height", Math.max(0, downOf(from) - downOf(to)));
  rect.setAttribute("visibility", range ? "visible" : "hidden");
}

// A drag along the axis keeps a range; a click clears it.
function listenToBrush(plot, brush, range, place) {
  let from = null;
  const placeAt = (event) => placeOf(event.clientY - plot.frame.getBoundingClientRect().top);
  brush.addEventListener("pointerdown", (event) => {
    from = placeAt(event);
    plot.brushed = true;
    brush.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  brush.addEventListener("pointermove", (event) => {
    if (from === null) return;
    const to = placeAt(event);
    plot.ranges[place] = Math.abs(to - from) < 0.012 ? null : [Math.min(from, to), Math.max(from, to)];
    showRange(range, plot.ranges[place]);
    drawLines(plot);
  });
  brush.addEventListener("pointerup", (event) => {
    if (from === null) return;
    const to = placeAt(event);
    const kept = Math.abs(to - from) < 0.012 ? null : [Math.min(from, to), Math.max(from, to)];
    from = null;
    plot.ranges[place] = kept;
    showRange(range, kept);
    drawLines(plot);
    plot.picture.onBrush(place, kept);
    if (plot.late) plot.late.axes[place].range = kept;
    endBrush(plot);
  });
  brush.addEventListener("pointercancel", () => {
    from = null;
    endBrush(plot);
  });
}

function endBrush(plot) {
  plot.brushed = false;
  if (plot.late) takePicture(plot, plot.late);
}

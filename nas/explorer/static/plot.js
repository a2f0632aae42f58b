// The scatter: plotly draws axes, ticks and the fronts, the canvas below it the networks, an SVG above it what is marked.
// All three share one frame, which is computed here from explicit margins and ranges.

import { PlotFrame, drawCloud, placedRows } from "./cloud.js";
import { axisOf, axisRange, axisTicks, axisTitle } from "./axes.js";
import { element, svgElement } from "./dom.js";
import { onPhone, themeColour } from "./theme.js";
import { plottedRows, publishedShown } from "./marks.js";
import { emptyWords } from "./empty.js";
import { drawOverlay } from "./overlay.js";

const REDRAW = ["x", "y", "logx", "logy", "zoom", "colour", "filters", "hidden", "device", "show"];
const MARKED = ["selected", "a", "b"];
const DASHES = ["solid", "dash", "dot", "dashdot", "longdash"];
const CONFIG = {
  responsive: false,
  displaylogo: false,
  showSendToCloud: false,
  doubleClick: false,
  showTips: false,
  showAxisDragHandles: false,
  modeBarButtons: [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d"]],
};

/** Puts the plot in its place and keeps it in step; app.plot is what the rest of the page may ask of it. */
export function mountPlot(place, app) {
  const canvas = element("canvas", { className: "x-cloud", "aria-hidden": "true" });
  const graph = element("div", { className: "x-graph" });
  const overlay = svgElement("svg", { class: "x-overlay", "aria-hidden": "true" });
  const message = element("div", { className: "x-empty", hidden: true });
  place.append(canvas, graph, overlay, message);
  const plot = {
    place,
    canvas,
    graph,
    overlay,
    message,
    app,
    hovered: null,
    frame: null,
    scene: null,
    painted: "",
    scale: "",
  };
  app.plot = plot;
  app.hover = (g) => {
    plot.hovered = g;
    redrawOverlay(plot);
  };
  app.on(({ data, keys }) => {
    // a plot that says why it is empty counts failures and running trials too
    const changed = data && (plot.revision !== app.store.revision || plot.words);
    if (changed || REDRAW.some((key) => keys.has(key))) redrawPlot(plot);
    else if (MARKED.some((key) => keys.has(key))) redrawOverlay(plot);
  });
  new ResizeObserver(() => {
    if (plot.frame && sizeChanged(plot)) redrawPlot(plot);
  }).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    plot.painted = "";
    redrawPlot(plot);
  });
  redrawPlot(plot);
  return plot;
}

function sizeChanged({ place, frame }) {
  return place.clientWidth !== frame.size.width || place.clientHeight !== frame.size.height;
}

/** Draws all of it: 10,000 networks in some tens of milliseconds, plotly only if axes or fronts changed. */
export function redrawPlot(plot) {
  const { app, place } = plot,
    axes = [axisOf(app, "x"), axisOf(app, "y")];
  plot.axes = axes;
  plot.revision = app.store.revision;
  plot.words = emptyWords(app, axes);
  plot.message.hidden = !plot.words;
  plot.message.replaceChildren(...(plot.words ?? []));
  place.classList.toggle("x-nothing", Boolean(plot.words));
  const size = { width: place.clientWidth, height: place.clientHeight };
  plot.frame = frameOf(axes, size);
  plot.ticks = axes.map((axis, i) =>
    axisTicks(axis, plot.frame.ranges[i], i ? plot.frame.height / 0.7 : plot.frame.width),
  );
  plot.scene = { ...plottedRows(app, axes), published: publishedShown(app, axes) };
  paint(plot);
  paintAxes(plot);
}

/** The frame of these axes: the left margin as wide as its tick labels need. */
function frameOf(axes, size) {
  const margin = { l: 60, r: 16, t: 14, b: 50 },
    height = size.height - margin.t - margin.b;
  const up = axisRange(axes[1], height),
    labels = axisTicks(axes[1], up, height / 0.7).ticktext;
  margin.l = Math.ceil(34 + 7.4 * Math.max(2, ...labels.map((label) => label.length)));
  return new PlotFrame(size, margin, axes, [axisRange(axes[0], size.width - margin.l - margin.r), up]);
}

function paint(plot) {
  const { app, frame, scene } = plot;
  scene.placed = placedRows(app, frame, scene.rows, scene.published);
  drawCloud(app, plot.canvas, frame, scene, plot.words ? [[], []] : plot.ticks.map((ticks) => ticks.tickvals));
  redrawOverlay(plot);
}

/** What is marked: a few nodes, no redraw of anything else. */
export function redrawOverlay(plot) {
  if (plot.frame) drawOverlay(plot);
}

function paintAxes(plot) {
  if (typeof Plotly === "undefined") {
    clearTimeout(plot.waiting);
    plot.waiting = setTimeout(() => paintAxes(plot), 30); // its script is still being read
    return;
  }
  const data = lineTraces(plot.app),
    layout = plotLayout(plot),
    painted = JSON.stringify([data, layout]);
  if (painted === plot.painted) return;
  const first = !plot.graph.classList.contains("js-plotly-plot");
  plot.painted = painted;
  Plotly.react(plot.graph, data, layout, { ...CONFIG, displayModeBar: onPhone() ? false : "hover" });
  if (first) listen(plot);
}

/** The fronts as step lines, one dash a group. */
export function lineTraces(app) {
  const { derived } = app.store,
    colour = themeColour("front");
  const traces = derived.lines
    .filter((line) => line.points.length)
    .map((line, place) => ({
      type: "scatter",
      mode: "lines",
      hoverinfo: "skip",
      x: line.points.map((point) => point[0]),
      y: line.points.map((point) => point[1]),
      line: {
        shape: derived.goal(app.view.get().x) === "minimize" ? "hv" : "vh",
        width: 1.6,
        color: colour,
        dash: DASHES[place % DASHES.length],
      },
    }));
  return traces.length ? traces : [{ type: "scatter", mode: "lines", x: [null], y: [null], hoverinfo: "skip" }];
}

function plotLayout({ frame, axes, ticks, words }) {
  const ink = themeColour("ink"),
    muted = themeColour("muted"),
    grid = themeColour("grid");
  const settings = (i) => ({
    type: axes[i].log ? "log" : "linear",
    range: frame.ranges[i],
    autorange: false,
    tickmode: "array",
    ...ticks[i],
    tickangle: 0,
    title: { text: axisTitle(axes[i].metric), standoff: 8, font: { size: 13, color: ink } },
    showgrid: false,
    zeroline: false,
    automargin: false,
    showline: true,
    linecolor: grid,
    mirror: true,
    tickfont: { size: 12, color: muted },
    ticks: "",
    visible: !words,
  });
  return {
    width: frame.size.width,
    height: frame.size.height,
    margin: { ...frame.margin, pad: 0 },
    showlegend: false,
    hovermode: false,
    dragmode: onPhone() ? false : "zoom",
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, color: ink, size: 13 },
    xaxis: settings(0),
    yaxis: settings(1),
    modebar: { bgcolor: "rgba(0,0,0,0)", color: muted, activecolor: ink },
    newselection: {},
    selectdirection: "any",
  };
}

function rangesOf(plot, event) {
  return ["xaxis", "yaxis"].map((name, i) => {
    const both = event[`${name}.range`];
    if (both) return both.map(Number);
    const ends = [0, 1].map((end) => event[`${name}.range[${end}]`]);
    return ends.includes(undefined) ? plot.frame.ranges[i] : ends.map(Number);
  });
}

function listen(plot) {
  const { app, graph } = plot;
  graph.on("plotly_relayouting", (event) => {
    plot.frame = new PlotFrame(plot.frame.size, plot.frame.margin, plot.axes, rangesOf(plot, event));
    paint(plot);
  });
  graph.on("plotly_relayout", (event) => {
    if (!Object.keys(event).some((key) => key.includes(".range"))) return;
    const ends = rangesOf(plot, event).map((range, i) => (plot.axes[i].log ? range.map((end) => 10 ** end) : range));
    plot.painted = "";
    app.view.set({ zoom: ends.flat() });
  });
}

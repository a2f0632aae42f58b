// The plot as a plotly figure for a file: light, on white, the networks as traces, what is marked and named with it.

import { axisTitle } from "./axes.js";
import { STATUS_CODE } from "./derived.js";
import { formatValue, labelWithUnit } from "./format.js";
import { chipText } from "./filters.js";
import { LAYERS, MANY, SIGNS, STUDY_SHAPES, baselinesAmong, cividis, colourScale, shapeNumber } from "./marks.js";
import { lineTraces } from "./plot.js";
import { countOf, plainForPlotly } from "./dom.js";

const LIGHT = {
  dominated: "#858d95",
  front: "#d55e00",
  infeasible: "#882255",
  ink: "#1c2126",
  grid: "#e8ebee",
  link: "#0b5cad",
  a: "#0072b2",
  b: "#332288",
};
const HALO = Array(4).fill("0 0 2px #ffffff").join(", ");
const LEGEND = {
  [STATUS_CODE.dominated]: "dominated",
  [STATUS_CODE.unranked]: "not ranked",
  [STATUS_CODE.infeasible]: "over a limit",
  [STATUS_CODE.tied]: "tied",
  [STATUS_CODE.front]: "front",
};

/** {data, layout} of what the plot shows now. */
export function exportFigure(app) {
  const { frame, ticks, scene } = app.plot,
    lines = lineTraces(app);
  for (const line of lines)
    Object.assign(line, { showlegend: false, ...(line.line ? { line: { ...line.line, color: LIGHT.front } } : {}) });
  const marked = [
    ["a", "square-open"],
    ["b", "circle-open"],
    ["selected", "circle-open"],
  ].flatMap(([key, symbol]) => {
    const g = app.find(app.view.get()[key]);
    return g === null
      ? []
      : [
          marks(app, [g], {
            symbol,
            colour: LIGHT[key] ?? LIGHT.ink,
            size: 20,
            name: key === "selected" ? "" : key.toUpperCase(),
          }),
        ];
  });
  const data = [
    ...LAYERS.filter((status) => scene.layers.get(status).length).map((status) => layerTrace(app, scene, status)),
    ...lines,
    marks(app, baselinesAmong(app, scene.rows), {
      symbol: "square-open",
      colour: LIGHT.ink,
      size: 15,
      named: true,
      legend: "baseline",
    }),
    marks(app, scene.published, {
      symbol: "triangle-up-open",
      colour: LIGHT.link,
      size: 11,
      named: true,
      legend: "published",
    }),
    ...marked,
    ...kneeTrace(app),
    ...colourBar(app),
  ].filter((trace) => trace.x.length);
  const settings = (i) => ({
    type: frame.axes[i].log ? "log" : "linear",
    range: frame.ranges[i],
    tickmode: "array",
    ...ticks[i],
    title: { text: axisTitle(frame.axes[i].metric) },
    gridcolor: LIGHT.grid,
    linecolor: LIGHT.grid,
    mirror: true,
    zeroline: false,
    automargin: true,
    tickangle: 0,
  });
  return {
    data,
    layout: {
      width: 960,
      height: 600,
      paper_bgcolor: "#ffffff",
      plot_bgcolor: "#ffffff",
      showlegend: true,
      legend: { orientation: "h", x: 0, y: 1.01, yanchor: "bottom", itemsizing: "constant" },
      font: { family: "system-ui, sans-serif", size: 14, color: LIGHT.ink },
      margin: { l: 30, r: 24, t: 84, b: 24 },
      title: { text: exportTitle(app), font: { size: 16 }, x: 0.02, xanchor: "left", y: 0.97, yanchor: "top" },
      xaxis: settings(0),
      yaxis: settings(1),
    },
  };
}

function kneeTrace(app) {
  const knees = app.view.get().show.knee ? app.store.derived.knees.map(({ g }) => g) : [];
  const trace = marks(app, knees, { symbol: "circle-open", colour: LIGHT.front, size: 19 });
  return knees.length ? [{ ...trace, mode: "markers+text", text: knees.map(() => "<i>knee</i>") }] : [];
}

/** A trace without points that carries the colour bar. */
function colourBar(app) {
  const scale = colourScale(app);
  if (!scale) return [];
  const shares = [0, 0.25, 0.5, 0.75, 1],
    { low, high } = scale;
  const values = shares.map((share) => (scale.log ? low * (high / low) ** share : low + share * (high - low)));
  const colorbar = {
    title: { text: plainForPlotly(labelWithUnit(scale.metric)) },
    tickvals: shares,
    ticktext: values.map((value) => formatValue(scale.metric, value)),
    thickness: 12,
    len: 0.8,
  };
  const colorscale = shares.map((share) => [share, cividis(share)]);
  return [
    {
      type: "scatter",
      mode: "markers",
      x: [null],
      y: [null],
      showlegend: false,
      marker: { color: [0], cmin: 0, cmax: 1, colorscale, showscale: true, colorbar },
    },
  ];
}

function exportTitle(app) {
  const { store } = app,
    names = store.studies.filter((study) => !app.view.get().hidden.includes(study.key)).map((study) => study.label);
  const filters = chipText(app);
  const count = filters
    ? ` (${store.derived.shown.length.toLocaleString("en-US")} of ${countOf(store.derived.total, "network")}: ${filters})`
    : ` (${countOf(store.derived.shown.length, "network")})`;
  return plainForPlotly(names.join(" and ") + count);
}

function layerTrace(app, { layers, shade }, status) {
  const sign = SIGNS[status],
    rows = layers.get(status),
    noisy = sign.colour === "front" && app.store.derived.ranked <= MANY && app.view.get().show.spread;
  const trace = marks(app, rows, {
    symbol: sign.symbol,
    colour: LIGHT[sign.colour],
    size: (rows.length > 2000 ? 1.4 : 2) * sign.size,
    spread: noisy,
    legend: LEGEND[status],
  });
  trace.marker.opacity = sign.opacity;
  if (sign.shape === "circle" && app.store.studies.length > 1)
    trace.marker.symbol = rows.map((g) => STUDY_SHAPES[shapeNumber(app, g)][1]);
  if (colourScale(app) && sign.shape !== "cross") Object.assign(trace.marker, tintedMarker(sign, rows, shade));
  return trace;
}

function tintedMarker(sign, rows, shade) {
  const color = rows.map((g) => (shade(g) < 0 ? LIGHT.dominated : cividis(shade(g) / 63)));
  return sign.colour === "front" ? { color, symbol: "diamond", line: { width: 1.6, color: LIGHT.front } } : { color };
}

function marks(app, rows, { symbol, colour, size, named = false, name = "", spread = false, legend = "" }) {
  const { store, plot } = app,
    [x, y] = plot.frame.axes.map((axis) => rows.map((g) => store.value(g, axis.key)));
  const [dx, dy] = plot.frame.axes.map((axis) => rows.map((g) => store.spread(g, axis.key)));
  const bars = (array) =>
    spread && array.some(Boolean) ? { type: "data", array, thickness: 1, width: 3, color: colour } : undefined;
  const text = name
    ? [name]
    : named && app.view.get().show.names
      ? rows.map((g) => plainForPlotly(store.baseline(g) || store.name(g)))
      : undefined;
  return {
    type: "scatter",
    mode: text ? "markers+text" : "markers",
    x,
    y,
    text,
    textposition: "top center",
    textfont: { size: 12, color: LIGHT.ink, shadow: HALO },
    name: legend,
    showlegend: Boolean(legend),
    cliponaxis: !text,
    hoverinfo: "skip",
    marker: { symbol, size, color: colour, line: { width: symbol.endsWith("open") ? 1.6 : 0, color: colour } },
    error_x: bars(dx),
    error_y: bars(dy),
  };
}

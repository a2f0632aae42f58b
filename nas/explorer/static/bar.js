// The controls above the plot: axes, colour, scales, what is drawn; and the legend with its counts below them.

import { arrow, formatValue, labelWithUnit, unitOf } from "./format.js";
import { copyButton, element, setText, svgElement } from "./dom.js";
import { standingMeaning } from "./standing.js";
import { STUDY_SHAPES, colourScale, publishedShown } from "./marks.js";

const TOGGLES = [
  ["spread", "spread", "Bars of the noise of a reading: half its width to each side"],
  ["infeasible", "over limits", "Networks over a limit of the study"],
  [
    "knee",
    "knee",
    "The front member farthest on the better side of the straight line between the front's two ends, both axes scaled to 0 … 1 (logarithms on a log axis)",
  ],
  ["names", "names", "Names of baselines"],
  ["published", "published", "Published networks, hollow triangles"],
];

/** Builds the bar once and keeps its controls in step with the view. */
export function mountBar(place, app) {
  const selects = {
    x: axisSelect(app, "x", "X"),
    y: axisSelect(app, "y", "Y"),
    colour: axisSelect(app, "colour", "colour"),
  };
  const logs = { x: logToggle(app, "x"), y: logToggle(app, "y") };
  const swap = button("⇄", "Swap the axes", () => {
    const { x, y, logx, logy } = app.view.get();
    app.view.set({ x: y, y: x, logx: logy, logy: logx });
  });
  const toggles = TOGGLES.map(([key, word, title]) => [
    key,
    checkbox(word, title, (on) => app.view.set({ show: { [key]: on } })),
  ]);
  const reset = button("reset zoom", "Show everything again (double click)", () => {
    document.getElementById("x-plot")?.focus({ preventScroll: true }); // this button goes out of use
    app.view.set({ zoom: null });
  });
  const link = copyButton(
    () => location.href.split("#")[0] + (app.view.hash() ? `#${app.view.hash()}` : ""),
    "copy link",
  );
  const legend = element("ul", { className: "legend x-legend", "aria-label": "Legend" }),
    scale = element("div", { className: "x-scale" });
  place.replaceChildren(
    element(
      "div",
      { className: "x-controls" },
      group(selects.x.label, logs.x.label),
      swap,
      group(selects.y.label, logs.y.label),
      group(selects.colour.label),
    ),
    element(
      "div",
      { className: "x-controls x-small" },
      ...toggles.map(([, box]) => box.label),
      element("span", { className: "x-gap" }),
      reset,
      link,
    ),
    legend,
    scale,
  );
  const sync = () => syncBar(app, { selects, logs, toggles, reset, legend, scale });
  app.on(({ data, keys }) => {
    if (data || [...keys].some((key) => !["selected", "a", "b", "sort", "axes", "goal"].includes(key))) sync();
  });
  sync();
}

const group = (...children) => element("span", { className: "x-group" }, ...children);
const button = (word, title, onclick) =>
  element(
    "button",
    { type: "button", className: "x-button", title, onclick, "aria-label": /\w/.test(word) ? null : title },
    word,
  );

function axisSelect(app, key, word) {
  const name = key === "colour" ? "colour by" : `${word} axis`;
  const select = element("select", { "aria-label": name, onchange: () => app.view.set({ [key]: select.value }) });
  return { select, offered: "", label: element("label", { className: "x-select" }, element("span", {}, word), select) };
}

function checkbox(word, title, act) {
  const box = element("input", { type: "checkbox", onchange: () => act(box.checked) });
  return { box, label: element("label", { className: "x-check", title }, box, word) };
}

function logToggle(app, axis) {
  const toggle = checkbox("log", `Logarithmic ${axis} axis`, (on) => app.view.set({ [`log${axis}`]: on }));
  toggle.box.setAttribute("aria-label", `log ${axis} axis`);
  return toggle;
}

/** Metrics that may be an axis: those with a value. */
export function offeredMetrics(app) {
  const { store } = app;
  return store.metrics.filter(
    (metric) => !Number.isNaN(store.derived.extentOfAll(metric.key)[0]) || isGoal(store, metric.key),
  );
}

// a unit that is a word stands at the axis; here there is room for a symbol
const shortLabel = (metric) => (metric.unit.length > 4 ? metric.label : labelWithUnit(metric));

function isGoal(store, key) {
  return store.studies.some((study) => study.objectives.some((objective) => objective.key === key));
}

function syncBar(app, { selects, logs, toggles, reset, legend, scale }) {
  const view = app.view.get(),
    metrics = offeredMetrics(app);
  for (const [key, part] of Object.entries(selects)) {
    const known =
      metrics.some((metric) => metric.key === view[key]) || !view[key]
        ? metrics
        : [...metrics, app.store.metric(view[key])];
    const options = known.map((metric) => [metric.key, `${shortLabel(metric)} ${arrow(metric)}`.trim()]);
    if (key === "colour") options.unshift(["", "standing"]);
    const offered = JSON.stringify(options);
    if (offered !== part.offered) {
      part.select.replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
      part.offered = offered;
    }
    if (part.select.value !== view[key]) part.select.value = view[key];
  }
  for (const axis of ["x", "y"]) {
    logs[axis].box.checked = app.store.derived.isLog(axis);
    logs[axis].box.disabled = !(app.store.derived.extent(view[axis])[0] > 0);
  }
  for (const [key, { box, label }] of toggles) {
    box.checked = view.show[key];
    label.hidden =
      (key === "published" && !app.store.published.length) ||
      (key === "infeasible" && !app.store.derived.counts.infeasible && !app.store.sparse.over.size);
  }
  reset.disabled = !view.zoom;
  syncLegend(app, legend);
  syncScale(app, scale);
}

const SIGN_SHAPES = {
  front: () => [
    svgElement("path", { class: "line-front", d: "M0 8h22", "stroke-width": 1.6 }),
    svgElement("path", { class: "fill-front", d: "M11 2l6 6-6 6-6-6z" }),
  ],
  tied: () => [svgElement("path", { class: "line-front", d: "M11 2.5l5.5 5.5-5.5 5.5-5.5-5.5z", "stroke-width": 1.7 })],
  dominated: () => [svgElement("circle", { class: "fill-dominated", cx: 11, cy: 8, r: 3.6 })],
  unranked: () => [svgElement("circle", { class: "line-dominated", cx: 11, cy: 8, r: 3.6, "stroke-width": 1.6 })],
  infeasible: () => [svgElement("path", { class: "line-infeasible", d: "M7 4l8 8M15 4l-8 8", "stroke-width": 1.5 })],
  baseline: () => [svgElement("rect", { class: "line-ink", x: 4, y: 1, width: 14, height: 14, "stroke-width": 1.6 })],
  published: () => [svgElement("path", { class: "x-line-link", d: "M11 2l6 11H5z", "stroke-width": 1.6 })],
};
const signSentence = (standing) => standingMeaning(standing).replace(/^./, (letter) => letter.toUpperCase());
const SIGN_WORDS = {
  front: ["front", signSentence("front")],
  tied: ["tied", signSentence("tied")],
  dominated: ["dominated", signSentence("dominated")],
  unranked: ["not ranked", signSentence("unranked")],
  infeasible: ["over a limit", "Over a limit of the study: on no front"],
  baseline: ["baseline", "A network given by name, measured like the others"],
  published: ["published", "As printed in the papers, not measured here"],
};

function syncLegend(app, legend) {
  const { derived, sparse } = app.store,
    counts = new Map(Object.keys(SIGN_WORDS).map((key) => [key, 0])),
    { shown } = derived;
  for (const g of shown) {
    const status = derived.status(g);
    counts.set(status, counts.get(status) + 1);
    if (sparse.baseline.has(g)) counts.set("baseline", counts.get("baseline") + 1);
  }
  counts.set("published", publishedShown(app, app.plot?.axes ?? []).length);
  const present = [...counts].filter(([, count]) => count),
    studies = app.store.studies.filter((study) => !app.view.get().hidden.includes(study.key));
  const text = JSON.stringify([present, studies.map((study) => study.label)]);
  if (legend.dataset.counts === text) return;
  legend.dataset.counts = text;
  legend.replaceChildren(
    ...present.map(([key, count]) =>
      element(
        "li",
        { title: SIGN_WORDS[key][1] },
        svgElement("svg", { viewBox: "0 0 22 16", "aria-hidden": "true" }, ...SIGN_SHAPES[key]()),
        element("span", {}, SIGN_WORDS[key][0]),
        element("span", { className: "x-count" }, count.toLocaleString("en-US")),
      ),
    ),
    ...(app.store.studies.length > 1 ? studies.map(studySign) : []),
  );
  legend.title = "Standing in all objectives of the study; the line is the front of the two axes shown alone";
}

const STUDY_PATHS = {
  circle: "M7.4 8a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0-7.2 0",
  square: "M7.6 4.6h6.8v6.8H7.6z",
  triangle: "M11 12.2L15.2 4.8H6.8z",
  bar: "M6.5 8h9",
  plus: "M6.8 8h8.4M11 3.8v8.4",
};

function studySign(study) {
  const [shape] = STUDY_SHAPES[study.number % STUDY_SHAPES.length],
    path = svgElement("path", { class: "x-study-sign", d: STUDY_PATHS[shape] });
  return element(
    "li",
    { title: "The shape of its dominated networks" },
    svgElement("svg", { viewBox: "0 0 22 16", "aria-hidden": "true" }, path),
    element("span", {}, study.label),
  );
}

function syncScale(app, place) {
  const scale = colourScale(app);
  place.hidden = !scale;
  if (!scale) return;
  if (!place.firstChild)
    place.append(element("span"), element("i", { "aria-hidden": "true" }), element("span"), element("b"));
  const [low, , high, name] = place.children;
  setText(low, formatValue(scale.metric, scale.low));
  setText(high, formatValue(scale.metric, scale.high));
  setText(
    name,
    `${scale.metric.label}${unitOf(scale.metric) ? `,${unitOf(scale.metric)}` : ""}${scale.log ? " (log)" : ""}`,
  );
}

// Parallel coordinates: up to eight metrics and cells side by side, drawn when opened. A range brushed on a metric is a
// filter of the page; filters set elsewhere show as ranges here.
import { element, setText } from "./dom.js";
import { cellAxis, filterOfRange, metricAxis, rowsToDraw } from "./parallelaxes.js";
import { parallelPlot } from "./parallelplot.js";
import { onThemeChange, themeColour } from "./theme.js";

const MOST_AXES = 8,
  STANDING_AXIS = "standing",
  STANDING_ORDER = ["not ranked", "dominated", "tied", "front"];
const STANDING_WORDS = { dominated: "dominated", tied: "tied", front: "front" };
const CELLS_KEEP_MS = 10_000; // the cells of all networks are asked for as a whole
const KEYS_OF_PARALLEL = ["axes", "filters", "hidden", "device", "show"];

export function mountParallel(place, app) {
  const parts = parallelParts(app);
  place.append(parts.details);
  const update = () => {
    if (parts.details.open) updateParallel(parts, app);
  };
  parts.details.addEventListener("toggle", async () => {
    if (!parts.details.open) return;
    await loadCells(parts, app);
    update();
  });
  app.on(({ data, keys }) => {
    if (!parts.details.open) return;
    if (data) followCells(parts, app, update);
    if (data || KEYS_OF_PARALLEL.some((key) => keys.has(key))) update();
  });
  onThemeChange(update);
}

function parallelParts(app) {
  const parts = { app, shape: "", options: "", ranges: new Map(), axes: [], plot: parallelPlot() };
  Object.assign(parts, { cells: new Map(), cellsOf: null, cellsAt: 0, cellsDue: 0 });
  parts.choices = element("div", { className: "p-choices" });
  parts.told = element("p", { className: "p-quiet", role: "status" });
  parts.details = element(
    "details",
    { className: "p-card p-parallel" },
    element("summary", {}, "Parallel coordinates"),
    element("fieldset", { className: "p-axes" }, element("legend", {}, `Axes, at most ${MOST_AXES}`), parts.choices),
    element(
      "div",
      {
        className: "p-scroll",
        tabIndex: 0,
        role: "region",
        "aria-label": "Parallel coordinates: brush an axis to filter",
      },
      parts.plot.node,
    ),
    parts.told,
  );
  return parts;
}

// The open cells of each study, by name: one value a global row. Those at hand stay where the new ones do not come.
async function loadCells(parts, app) {
  const { studies } = app.store;
  parts.cellsAt = performance.now();
  const all = await Promise.all(studies.map((study) => app.settings(study).catch(() => null)));
  if (studies !== app.store.studies || (all.includes(null) && parts.cellsOf === studies)) return;
  const cells = new Map();
  studies.forEach((study, number) => {
    all[number]?.names.forEach((name, place) => {
      if (app.store.byKey.has(name)) return; // it is an axis as a metric
      if (!cells.has(name)) cells.set(name, new Map());
      const values = cells.get(name);
      study.globals.forEach((g, row) => {
        const value = all[number].columns[place]?.[row];
        if (value !== null && value !== undefined) values.set(g, value);
      });
    });
  });
  Object.assign(parts, { cells, cellsOf: studies });
}

// The cells of networks that came: only where an axis is a cell, and not at every trial. After a new start of the data
// none of those at hand mean anything.
function followCells(parts, app, update) {
  const isAnew = parts.cellsOf !== null && parts.cellsOf !== app.store.studies;
  if (isAnew) Object.assign(parts, { cells: new Map(), cellsOf: null, cellsAt: -CELLS_KEEP_MS });
  const isDrawn = parts.axes.some((key) => key !== STANDING_AXIS && !app.store.byKey.has(key));
  if (parts.cellsDue || !(isDrawn || isAnew)) return;
  const wait = Math.max(0, parts.cellsAt + CELLS_KEEP_MS - performance.now());
  parts.cellsDue = setTimeout(async () => {
    parts.cellsDue = 0;
    if (!parts.details.open) return;
    await loadCells(parts, app);
    update();
  }, wait);
}

// What may be an axis: metrics with values, then cells that differ.
function axisChoices(parts, app) {
  const { store } = app;
  const metrics = store.metrics
    .filter((metric) => {
      const [low, high] = store.derived.extentOfAll(metric.key);
      return high > low;
    })
    .map((metric) => [metric.key, metric.label]);
  return [
    ...metrics,
    [STANDING_AXIS, "standing"],
    ...[...parts.cells.keys()].map((name) => [name, name.replace(".", " ")]),
  ];
}

function chosenAxes(app, choices) {
  const known = new Set(choices.map(([key]) => key));
  const { axes } = app.view.get();
  const own = axes.filter((key) => known.has(key));
  if (own.length) return own.slice(0, MOST_AXES);
  const goals = app.store.studies.flatMap((study) => study.objectives.map((objective) => objective.key));
  const first = [...new Set([...goals, "params", "resolution", ...choices.map(([key]) => key)])];
  return first
    .filter((key) => known.has(key) && !["trial", "seconds", STANDING_AXIS].includes(key))
    .slice(0, 5)
    .concat(STANDING_AXIS);
}

function updateParallel(parts, app) {
  const choices = axisChoices(parts, app),
    axes = chosenAxes(app, choices);
  parts.axes = axes;
  showChoices(parts, app, choices, axes);
  const labels = new Map(choices);
  const { rows, all, sampled, lacking } = rowsToDraw(app, axes, (g, key) => valueAt(parts, app, g, key));
  parts.plot.node.hidden = axes.length < 2 || !rows.length;
  if (parts.plot.node.hidden) {
    setText(parts.told, axes.length < 2 ? "Choose two axes or more." : "No network has a value on all of these axes.");
    return;
  }
  const scales = axes.map((key) => {
    const values = rows.map((g) => valueAt(parts, app, g, key));
    if (app.store.byKey.has(key)) return metricAxis(app.store.metric(key), values, app.view.get().filters[key]);
    return cellAxis(labels.get(key), values, key === STANDING_AXIS ? STANDING_ORDER : undefined);
  });
  drawParallel(parts, app, axes, rows, scales);
  setText(parts.told, toldOf(rows, all, sampled, lacking));
}

function valueAt(parts, app, g, key) {
  if (app.store.byKey.has(key)) return app.store.value(g, key);
  if (key === STANDING_AXIS) return STANDING_WORDS[app.store.derived.status(g)] ?? STANDING_ORDER[0];
  return parts.cells.get(key)?.get(g) ?? null;
}

function toldOf(rows, all, sampled, lacking) {
  const count = (number) => number.toLocaleString("en-US");
  return [
    sampled
      ? `${count(rows.length)} of ${count(all)} networks are drawn: the whole front and a sample of the others.`
      : `${count(all)} networks.`,
    lacking ? `${count(lacking)} without a value on one of these axes: not drawn.` : "",
    "Drag along an axis to keep a range: of a metric it filters the page, of a cell only this drawing.",
    "A click on the axis clears it. Thick lines: the front; thinner ones: tied with it; the thinnest: dominated.",
  ]
    .filter(Boolean)
    .join(" ");
}

function showChoices(parts, app, choices, axes) {
  const signature = JSON.stringify(choices);
  if (parts.options !== signature) {
    parts.options = signature;
    parts.choices.replaceChildren(
      ...choices.map(([key, label]) =>
        element(
          "label",
          { className: "p-check" },
          element("input", {
            type: "checkbox",
            value: key,
            onchange: (event) => chooseAxis(parts, app, key, event.target.checked),
          }),
          label,
        ),
      ),
    );
  }
  for (const box of parts.choices.querySelectorAll("input")) {
    box.checked = axes.includes(box.value);
    box.disabled = !box.checked && axes.length >= MOST_AXES;
  }
}

function chooseAxis(parts, app, key, checked) {
  const axes = chosenAxes(app, axisChoices(parts, app));
  app.view.set({ axes: checked ? [...axes, key] : axes.filter((one) => one !== key) });
}

function drawParallel(parts, app, axes, rows, scales) {
  const standing = rows.map((g) => ({ front: 2, tied: 1 })[app.store.derived.status(g)] ?? 0);
  scales.forEach((scale, place) => {
    if (!app.store.byKey.has(axes[place])) scale.range = parts.ranges.get(axes[place]) ?? null;
  });
  const said = scales.map(({ range, label, ticks }) => [range, label, ticks]);
  const shape = JSON.stringify([axes, rows, standing, themeColour("ink"), said]);
  if (shape === parts.shape) return;
  parts.shape = shape;
  const lines = rows.map((g) => axes.map((key, place) => scales[place].at(valueAt(parts, app, g, key))));
  const onBrush = (place, range) => takeBrush(parts, app, axes[place], scales[place], range);
  parts.plot.draw({ axes: scales, lines, standing, onBrush });
}

// A metric's range becomes a filter of the page; a cell's holds in this drawing.
function takeBrush(parts, app, key, scale, range) {
  if (!app.store.byKey.has(key)) {
    parts.ranges.set(key, range);
    parts.shape = "";
    return;
  }
  const filters = { ...app.view.get().filters };
  const filter = filterOfRange(scale, range);
  if (filter) filters[key] = filter;
  else delete filters[key];
  app.view.set({ filters });
}

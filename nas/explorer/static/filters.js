// Filters: a range for each metric, the studies and the device shown. The count stands outside, always visible.

import { countOf, element, setText } from "./dom.js";
import { arrow, formatValue, labelWithUnit, parseQuantity, quantityText, unitOf } from "./format.js";
import { offeredMetrics } from "./bar.js";

const THUMB_STEPS = 400;

/** Builds the filters once; rows are added when a metric first has values, and kept while one types in them. */
export function mountFilters(place, app) {
  const count = element("span", { className: "x-shown" }),
    chips = element("span", { className: "x-chips" });
  const clear = element(
    "button",
    { type: "button", className: "x-button", onclick: () => leaving(details, () => app.clearFilters()) },
    "clear all",
  );
  const rows = element("div", { className: "x-ranges" }),
    studies = element("fieldset", { className: "x-studies" });
  const device = element("select", { "aria-label": "device", onchange: () => app.view.set({ device: device.value }) });
  const deviceLabel = element("label", { className: "x-select" }, element("span", {}, "device"), device);
  const within = element(
    "button",
    { type: "button", className: "x-button", onclick: () => leaving(details, () => app.view.set({ show: { infeasible: false } })) },
    "within limits only",
  );
  const details = element(
    "details",
    { className: "x-filter-box" },
    element("summary", {}, element("b", {}, "Filters"), chips),
    element("div", { className: "x-filter-top" }, within, deviceLabel, studies),
    rows,
  );
  place.replaceChildren(element("div", { className: "x-filter-line" }, count, clear), details);
  app.clearFilters = () => app.view.set({ filters: {}, hidden: [], device: "", show: { infeasible: true } });
  const parts = { count, chips, clear, rows, studies, device, deviceLabel, within, details, ranges: new Map() };
  const sync = () => syncFilters(app, parts);
  details.addEventListener("toggle", sync);
  app.on(({ data, keys }) => {
    if (data || ["filters", "hidden", "device", "show", "x", "y"].some((key) => keys.has(key))) sync();
  });
  sync();
}

/** Does what a button says that goes out of use with it: the focus moves on first. */
function leaving(details, act) {
  details.querySelector("summary").focus({ preventScroll: true });
  act();
}

function syncFilters(app, parts) {
  const { store } = app,
    { filters, hidden, device, show } = app.view.get(),
    { derived } = store;
  setText(
    parts.count,
    `${derived.shown.length.toLocaleString("en-US")} of ${countOf(derived.total, "network")} shown${offPlot(app)}`,
  );
  const active = Object.keys(filters).length + hidden.length + (device ? 1 : 0) + (show.infeasible ? 0 : 1);
  parts.clear.hidden = !active;
  setText(parts.chips, chipText(app));
  syncStudies(app, parts.studies);
  syncDevices(app, parts);
  const limited = derived.counts.infeasible || store.sparse.over.size;
  parts.within.hidden = !limited;
  parts.within.disabled = !show.infeasible;
  if (!parts.details.open) return;
  for (const metric of offeredMetrics(app)) {
    const ends = derived.extentOfAll(metric.key);
    if (Number.isNaN(ends[0]) || (ends[0] === ends[1] && !filters[metric.key])) continue;
    if (!parts.ranges.has(metric.key)) {
      parts.ranges.set(metric.key, rangeRow(app, metric));
      parts.rows.append(parts.ranges.get(metric.key).row);
    }
    parts.ranges.get(metric.key).sync(ends, filters[metric.key] ?? [null, null]);
  }
}

/** How many of the shown cannot be drawn, because they lack a value of an axis. */
function offPlot(app) {
  const { store } = app,
    { x, y } = app.view.get(),
    keys = [...new Set([x, y])],
    columns = keys.map((key) => store.column(key));
  let count = 0;
  const lacking = new Set();
  for (const g of store.derived.shown) {
    const without = keys.filter((_, i) => !columns[i] || Number.isNaN(columns[i][g]));
    if (without.length) count++;
    for (const key of without) lacking.add(store.metric(key).label);
  }
  return count ? `; ${count.toLocaleString("en-US")} without ${[...lacking].join(" or ")}: not in the plot` : "";
}

/** The filters that are set, in words; "" without any. */
export function chipText(app) {
  const { filters, hidden, device, show } = app.view.get(),
    { store } = app,
    words = [];
  for (const [key, [low, high]] of Object.entries(filters)) {
    const metric = store.metric(key),
      value = (end) => formatValue(metric, end) + unitOf(metric);
    if (low !== null && high !== null) words.push(`${metric.label} ${value(low)} to ${value(high)}`);
    else words.push(`${metric.label} ${low !== null ? `≥ ${value(low)}` : `≤ ${value(high)}`}`);
  }
  if (!show.infeasible) words.push("within limits");
  if (device) words.push(`on ${device}`);
  if (hidden.length)
    words.push(
      `without ${store.studies
        .filter((study) => hidden.includes(study.key))
        .map((study) => study.label)
        .join(", ")}`,
    );
  return words.join(" · ");
}

function syncStudies(app, place) {
  const { studies } = app.store,
    { hidden } = app.view.get();
  place.hidden = studies.length < 2;
  const names = JSON.stringify(studies.map((study) => [study.key, study.label]));
  if (place.dataset.names !== names) {
    place.dataset.names = names;
    const boxes = studies.map((study) => {
      const box = element("input", {
        type: "checkbox",
        value: study.key,
        onchange: () => {
          const others = app.view.get().hidden.filter((key) => key !== study.key);
          app.view.set({ hidden: box.checked ? others : [...others, study.key] });
        },
      });
      return element("label", { className: "x-check" }, box, study.label);
    });
    place.replaceChildren(element("legend", { className: "x-legend-word" }, "studies"), ...boxes);
  }
  for (const box of place.querySelectorAll("input")) box.checked = !hidden.includes(box.value);
}

function syncDevices(app, { device, deviceLabel }) {
  const names = [...new Set(app.store.studies.flatMap((study) => study.devices ?? []))],
    chosen = app.view.get().device;
  if (chosen && !names.includes(chosen)) names.push(chosen);
  deviceLabel.hidden = names.length < 2 && !chosen;
  const offered = JSON.stringify(names);
  if (device.dataset.offered !== offered) {
    device.dataset.offered = offered;
    device.replaceChildren(
      element("option", { value: "" }, "all"),
      ...names.map((name) => element("option", { value: name }, name)),
    );
  }
  device.value = chosen;
}

/** A row: label, two fields, a range with two thumbs. {row, sync(ends, [low, high])} */
function rangeRow(app, metric) {
  const label = labelWithUnit(metric),
    fault = element("span", { className: "x-fault", role: "alert", id: `fault-${metric.key}` });
  const state = { app, metric, ends: [0, 1], chosen: [null, null], fault };
  const fields = ["least", "most"].map((word, side) =>
    element("input", {
      type: "text",
      inputMode: "decimal",
      autocomplete: "off",
      spellcheck: false,
      className: "x-field",
      "aria-label": `${label}, at ${word}`,
      "aria-describedby": fault.id,
      onchange: () => typed(state, side, fields[side]),
      oninput: () => {
        if (readable(fields[side])) clearFault(state, fields);
      },
      onkeydown: (event) => {
        if (event.key === "Enter") typed(state, side, fields[side]);
      },
    }),
  );
  const thumbs = ["least", "most"].map((word, side) =>
    element("input", {
      type: "range",
      min: 0,
      max: THUMB_STEPS,
      step: 1,
      className: "x-thumb",
      "aria-label": `${label}, at ${word}`,
      oninput: () => slid(state, side, thumbs),
    }),
  );
  const clear = element(
    "button",
    {
      type: "button",
      className: "x-copy",
      "aria-label": `clear ${label}`,
      onclick: () => {
        fields[0].focus({ preventScroll: true }); // this button is hidden then
        setRange(state, [null, null]);
      },
    },
    "clear",
  );
  const track = element("span", { className: "x-track" }, element("i"), ...thumbs);
  const row = element(
    "div",
    { className: "x-range" },
    element("span", { className: "x-range-name" }, `${label} ${arrow(metric)}`.trim()),
    fields[0],
    track,
    fields[1],
    clear,
    fault,
  );
  return {
    row,
    sync: (ends, chosen) => syncRange(Object.assign(state, { ends, chosen }), { fields, thumbs, clear, track }),
  };
}

function syncRange({ metric, ends, chosen }, { fields, thumbs, clear, track }) {
  const at = chosen.map((value, side) => (value === null ? side * THUMB_STEPS : stepOf(ends, metric, value)));
  fields.forEach((field, side) => {
    field.placeholder = quantityText(metric, ends[side]);
    if (document.activeElement === field && field.dataset.dirty) return;
    const text = quantityText(metric, chosen[side]);
    if (field.value !== text && !field.hasAttribute("aria-invalid")) field.value = text;
  });
  thumbs.forEach((thumb, side) => {
    thumb.value = at[side];
    thumb.setAttribute("aria-valuetext", formatValue(metric, chosen[side] ?? ends[side]) + unitOf(metric));
    thumb.style.zIndex = side === 0 && at[0] > THUMB_STEPS / 2 ? 2 : 1; // or two thumbs at the right end could not be parted
  });
  track.style.setProperty("--from", `${(100 * at[0]) / THUMB_STEPS}%`);
  track.style.setProperty("--to", `${(100 * at[1]) / THUMB_STEPS}%`);
  clear.style.visibility = chosen.some((value) => value !== null) ? "visible" : "hidden";
}

function bent([low, high], metric) {
  return low > 0 && ["count", "rate"].includes(metric.style) && high >= 3 * low;
}

function stepOf(ends, metric, value) {
  const [low, high] = bent(ends, metric) ? ends.map(Math.log) : ends,
    at = bent(ends, metric) ? Math.log(value) : value;
  return high > low ? Math.max(0, Math.min(THUMB_STEPS, Math.round((THUMB_STEPS * (at - low)) / (high - low)))) : 0;
}

function thumbValue(ends, metric, step) {
  const log = bent(ends, metric),
    [low, high] = log ? ends.map(Math.log) : ends,
    value = low + (step / THUMB_STEPS) * (high - low);
  return Number((log ? Math.exp(value) : value).toPrecision(3));
}

function slid(state, side, thumbs) {
  const steps = thumbs.map((thumb) => Number(thumb.value));
  if (steps[0] > steps[1]) steps[side] = steps[1 - side];
  const next = [...state.chosen],
    atEnd = steps[side] === side * THUMB_STEPS;
  next[side] = atEnd ? null : thumbValue(state.ends, state.metric, steps[side]);
  thumbs[side].value = steps[side];
  setRange(state, next);
}

function readable(field) {
  field.dataset.dirty = "1";
  return field.value.trim() === "" || parseQuantity(field.value) !== null;
}

function typed(state, side, field) {
  delete field.dataset.dirty;
  const text = field.value.trim(),
    value = text === "" ? null : parseQuantity(text);
  if (text !== "" && value === null) {
    field.setAttribute("aria-invalid", "true");
    setText(state.fault, `“${text.slice(0, 20)}” is not a number: write 4G, 30M or 78`);
    return;
  }
  clearFault(state, [field]);
  const next = [...state.chosen];
  next[side] = value;
  if (next[0] !== null && next[1] !== null && next[0] > next[1]) next.reverse();
  setRange(state, next);
}

function clearFault(state, fields) {
  for (const field of fields) field.removeAttribute("aria-invalid");
  setText(state.fault, "");
}

function setRange({ app, metric }, range) {
  const filters = { ...app.view.get().filters };
  if (range.every((end) => end === null)) delete filters[metric.key];
  else filters[metric.key] = range;
  app.view.set({ filters });
}

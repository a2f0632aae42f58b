// What parallel coordinates draw: which rows, and each axis as a scale from 0 (bottom) to 1 (top) with its ticks.
import { logTicks } from "./axes.js";
import { Derived } from "./derived.js";
import { formatValue, unitOf } from "./format.js";

const MOST_LINES = 2000, MOST_CELL_TICKS = 14;

// {rows, all, sampled, lacking}: feasible networks that pass the filters and have all values, the front last (on top), at
// most 2,000 others.
export function rowsToDraw(app, axes, valueOf) {
  const { derived } = app.store;
  const passes = testBeside(app, axes);
  const feasible = [...derived.networks].filter((g) => !derived.isInfeasible(g) && passes(g));
  const whole = feasible.filter((g) => axes.every((key) => valueOf(g, key) !== null));
  const leading = whole.filter((g) => ["front", "tied"].includes(derived.status(g)));
  const known = new Set(leading);
  const rest = whole.filter((g) => !known.has(g));
  const step = Math.ceil(rest.length / MOST_LINES) || 1;
  const drawn = step > 1 ? rest.filter((_, place) => place % step === 0) : rest;
  leading.sort((g, h) => (derived.status(g) === "front") - (derived.status(h) === "front") || g - h);
  const lacking = feasible.length - whole.length;
  return { rows: [...drawn, ...leading], all: whole.length, sampled: step > 1, lacking };
}

// Whether a network passes the page's filters but those on these axes: they show as ranges, what they leave out is faint.
function testBeside(app, axes) {
  const view = app.view.get();
  const filters = Object.fromEntries(Object.entries(view.filters).filter(([key]) => !axes.includes(key)));
  return new Derived(app.store, { get: () => ({ ...view, filters }) }).test();
}

// An axis of a metric: {label, at(value), valueAt(place), ticks: [[place, text]], range}; logarithmic where apt.
export function metricAxis(metric, values, filter) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const log = low > 0 && high >= 3 * low && ["count", "rate"].includes(metric.style);
  const scaled = (value) => (log ? Math.log(value) : value);
  const [from, wide] = [scaled(low), scaled(high) - scaled(low)];
  const at = (value) => (wide > 0 ? (scaled(value) - from) / wide : 0.5);
  const valueAt = (place) => (log ? Math.exp(from + place * wide) : from + place * wide);
  const round = log ? logTicks(low, high, 6) : evenTicks(low, high);
  const ticks = round.filter((tick) => at(tick) >= -0.001 && at(tick) <= 1.001);
  const said = metric.style === "percent" ? " (%)" : unitOf(metric) && ` (${unitOf(metric).trim()})`;
  return {
    label: metric.label + said, at, valueAt,
    ticks: ticks.map((tick) => [at(tick), tickText(metric, tick)]),
    range: filter && [rangeEnd(filter[0], at, log, 0), rangeEnd(filter[1], at, log, 1)],
  };
}

const rangeEnd = (end, at, log, open) =>
  end === null ? open : log && end <= 0 ? 0 : Math.max(0, Math.min(1, at(end)));

const tickText = (metric, value) =>
  metric.style === "count" ? formatValue(metric, value) : String(Number(value.toPrecision(6)));

// Round values, about five.
function evenTicks(low, high) {
  if (!(high > low)) return [low];
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((unit) => unit * power).find((size) => size >= rough);
  const ticks = [];
  for (let count = Math.ceil(low / step); count * step <= high; count += 1) ticks.push(count * step);
  return ticks;
}

// An axis of a cell: its values in order (`order` says which, else their own), each a tick.
export function cellAxis(label, values, order) {
  const numeric = values.every((value) => typeof value === "number");
  const distinct = order ?? [...new Set(values)].sort(numeric ? (one, two) => one - two : undefined);
  const share = (place) => (distinct.length > 1 ? place / (distinct.length - 1) : 0.5);
  const places = new Map(distinct.map((value, place) => [value, share(place)]));
  const step = Math.ceil(distinct.length / MOST_CELL_TICKS);
  const ticks = distinct.filter((_, place) => place % step === 0).map((value) => [places.get(value), String(value)]);
  return { label, at: (value) => places.get(value), ticks, range: null };
}

// The filter that a brushed range [from, to] of 0…1 means: an end at the end of the axis is open; null for none.
export function filterOfRange(axis, range) {
  if (!range) return null;
  const isOpen = [range[0] <= 0, range[1] >= 1];
  const ends = range.map((place, end) => (isOpen[end] ? null : Number(axis.valueAt(place).toPrecision(4))));
  return ends.every((end) => end === null) ? null : ends;
}

// The two axes: their ranges with room around the marks, few round ticks, titles that say what is better.

import { formatValue, labelWithUnit } from "./format.js";
import { plainForPlotly } from "./dom.js";
import { MANY, publishedShown } from "./marks.js";
import { STATUS_CODE } from "./derived.js";

const LADDERS = [[1], [1, 3], [1, 2, 5], [1, 2, 3, 5, 7], [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8]];
const MOST_TICKS = 100; // a reading may be as large as numbers go
const ROOM = 18; // px between the outermost mark and the frame

/** What one axis ("x" or "y") is: {key, metric, log, ends}; ends in values, [low, high], or null where nothing has one. */
export function axisOf(app, axis) {
  const { store } = app,
    view = app.view.get(),
    { [axis]: key, zoom } = view,
    log = store.derived.isLog(axis);
  const metric = store.metric(key),
    home = homeEnds(app, axis, log, view);
  const own = zoom?.slice(axis === "x" ? 0 : 2, axis === "x" ? 2 : 4);
  return { key, metric, log, home, ends: own && !(log && own[0] <= 0) ? own : home };
}

/** The ends of what will be drawn on these axes: networks with both values, spread bars as far as they are drawn. */
function homeEnds(app, axis, log, { x, y, show }) {
  const { store } = app,
    { derived } = store,
    key = axis === "x" ? x : y,
    other = store.column(axis === "x" ? y : x),
    own = store.column(key);
  const spreads = show.spread ? store.spreadColumn(key) : null,
    code = derived.standings,
    most = derived.ranked <= MANY;
  let low = Infinity,
    high = -Infinity;
  const reach = (from, to) => {
    if (from < low && !(log && from <= 0)) low = from;
    if (to > high) high = to;
  };
  for (const g of own && other ? derived.shown : []) {
    if (Number.isNaN(own[g]) || Number.isNaN(other[g])) continue;
    const barred =
      spreads &&
      ((most && (code[g] === STATUS_CODE.front || code[g] === STATUS_CODE.tied)) || store.sparse.baseline.has(g));
    const spread = (barred && spreads[g]) || 0;
    reach(own[g] - (spread < own[g] || !log ? spread : 0), own[g] + spread);
  }
  for (const g of publishedShown(app, [{ key: x }, { key: y }])) reach(store.value(g, key), store.value(g, key));
  return low <= high ? [low, high] : null;
}

/** The ends of the axis as plotly counts them (logarithms on a log axis), with room for `length` px. */
export function axisRange({ log, ends, home }, length) {
  if (!ends) return log ? [0, 1] : [0, 1];
  const [low, high] = log ? ends.map(Math.log10) : ends;
  if (ends !== home) return [low, high];
  if (low === high) {
    const room = log ? 0.1 : 0.1 * Math.abs(low) || 1;
    return [low - room, high + room];
  }
  const room = ((high - low) * ROOM) / Math.max(60, length - 2 * ROOM);
  return [low - room, high + room];
}

/** Ticks for a range as plotly counts it: {tickvals, ticktext}, some beyond the ends for panning. */
export function axisTicks({ metric, log }, range, length) {
  const most = Math.max(2, Math.min(8, Math.floor(length / 80)));
  const values = log ? logTicks(10 ** range[0], 10 ** range[1], most) : linearTicks(range[0], range[1], most);
  return { tickvals: values, ticktext: tickTexts(metric, values) };
}

/** Round values of the sparsest ladder of a decade that gives three inside; within less than a decade, linear ones. */
export function logTicks(low, high, most) {
  const from = Math.max(-307, Math.floor(Math.log10(low)) - 1),
    to = Math.min(308, Math.ceil(Math.log10(high)));
  if (high < 2 * low) return linearTicks(low, high, Math.min(most, 5)).filter((tick) => tick > 0);
  for (const ladder of LADDERS) {
    const ticks = [];
    for (let decade = from; decade <= to; decade++) for (const step of ladder) ticks.push(Number(`${step}e${decade}`));
    const inside = ticks.filter((tick) => tick >= low && tick <= high).length;
    if (inside >= 3 || ladder === LADDERS.at(-1)) {
      const every = Math.ceil(inside / (most + 1));
      return ticks.filter((_, i) => i % every === 0);
    }
  }
  return [];
}

function linearTicks(low, high, most) {
  const reach = high - low;
  if (!(reach > 0) || !Number.isFinite(low - reach) || !Number.isFinite(high + reach)) return [low];
  const rough = reach / most,
    power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((unit) => unit * power).find((size) => size >= rough * 0.999);
  if (!step) return [low];
  const first = Math.floor((low - reach) / step),
    count = Math.min(MOST_TICKS, Math.floor((high + reach) / step) - first + 1);
  return Array.from({ length: count }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

function tickTexts(metric, values) {
  if (metric.style === "count" || (metric.style === "rate" && values.some((value) => Math.abs(value) >= 1e4))) {
    return values.map((value) => formatValue({ ...metric, goal: "minimize", style: "count" }, value));
  }
  const gaps = values.slice(1).map((value, i) => Math.abs(value - values[i])),
    least = Math.min(...gaps);
  const decimals =
    Number.isFinite(least) && least > 0 ? Math.max(0, Math.min(6, -Math.floor(Math.log10(least * 1.0001)))) : 2;
  return values.map((value) => value.toLocaleString("en-US", { maximumFractionDigits: decimals }));
}

/** "FLOPs (multiply-adds)  ← better", for plotly; which way depends on the axis only by the arrow. */
export function axisTitle(metric) {
  const better = { maximize: "  → better", minimize: "  ← better" }[metric.goal] ?? "";
  return plainForPlotly(labelWithUnit(metric) + better);
}

// What parallel coordinates draw: which rows, and each axis with its ticks and range. Plotly has no logarithmic axis
// here, so logarithms are drawn and the ticks say the values.
import { logTicks } from "./axes.js";
import { formatValue, unitOf } from "./format.js";

const MOST_LINES = 2000,
  SNAPS = 160;

// {rows, all, sampled, lacking}: feasible networks with all values, the front last (on top), at most 2,000 others.
export function rowsToDraw(app, axes, valueOf) {
  const { derived } = app.store,
    hidden = new Set(app.view.get().hidden);
  const feasible = [...derived.networks].filter((g) => !derived.isInfeasible(g) && !hidden.has(app.store.study(g).key));
  const whole = feasible.filter((g) => axes.every((key) => valueOf(g, key) !== null));
  const ahead = whole.filter((g) => ["front", "tied"].includes(derived.status(g)));
  const leading = new Set(ahead),
    rest = whole.filter((g) => !leading.has(g));
  const step = Math.ceil(rest.length / MOST_LINES) || 1;
  const drawn = step > 1 ? rest.filter((_, place) => place % step === 0) : rest;
  ahead.sort((g, h) => (derived.status(g) === "front") - (derived.status(h) === "front") || g - h);
  return { rows: [...drawn, ...ahead], all: whole.length, sampled: step > 1, lacking: feasible.length - whole.length };
}

// An axis of a metric: logarithms where its range asks for them.
export function metricDimension(metric, values, filter) {
  const low = Math.min(...values),
    high = Math.max(...values);
  const log = low > 0 && high >= 3 * low && ["count", "rate"].includes(metric.style);
  const scaled = (value) => (log ? Math.log10(value) : value);
  const ticks = log ? logTicks(low, high, 6).filter((tick) => tick >= low * 0.999 && tick <= high * 1.001) : null;
  const dimension = {
    label: metric.label + (metric.style === "percent" ? " (%)" : unitOf(metric) ? ` (${unitOf(metric).trim()})` : ""),
    values: values.map(scaled),
    log,
    range: roomy(scaled(low), scaled(high)),
    multiselect: false,
  };
  if (ticks)
    Object.assign(
      dimension,
      fineTicks(dimension.range, new Map(ticks.map((tick) => [scaled(tick), formatValue(metric, tick)]))),
    );
  else dimension.tickformat = metric.style === "count" ? ".3s" : "~g";
  const [from, to] = filter ?? [null, null];
  if (from !== null || to !== null) {
    const [first, last] = dimension.range;
    dimension.constraintrange = [
      from === null ? first : scaled(Math.max(from, log ? low / 10 : -Infinity)),
      to === null ? last : scaled(to),
    ];
  }
  return dimension;
}

const roomy = (low, high) => (low === high ? [low - 0.5, high + 0.5] : [low, high]);

// A brush snaps to ticks, so there are many; only the round ones are named. Plotly takes ticks of one name for one: the
// others are named by so many spaces of no width.
function fineTicks([low, high], named) {
  const fine = Array.from({ length: SNAPS + 1 }, (_, place) => low + ((high - low) * place) / SNAPS);
  const tickvals = [...new Set([...fine, ...named.keys()])].sort((one, two) => one - two);
  return { tickvals, ticktext: tickvals.map((value, place) => named.get(value) ?? "\u200b".repeat(place + 1)) };
}

// An axis of a cell: its values in order (`order` says which, else their own), each a tick.
export function cellDimension(label, values, order) {
  const numeric = values.every((value) => typeof value === "number");
  const distinct = order ?? [...new Set(values)].sort(numeric ? (one, two) => one - two : undefined);
  const place = new Map(distinct.map((value, at) => [value, at]));
  const step = Math.ceil(distinct.length / 12);
  const shown = distinct.map((value, at) => [at, String(value)]).filter(([at]) => at % step === 0);
  return {
    label,
    values: values.map((value) => place.get(value)),
    range: roomy(0, distinct.length - 1),
    multiselect: false,
    tickvals: shown.map(([at]) => at),
    ticktext: shown.map(([, text]) => text),
  };
}

// The page's filters after brushing: a metric's range is a filter, an axis without one has none.
export function filtersOfBrushes(app, axes, dimensions, ranges, filters) {
  const next = { ...filters };
  axes.forEach((key, place) => {
    if (!app.store.byKey.has(key)) return;
    const range = ranges[place],
      {
        log,
        range: [first, last],
      } = dimensions[place];
    if (!range) {
      delete next[key];
      return;
    }
    const value = (end) => Number((log ? 10 ** end : end).toPrecision(4));
    const [from, to] = [range[0] <= first ? null : value(range[0]), range[1] >= last ? null : value(range[1])];
    if (from === null && to === null) delete next[key];
    else next[key] = [from, to];
  });
  return next;
}

// Questions to start from, with bounds that lie among the values of the networks shown.
import { roundBound } from "./decision.js";

const SPEEDS = ["train_images_per_s", "infer_images_per_s", "latency_ms", "train_seconds"];

function middleValue(app, key) {
  const column = app.store.column(key);
  const values = [...app.store.derived.shown]
    .filter((g) => !app.store.derived.isInfeasible(g) && !Number.isNaN(column[g]))
    .map((g) => column[g])
    .sort((one, two) => one - two);
  return values.length ? values[Math.floor(values.length / 2)] : null;
}

const boundText = (metric, text) => (metric.style === "percent" ? `${text} %` : text);

// What was found for one set of networks shown holds until another is shown.
const foundForShown = new WeakMap();

function oncePerShown(app, name, find) {
  const { shown } = app.store.derived;
  if (!foundForShown.has(shown)) foundForShown.set(shown, new Map());
  const found = foundForShown.get(shown);
  if (!found.has(name)) found.set(name, find(shown));
  return found.get(name);
}

// Metrics with a goal and a value among the networks shown.
export function decidableMetrics(app) {
  return oncePerShown(app, "metrics", (shown) =>
    app.store.metrics.filter((metric) => {
      const column = metric.goal ? app.store.column(metric.key) : null;
      return column && shown.some((g) => !Number.isNaN(column[g]));
    }),
  );
}

// [[words, the question in full, question], …]: those that the metrics at hand allow.
export const presetsFor = (app, metrics) => oncePerShown(app, "presets", () => foundPresets(app, metrics));

function foundPresets(app, metrics) {
  const has = (key) => metrics.find((metric) => metric.key === key);
  const top1 = has("top1_pct") ?? has("rank_score");
  const presets = [];
  const bound = (metric) => {
    const middle = middleValue(app, metric.key);
    return middle === null
      ? null
      : metric.style === "plain"
        ? Number(middle.toPrecision(2))
        : roundBound(metric, middle);
  };
  const add = (words, best, need, relation) => {
    const value = need && best ? bound(need) : null;
    if (value === null) return;
    const text = boundText(need, shortCount(value));
    const said = need.style === "percent" ? text : `${text} ${need.label}`;
    presets.push([
      `${words} ${said}`,
      `Best ${best.label} with ${need.label} ${relation === ">=" ? "≥" : "≤"} ${text}`,
      { key: best.key, needs: [[need.key, relation, value]] },
    ]);
  };
  for (const key of SPEEDS) if (presets.length < 1 && has(key)) add("Fastest above", has(key), top1, ">=");
  add("Best under", has("top1_pct"), has("flops"), "<=");
  add("Best under", has("top1_pct"), has("params"), "<=");
  if (top1) add("Leanest above", has("flops"), top1, ">=");
  return presets.slice(0, 4);
}

function shortCount(value) {
  for (const [letter, scale] of [
    ["G", 1e9],
    ["M", 1e6],
    ["k", 1e3],
  ]) {
    if (value >= scale) return `${Number((value / scale).toPrecision(3))} ${letter}`;
  }
  return String(Number(value.toPrecision(3)));
}

// The question to begin with: the first preset, or the best in the first metric.
export function firstQuestion(app, metrics) {
  const accurate = presetsFor(app, metrics).find(([words]) => words.startsWith("Best"));
  const [, , question] = accurate ?? presetsFor(app, metrics)[0] ?? ["", "", { key: metrics[0]?.key ?? "", needs: [] }];
  return { device: "", ...question };
}

// The readings of two networks against each other: whether they compare at all, and whether they differ beyond noise.
import { deltaWords, noiseWords, withinNoise } from "./deltas.js";
import { arrow, formatReading, unitOf } from "./format.js";

// Why the readings of `a` and `b` in this metric do not compare; "" where they do.
export function incomparable(app, a, b, metric) {
  const { store } = app;
  if (metric.kind === "computed") return "";
  if (a < 0 !== b < 0) return "one is as published, the other measured here";
  if (store.study(a) !== store.study(b)) return `other studies: ${store.study(a).label} and ${store.study(b).label}`;
  if (store.timed.has(metric.key) && store.device(a) !== store.device(b)) {
    return `other devices: ${store.device(a) || "not stated"} and ${store.device(b) || "not stated"}`;
  }
  if (store.trained.has(metric.key) && store.training(a) !== store.training(b)) {
    return `other trainings: ${store.training(a) || "not stated"} and ${store.training(b) || "not stated"}`;
  }
  return "";
}

// Of every metric that one of them has: {key, label, texts: [A, B], words, verdict}; the verdict is same, tied, beyond,
// incomparable or missing.
export function networksCompared(app, a, b) {
  const { store } = app;
  return store.metrics
    .filter(
      (metric) =>
        (metric.goal || metric.key === "resolution") && [a, b].some((g) => store.value(g, metric.key) !== null),
    )
    .map((metric) => {
      const values = [a, b].map((g) => store.value(g, metric.key)),
        spreads = [a, b].map((g) => store.spread(g, metric.key));
      const texts = values.map(
        (value, place) => formatReading(metric, value, spreads[place]) + (value === null ? "" : unitOf(metric)),
      );
      const label = `${metric.label} ${arrow(metric)}`.trim();
      return { key: metric.key, label, texts, ...verdictOf(app, a, b, metric, values, spreads) };
    });
}

function verdictOf(app, a, b, metric, values, spreads) {
  if (values.includes(null)) return { words: `not measured for ${values[0] === null ? "A" : "B"}`, verdict: "missing" };
  const reason = incomparable(app, a, b, metric);
  if (reason) return { words: `not comparable: ${reason}`, verdict: "incomparable" };
  const noise = noiseWords(metric, ...values, ...spreads);
  if (values[0] === values[1] && !noise) return { words: "the same", verdict: "same" };
  if (noise && withinNoise(...values, ...spreads)) return { words: noise, verdict: "tied" };
  return { words: deltaWords(metric, ...values) + (noise ? `: ${noise}` : ""), verdict: "beyond" };
}

// The objectives in a sentence: "#12 trains 2.8 × as fast (104 against 37.4); top-1: tied within noise".
export function comparisonSentence(app, a, b, compared) {
  const goals = new Set(app.store.studies.flatMap((study) => study.objectives.map((objective) => objective.key)));
  const own = compared.filter(({ key }) => goals.has(key));
  const differ = own.filter(({ verdict }) => verdict === "beyond");
  const rest = own
    .filter(({ verdict }) => verdict !== "beyond")
    .map(({ label, words }) => `${label.replace(/ [↑↓]$/, "")}: ${words}`);
  const said = differ.map(
    ({ texts, words }) => `${words.split(":")[0]} (${texts[1]} against ${texts[0]})${noisePart(words)}`,
  );
  const first = said.length ? `${app.store.name(b)} ${said.join(", ")}` : "";
  return `${[first, ...rest].filter(Boolean).join("; ")}.`;
}

const noisePart = (words) => (words.includes("beyond noise") ? ", beyond noise" : "");

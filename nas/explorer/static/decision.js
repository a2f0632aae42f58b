// Which one network to take: the best in one metric among those that meet all needs. Candidates in, an answer out.
// A candidate: {values: {key: number|null}, spreads: {key: number}, …};
// a question: {key, needs: [[key, relation, bound]]}.
import { isBetter, withinNoise } from "./deltas.js";

const A_LITTLE = 0.1; // a bound moved by up to a tenth is "relaxed a little"
const MOST_SECOND_CRITERIA = 2;

const hasValue = (candidate, key) => Number.isFinite(candidate.values[key]);
const meets = (value, [, relation, bound]) => (relation === "<=" ? value <= bound : value >= bound);
const noiseOf = (candidate, key) => candidate.spreads[key] || 0;

// How far a value lies outside a bound, relative to it; at most 0 where it is met.
export function shortfall(value, [, relation, bound]) {
  const gap = relation === "<=" ? value - bound : bound - value;
  return gap / (Math.abs(bound) || 1);
}

// The answer and what stands around it:
// {asked, qualify, best, second, tied, rivals, margins, relaxed, nearest}. `best` is null where none qualifies.
export function decide(candidates, question, metricOf) {
  const metric = metricOf(question.key);
  const asked = candidates.filter((one) =>
    [question.key, ...question.needs.map(([key]) => key)].every((key) => hasValue(one, key)),
  );
  const qualified = asked.filter((one) => question.needs.every((need) => meets(one.values[need[0]], need)));
  const ordered = bestFirst(qualified, question.key, metric);
  const [best = null, second = null] = ordered;
  const told = {
    asked: asked.length,
    qualify: qualified.length,
    best,
    second,
    tied: false,
    rivals: 0,
    margins: [],
    relaxed: null,
    nearest: [],
  };
  if (!best) return { ...told, nearest: nearestMisses(asked, question, metric) };
  const isTied = (one) => tiedIn(question.key, best, one);
  return {
    ...told,
    tied: second !== null && isTied(second),
    rivals: ordered.slice(1).filter(isTied).length,
    margins: question.needs.map((need) => marginOf(best, need)),
    relaxed: relaxedAnswer(asked, question, metric, best),
  };
}

const tiedIn = (key, one, two) => withinNoise(one.values[key], two.values[key], noiseOf(one, key), noiseOf(two, key));

// Best first; equal ones in the order in which they came.
function bestFirst(candidates, key, metric) {
  const sign = metric.goal === "maximize" ? -1 : 1;
  return candidates.slice().sort((one, two) => sign * (one.values[key] - two.values[key]));
}

// How far a need is met: {need, value, spread, risky: met, but within noise of the bound}.
function marginOf(candidate, need) {
  const value = candidate.values[need[0]],
    spread = noiseOf(candidate, need[0]);
  return {
    need,
    value,
    spread,
    risky: spread > 0 && Math.abs(value - need[2]) <= spread,
  };
}

// The better network that costs the least relaxing of one need: {need, bound, other}; null where none is near.
function relaxedAnswer(asked, question, metric, best) {
  const { key, needs } = question;
  let found = null;
  for (const one of asked) {
    if (!isBetter(metric, one.values[key], best.values[key]) || tiedIn(key, best, one)) continue;
    const missed = needs.filter((need) => !meets(one.values[need[0]], need));
    if (missed.length !== 1) continue;
    const by = shortfall(one.values[missed[0][0]], missed[0]);
    const nearer =
      !found || by < found.by || (by === found.by && isBetter(metric, one.values[key], found.other.values[key]));
    if (by <= A_LITTLE && nearer) found = { need: missed[0], bound: one.values[missed[0][0]], other: one, by };
  }
  return found;
}

// Per need: the network that meets all others and misses this one by the least; `others` says whether one meets them.
function nearestMisses(asked, question, metric) {
  const ordered = bestFirst(asked, question.key, metric);
  const all = question.needs.map((need) => {
    const rest = question.needs.filter((one) => one !== need);
    const meetingRest = ordered.filter((one) => rest.every((other) => meets(one.values[other[0]], other)));
    const missOf = (one) => shortfall(one.values[need[0]], need);
    const among = meetingRest.length ? meetingRest : ordered;
    const other = among.reduce((near, one) => (near && missOf(near) <= missOf(one) ? near : one), null);
    return { need, others: meetingRest.length > 0, other, by: other && missOf(other) };
  });
  const missed = all.filter(({ by }) => by > 0);
  return missed.length ? missed : all.filter(({ other }) => other);
}

// What could tell two tied networks apart: metrics in which they differ beyond noise, the widest gap first.
export function secondCriteria(best, second, keys, metricOf) {
  return keys
    .filter((key) => hasValue(best, key) && hasValue(second, key) && metricOf(key).goal && !tiedIn(key, best, second))
    .map((key) => {
      const [a, b] = [best.values[key], second.values[key]];
      return { key, better: isBetter(metricOf(key), a, b) ? best : second, gap: Math.abs(a - b) / (Math.abs(a) || 1) };
    })
    .sort((one, two) => two.gap - one.gap)
    .slice(0, MOST_SECOND_CRITERIA);
}

// The parts of the candidates that may be compared with each other: label → candidates. Timed metrics compare on one
// device only, accuracies under one training only, and whatever is not computed within one study only: a candidate's
// `study` is "" where there is but one.
export function comparableParts(candidates, keys, { timed, trained, isComputed }) {
  const byDevice = keys.some((key) => timed.has(key)),
    byTraining = keys.some((key) => trained.has(key)),
    byStudy = !keys.every(isComputed);
  const parts = new Map();
  for (const one of candidates) {
    if (!keys.every((key) => hasValue(one, key))) continue;
    const label = [
      byStudy && one.study,
      byDevice && (one.device || "device not stated"),
      byTraining && (one.training || "training not stated"),
    ]
      .filter(Boolean)
      .join(" / ");
    if (!parts.has(label)) parts.set(label, []);
    parts.get(label).push(one);
  }
  return parts;
}

// A bound that people would say, near a value: two digits, or whole points of a percentage.
export function roundBound(metric, value) {
  if (metric.style === "percent") return Math.floor(value);
  const step = 10 ** Math.floor(Math.log10(Math.abs(value) || 1));
  const digit = value / step;
  return (digit < 2 ? Math.round(digit * 10) / 10 : digit < 5 ? Math.round(digit * 2) / 2 : Math.round(digit)) * step;
}

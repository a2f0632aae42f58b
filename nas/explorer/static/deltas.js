// How one network's metric stands to another's, in words, and whether the difference is more than noise.
import { generalText, siText, unitOf } from "./format.js";

const lessIsBetterSign = (metric) => (metric.goal === "maximize" ? -1 : 1);

// Whether two readings differ by no more than the larger of their noises.
export const withinNoise = (a, b, spreadA = 0, spreadB = 0) => Math.abs(a - b) <= Math.max(spreadA || 0, spreadB || 0);

// Whether `a` is better than `b` at face value.
export const isBetter = (metric, a, b) => lessIsBetterSign(metric) * (a - b) < 0;

const shareText = (share) => {
  const percent = 100 * Math.abs(share);
  return `${percent >= 9.95 ? Math.round(percent) : percent >= 0.095 ? percent.toFixed(1) : percent.toPrecision(1)} %`;
};
const timesText = (ratio) => `${ratio >= 9.95 ? ratio.toFixed(0) : ratio.toPrecision(2)} ×`;
const pointsText = (points) => (Math.abs(points) >= 0.095 ? points.toFixed(1) : points.toPrecision(1));

// [verb, quantity] of metrics whose comparison reads better in their own words.
const SPEED_VERBS = { train_images_per_s: "trains", infer_images_per_s: "infers" };
const AMOUNT_VERBS = { flops: "has", params: "has", activations: "has", peak_memory_mib: "needs" };

// "trains 1.8 × as fast", "is 2.1 points less accurate", "has 12 % fewer FLOPs": `b` as seen from `a`.
export function deltaWords(metric, a, b) {
  if (a === b) return metric.key === "top1_pct" ? "is as accurate" : `has the same ${metric.label}`;
  if (metric.style === "percent") return pointsWords(metric, b - a);
  if (metric.kind === "score" || !(a > 0 && b > 0)) {
    const by = `${Number(Math.abs(b - a).toPrecision(2))}${unitOf(metric)}`;
    return `has a ${metric.label} ${by} ${b > a ? "higher" : "lower"}`;
  }
  const ratio = b / a,
    share = ratio - 1,
    far = ratio >= 1.5 || ratio <= 0.5;
  if (metric.key in SPEED_VERBS) {
    return far
      ? `${SPEED_VERBS[metric.key]} ${timesText(ratio)} as fast`
      : `${SPEED_VERBS[metric.key]} ${shareText(share)} ${share > 0 ? "faster" : "slower"}`;
  }
  if (far) return `${AMOUNT_VERBS[metric.key] ?? "has"} ${timesText(ratio)} the ${metric.label}`;
  const more = share > 0;
  const counted = metric.style === "count" ? (more ? "more" : "fewer") : more ? "more" : "less";
  return metric.key in AMOUNT_VERBS
    ? `${AMOUNT_VERBS[metric.key]} ${shareText(share)} ${counted} ${metric.label}`
    : `has a ${metric.label} ${shareText(share)} ${more ? "higher" : "lower"}`;
}

function pointsWords(metric, points) {
  const said = `${pointsText(Math.abs(points))} points`;
  if (metric.key === "top1_pct") return `is ${said} ${points > 0 ? "more" : "less"} accurate`;
  return `has ${said} ${points > 0 ? "more" : "less"} ${metric.label}`;
}

// "beyond noise (± 0.8 points)", "tied within noise (± 0.8 points)"; "" for exact numbers.
export function noiseWords(metric, a, b, spreadA, spreadB) {
  const noise = Math.max(spreadA || 0, spreadB || 0);
  if (!noise) return "";
  const plain = noise >= 10 ? Math.round(noise).toLocaleString("en-US") : generalText(noise, 2);
  const countOrPlain = metric.style === "count" ? siText(noise) : plain;
  const said = metric.style === "percent" ? `± ${pointsText(noise)} points` : `± ${countOrPlain}${unitOf(metric)}`;
  return withinNoise(a, b, spreadA, spreadB) ? `tied within noise (${said})` : `beyond noise (${said})`;
}

// Numbers as people read them: the words of nas/metric.py (Metric.format) and nas/report/tables.py (reading_text, unit),
// rounded as Python rounds (exact ties to even), so that the page and the tables never say two things.

const LETTERS = [
  ["T", 1e12],
  ["G", 1e9],
  ["M", 1e6],
  ["k", 1e3],
];
const SCALES = { "": 1, k: 1e3, K: 1e3, M: 1e6, G: 1e9, B: 1e9, T: 1e12 };
const SIZE = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([kKMGTB]?)$/;

/** A number with `digits` decimals. An exact tie is a dyadic number: only there does toFixed differ from Python. */
function fixedText(value, digits) {
  const size = Math.abs(value),
    halves = size * 2 ** (digits + 1);
  if (halves < 2 ** 53 && Number.isInteger(halves) && halves % 2 === 1) {
    const lower = Math.floor(size * 10 ** digits),
      even = lower % 2 ? lower + 1 : lower;
    return (value < 0 ? "-" : "") + (even / 10 ** digits).toFixed(digits);
  }
  const text = size < 1e21 ? size.toFixed(digits) : BigInt(size).toString() + (digits ? "." + "0".repeat(digits) : "");
  return (value < 0 || Object.is(value, -0) ? "-" : "") + text;
}

function grouped(value, digits) {
  const [whole, rest] = fixedText(value, digits).split(".");
  return whole.replace(/\B(?=(\d{3})+$)/g, ",") + (rest === undefined ? "" : `.${rest}`);
}

/** Python's `.{digits}g`. */
export function generalText(value, digits) {
  if (value === 0) return "0";
  let [mantissa, power] = Math.abs(value)
    .toExponential(digits - 1)
    .split("e");
  const raw = Math.floor(Math.log10(Math.abs(value)) + 1e-12),
    decimals = digits - 1 - raw;
  if (decimals >= 0 && decimals < 16 && Number(power) === raw) {
    const text = fixedText(Math.abs(value), decimals);
    [mantissa, power] = Number(text)
      .toExponential(digits - 1)
      .split("e");
  } else if (decimals < 0) {
    const step = 10 ** -decimals,
      lower = Math.floor(Math.abs(value) / step);
    if (Math.abs(value) % step === step / 2 && lower % 2 === 0) {
      [mantissa, power] = (lower * step).toExponential(digits - 1).split("e");
    }
  }
  const sign = value < 0 ? "-" : "",
    exponent = Number(power);
  const trim = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (exponent < -4 || exponent >= digits) {
    const size = String(Math.abs(exponent)).padStart(2, "0");
    return `${sign}${trim(mantissa)}e${exponent < 0 ? "-" : "+"}${size}`;
  }
  return sign + trim(Number(`${mantissa}e${power}`).toFixed(Math.max(0, digits - 1 - exponent)));
}

/** Three significant digits with an SI letter: 21.5 M, 8.37 G. */
export function siText(value) {
  const size = Math.abs(value);
  for (const [letter, scale] of LETTERS) {
    if (size < 0.9995 * scale) continue;
    return `${size < 999.5 * scale ? generalText(value / scale, 3) : grouped(value / scale, 0)} ${letter}`;
  }
  return generalText(value, 4);
}

/** The value as people read it: 4.39 G, 81.2 %, 1,930; "–" where nothing was measured. */
export function formatValue(metric, value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!metric.goal && Number.isInteger(value)) return metric.key === "trial" ? String(value) : grouped(value, 0);
  if (metric.style === "count") return siText(value);
  if (metric.style === "percent") return `${fixedText(value, 1)} %`;
  if (metric.style === "rate") return Math.abs(value) >= 100 ? grouped(value, 0) : generalText(value, 3);
  return Math.abs(value) < 10 ? fixedText(value, 3) : grouped(value, 1);
}

/** A value and its noise: 61.3 ± 0.8 %, 1,930 ± 40; the noise in the digits of the value. */
export function formatReading(metric, value, spread) {
  const shown = formatValue(metric, value);
  if (shown === "–" || !spread) return shown;
  if (metric.style === "percent") {
    return spread >= 0.05
      ? `${fixedText(value, 1)} ± ${fixedText(spread, 1)} %`
      : `${fixedText(value, 2)} ± ${generalText(spread, 2)} %`;
  }
  if (metric.style === "count") return `${shown} ± ${siText(spread)}`;
  return Math.abs(value) >= 100 && spread >= 10
    ? `${shown} ± ${grouped(spread, 0)}`
    : `${shown} ± ${generalText(spread, 2)}`;
}

/** What stands behind a formatted value and is not in it or in the label yet: " ms", " MiB". */
export function unitOf(metric) {
  const said = ["count", "percent"].includes(metric.style) || metric.unit === "images/s" || !metric.unit;
  return said ? "" : ` ${metric.unit}`;
}

/** Label and unit of an axis or a control: "latency (ms)". */
export function labelWithUnit(metric) {
  const unit = metric.unit && !metric.unit.includes("/s") ? ` (${metric.unit})` : "";
  return `${metric.label}${unit}`;
}

/** "↑" where more is better, "↓" where less is, "" where neither. */
export function arrow(metric) {
  return metric.goal === "maximize" ? "↑" : metric.goal === "minimize" ? "↓" : "";
}

/** A number as people write it: 4G, 30M, 4e9, 1,000, 78 %; null for what is none. */
export function parseQuantity(text) {
  const plain = String(text)
    .trim()
    .replace(/\s*(%|ms|s|px|MiB|img\/s|images\/s)$/, "")
    .replace(/,(?=\d{3}(\D|$))/g, "");
  const match = SIZE.exec(plain);
  return match && Number.isFinite(Number(match[1])) ? Number(match[1]) * SCALES[match[2]] : null;
}

/** The shortest text that reads back to about this number, for a field: 8.79G, 78, 0.412. */
export function quantityText(metric, value) {
  if (value === null || value === undefined) return "";
  if (metric.style !== "count") return String(Number(value.toPrecision(4)));
  for (const [letter, scale] of LETTERS) {
    if (Math.abs(value) >= scale) return `${Number((value / scale).toPrecision(4))}${letter}`;
  }
  return String(Number(value.toPrecision(4)));
}

// What differs between two networks, cell by cell, read from the one-line notation: the words of nas.difference.

import { OPERATOR_NAMES } from "./drawingwords.js";

const STAGE_TOKEN = /^([mfdbn])(\d*\.?\d+(?:e-?\d+)?)k(\d+)s(\d+)c(\d+)n(\d+)(?:g(\d+))?(?:se(\d*\.?\d+(?:e-?\d+)?))?$/;
const OPERATOR_LETTERS = { m: "mbconv", f: "fused_mbconv", d: "separable", b: "basic", n: "bottleneck" };
const ACTIVATION_NAMES = ["silu", "relu", "relu6", "hardswish"];
const WHOLE_CELLS = ["resolution", "stem", "stem_kernel", "stem_pool", "head", "classes", "activation"];
const CELLS_OF_A_STAGE = ["op", "kernel", "stride", "channels", "layers", "expand", "se", "groups"];

function stageOfToken(token) {
  const match = STAGE_TOKEN.exec(token);
  if (!match) return null;
  const [, letter, expand, kernel, stride, channels, layers, groups, se] = match;
  return {
    token,
    op: OPERATOR_LETTERS[letter],
    kernel: Number(kernel),
    stride: Number(stride),
    channels: Number(channels),
    layers: Number(layers),
    expand: Number(expand),
    se: Number(se ?? 0),
    groups: Number(groups ?? 1),
  };
}

// The network that the notation describes: its scalars and `stages`; null for a foreign one or what does not read.
export function parseNotation(text) {
  const found = { stem_kernel: 3, stem_pool: 1, classes: 1000, activation: "silu", stages: [] };
  for (const token of String(text ?? "")
    .split(/\s+/)
    .filter(Boolean)) {
    const stage = stageOfToken(token);
    const stem = /^s(\d{1,9})(?:k(\d{1,9}))?(?:p(\d{1,9}))?$/.exec(token);
    const scalar = /^([rhy])(\d{1,9})$/.exec(token);
    if (stage) found.stages.push(stage);
    else if (stem) Object.assign(found, { stem: +stem[1], stem_kernel: +(stem[2] ?? 3), stem_pool: +(stem[3] ?? 1) });
    else if (scalar) found[{ r: "resolution", h: "head", y: "classes" }[scalar[1]]] = Number(scalar[2]);
    else if (ACTIVATION_NAMES.includes(token)) found.activation = token;
    else return null;
  }
  const whole = ["resolution", "stem", "head"].every((key) => key in found) && found.stages.length;
  return whole ? found : null;
}

// [what, in a, in b] for every cell in which they differ; a stage that one of them lacks is one row with null.
export function differences(a, b) {
  const rows = WHOLE_CELLS.filter((key) => a[key] !== b[key]).map((key) => [key, a[key], b[key]]);
  for (let place = 0; place < Math.max(a.stages.length, b.stages.length); place += 1) {
    const one = a.stages[place],
      two = b.stages[place],
      name = `stage ${place + 1}`;
    if (!one || !two) rows.push([name, one?.token ?? null, two?.token ?? null]);
    else {
      for (const key of CELLS_OF_A_STAGE) if (one[key] !== two[key]) rows.push([`${name} ${key}`, one[key], two[key]]);
    }
  }
  return rows;
}

// Names of the drawing's rows in which two networks differ: stem, 1, 2, …, head.
export function differingRows(rows) {
  const names = new Set();
  for (const [what] of rows) {
    const stage = /^stage (\d+)/.exec(what);
    if (stage) names.add(stage[1]);
    else if (what.startsWith("stem")) names.add("stem");
    else if (what === "head" || what === "classes") names.add("head");
  }
  return names;
}

// A cell as people read it: 380 px, MBConv, none.
export function cellText(what, value) {
  if (value == null) return "–";
  if (what === "resolution") return `${value} px`;
  if (what.endsWith(" op")) return OPERATOR_NAMES[value] ?? String(value);
  if (what.endsWith(" se") || what === "head") return value ? String(value) : "none";
  return typeof value === "number" ? value.toLocaleString("en-US", { maximumFractionDigits: 6 }) : String(value);
}

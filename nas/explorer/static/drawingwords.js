// A network's stages in words and numbers: what the drawing says, for those who read or copy it.

import { siText } from "./format.js";

const COST_COLUMNS = [
  ["flops", "FLOPs", "FLOPs"],
  ["params", "params", "params"],
  ["activations", "activations", "activ."],
  ["seconds", "time", "time"],
];
export const OPERATOR_NAMES = {
  mbconv: "MBConv",
  fused_mbconv: "Fused-MBConv",
  separable: "Separable",
  basic: "Basic",
  bottleneck: "Bottleneck",
};

// The costs that every row states: {key, label, short, total, share(row)}.
export function costColumns(rows) {
  return COST_COLUMNS.filter(([key]) => rows.every((row) => typeof row[key] === "number")).map(
    ([key, label, short]) => {
      const total = rows.reduce((sum, row) => sum + row[key], 0);
      return { key, label, short, total, share: (row) => (total > 0 ? row[key] / total : 0) };
    },
  );
}

const ratioText = (value) => String(Number(value));
const isStageRow = (row) => row.op in OPERATOR_NAMES;

// MBConv6 k5 SE 0.25: the stage's operator, short; the stem's and the head's as they come.
export function operatorText(row) {
  const short = (label) => label.replaceAll(" & ", " · ").replace("Pooling", "pool").replace("Conv1×1", "1×1");
  if (!isStageRow(row)) return short(row.label);
  const expand = row.op === "mbconv" || row.op === "fused_mbconv" || row.expand !== 1 ? ratioText(row.expand) : "";
  const groups = row.groups > 1 ? ` g${row.groups}` : "";
  return `${OPERATOR_NAMES[row.op]}${expand} k${row.kernel}${groups}${row.se ? ` SE ${ratioText(row.se)}` : ""}`;
}

export const stageRowName = (row) => (isStageRow(row) ? `stage ${row.name}` : row.name);

// One stage in a sentence, with its shares.
export function stageSentence(row, rows) {
  const parts = isStageRow(row)
    ? [
        `${OPERATOR_NAMES[row.op]}, kernel ${row.kernel} × ${row.kernel}`,
        `expand ${ratioText(row.expand)}`,
        row.se ? `SE ${ratioText(row.se)}` : "no SE",
        ...(row.groups > 1 ? [`${row.groups} groups`] : []),
        `${row.layers} ${row.layers === 1 ? "layer" : "layers"} of ${row.channels} channels`,
      ]
    : [row.label, `${row.channels} channels`];
  if (row.stride > 1) parts.push(`stride ${row.stride}`);
  const cost = costColumns(rows).map((column) => `${(100 * column.share(row)).toFixed(1)} % of ${column.label}`);
  return `${stageRowName(row)}: ${parts.join(", ")}, on a ${row.size} × ${row.size} map; ${cost.join(", ")}.`;
}

// The whole network in a sentence.
export function summarySentence(rows) {
  const stages = rows.filter(isStageRow);
  const layers = stages.reduce((sum, row) => sum + row.layers, 0);
  const kinds = [...new Set(stages.map((row) => OPERATOR_NAMES[row.op]))].join(" and ");
  const cost = costColumns(rows)
    .map((column) => `${siText(column.total)} ${column.label}`)
    .join(", ");
  return (
    `${stages.length} stages with ${layers} blocks (${kinds}) on images of ${rows[0]?.size} px; ${cost}. ` +
    `${rows.map((row) => stageSentence(row, rows)).join(" ")}`
  );
}

// The cells of the stage table, as in the papers: a heading row and a row a stage.
export function stageTableCells(rows) {
  const columns = costColumns(rows);
  const head = [
    "stage",
    "operator",
    "stride",
    "channels",
    "layers",
    "input px",
    ...columns.map((column) => column.label),
  ];
  const body = rows.map((row) => [
    row.name,
    isStageRow(row) ? operatorText(row) : row.label,
    String(row.stride),
    String(row.channels),
    String(row.layers),
    String(row.size),
    ...columns.map((column) => siText(row[column.key])),
  ]);
  const total = [
    "whole",
    "",
    "",
    "",
    String(rows.filter(isStageRow).reduce((sum, row) => sum + row.layers, 0)),
    "",
    ...columns.map((column) => siText(column.total)),
  ];
  return { head, body, total };
}

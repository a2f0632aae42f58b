// A network's stages in words and numbers: what the drawing says, for those who read or copy it.

const COLUMNS = [
  ["flops", "FLOPs", "FLOPs"], ["params", "params", "params"], ["activations", "activations", "activ."],
  ["seconds", "time", "time"],
];
const NAMES = {
  mbconv: "MBConv", fused_mbconv: "Fused-MBConv", separable: "Separable", basic: "Basic", bottleneck: "Bottleneck",
};

// 4.39 G of 4393771024: three digits and an SI letter, as nas.metric.si.
export function countText(value) {
  if (value == null) return "–";
  for (const [letter, scale] of [["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]]) {
    if (Math.abs(value) >= 0.9995 * scale) return `${Number((value / scale).toPrecision(3))} ${letter}`;
  }
  return String(Number(value.toPrecision(4)));
}

// The costs that every row states: {key, label, short, total, share(row)}.
export function columnsOf(rows) {
  return COLUMNS.filter(([key]) => rows.every((row) => typeof row[key] === "number")).map(([key, label, short]) => {
    const total = rows.reduce((sum, row) => sum + row[key], 0);
    return { key, label, short, total, share: (row) => (total > 0 ? row[key] / total : 0) };
  });
}

const ratio = (value) => String(Number(value));
const isStage = (row) => row.op in NAMES;

// MBConv6 k5 SE 0.25: the stage's operator, short; the stem's and the head's as they come.
export function operatorText(row) {
  if (!isStage(row)) return row.label.replaceAll(" & ", " · ").replace("Pooling", "pool").replace("Conv1×1", "1×1");
  const expand = row.op === "mbconv" || row.op === "fused_mbconv" || row.expand !== 1 ? ratio(row.expand) : "";
  const groups = row.groups > 1 ? ` g${row.groups}` : "";
  return `${NAMES[row.op]}${expand} k${row.kernel}${groups}${row.se ? ` SE ${ratio(row.se)}` : ""}`;
}

export const stageName = (row) => (isStage(row) ? `stage ${row.name}` : row.name);

// One stage in a sentence, with its shares.
export function stageSentence(row, rows) {
  const parts = isStage(row)
    ? [`${NAMES[row.op]}, kernel ${row.kernel} × ${row.kernel}`, `expand ${ratio(row.expand)}`,
       row.se ? `SE ${ratio(row.se)}` : "no SE", ...(row.groups > 1 ? [`${row.groups} groups`] : []),
       `${row.layers} ${row.layers === 1 ? "layer" : "layers"} of ${row.channels} channels`]
    : [row.label, `${row.channels} channels`];
  if (row.stride > 1) parts.push(`stride ${row.stride}`);
  const cost = columnsOf(rows).map((column) => `${(100 * column.share(row)).toFixed(1)} % of ${column.label}`);
  return `${stageName(row)}: ${parts.join(", ")}, on a ${row.size} × ${row.size} map; ${cost.join(", ")}.`;
}

// The whole network in a sentence.
export function summarySentence(rows) {
  const stages = rows.filter(isStage);
  const layers = stages.reduce((sum, row) => sum + row.layers, 0);
  const kinds = [...new Set(stages.map((row) => NAMES[row.op]))].join(" and ");
  const cost = columnsOf(rows).map((column) => `${countText(column.total)} ${column.label}`).join(", ");
  return `${stages.length} stages with ${layers} blocks (${kinds}) on images of ${rows[0]?.size} px; ${cost}. ` +
    `${rows.map((row) => stageSentence(row, rows)).join(" ")}`;
}

// The cells of the stage table, as in the papers: a heading row and a row a stage.
export function stageTable(rows) {
  const columns = columnsOf(rows);
  const head = ["stage", "operator", "stride", "channels", "layers", "input px", ...columns.map((column) => column.label)];
  const body = rows.map((row) => [
    row.name, isStage(row) ? operatorText(row) : row.label, String(row.stride),
    String(row.channels), String(row.layers), String(row.size), ...columns.map((column) => countText(row[column.key])),
  ]);
  const total = ["whole", "", "", "", String(rows.filter(isStage).reduce((sum, row) => sum + row.layers, 0)), "",
    ...columns.map((column) => countText(column.total))];
  return { head, body, total };
}

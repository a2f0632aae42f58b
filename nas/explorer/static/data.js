// Where the page's data come from: inlined in the file, or asked of the server that shows it live.

import { unpackedText } from "./boot.js";

/** The page document and what else can be asked for: {page, source}. Rejects with a sentence when there is none. */
export async function openSource() {
  const node = document.getElementById("explorer-data");
  if (!node) return { page: await getJson("api/studies"), source: liveSource() };
  const page = JSON.parse(await unpackedText(node));
  return page.mode === "live"
    ? { page: await getJson("api/studies"), source: liveSource() }
    : { page, source: fileSource(page) };
}

/** JSON from the server; throws with its own words where it refuses. */
export async function getJson(path) {
  const answer = await fetch(path, { headers: { accept: "application/json" }, cache: "no-store" });
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw new Error(body?.error ?? `the server answered ${answer.status}`);
  return body;
}

/** A drawing as objects, from its field names and rows. */
function asObjects(fields, rows) {
  return { rows: rows.map((row) => Object.fromEntries(fields.map((field, i) => [field, row[i] ?? null]))) };
}

const DRAWN = [
  "name",
  "op",
  "label",
  "kernel",
  "stride",
  "channels",
  "layers",
  "expand",
  "se",
  "groups",
  "size",
  "params",
  "flops",
  "activations",
];

function fileSource(page) {
  const studies = new Map(page.studies.map((study) => [study.key, study]));
  return {
    mode: "file",
    made: page.made,
    async drawing(key, row) {
      const drawings = studies.get(key)?.drawings,
        of = drawings?.of[row];
      return of
        ? asObjects(
            drawings.fields,
            of.map((i) => drawings.rows[i]),
          )
        : null;
    },
    async settings(key) {
      return studies.get(key)?.settings ?? null;
    },
  };
}

function liveSource() {
  const known = new Map();
  const once = (path) => {
    if (!known.has(path)) {
      known.set(path, getJson(path));
      const keep = (found) => found?.rows || known.delete(path); // a trial that runs is known later
      known.get(path).then(keep, () => known.delete(path)); // a server that is away may be back for the next question
    }
    return known.get(path);
  };
  return {
    mode: "live",
    made: "",
    async drawing(key, row) {
      const found = await once(`api/network?study=${encodeURIComponent(key)}&row=${row}`);
      return found?.rows ? asObjects(found.fields, found.rows) : null;
    },
    settings: (key) => getJson(`api/settings?study=${encodeURIComponent(key)}`),
    forget: () => known.clear(),
  };
}

/** The drawing of a published network, which travels with the page; null where nas cannot build it. */
export function publishedDrawing(entry) {
  return entry.drawing ? asObjects(entry.fields ?? DRAWN, entry.drawing) : null;
}

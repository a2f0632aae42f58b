// How a page starts: plotly is unpacked where the file carries it; then tables, figures and the explorer start.
import { startFigures } from "./figures.js";
import { startTables } from "./tables.js";

const unpackedNodes = new WeakMap();

/** The text of a node of the page, unpacked once where it is marked as gzip. Rejects where the browser cannot. */
export function unpackedText(node) {
  if (!unpackedNodes.has(node)) unpackedNodes.set(node, unpack(node));
  return unpackedNodes.get(node);
}

async function unpack(node) {
  const text = node.textContent.trim();
  if (node.dataset.encoding !== "gzip") return text;
  if (typeof DecompressionStream === "undefined") {
    throw new Error("This browser cannot unpack the page: open it in a browser of 2023 or later.");
  }
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

// plotly runs as a script of its own, whose hash the page's policy names
async function loadPlotly() {
  const node = document.getElementById("plotly");
  if (typeof Plotly !== "undefined" || !node) return;
  const script = document.createElement("script");
  script.textContent = await unpackedText(node);
  document.head.append(script);
  node.remove();
  if (typeof Plotly === "undefined") throw new Error("The figures cannot be drawn: plotly.js did not start.");
}

function tellTrouble(error) {
  const place = document.getElementById("trouble");
  place.textContent = error.message;
  place.hidden = false;
}

/** Starts the page; `explorer` is the explorer's own start, null where the page has none. */
export async function bootPage(explorer) {
  const data = document.getElementById("explorer-data");
  startTables();
  if (data) unpackedText(data).catch(() => null); // begins beside plotly; who reads the data hears what is wrong
  try {
    await loadPlotly();
    try {
      if (explorer) await explorer();
    } finally {
      startFigures(!explorer); // after the explorer's first picture
    }
  } catch (error) {
    tellTrouble(error);
    throw error;
  }
}

// How a page starts: plotly is unpacked where the file carries it; then tables, figures and the explorer start.
import { startFigures } from "./figures.js";
import { startTables } from "./tables.js";

/** The text of a node of the page, unpacked where it is marked as gzip. Rejects where the browser cannot. */
export async function unpackedText(node) {
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
  startTables();
  try {
    await loadPlotly();
    startFigures(!explorer);
    if (explorer) await explorer();
  } catch (error) {
    tellTrouble(error);
    throw error;
  }
}

// Taking the view along: its rows as CSV, the plot as SVG or PNG, the page itself with all its data.
import { csvText } from "./csv.js";
import { safeFileName } from "./commands.js";
import { copyText, element, setText } from "./dom.js";
import { standingOfNetwork } from "./standing.js";

const FIRST_COLUMNS = ["ref", "study", "trial", "baseline", "state", "status"];
const LAST_COLUMNS = ["device", "training", "started", "seconds", "over", "notation"];

export function mountExports(place, app) {
  const parts = { told: element("p", { className: "p-quiet", role: "status" }) };
  const button = (text, title, act) =>
    element("button", { type: "button", className: "p-button", title, onclick: act }, text);
  const csv = button("CSV", "The networks shown, raw numbers", () => saveRows(parts, app));
  const pictures = ["svg", "png"].map((format) =>
    button(format.toUpperCase(), `The plot as ${format.toUpperCase()}, on white`, () =>
      savePicture(parts, app, format),
    ),
  );
  parts.link = button("Copy link", "The address of this page with this view", () => copyLink(parts, app));
  parts.pages = element("span", { className: "p-pages" });
  parts.file = element("p", { className: "p-quiet" });
  place.append(
    element(
      "section",
      { className: "p-card p-exports", "aria-label": "Take along" },
      element("h2", {}, "Take along"),
      element("div", { className: "p-buttons" }, csv, ...pictures, parts.link, parts.pages),
      parts.file,
      parts.told,
    ),
  );
  const update = () => updateExports(parts, app);
  app.on(({ data }) => data && update());
  update();
}

function updateExports(parts, app) {
  const live = app.source.mode === "live",
    { studies } = app.store;
  setText(
    parts.file,
    live
      ? `${studies.length > 1 ? "A file holds its" : "The file holds this"} study and works offline.`
      : "This file is the page: it holds all of its data and works offline; a link carries the view.",
  );
  if (!live) return;
  const links = studies.map((study) => [
    `download?study=${encodeURIComponent(study.key)}`, // a file that is saved keeps no view: the link does
    studies.length > 1 ? `Page: ${study.label}` : "Page",
  ]);
  const signature = links.map(([, text]) => text).join("\n");
  if (parts.signature !== signature) {
    parts.signature = signature;
    parts.pages.replaceChildren(
      ...links.map(([, text]) =>
        element("a", { className: "p-button", download: "", title: "The page as one file" }, text),
      ),
    );
  }
  links.forEach(([href], place) => {
    parts.pages.children[place].href = href;
  });
}

// What the file is called: its studies and what it is.
export function exportName(app, ending) {
  const names = app.store.studies
    .filter((study) => !app.view.get().hidden.includes(study.key))
    .map((study) => study.name);
  return `${safeFileName(names.slice(0, 3).join("-") || "nas")}.${ending}`;
}

function saveBlob(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function saveRows(parts, app) {
  const { heading, rows } = rowsOfView(app);
  const name = exportName(app, "csv");
  saveBlob(new Blob([csvText(heading, rows)], { type: "text/csv;charset=utf-8" }), name);
  setText(parts.told, `${name}: ${rows.length.toLocaleString("en-US")} rows, the networks that pass the filters.`);
}

// The networks shown, as a heading and rows: raw numbers, noise beside them, nothing for what was not measured.
export function rowsOfView(app) {
  const { store } = app,
    { derived } = store;
  const known = store.metrics.filter(
    (metric) => !["trial", "seconds"].includes(metric.key) && store.column(metric.key),
  );
  const spread = known.filter((metric) => store.spreadColumn(metric.key));
  const heading = [...FIRST_COLUMNS, ...known.map(({ key }) => key), ...spread.map(({ key }) => `${key}_spread`)];
  const noiseOfRow = (g, key) => (store.value(g, key) === null ? null : store.spread(g, key));
  const rows = [...derived.shown].map((g) => {
    const readings = [...known.map(({ key }) => store.value(g, key)), ...spread.map(({ key }) => noiseOfRow(g, key))];
    const trial = [isoTime(store.started(g)), store.seconds(g), store.over(g).join(" "), store.notation(g)];
    const own = [store.trial(g), store.baseline(g), store.state(g), standingOfNetwork(app, g)];
    return [app.ref(g), store.study(g).name, ...own, ...readings, store.device(g), store.training(g), ...trial];
  });
  return { heading: [...heading, ...LAST_COLUMNS], rows };
}

const isoTime = (seconds) => (seconds === null ? null : new Date(1000 * seconds).toISOString());

async function savePicture(parts, app, format) {
  try {
    const figure = app.figure();
    const { width, height } = figure.layout;
    const url = await Plotly.toImage(figure, { format, width, height, scale: format === "png" ? 2 : 1 });
    const name = exportName(app, format);
    saveBlob(blobOfDataUrl(url), name);
    setText(parts.told, `${name}: the plot as it stands, on white.`);
  } catch (error) {
    setText(parts.told, `The picture could not be made: ${error?.message ?? error}`);
  }
}

// The page's policy lets nothing be fetched, not even a data URL: it is taken apart here.
function blobOfDataUrl(url) {
  const comma = url.indexOf(","),
    head = url.slice(5, comma),
    body = url.slice(comma + 1);
  const type = head.split(";")[0];
  if (!head.endsWith("base64")) return new Blob([decodeURIComponent(body)], { type });
  return new Blob([Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0))], { type });
}

async function copyLink(parts, app) {
  const hash = app.view.hash();
  const done = await copyText(location.href.split("#")[0] + (hash ? `#${hash}` : ""));
  setText(
    parts.told,
    done ? "The link to this view is copied." : "The link could not be copied; it is in the address bar.",
  );
}

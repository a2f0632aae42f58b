// The explorer's beginning: data, store, view, then the parts of the page, the plot first.

import { element, setText } from "./dom.js";
import { openSource, publishedDrawing } from "./data.js";
import { Store } from "./store.js";
import { Derived } from "./derived.js";
import { View } from "./view.js";
import { mountPlot } from "./plot.js";
import { mountHover } from "./hover.js";
import { spokenName } from "./tip.js";
import { mountBar } from "./bar.js";
import { mountFilters } from "./filters.js";
import { mountHead } from "./head.js";
import { mountLive } from "./live.js";
import { mountLiveReport } from "./livereport.js";
import { exportFigure } from "./figure.js";
import { Newsroom } from "./news.js";
import { mountDecide } from "./decide.js";
import { mountPanel } from "./panel.js";
import { mountCompare } from "./compare.js";
import { mountFrontTable } from "./fronttable.js";
import { mountExports } from "./exports.js";
import { mountParallel } from "./parallel.js";

const FIRST = [
  [mountHead, "x-head"],
  [mountPlot, "x-plot"],
  [mountHover, "x-plot"],
  [mountBar, "x-bar"],
  [mountFilters, "x-filters"],
];
const PANELS = [
  [mountDecide, "x-decide"],
  [mountPanel, "x-panel"],
  [mountCompare, "x-compare"],
  [mountFrontTable, "x-table"],
  [mountParallel, "x-parallel"],
  [mountExports, "x-exports"],
];

const byId = (id) => document.getElementById(id);

/** Starts the page. */
export async function start() {
  const { page, source } = await openedSource();
  const app = createApp(page, source),
    trouble = app.view.restore();
  app.store.derived.invalidate({ data: true, keys: new Set() });
  for (const part of FIRST) mountPart(app, part);
  addEventListener("hashchange", () => {
    const ignored = app.view.restore();
    if (ignored) app.announce(ignored);
  });
  if (trouble) app.announce(trouble);
  await nextFrame();
  app.news.later = true;
  mountPanels(app);
  if (source.mode === "live") {
    mountLive(app);
    mountLiveReport(byId("x-report"), app);
  }
  return app;
}

/** The parts below and beside the plot, which can wait for the first picture. */
function mountPanels(app) {
  for (const part of PANELS) mountPart(app, part);
}

/** A part in its place; one that fails says so there and keeps no other away. */
function mountPart(app, [mount, id]) {
  try {
    mount(byId(id), app);
  } catch (error) {
    console.error(error);
    byId(id).append(element("p", { className: "caption" }, `This part could not be shown: ${error.message}`));
  }
}

const nextFrame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));

async function openedSource() {
  for (;;) {
    try {
      return await openSource();
    } catch (error) {
      if (byId("explorer-data")) throw error;
      setText(byId("x-head"), `The server does not answer (${error.message}); trying again.`);
      await new Promise((done) => setTimeout(done, 2000));
    }
  }
}

/** The app: data, view and what all parts share. */
export function createApp(page, source) {
  const store = new Store(page),
    news = new Newsroom();
  const notify = ({ data = false, keys = [] }) => {
    store.derived.invalidate({ data, keys: new Set(keys) });
    news.add(data, keys);
  };
  const view = new View(store, notify),
    app = { store, view, source, news };
  store.derived = new Derived(store, view);
  return Object.assign(app, {
    on: (listener) => news.listen(listener),
    announce: (text) => setText(byId("x-live"), text),
    find: (ref) => store.find(ref),
    ref: (g) => store.ref(g),
    hover: () => {},
    clearFilters: () => {},
    select: (g) => select(app, g),
    pin: (letter, g) => pin(app, letter, g),
    changed: () => {
      view.refresh();
      notify({ data: true });
    },
    figure: () => exportFigure(app),
    drawing: async (g) =>
      g < 0 ? publishedDrawing(store.published[-1 - g]) : source.drawing(store.study(g).key, store.row(g)),
    settings: (study) => source.settings(typeof study === "object" ? study.key : study),
  });
}

function select(app, g) {
  app.view.set({ selected: app.ref(g) });
  app.announce(`${spokenName(app, g)}. Selected.`);
}

function pin(app, letter, g) {
  app.view.set({ [letter]: app.ref(g) });
  app.announce(`${app.store.name(g)} is ${letter.toUpperCase()}.`);
}

// The report's sections in the live page: asked of the server when the reader comes near them, for they take it seconds
// of a large study, and again only when the reader wants.

import { drawFigures } from "./figures.js";
import { element, setText } from "./dom.js";
import { getJson } from "./data.js";

/** Fills the place of the report with the first study's sections; others at a choice. */
export function mountLiveReport(place, app) {
  const select = element("select", { "aria-label": "report of", onchange: () => fetchReport(state) });
  const label = element("label", { className: "x-select" }, element("span", {}, "report of"), select);
  const note = element("span", { className: "x-muted", role: "status" });
  const refresh = element(
    "button",
    { type: "button", className: "x-button", hidden: true, onclick: () => fetchReport(state) },
    "refresh the report",
  );
  const body = element("div", { className: "x-report-body" });
  const state = { app, select, note, refresh, body, of: "", busy: false, near: false };
  place.replaceChildren(element("div", { className: "x-report-bar" }, label, note, refresh), body);
  app.on(({ data }) => {
    if (data) syncReport(state, label);
  });
  fillNavigation([{ anchor: place.id, title: "Report" }]); // its own headings are known when it is there
  const watch = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      watch.disconnect();
      state.near = true;
      syncReport(state, label);
    },
    { rootMargin: "300px" },
  );
  watch.observe(place);
  syncReport(state, label);
}

function syncReport(state, label) {
  const { app, select } = state,
    { studies } = app.store,
    offered = JSON.stringify(studies.map((study) => [study.key, study.label]));
  label.hidden = studies.length < 2;
  if (select.dataset.offered !== offered) {
    const chosen = select.value;
    select.dataset.offered = offered;
    select.replaceChildren(...studies.map((study) => element("option", { value: study.key }, study.label)));
    if (studies.some((study) => study.key === chosen)) select.value = chosen;
  }
  if (state.near && !state.of && !state.busy && studies.length && app.store.derived.total) fetchReport(state);
  const newer = Boolean(state.of) && state.of !== app.store.version;
  state.refresh.hidden = !newer;
  setText(state.note, newer ? "There are newer trials than in the text below." : (state.note.dataset.fault ?? ""));
}

async function fetchReport(state) {
  const { app, select, body, note } = state;
  state.busy = true;
  setText(note, "Writing the report …");
  try {
    const report = await getJson(`api/report?study=${encodeURIComponent(select.value)}`);
    state.of = report.of ?? app.store.version;
    delete note.dataset.fault;
    // written by nas.report, which escapes what a study says
    body.replaceChildren(...report.sections.map(reportSection));
    fillNavigation(report.sections);
    await plotlyReady();
    drawFigures(report.figures ?? {});
    setText(note, "");
  } catch (error) {
    note.dataset.fault = `No report: ${error.message}`;
    setText(note, note.dataset.fault);
  }
  state.busy = false;
  state.refresh.hidden = state.of === app.store.version;
}

async function plotlyReady() {
  while (typeof Plotly === "undefined") await new Promise((done) => setTimeout(done, 50));
}

function reportSection({ anchor, title, html }) {
  const inner = element("div");
  inner.innerHTML = html;
  return element(
    "section",
    { id: anchor, "aria-labelledby": `${anchor}-title` },
    element("h2", { id: `${anchor}-title` }, title),
    ...inner.childNodes,
  );
}

function fillNavigation(sections) {
  const place = document.querySelector("header nav");
  place?.replaceChildren(...sections.map(({ anchor, title }) => element("a", { href: `#${anchor}` }, title)));
}

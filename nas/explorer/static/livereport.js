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
  const state = { app, select, note, refresh, body, of: "", ended: 0, turn: 0, busy: false, near: false };
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
  const { fault } = state.note.dataset;
  if (state.near && !state.of && !state.busy && !fault && studies.length && app.store.derived.total) fetchReport(state);
  else if (!state.busy) showReportAge(state);
}

/** Offers a newer report where trials of its study ended since, and another try where there is none. */
function showReportAge({ app, of, ended, refresh, note }) {
  const newer = Boolean(of) && ended !== endedTrials(app.store, of),
    { fault } = note.dataset;
  refresh.hidden = !newer && !fault;
  setText(refresh, fault ? "try again" : "refresh the report");
  setText(note, fault ?? (newer ? "There are newer trials than in the text below." : ""));
}

function endedTrials(store, key) {
  const study = store.studies.find((one) => one.key === key);
  return study ? study.globals.filter((g) => store.state(g) !== "running").length : 0;
}

async function fetchReport(state) {
  const { app, select, body, note } = state,
    key = select.value,
    ended = endedTrials(app.store, key),
    turn = ++state.turn; // another study may be chosen before this answer is here
  state.busy = true;
  setText(note, "Writing the report …");
  try {
    const report = await getJson(`api/report?study=${encodeURIComponent(key)}`);
    if (turn !== state.turn) return;
    Object.assign(state, { of: key, ended });
    delete note.dataset.fault;
    for (const figure of body.querySelectorAll(".js-plotly-plot")) Plotly.purge(figure); // or they go on listening
    // written by nas.report, which escapes what a study says
    body.replaceChildren(...report.sections.map(reportSection));
    fillNavigation(report.sections);
    await plotlyReady();
    if (turn === state.turn) drawFigures(report.figures ?? {});
  } catch (error) {
    if (turn === state.turn) note.dataset.fault = `No report: ${error.message}`;
  }
  if (turn !== state.turn) return;
  state.busy = false;
  showReportAge(state);
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

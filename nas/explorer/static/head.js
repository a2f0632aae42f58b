// Above the plot: what the studies ask and how far they are, in numbers; and whether what one sees is live.

import { arrow, formatValue, unitOf } from "./format.js";
import { element, setText } from "./dom.js";

/** Builds the head; live.js writes into app.status. */
export function mountHead(place, app) {
  const facts = element("div", { className: "x-facts" });
  app.status = element("div", { className: "x-status" });
  place.replaceChildren(facts, app.status);
  app.on(({ data }) => {
    if (data) syncHead(app, facts);
  });
  syncHead(app, facts);
  if (app.source.mode === "file") app.status.replaceChildren(element("span", {}, madeWords(app)));
}

function madeWords(app) {
  const made = Date.parse(app.store.made);
  const when = Number.isNaN(made)
    ? ""
    : ` of ${new Date(made).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })}`;
  return `a file${when}: it does not change`;
}

function syncHead(app, place) {
  const { studies } = app.store,
    lines = studies.map((study) => studyLine(app, study, studies.length > 1));
  const text = JSON.stringify(lines);
  if (app.source.mode === "live") nameLivePage(studies);
  if (place.dataset.text === text) return;
  place.dataset.text = text;
  place.replaceChildren(
    ...lines.map(({ name, question, facts, note }) =>
      element(
        "div",
        { className: "x-study" },
        name ? element("b", {}, name) : null,
        question ? element("span", { className: "x-question" }, question) : null,
        element("p", {}, facts.join(" · ")),
        note ? element("p", { className: "x-note" }, note) : null,
      ),
    ),
  );
}

// one page serves every study, so its heading is known only with the data
function nameLivePage(studies) {
  const names = studies.map((study) => study.label),
    title = names.length > 2 ? `${names.length} studies` : names.join(" and ");
  const heading = document.querySelector("header h1");
  if (heading) setText(heading, title || "nas");
  document.title = title ? `${title} – nas` : "nas";
}

// a page about one study asks its question in the heading
const isAbove = (question) => document.querySelector("header .question")?.textContent === question;
const grouping = (count) => count.toLocaleString("en-US");

function studyLine(app, study, named) {
  const { store } = app,
    counts = { complete: 0, infeasible: 0, failed: 0, running: 0 };
  let done = 0; // measured, or failed for good: what the recipe's total counts
  const retried = new Set(study.globals.map((g) => store.retryOf(g)).filter((trial) => trial !== null));
  for (const g of study.globals) {
    const state = store.state(g),
      trial = store.trial(g);
    counts[state]++;
    if (trial !== null && ((state === "complete" && !store.repeat(g)) || (state === "failed" && !retried.has(trial))))
      done++;
  }
  const total = study.recipe?.trials,
    goals = study.objectives.map(({ key }) => `${store.metric(key).label} ${arrow(store.metric(key))}`);
  const limits = (study.limits ?? []).map((limit) => {
    const metric = store.metric(limit.key);
    return `${metric.label} ${limit.relation === "<=" ? "≤" : "≥"} ${formatValue(metric, limit.bound)}${unitOf(metric)}`;
  });
  const facts = [
    total && done <= total ? `${grouping(done)} of ${grouping(total)} networks done` : "",
    `${grouping(counts.complete)} measured`,
    counts.infeasible ? `${grouping(counts.infeasible)} over a limit` : "",
    counts.failed ? `${grouping(counts.failed)} failed` : "",
    counts.running ? `${counts.running} running` : "",
    goals.length ? `for ${goals.join(", ")}` : "",
    limits.length ? `within ${limits.join(", ")}` : "",
    [study.recipe?.space, study.recipe?.sampler].filter(Boolean).join(", "),
  ].filter(Boolean);
  const state = {
    gone: "This study was deleted: what is shown was read before.",
    unreachable: `Storage unreachable: ${study.note}`,
  }[study.state];
  return {
    name: named ? study.label : "",
    question: isAbove(study.question) ? "" : study.question,
    facts,
    note: state ?? study.note ?? "",
  };
}

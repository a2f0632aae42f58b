// Deciding: a question as a sentence with sliders, and the one network that answers it.
import { comparableParts, decide } from "./decision.js";
import { answerNodes } from "./answer.js";
import { conditionRow, fillOptions, setCondition, widestCondition } from "./condition.js";
import { element, setText } from "./dom.js";
import { decidableMetrics, firstQuestion, presetsFor } from "./presets.js";

const MOST_NEEDS = 5;
const KEYS_OF_DECISION = ["goal", "filters", "hidden", "device", "show"];

export function mountDecide(place, app) {
  const parts = decideParts(app);
  place.append(parts.card);
  app.on(({ data, keys }) => {
    if (data || KEYS_OF_DECISION.some((key) => keys.has(key))) updateDecide(parts, app);
    else if (["a", "b", "selected"].some((key) => keys.has(key))) showAnswer(parts, app);
  });
  updateDecide(parts, app);
}

function decideParts(app) {
  const parts = { app, structure: "", rows: [], said: "" };
  parts.presets = element("div", { className: "p-presets", role: "group", "aria-label": "Questions to start from" });
  parts.best = element("select", { className: "p-select", onchange: () => change(parts, { key: parts.best.value }) });
  parts.needs = element("div", { className: "p-needs" });
  parts.add = element(
    "button",
    { type: "button", className: "p-button", onclick: () => addNeed(parts) },
    "+ condition",
  );
  parts.part = element("select", {
    className: "p-select",
    onchange: () => change(parts, { device: parts.part.value }),
  });
  parts.partWord = element("span");
  parts.partRow = element("label", { className: "p-part" }, parts.partWord, parts.part);
  parts.filtered = element("p", { className: "p-quiet" });
  parts.answer = element("div", { className: "p-answer", role: "region", "aria-label": "Answer" });
  parts.card = element(
    "section",
    { className: "p-card p-decide", "aria-label": "Decide" },
    element("h2", {}, "Decide"),
    parts.presets,
    element(
      "div",
      { className: "p-question" },
      element("label", {}, element("span", {}, "Best "), parts.best),
      parts.needs,
      parts.add,
      parts.partRow,
    ),
    parts.filtered,
    parts.answer,
  );
  return parts;
}

// What a question may be about: metrics with values among the networks shown, and those that it is about already.
function metricsOfQuestion(app, { key, needs }) {
  const asked = new Set([key, ...needs.map(([one]) => one)]);
  const decidable = new Set(decidableMetrics(app));
  return app.store.metrics.filter((metric) => decidable.has(metric) || (metric.goal && asked.has(metric.key)));
}

// The question as it stands: the view's, or one to begin with that no link says yet.
function questionOf(app) {
  const { goal } = app.view.get();
  const known = (key) => Boolean(app.store.byKey.get(key)?.goal); // also one that the filters leave no value of
  if (goal && known(goal.key))
    return { key: goal.key, needs: (goal.needs ?? []).filter(([key]) => known(key)), device: goal.device ?? "" };
  return firstQuestion(app, decidableMetrics(app));
}

function change(parts, changes) {
  const question = questionOf(parts.app);
  parts.app.view.set({ goal: { ...question, ...changes } });
}

function changeNeed(parts, place, need) {
  const { needs } = questionOf(parts.app);
  change(parts, {
    needs: need ? needs.map((one, i) => (i === place ? need : one)) : needs.filter((_, i) => i !== place),
  });
}

function addNeed(parts) {
  const { app } = parts,
    { key, needs } = questionOf(app);
  const taken = new Set([key, ...needs.map(([one]) => one)]);
  const metrics = decidableMetrics(app);
  const metric = metrics.find((one) => !taken.has(one.key)) ?? metrics[0];
  change(parts, { needs: [...needs, widestCondition(app, metric.key)] });
  requestAnimationFrame(() => requestAnimationFrame(() => parts.rows.at(-1)?.metric.focus({ preventScroll: true })));
}

function updateDecide(parts, app) {
  const question = questionOf(app),
    metrics = metricsOfQuestion(app, question);
  parts.card.hidden = !metrics.length;
  if (!metrics.length) return;
  fillOptions(
    parts.best,
    metrics.map((metric) => [metric.key, metric.label]),
    question.key,
  );
  showPresets(parts, decidableMetrics(app));
  showNeeds(parts, question, metrics);
  showFiltered(parts.filtered, app);
  const { store } = app;
  const keys = [question.key, ...question.needs.map(([key]) => key)];
  const candidates = candidatesOf(app, keys);
  const isComputed = (key) => store.metric(key).kind === "computed";
  const byPart = comparableParts(candidates, keys, { timed: store.timed, trained: store.trained, isComputed });
  const device = question.device || largestPart(byPart);
  showParts(parts, byPart, device);
  const chosen = byPart.size > 1 ? byPart.get(device) : candidates;
  parts.question = question;
  parts.told = chosen ? decide(chosen, question, (key) => store.metric(key)) : null;
  showAnswer(parts, app);
}

// The networks shown that are within their limits, with their readings in these metrics.
function candidatesOf(app, keys) {
  const { store } = app,
    { derived } = store;
  const columns = [...new Set(keys)].map((key) => [key, store.column(key), store.spreadColumn(key)]);
  const read = (column, g) => (column && !Number.isNaN(column[g]) ? column[g] : null);
  const studyOf = (g) => (store.studies.length > 1 ? store.study(g).label : "");
  const candidates = [];
  for (const g of derived.shown) {
    if (derived.isInfeasible(g) || store.state(g) !== "complete") continue;
    const one = { g, study: studyOf(g), device: store.device(g), training: store.training(g), values: {}, spreads: {} };
    for (const [key, values, spreads] of columns) {
      one.values[key] = read(values, g);
      one.spreads[key] = read(spreads, g) ?? 0;
    }
    candidates.push(one);
  }
  return candidates;
}

function showPresets(parts, metrics) {
  const presets = presetsFor(parts.app, metrics);
  const signature = JSON.stringify(presets);
  if (parts.presets.dataset.signature === signature) return;
  parts.presets.dataset.signature = signature;
  parts.presets.replaceChildren(
    ...presets.map(([text, title, question]) =>
      element(
        "button",
        {
          type: "button",
          className: "p-preset",
          title,
          onclick: () => parts.app.view.set({ goal: { device: questionOf(parts.app).device, ...question } }),
        },
        text,
      ),
    ),
  );
}

// The part with the most networks; of equal ones the first.
function largestPart(byPart) {
  let most = "";
  for (const [name, those] of byPart) if (those.length > (byPart.get(most)?.length ?? 0)) most = name;
  return most;
}

function showParts(parts, byPart, chosen) {
  parts.partRow.hidden = byPart.size < 2;
  setText(parts.partWord, `of ${byPart.size} groups that do not compare, this one is shown: `);
  const names = [...byPart.keys()].sort();
  fillOptions(
    parts.part,
    [...(names.includes(chosen) ? [] : [["", "choose …"]]), ...names.map((name) => [name, name])],
    names.includes(chosen) ? chosen : "",
  );
}

function showFiltered(line, app) {
  const { derived } = app.store;
  const away = derived.total - derived.shown.length;
  setText(line, away ? `Asked of the ${derived.shown.length} of ${derived.total} networks that pass the filters.` : "");
  line.hidden = !away;
}

// Rows are built anew only when the metrics of the conditions change; otherwise their values are set in place.
function showNeeds(parts, { needs }, metrics) {
  const structure = needs.map(([key]) => key).join(" ");
  if (parts.structure !== structure || parts.rows.length !== needs.length) {
    parts.structure = structure;
    const focused = parts.rows.findIndex((row) => row.node.contains(document.activeElement));
    parts.rows = needs.map((_, place) =>
      conditionRow(parts.app, place, {
        now: () => questionOf(parts.app).needs[place],
        change: (need) => changeNeed(parts, place, need),
      }),
    );
    parts.needs.replaceChildren(...parts.rows.map((row) => row.node));
    if (focused >= 0) (parts.rows[focused]?.metric ?? parts.add).focus({ preventScroll: true });
  }
  needs.forEach((need, place) => setCondition(parts.rows[place], need, metrics, parts.app));
  parts.add.hidden = needs.length >= MOST_NEEDS;
}

function showAnswer(parts, app) {
  const { question, told } = parts,
    { a, b, selected } = app.view.get();
  if (!question) return;
  const nodes = answerNodes(app, question, told);
  const signature = nodes.map((node) => node.textContent).join("\n") + [a, b, selected].join();
  if (parts.said === signature) return;
  parts.said = signature;
  const focused = [...parts.answer.querySelectorAll("button")].indexOf(document.activeElement);
  parts.answer.replaceChildren(...nodes);
  if (focused >= 0) parts.answer.querySelectorAll("button")[focused]?.focus({ preventScroll: true });
}

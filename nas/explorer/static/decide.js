// Deciding: a question as a sentence with sliders, and the one network that answers it.
import { comparableParts, decide } from "./decision.js";
import { answerNodes } from "./answer.js";
import { element, setText } from "./dom.js";
import { formatValue, parseQuantity, quantityText, unitOf } from "./format.js";
import { firstQuestion, presetsFor } from "./presets.js";

const STEPS = 400; // of a slider
const MOST_NEEDS = 5;

export function mountDecide(place, app) {
  const parts = decideParts(app);
  place.append(parts.card);
  const update = () => updateDecide(parts, app);
  app.on(({ data, keys }) => {
    if (data || ["goal", "filters", "hidden", "device", "show", "a", "b", "selected"].some((key) => keys.has(key))) update();
  });
  update();
}

function decideParts(app) {
  const parts = { app, structure: "", rows: [], said: "" };
  parts.presets = element("div", { className: "p-presets", role: "group", "aria-label": "Questions to start from" });
  parts.best = element("select", { className: "p-select", onchange: () => change(parts, { key: parts.best.value }) });
  parts.needs = element("div", { className: "p-needs" });
  parts.add = element("button", { type: "button", className: "p-button", onclick: () => addNeed(parts) }, "+ condition");
  parts.part = element("select", { className: "p-select", onchange: () => change(parts, { device: parts.part.value }) });
  parts.partRow = element("label", { className: "p-part" }, element("span", {}, "compared only on "), parts.part);
  parts.filtered = element("p", { className: "p-quiet" });
  parts.answer = element("div", { className: "p-answer", role: "region", "aria-label": "Answer" });
  parts.card = element("section", { className: "p-card p-decide", "aria-label": "Decide" },
    element("h3", {}, "Decide"), parts.presets,
    element("div", { className: "p-question" }, element("label", {}, element("span", {}, "Best "), parts.best), parts.needs, parts.add, parts.partRow),
    parts.filtered, parts.answer);
  return parts;
}

// The question as it stands: the view's, or one to begin with that no link says yet.
function questionOf(app) {
  const { goal } = app.view.get();
  const known = (key) => decidableMetrics(app).some((metric) => metric.key === key);
  if (goal && known(goal.key)) return { key: goal.key, needs: (goal.needs ?? []).filter(([key]) => known(key)), device: goal.device ?? "" };
  return firstQuestion(app, decidableMetrics(app));
}

// Metrics with a goal and a value among the networks shown.
export function decidableMetrics(app) {
  const { store } = app, shown = store.derived.shown;
  return store.metrics.filter((metric) => {
    const column = metric.goal ? store.column(metric.key) : null;
    return column && shown.some((g) => !Number.isNaN(column[g]));
  });
}

function change(parts, changes) {
  const question = questionOf(parts.app);
  parts.app.view.set({ goal: { ...question, ...changes } });
}

function changeNeed(parts, place, need) {
  const { needs } = questionOf(parts.app);
  change(parts, { needs: need ? needs.map((one, i) => (i === place ? need : one)) : needs.filter((_, i) => i !== place) });
}

function addNeed(parts) {
  const { app } = parts, { key, needs } = questionOf(app);
  const taken = new Set([key, ...needs.map(([one]) => one)]);
  const metrics = decidableMetrics(app);
  const metric = metrics.find((one) => !taken.has(one.key)) ?? metrics[0];
  const [low, high] = app.store.derived.extent(metric.key);
  change(parts, { needs: [...needs, [metric.key, metric.goal === "maximize" ? ">=" : "<=", metric.goal === "maximize" ? low : high]] });
  requestAnimationFrame(() => requestAnimationFrame(() => parts.rows.at(-1)?.metric.focus({ preventScroll: true })));
}

function updateDecide(parts, app) {
  const metrics = decidableMetrics(app);
  parts.card.hidden = !metrics.length;
  if (!metrics.length) return;
  const question = questionOf(app);
  fillOptions(parts.best, metrics.map((metric) => [metric.key, metric.label]), question.key);
  showPresets(parts, metrics);
  showNeeds(parts, question, metrics);
  showFiltered(parts.filtered, app);
  const { store } = app;
  const keys = [question.key, ...question.needs.map(([key]) => key)];
  const candidates = candidatesOf(app, keys);
  const byPart = comparableParts(candidates, keys, store.timed, store.trained);
  showParts(parts, byPart, question.device);
  const chosen = byPart.size > 1 ? byPart.get(question.device) : candidates;
  const told = chosen ? decide(chosen, question, (key) => store.metric(key)) : null;
  showAnswer(parts, app, question, told);
}

// The networks shown that are within their limits, with their readings.
function candidatesOf(app, keys) {
  const { store } = app, { derived } = store;
  const others = [...new Set([...keys, ...decidableMetrics(app).map((metric) => metric.key)])];
  return [...derived.shown].filter((g) => derived.status(g) !== "infeasible" && store.state(g) === "complete").map((g) => ({
    g, device: store.device(g), training: store.training(g),
    values: Object.fromEntries(others.map((key) => [key, store.value(g, key)])),
    spreads: Object.fromEntries(others.map((key) => [key, store.spread(g, key)])),
  }));
}

function fillOptions(select, options, chosen) {
  const signature = JSON.stringify(options);
  if (select.dataset.options !== signature) {
    select.dataset.options = signature;
    select.replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
  }
  if (select.value !== chosen) select.value = chosen;
}

function showPresets(parts, metrics) {
  const presets = presetsFor(parts.app, metrics);
  const signature = JSON.stringify(presets);
  if (parts.presets.dataset.signature === signature) return;
  parts.presets.dataset.signature = signature;
  parts.presets.replaceChildren(...presets.map(([text, title, question]) => element("button", {
    type: "button", className: "p-preset", title, onclick: () => parts.app.view.set({ goal: { device: questionOf(parts.app).device, ...question } }),
  }, text)));
}

function showParts(parts, byPart, chosen) {
  parts.partRow.hidden = byPart.size < 2;
  const names = [...byPart.keys()].sort();
  fillOptions(parts.part, [["", "choose …"], ...names.map((name) => [name, name || "not stated"])], names.includes(chosen) ? chosen : "");
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
    parts.rows = needs.map((_, place) => needRow(parts, place));
    parts.needs.replaceChildren(...parts.rows.map((row) => row.node));
    if (focused >= 0) (parts.rows[focused]?.metric ?? parts.add).focus({ preventScroll: true });
  }
  needs.forEach((need, place) => setNeed(parts.rows[place], need, metrics, parts.app));
  parts.add.hidden = needs.length >= MOST_NEEDS;
}

function needRow(parts, place) {
  const needs = () => questionOf(parts.app).needs[place];
  const row = {};
  row.word = element("span", { className: "p-with" }, place ? "and" : "with");
  row.metric = element("select", { className: "p-select", "aria-label": `Condition ${place + 1}: metric`, onchange: () => {
    const metric = parts.app.store.metric(row.metric.value);
    const [low, high] = parts.app.store.derived.extent(metric.key);
    changeNeed(parts, place, metric.goal === "maximize" ? [metric.key, ">=", low] : [metric.key, "<=", high]);
  } });
  row.relation = element("select", { className: "p-select", "aria-label": `Condition ${place + 1}: relation`,
    onchange: () => changeNeed(parts, place, [needs()[0], row.relation.value, needs()[2]]) });
  row.relation.append(element("option", { value: ">=" }, "≥"), element("option", { value: "<=" }, "≤"));
  row.field = element("input", { type: "text", className: "p-field", inputMode: "decimal", autocomplete: "off", "aria-label": `Condition ${place + 1}: bound`,
    onchange: () => readField(parts, row, place) });
  row.slider = element("input", { type: "range", className: "p-slider", min: 0, max: STEPS, step: 1, "aria-label": `Condition ${place + 1}: bound, slider`,
    oninput: () => changeNeed(parts, place, [needs()[0], needs()[1], valueOnSlider(row, Number(row.slider.value))]) });
  row.away = element("button", { type: "button", className: "p-away", "aria-label": `Remove condition ${place + 1}`, onclick: () => changeNeed(parts, place, null) }, "×");
  row.error = element("p", { className: "p-error", role: "alert" });
  row.node = element("div", { className: "p-need" }, row.word, row.metric, row.relation, row.field, row.away, row.slider, row.error);
  return row;
}

function readField(parts, row, place) {
  const value = parseQuantity(row.field.value);
  const [key, relation] = questionOf(parts.app).needs[place];
  row.field.setAttribute("aria-invalid", String(value === null));
  setText(row.error, value === null ? `“${row.field.value}” is not a number: write 4G, 30M, 78 or 1e6` : "");
  if (value !== null) changeNeed(parts, place, [key, relation, value]);
}

function setNeed(row, [key, relation, bound], metrics, app) {
  const metric = app.store.metric(key), [low, high] = app.store.derived.extent(key);
  row.scale = { low, high, log: low > 0 && high >= 3 * low && ["count", "rate"].includes(metric.style), digits: metric.style === "percent" ? 1 : null };
  fillOptions(row.metric, metrics.map((one) => [one.key, one.label]), key);
  if (row.relation.value !== relation) row.relation.value = relation;
  if (document.activeElement !== row.field || parseQuantity(row.field.value) !== bound) {
    const text = quantityText(metric, bound);
    if (row.field.value !== text) row.field.value = text;
    setText(row.error, "");
    row.field.removeAttribute("aria-invalid");
  }
  const at = String(Math.round(placeOnSlider(row, bound)));
  if (row.slider.value !== at && document.activeElement !== row.slider) row.slider.value = at;
  row.slider.setAttribute("aria-valuetext", formatValue(metric, bound) + unitOf(metric));
  row.slider.style.setProperty("--part", `${(100 * Number(at)) / STEPS}%`);
}

function placeOnSlider({ scale: { low, high, log } }, value) {
  if (!(high > low)) return 0;
  const share = log ? Math.log(Math.max(value, low) / low) / Math.log(high / low) : (value - low) / (high - low);
  return STEPS * Math.max(0, Math.min(1, share));
}

// Ends of the slider are the smallest and largest values; between them three digits.
function valueOnSlider({ scale: { low, high, log, digits } }, at) {
  if (at <= 0) return low;
  if (at >= STEPS) return high;
  const value = log ? low * (high / low) ** (at / STEPS) : low + ((high - low) * at) / STEPS;
  return digits === null ? Number(value.toPrecision(3)) : Number(value.toFixed(digits));
}

function showAnswer(parts, app, question, told) {
  const { a, b, selected } = app.view.get();
  const nodes = answerNodes(app, question, told);
  const signature = nodes.map((node) => node.textContent).join("\n") + [told?.best?.g, a, b, selected].join();
  if (parts.said === signature) return;
  parts.said = signature;
  const focused = [...parts.answer.querySelectorAll("button")].indexOf(document.activeElement);
  parts.answer.replaceChildren(...nodes);
  if (focused >= 0) parts.answer.querySelectorAll("button")[focused]?.focus({ preventScroll: true });
}

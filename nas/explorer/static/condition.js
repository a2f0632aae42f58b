// A condition of a question: metric, relation, and a bound by field or by slider over the values that there are.
import { element, setText } from "./dom.js";
import { formatValue, parseQuantity, quantityText, unitOf } from "./format.js";

const SLIDER_STEPS = 400;
let conditionsMade = 0;

// Sets a select's options and its choice, where they differ.
export function fillOptions(select, options, chosen) {
  const signature = JSON.stringify(options);
  if (select.dataset.options !== signature) {
    select.dataset.options = signature;
    select.replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
  }
  if (select.value !== chosen) select.value = chosen;
}

// A row of controls; `now()` is the condition as it stands, `change(condition)` sets it, `change(null)` takes it away.
export function conditionRow(app, place, { now, change }) {
  const row = { word: element("span", { className: "p-with" }, place ? "and" : "with") };
  const named = (what, more) => ({ "aria-label": `Condition ${place + 1}: ${what}`, ...more });
  const chooseMetric = () => change(widestCondition(app, row.metric.value));
  row.metric = element("select", named("metric", { className: "p-select", onchange: chooseMetric }));
  const turn = () => change([now()[0], row.relation.value, now()[2]]);
  row.relation = element("select", named("relation", { className: "p-select", onchange: turn }));
  row.relation.append(element("option", { value: ">=" }, "≥"), element("option", { value: "<=" }, "≤"));
  row.field = boundField(row, named, { now, change });
  const slide = () => change([now()[0], now()[1], valueOnSlider(row, Number(row.slider.value))]);
  const slider = { type: "range", className: "p-slider", min: 0, max: SLIDER_STEPS, step: 1, oninput: slide };
  row.slider = element("input", named("bound, slider", slider));
  const remove = { type: "button", className: "p-away", onclick: () => change(null) };
  row.away = element("button", named("remove", remove), "×");
  row.error = element("p", { className: "p-error", role: "alert", id: `condition-${(conditionsMade += 1)}` });
  row.field.setAttribute("aria-describedby", row.error.id);
  const { word, metric, relation, field: bound, away, slider: range, error } = row;
  row.node = element("div", { className: "p-need" }, word, metric, relation, bound, away, range, error);
  return row;
}

// What is typed belongs to the reader until it is read or left; what is no number stays, with the reason.
function boundField(row, named, { now, change }) {
  const typing = () => {
    row.typing = true;
  };
  const left = () => {
    row.typing &&= row.field.getAttribute("aria-invalid") === "true";
  };
  const read = () => readField(row, { now, change });
  const field = { type: "text", className: "p-field", inputMode: "decimal", autocomplete: "off" };
  return element("input", named("bound", { ...field, oninput: typing, onchange: read, onblur: left }));
}

// The condition that every network shown with a value meets; of all networks, where none shown has one.
export function widestCondition(app, key) {
  const { derived } = app.store;
  const [low, high] = [derived.extent(key), derived.extentOfAll(key), [0, 0]].find(([end]) => !Number.isNaN(end));
  return app.store.metric(key).goal === "maximize" ? [key, ">=", low] : [key, "<=", high];
}

function readField(row, { now, change }) {
  const value = parseQuantity(row.field.value);
  const [key, relation] = now();
  row.field.setAttribute("aria-invalid", String(value === null));
  setText(row.error, value === null ? `“${row.field.value}” is not a number: write 4G, 30M, 78 or 1e6` : "");
  if (value === null) return;
  row.typing = false;
  change([key, relation, value]);
}

// Whether the field holds what the reader typed and nobody has read: it stays while one types, and while it is no
// number and nothing else has moved the bound.
const isTypedIn = (row, bound) => row.typing && (document.activeElement === row.field || row.bound === bound);

// Sets what a row shows; a field or slider that is being used is left alone.
export function setCondition(row, [key, relation, bound], metrics, app) {
  const metric = app.store.metric(key),
    [low, high] = app.store.derived.extent(key);
  row.scale = {
    low,
    high,
    log: low > 0 && high >= 3 * low && ["count", "rate"].includes(metric.style),
    digits: metric.style === "percent" ? 1 : null,
  };
  fillOptions(
    row.metric,
    metrics.map((one) => [one.key, one.label]),
    key,
  );
  if (row.relation.value !== relation) row.relation.value = relation;
  if (!isTypedIn(row, bound)) {
    row.typing = false;
    const text = quantityText(metric, bound);
    if (row.field.value !== text) row.field.value = text;
    setText(row.error, "");
    row.field.removeAttribute("aria-invalid");
  }
  row.bound = bound;
  row.slider.disabled = Number.isNaN(low);
  const at = String(Math.round(placeOnSlider(row, bound)));
  if (row.slider.value !== at && document.activeElement !== row.slider) row.slider.value = at;
  row.slider.setAttribute("aria-valuetext", formatValue(metric, bound) + unitOf(metric));
}

function placeOnSlider({ scale: { low, high, log } }, value) {
  if (!(high > low)) return 0;
  const share = log ? Math.log(Math.max(value, low) / low) / Math.log(high / low) : (value - low) / (high - low);
  return SLIDER_STEPS * Math.max(0, Math.min(1, share));
}

// Ends of the slider are the smallest and largest values; between them three digits.
function valueOnSlider({ scale: { low, high, log, digits } }, at) {
  if (at <= 0) return low;
  if (at >= SLIDER_STEPS) return high;
  const value = log ? low * (high / low) ** (at / SLIDER_STEPS) : low + ((high - low) * at) / SLIDER_STEPS;
  return digits === null ? Number(value.toPrecision(3)) : Number(value.toFixed(digits));
}


// The answer to a question in words: the network, its runner-up, how sure it is, what relaxing would buy.
import { incomparable } from "./comparison.js";
import { secondCriteria } from "./decision.js";
import { deltaWords, noiseWords } from "./deltas.js";
import { element } from "./dom.js";
import { formatReading, formatValue, unitOf } from "./format.js";
import { copyButtonFor } from "./panel.js";
import { networkCommands, networksText, standingOfNetwork, standingTag } from "./standing.js";

const SIGN = { ">=": "≥", "<=": "≤" };

const valueText = (metric, value) => formatValue(metric, value) + unitOf(metric);
const MOST_DIGITS = 12;

// Two values as texts that differ: with more digits where the usual ones are the same.
function toldApart(metric, one, two) {
  const texts = [one, two].map((value) => valueText(metric, value));
  for (let digits = 4; texts[0] === texts[1] && digits <= MOST_DIGITS; digits += 1) {
    [one, two].forEach((value, place) => {
      const plain = metric.style === "percent" ? `${Number(value.toPrecision(digits))} %` : "";
      const unit = metric.style === "count" ? "" : unitOf(metric);
      const long = Number(value.toPrecision(digits)).toLocaleString("en-US", { maximumFractionDigits: MOST_DIGITS });
      texts[place] = plain || long + unit;
    });
  }
  return texts;
}

const readingOf = (app, one, key) =>
  formatReading(app.store.metric(key), one.values[key], one.spreads[key]) + unitOf(app.store.metric(key));
const needText = (app, [key, relation, bound]) => {
  const metric = app.store.metric(key);
  return `${metric.label} ${SIGN[relation]} ${valueText(metric, bound)}`;
};

// Nodes for the place of the answer; `told` is null while a device is still to be chosen.
export function answerNodes(app, question, told) {
  if (!told)
    return [
      line(
        "These readings come from different studies, devices or trainings, and do not compare. Choose one.",
        "p-strong",
      ),
    ];
  if (!told.best) return noneNodes(app, question, told);
  const { best } = told,
    metric = app.store.metric(question.key);
  return [
    element(
      "div",
      { className: "p-head" },
      nameButton(app, best.g, "p-name"),
      standingTag(standingOfNetwork(app, best.g)),
      element("b", { className: "p-figure" }, `${readingOf(app, best, question.key)} ${perSecond(metric)}`.trim()),
    ),
    line(qualifyText(told, question), "p-quiet"),
    element(
      "ul",
      { className: "p-said" },
      ...runnerLines(app, question, told),
      ...marginLines(app, told),
      ...relaxedLines(app, question, told),
    ),
    answerButtons(app, best.g),
  ];
}

const perSecond = (metric) => (metric.unit === "images/s" ? "images/s" : "");
const line = (text, className = "") => element("p", { className }, text);

function qualifyText({ qualify, asked }, { needs }) {
  if (!needs.length) return `Of ${networksText(asked)} with this reading.`;
  if (asked === 1) return "The one network with these readings meets the conditions.";
  const count = qualify === asked ? "All" : `${qualify.toLocaleString("en-US")} of`;
  const said = `${count} ${networksText(asked)}`;
  return `${said} with these readings ${qualify === 1 ? "meets" : "meet"} the conditions.`;
}

// Does something with this network, by its reference: its number changes when the page loads its data anew.
function actOn(app, g, act) {
  const ref = app.ref(g);
  return () => {
    const now = app.find(ref);
    if (now !== null) act(now);
  };
}

function nameButton(app, g, className = "") {
  const onclick = actOn(app, g, (now) => app.select(now));
  return element(
    "button",
    { type: "button", className: `${className} p-link`.trim(), title: "Select this network", onclick },
    app.store.name(g),
  );
}

function runnerLines(app, question, told) {
  const { best, second, tied, rivals } = told;
  if (!second) return [element("li", {}, "No runner-up: it is the only one.")];
  const metric = app.store.metric(question.key);
  const [from, to] = [best.values[question.key], second.values[question.key]];
  const noise = noiseWords(metric, from, to, best.spreads[question.key], second.spreads[question.key]);
  const words = `: ${readingOf(app, second, question.key)}, ${noise || `it ${deltaWords(metric, from, to)}`}`;
  const first = element(
    "li",
    {},
    "Runner-up ",
    nameButton(app, second.g),
    words,
    noise && !tied ? `: it ${deltaWords(metric, from, to)}.` : ".",
  );
  const more = rivals > (tied ? 1 : 0) ? [element("li", {}, rivalsText(rivals))] : [];
  return [first, ...(tied ? criterionLines(app, question, told) : []), ...more];
}

// A noisy reading far behind may be tied where the runner-up, measured well, is not.
const rivalsText = (rivals) =>
  rivals === 1
    ? "Another network is tied with the answer within noise: it may be the best."
    : `${networksText(rivals)} are tied with the answer within noise: any of them may be the best.`;

// By what one might choose between two that are tied.
function criterionLines(app, question, { best, second }) {
  const keys = app.store.metrics
    .map((metric) => metric.key)
    .filter((key) => key !== question.key && comparableIn(app, key, best, second));
  const [one, two] = [best, second].map((candidate) => withReadings(app, candidate, keys));
  const criteria = secondCriteria(one, two, keys, (key) => app.store.metric(key));
  if (!criteria.length) return [element("li", {}, "Nothing else measured tells the two apart.")];
  const words = criteria.map(({ key, better }) => {
    const other = better === one ? two : one;
    return `${app.store.name(better.g)} ${deltaWords(app.store.metric(key), other.values[key], better.values[key])}`;
  });
  return [element("li", {}, `To choose between them: ${words.join("; ")}.`)];
}

const comparableIn = (app, key, best, second) => !incomparable(app, best.g, second.g, app.store.metric(key));

const withReadings = (app, { g }, keys) => ({
  g,
  values: Object.fromEntries(keys.map((key) => [key, app.store.value(g, key)])),
  spreads: Object.fromEntries(keys.map((key) => [key, app.store.spread(g, key)])),
});

function roomText(metric, gap, bound) {
  if (metric.style === "percent") return `${gap >= 0.095 ? gap.toFixed(1) : gap.toPrecision(1)} points`;
  const percent = (100 * gap) / (Math.abs(bound) || 1);
  return `${percent >= 10 ? Math.round(percent).toLocaleString("en-US") : percent.toPrecision(2)} %`;
}

function marginLines(app, told) {
  return told.margins.map(({ need, value, spread, risky }) => {
    const metric = app.store.metric(need[0]);
    const gap = Math.abs(value - need[2]);
    const room = roomText(metric, gap, need[2]);
    const where = gap === 0 ? "just at" : `${room} ${need[1] === "<=" ? "under" : "above"}`;
    const reading = formatReading(metric, value, spread) + unitOf(metric);
    const text = `${metric.label} ${reading}: ${where} ${valueText(metric, need[2])}`;
    return element(
      "li",
      { className: risky ? "p-risky" : "" },
      risky ? `${text}, but it may miss it: within noise of ${valueText(metric, need[2])}.` : `${text}.`,
    );
  });
}

function relaxedLines(app, question, { best, relaxed }) {
  if (!relaxed) return [];
  const metric = app.store.metric(relaxed.need[0]),
    aim = app.store.metric(question.key);
  const words = deltaWords(aim, best.values[question.key], relaxed.other.values[question.key]);
  const [relaxedText, boundText] = toldApart(metric, relaxed.bound, relaxed.need[2]);
  return [
    element(
      "li",
      {},
      `At ${relaxedText} instead of ${boundText} ${metric.label}: `,
      nameButton(app, relaxed.other.g),
      ` ${words}.`,
    ),
  ];
}

function answerButtons(app, g) {
  const ref = app.ref(g),
    button = (text, act) =>
      element("button", { type: "button", className: "p-button", onclick: actOn(app, g, act) }, text);
  const { a, b, selected } = app.view.get();
  const commands = networkCommands(app, g).map(([name, command]) => {
    const copy = copyButtonFor(command, `the ${name} command`);
    return element(
      "span",
      { className: "p-copied" },
      element("span", { className: "p-quiet" }, name),
      element("code", { title: command }, command),
      copy,
    );
  });
  return element(
    "div",
    {},
    element(
      "div",
      { className: "p-buttons" },
      button(selected === ref ? "Selected" : "Select", (now) => app.select(now)),
      button(a === ref ? "Pinned as A" : "Pin as A", (now) => app.pin("a", now)),
      button(b === ref ? "Pinned as B" : "Pin as B", (now) => app.pin("b", now)),
    ),
    ...commands,
  );
}

function noneNodes(app, question, { asked, nearest }) {
  if (!asked) {
    const labels = [question.key, ...question.needs.map(([key]) => key)].map((key) => app.store.metric(key).label);
    return [line(`No network shown has ${[...new Set(labels)].join(" and ")}.`, "p-strong")];
  }
  const alone = question.needs.length > 1 ? "the nearest that meets the rest" : "the nearest";
  const lines = nearest.map(({ need, others, other, by }) => {
    const apart = by > 0 ? "none meets the rest; the nearest" : "none that meets it meets the rest; the best";
    const rest = others ? alone : apart;
    return element(
      "li",
      {},
      `${needText(app, need)}: ${rest} is `,
      nameButton(app, other.g),
      ` with ${readingOf(app, other, need[0])}.`,
    );
  });
  return [
    line(`None of ${networksText(asked)} qualifies.`, "p-strong"),
    element("ul", { className: "p-said" }, ...lines),
  ];
}

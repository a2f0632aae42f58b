// The selected network: its standing, readings, drawing, notation and commands. It stays while new trials come: only
// what changed is replaced, so focus, scroll and open parts are kept.
import { copyButton, element, setText } from "./dom.js";
import { drawingBox, fetchedDrawing } from "./drawingbox.js";
import { arrow, formatReading, unitOf } from "./format.js";
import { durationText, networkCommands, showStanding, standingOfNetwork, startedText } from "./standing.js";

const KEYS_OF_PANEL = ["selected", "a", "b", "filters", "hidden", "device", "show"];
const BADGES = {
  computed: "Computed in closed form from the notation: exact",
  measured: "Measured by running this network",
  proxy: "Measured on a narrowed or shortened stand-in, not on the network as it is",
  score: "A score: neither computed cost nor measurement",
  published: "As its paper states it, not measured here",
};

export function mountPanel(place, app) {
  const parts = panelParts(app);
  place.classList.add("p-panel");
  place.append(parts.empty, parts.card);
  const update = () => updatePanel(parts, app);
  app.on(({ data, keys }) => {
    if (data || KEYS_OF_PANEL.some((key) => keys.has(key))) update();
  });
  update();
}

const panelButton = (text, title, act) =>
  element("button", { type: "button", className: "p-button", title, onclick: act }, text);

function pinButton(app, letter) {
  const upper = letter.toUpperCase();
  return panelButton(`Pin as ${upper}`, `Compare this network as ${upper}`, () => {
    const { selected, [letter]: pinned } = app.view.get();
    if (pinned === selected) app.view.set({ [letter]: "" });
    else app.pin(letter, app.find(selected));
  });
}

function panelParts(app) {
  const parts = {
    name: element("h2", { className: "p-name" }),
    tag: element("span", {}),
    note: element("p", { className: "p-quiet" }),
    pinA: pinButton(app, "a"),
    pinB: pinButton(app, "b"),
    close: panelButton("Close", "Select no network", () => {
      app.view.set({ selected: "" });
      parts.empty.hidden = false; // the button is about to go: the focus goes to what takes its place
      parts.empty.focus({ preventScroll: true });
    }),
    readings: element("div", {}),
    problems: element("div", {}),
    commands: element("div", {}),
    facts: element("div", {}),
    drawing: drawingBox(),
    drawn: "",
    signatures: new Map(),
    empty: element("p", { className: "p-quiet p-empty", tabIndex: -1 }),
  };
  parts.card = element(
    "section",
    { className: "p-card", "aria-label": "The selected network" },
    element("div", { className: "p-head" }, parts.name, parts.tag),
    parts.note,
    element("div", { className: "p-buttons" }, parts.pinA, parts.pinB, parts.close),
    parts.problems,
    parts.readings,
    parts.drawing.node,
    parts.commands,
    parts.facts,
  );
  return parts;
}

function updatePanel(parts, app) {
  const { selected, a, b } = app.view.get();
  const g = app.find(selected);
  parts.card.hidden = g === null;
  parts.empty.hidden = g !== null;
  setText(
    parts.empty,
    selected && g === null
      ? `${selected} is not among the networks read so far.`
      : "No network is selected: click a point, choose a row of the table, or take the answer above. It stays here.",
  );
  if (g === null) return;
  setText(parts.name, app.store.name(g));
  showStanding(parts.tag, standingOfNetwork(app, g));
  for (const [button, letter, pinned] of [
    [parts.pinA, "A", a],
    [parts.pinB, "B", b],
  ]) {
    setText(button, pinned === selected ? `Unpin ${letter}` : `Pin as ${letter}`);
    button.setAttribute("aria-pressed", String(pinned === selected));
  }
  setText(parts.note, noteOf(app, g));
  parts.note.hidden = !parts.note.textContent;
  replaceChanged(parts, "problems", problemLines(app, g), (lines) => problemNodes(lines));
  replaceChanged(parts, "readings", readingLines(app, g), (lines) => [readingsTable(lines)]);
  replaceChanged(parts, "commands", commandLines(app, g), commandNodes);
  replaceChanged(parts, "facts", factLines(app, g), (lines) => [factsTable(lines)]);
  showDrawing(parts, app, g, selected);
}

// Rebuilds a part only when what it says has changed; an open <details> of it stays open.
function replaceChanged(parts, name, lines, build) {
  const signature = JSON.stringify(lines);
  if (parts.signatures.get(name) === signature) return;
  parts.signatures.set(name, signature);
  const open = [...parts[name].querySelectorAll("details")].map((details) => details.open);
  const focused = [...parts[name].querySelectorAll("button, summary")].indexOf(document.activeElement);
  parts[name].replaceChildren(...build(lines));
  parts[name].querySelectorAll("details").forEach((details, place) => {
    details.open = open[place] ?? false;
  });
  if (focused >= 0) [...parts[name].querySelectorAll("button, summary")][focused]?.focus({ preventScroll: true });
}

function noteOf(app, g) {
  if (g < 0) return app.store.publishedNote || "As published, not measured here.";
  return app.store.device(g) && app.store.training(g)
    ? `${app.store.device(g)} · ${app.store.training(g)}`
    : app.store.device(g) || app.store.training(g);
}

function problemLines(app, g) {
  const reason = app.store.reason(g);
  const over = app.store.over(g).map((limit) => `Over its limit: ${limit}`);
  return [
    ...over,
    ...(reason ? [`Failed: ${reason}`] : []),
    ...(app.store.repeat(g) ? ["The same network was measured before: its readings are reused."] : []),
  ];
}

const problemNodes = (lines) => lines.map((line) => element("p", { className: "p-problem" }, line));

// [key, label, reading, badge, meaning, conditions] of every metric that has a value.
function readingLines(app, g) {
  const study = g < 0 ? null : app.store.study(g);
  const own = new Map((study?.metrics ?? []).map((metric) => [metric.key, metric]));
  return app.store.metrics
    .filter((metric) => metric.goal && app.store.value(g, metric.key) !== null)
    .map((union) => {
      const metric = own.get(union.key) ?? union;
      const text =
        formatReading(metric, app.store.value(g, metric.key), app.store.spread(g, metric.key)) + unitOf(metric);
      const badge = g < 0 ? "published" : metric.badge;
      return [
        metric.key,
        `${metric.label} ${arrow(metric)}`.trim(),
        text,
        badge,
        metric.meaning ?? "",
        g < 0 ? "" : (metric.conditions ?? ""),
      ];
    });
}

const sentence = (text) => (text ? `${text[0].toUpperCase()}${text.slice(1)}.` : "");

function readingsTable(lines) {
  const rows = lines.map(([, label, text, badge, meaning]) =>
    element(
      "tr",
      {},
      element("th", { scope: "row", title: meaning }, label),
      element("td", { className: "number" }, text),
      element("td", {}, badgeNode(badge)),
    ),
  );
  const said = lines.filter(([, , , , , conditions]) => conditions);
  const more = element(
    "details",
    { className: "p-conditions" },
    element("summary", {}, "How they came about"),
    element(
      "dl",
      {},
      ...lines.flatMap(([, label, , badge, meaning, conditions]) => [
        element("dt", {}, label),
        element("dd", {}, [sentence(meaning), sentence(BADGES[badge] ?? badge)].filter(Boolean).join(" ")),
        conditions ? element("dd", {}, `Under: ${conditions}.`) : "",
      ]),
    ),
  );
  return element(
    "div",
    {},
    element(
      "table",
      { className: "p-readings" },
      element("caption", {}, "Readings of the selected network"),
      element("tbody", {}, ...rows),
    ),
    said.length ? more : "",
  );
}

const badgeNode = (badge) =>
  badge ? element("span", { className: `p-badge ${badge}`, title: BADGES[badge] ?? "" }, badge) : "";

// [[label, text to copy], …]: the notation and the commands.
function commandLines(app, g) {
  const notation = app.store.notation(g);
  const named = { show: "Print it", export: "Write it as a file" };
  return [
    ...(notation ? [["Notation", notation]] : []),
    ...networkCommands(app, g).map(([name, command]) => [named[name], command]),
  ];
}

function commandNodes(lines) {
  return lines.map(([label, text]) =>
    element(
      "div",
      { className: "p-command" },
      element("div", { className: "p-label" }, element("span", {}, label), copyButtonFor(text, label)),
      element(
        "code",
        { className: label === "Notation" ? "" : "p-line", title: label === "Notation" ? "" : text },
        text,
      ),
    ),
  );
}

// A copy button whose name says what it copies.
export function copyButtonFor(text, label) {
  const button = copyButton(text);
  button.setAttribute("aria-label", `copy: ${label}`);
  return button;
}

function factLines(app, g) {
  const { store } = app;
  if (g < 0) {
    const published = store.published[-1 - g];
    return [
      ["family", published.family],
      ["source", published.source],
    ].filter(([, text]) => text);
  }
  const retry = store.retryOf?.(g);
  return [
    ["study", store.study(g).name],
    ["baseline", store.baseline(g)],
    ["started", startedText(store.started(g))],
    ["took", durationText(store.seconds(g))],
    ["retry of", retry != null ? `#${retry}` : ""],
  ].filter(([, text]) => text);
}

function factsTable(lines) {
  return element(
    "table",
    { className: "p-facts" },
    element("caption", {}, "About the trial"),
    element(
      "tbody",
      {},
      ...lines.map(([label, text]) =>
        element("tr", {}, element("th", { scope: "row" }, label), element("td", {}, text)),
      ),
    ),
  );
}

async function showDrawing(parts, app, g, ref) {
  const wanted = `${ref} ${app.store.notation(g)}`;
  if (parts.drawn === wanted) return;
  parts.drawn = wanted;
  const { drawing, fault } = await fetchedDrawing(app, g);
  if (parts.drawn !== wanted) return;
  if (fault) {
    parts.drawn = ""; // asked again with the next change, or by the button
    parts.drawing.clear(fault, () => updatePanel(parts, app));
  } else if (drawing) parts.drawing.show(drawing.rows, { name: app.store.name(g) });
  else {
    parts.drawing.clear(
      app.store.notation(g)
        ? "No drawing: the inside of this network is not known here."
        : "Its network was not chosen yet.",
    );
    if (app.store.state(g) === "running") parts.drawn = "";
  }
}

// The networks as a table, sorted by any column and linked to the plot: the way through the page by keyboard.
import { countOf, element, setText } from "./dom.js";
import { arrow, formatReading, unitOf } from "./format.js";
import { showStanding, standingOfNetwork } from "./standing.js";

const PAGE_OF_ROWS = 200,
  MOST_METRICS = 5;
const ORDER_OF_STANDING = ["front", "tied", "dominated", "unranked", "infeasible", "published", "filtered"];
const KEYS_OF_ROWS = ["sort", "filters", "hidden", "device", "show"],
  KEYS_OF_MARKS = ["selected", "a", "b"];

export function mountFrontTable(place, app) {
  const parts = tableParts(app);
  place.append(parts.card);
  app.on(({ data, keys }) => {
    if (data || KEYS_OF_ROWS.some((key) => keys.has(key))) updateTable(parts, app);
    else if (KEYS_OF_MARKS.some((key) => keys.has(key))) markRows(parts, app);
  });
  updateTable(parts, app);
}

function tableParts(app) {
  const button = (text, act) => element("button", { type: "button", className: "p-button", onclick: act }, text);
  const parts = { app, all: false, most: PAGE_OF_ROWS, rows: new Map(), order: [], structure: "" };
  parts.toggle = element("input", {
    type: "checkbox",
    onchange: () => {
      parts.all = parts.toggle.checked;
      parts.most = PAGE_OF_ROWS;
      updateTable(parts, app);
    },
  });
  parts.count = element("p", { className: "p-quiet" });
  parts.jump = button("Show the selected row", () => jumpToSelected(parts, app));
  parts.head = element("tr", {});
  parts.body = element("tbody", {});
  parts.more = button("Show more", () => {
    const first = parts.order[parts.most];
    parts.most += PAGE_OF_ROWS;
    updateTable(parts, app);
    parts.rows.get(first)?.name.focus({ preventScroll: true }); // the button may be gone
  });
  assembleTable(parts);
  listenToRows(parts, app);
  return parts;
}

function assembleTable(parts) {
  const table = element(
    "table",
    { className: "p-table" },
    element("caption", {}, "Networks, sortable by any column"),
    element("thead", {}, parts.head),
    parts.body,
  );
  parts.box = element(
    "div",
    { className: "p-scroll p-rows", tabIndex: 0, role: "region", "aria-label": "Table of networks" },
    table,
  );
  parts.card = element(
    "section",
    { className: "p-card", "aria-label": "Networks" },
    element(
      "div",
      { className: "p-head" },
      element("h2", {}, "The front and the baselines"),
      element("label", { className: "p-check" }, parts.toggle, "all networks shown"),
      parts.jump,
    ),
    parts.count,
    parts.box,
    parts.more,
  );
  parts.title = parts.card.querySelector("h2");
}

// Arrow keys walk the rows; hovering or focusing one rings its point in the plot.
function listenToRows(parts, app) {
  const rowAt = (target) => target.closest?.("tr[data-g]");
  const ring = (row) => app.hover?.(row ? Number(row.dataset.g) : null);
  parts.body.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key],
      row = rowAt(event.target);
    if (!step || !row) return;
    const next = step > 0 ? row.nextElementSibling : row.previousElementSibling;
    next?.querySelector("button")?.focus();
    event.preventDefault();
  });
  parts.body.addEventListener("mouseover", (event) => ring(rowAt(event.target)));
  parts.body.addEventListener("mouseleave", () => ring(null));
  parts.body.addEventListener("focusin", (event) => ring(rowAt(event.target)));
  parts.body.addEventListener("focusout", () => ring(null));
}

// Objectives first, then other metrics that have a value, at most five: eight columns fit.
function tableMetrics(app) {
  const { store } = app,
    shown = store.derived.shown;
  const known = store.metrics.filter((metric) => {
    const column = metric.goal ? store.column(metric.key) : null;
    return column && shown.some((g) => !Number.isNaN(column[g]));
  });
  const rank = (metric) => (metric.kind === "score" ? 2 : metric.key === "activations" ? 1 : 0);
  const goals = new Set(store.studies.flatMap((study) => study.objectives.map((objective) => objective.key)));
  return known
    .sort((one, two) => goals.has(two.key) - goals.has(one.key) || rank(one) - rank(two))
    .slice(0, MOST_METRICS);
}

function networksOfTable(parts, app) {
  const { derived } = app.store;
  return [...derived.shown].filter(
    (g) => parts.all || app.store.baseline(g) || ["front", "tied"].includes(derived.status(g)),
  );
}

function sortValue(app, g, key, standing) {
  if (key === "status") return ORDER_OF_STANDING.indexOf(standing);
  if (key === "network") return app.store.trial(g) ?? -1;
  if (key === "notation") return app.store.notation(g);
  return app.store.value(g, key);
}

function sortedNetworks(app, networks, metrics) {
  const { sort } = app.view.get();
  const key = sort?.key || metrics[0]?.key || "network";
  const desc = sort?.key ? sort.desc : metrics[0]?.goal === "maximize";
  const sign = desc ? -1 : 1;
  const keyed = networks.map((g) => [g, sortValue(app, g, key, app.store.derived.status(g))]);
  keyed.sort(([g, one], [h, two]) => {
    if (one === null || two === null) return (one === null) - (two === null) || g - h; // missing ones last, either way
    return sign * (typeof one === "string" ? one.localeCompare(two) : one - two) || g - h;
  });
  return { key, desc, order: keyed.map(([g]) => g) };
}

function updateTable(parts, app) {
  const metrics = tableMetrics(app),
    networks = networksOfTable(parts, app);
  const { key, desc, order } = sortedNetworks(app, networks, metrics);
  parts.order = order;
  setText(parts.title, parts.all ? "All networks shown" : "The front and the baselines");
  const away = app.store.derived.shown.length - order.length;
  const rows = order.slice(0, parts.most);
  setText(parts.count, countWords(order.length, rows.length, parts.all ? 0 : away));
  parts.more.hidden = order.length <= parts.most;
  parts.box.hidden = !order.length;
  showHeads(parts, app, metrics, key, desc);
  showRows(parts, app, metrics, rows);
  markRows(parts, app);
}

function countWords(all, drawn, away) {
  if (!all && !away) return "No network to show: none is measured yet, or the filters let none through.";
  const others = away ? `, ${away.toLocaleString("en-US")} others behind “all networks shown”` : "";
  const cut = all > drawn ? `${drawn} rows of ` : "";
  return `${cut}${countOf(all, "network")}${others}.`;
}

function showHeads(parts, app, metrics, key, desc) {
  const columns = [
    ["status", "status"],
    ["network", "network"],
    ...metrics.map((metric) => [
      metric.key,
      `${metric.label}${unitOf(metric) ? ` (${unitOf(metric).trim()})` : ""} ${arrow(metric)}`,
    ]),
    ["notation", "notation"],
  ];
  const structure = JSON.stringify(columns);
  if (parts.structure !== structure) {
    parts.structure = structure;
    parts.rows.clear();
    parts.head.replaceChildren(
      ...columns.map(([name, text]) =>
        element(
          "th",
          { scope: "col", className: metrics.some((metric) => metric.key === name) ? "number" : "", "data-key": name },
          element("button", { type: "button", onclick: () => sortBy(app, parts, name, metrics) }, text),
        ),
      ),
    );
  }
  for (const cell of parts.head.children) {
    cell.setAttribute("aria-sort", cell.dataset.key === key ? (desc ? "descending" : "ascending") : "none");
  }
}

// The better end first; the same column again turns the order round.
function sortBy(app, parts, name, metrics) {
  const cell = [...parts.head.children].find((one) => one.dataset.key === name);
  const now = cell.getAttribute("aria-sort");
  const desc =
    now === "none" ? metrics.some((metric) => metric.key === name && metric.goal === "maximize") : now === "ascending";
  app.view.set({ sort: { key: name, desc } });
  app.announce?.(`Sorted by ${cell.textContent}, ${desc ? "descending" : "ascending"}.`);
}

// Rows are kept by network: one that stays is moved and its changed cells are written; focus and scroll stay.
function showRows(parts, app, metrics, wanted) {
  const focused = parts.body.contains(document.activeElement) ? document.activeElement.closest("tr[data-g]") : null;
  const place = focused ? focused.sectionRowIndex : -1;
  const keep = new Set(wanted);
  for (const [g, row] of parts.rows) {
    if (!keep.has(g)) {
      row.node.remove();
      parts.rows.delete(g);
    }
  }
  let before = parts.body.firstElementChild;
  for (const g of wanted) {
    const row = parts.rows.get(g) ?? newRow(parts, app, g, metrics);
    fillRow(row, app, g, metrics);
    if (row.node === before) before = before.nextElementSibling;
    else parts.body.insertBefore(row.node, before);
  }
  for (const row of [...parts.body.children].slice(wanted.length)) row.remove();
  if (focused && !focused.contains(document.activeElement)) {
    const row = parts.rows.get(Number(focused.dataset.g)) ?? parts.rows.get(wanted[Math.min(place, wanted.length - 1)]);
    (row?.name ?? (wanted.length ? parts.box : parts.toggle)).focus({ preventScroll: true });
  }
}

function newRow(parts, app, g, metrics) {
  const row = {
    tag: element("span", {}),
    pins: element("span", { className: "p-pins" }),
    name: element("button", { type: "button", className: "p-link", onclick: () => app.select(g) }),
    readings: metrics.map(() => element("td", { className: "number" })),
    code: element("code", {}),
  };
  row.node = element(
    "tr",
    { "data-g": g },
    element("td", {}, row.tag),
    element("th", { scope: "row" }, row.name, row.pins),
    ...row.readings,
    element("td", { className: "p-notation" }, row.code),
  );
  parts.rows.set(g, row);
  return row;
}

function fillRow(row, app, g, metrics) {
  showStanding(row.tag, standingOfNetwork(app, g));
  setText(row.name, app.store.name(g));
  metrics.forEach((metric, place) =>
    setText(
      row.readings[place],
      formatReading(metric, app.store.value(g, metric.key), app.store.spread(g, metric.key)),
    ),
  );
  const notation = app.store.notation(g);
  setText(row.code, notation);
  if (row.code.title !== notation) row.code.title = notation;
}

function markRows(parts, app) {
  const { selected, a, b } = app.view.get();
  const [chosen, one, two] = [selected, a, b].map((ref) => app.find(ref));
  for (const [g, row] of parts.rows) {
    row.node.classList.toggle("p-chosen", g === chosen);
    row.name.setAttribute("aria-pressed", String(g === chosen));
    setText(row.pins, [g === one ? "A" : "", g === two ? "B" : ""].filter(Boolean).join(" "));
  }
  parts.jump.hidden = chosen === null || !parts.order.includes(chosen);
}

function jumpToSelected(parts, app) {
  const g = app.find(app.view.get().selected);
  const place = parts.order.indexOf(g);
  if (place < 0) return;
  if (place >= parts.most) {
    parts.most = Math.ceil((place + 1) / PAGE_OF_ROWS) * PAGE_OF_ROWS;
    updateTable(parts, app);
  }
  parts.rows.get(g).node.scrollIntoView({ block: "center" });
  parts.rows.get(g).name.focus({ preventScroll: true });
}

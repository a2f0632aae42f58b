// The network under the pointer or the keys: the nearest one, its words beside its mark.

import { element } from "./dom.js";
import { formatReading, unitOf } from "./format.js";
import { standingMeaning, standingOfNetwork } from "./standing.js";

const NEAR = 14; // px

/** The network within 14 px of a place on the screen; of equally near ones the one drawn on top. */
export function nearestTo({ place, app }, clientX, clientY) {
  const { frame, scene, words } = app.plot,
    box = place.getBoundingClientRect();
  const x = clientX - box.left,
    y = clientY - box.top;
  if (words || !scene || !frame.holds(x, y, 6)) return null;
  const { rows, xs, ys } = scene.placed,
    { derived } = app.store;
  let best = null,
    least = NEAR ** 2;
  for (let i = 0; i < rows.length; i++) {
    const away = (xs[i] - x) ** 2 + (ys[i] - y) ** 2;
    // a front member is what one aims at: it wins over a dominated one as near by 3 px
    if (away > least + 100 || !frame.holds(xs[i], ys[i], 1)) continue;
    const worth = derived.status(rows[i]) === "front" ? Math.max(0, Math.sqrt(away) - 3) ** 2 : away;
    if (worth <= least) [best, least] = [rows[i], worth];
  }
  return best;
}

/** Shows what a network is, beside its mark; null hides it. brief: for a finger, which covers what it points at. */
export function point(state, g, brief = false) {
  const { app, tip } = state;
  Object.assign(state, { shown: g, ref: app.ref(g), brief });
  app.hover(g);
  state.place.style.cursor = g === null ? "" : "pointer";
  tip.hidden = g === null;
  if (g === null) return;
  tip.replaceChildren(...(brief ? tipLines(app, g).slice(0, 1) : tipLines(app, g)));
  const { frame } = app.plot,
    { store } = app;
  const [x, y] = [frame.across(store.value(g, frame.axes[0].key)), frame.up(store.value(g, frame.axes[1].key))];
  const { offsetWidth: wide, offsetHeight: high } = tip,
    right = x + 16 + wide <= frame.size.width || x < frame.size.width / 2;
  const left = Math.max(4, Math.min(frame.size.width - wide - 4, right ? x + 16 : x - 16 - wide));
  const covers = left < x + 10 && left + wide > x - 10;
  const top = covers
    ? y > high + 20
      ? y - high - 16
      : y + 16
    : Math.max(4, Math.min(frame.size.height - high - 4, y - high / 2));
  Object.assign(tip.style, { left: `${left}px`, top: `${top}px` });
}

function tipLines(app, g) {
  const { store } = app;
  const head = element("p", { className: "x-tip-name" }, element("b", {}, store.name(g)), ` ${statusWords(app, g)}`);
  const rows = metricsOf(app, g).map(({ metric, text }) =>
    element(
      "tr",
      {},
      element("th", {}, metric.label),
      element("td", {}, text),
      element("td", { className: "x-tip-badge" }, g < 0 ? "published" : metric.badge),
    ),
  );
  const facts = [store.device(g), store.training(g), g < 0 ? store.published[-1 - g].source : ""].filter(Boolean);
  const notation = store.notation(g);
  return [
    head,
    element("table", {}, element("tbody", {}, rows)),
    ...facts.map((fact) => element("p", { className: "x-tip-fact" }, fact)),
    ...(notation ? [element("code", {}, notation)] : []),
  ];
}

/** A status in words, with the limits that are broken. */
function statusWords(app, g) {
  const over = app.store.over(g),
    standing = standingOfNetwork(app, g);
  if (standing === "infeasible" && over.length) return `infeasible: not ${over.join(", not ")}`;
  return { front: "on the front", tied: standingMeaning("tied"), dominated: "dominated" }[standing] ?? standingMeaning(standing);
}

/** The metrics a network has, with their readings as text; objectives first. */
export function metricsOf(app, g) {
  const { store } = app,
    own = new Map((store.study(g)?.metrics ?? []).map((metric) => [metric.key, metric])); // its study's badge and noise
  return store.metrics
    .filter((metric) => metric.key !== "trial")
    .map((metric) => own.get(metric.key) ?? metric)
    .flatMap((metric) => {
      const value = store.value(g, metric.key);
      return value === null
        ? []
        : [{ metric, value, text: formatReading(metric, value, store.spread(g, metric.key)) + unitOf(metric) }];
    });
}

/** What a screen reader hears of a network: "#12, on the front, top-1 61.3 ± 0.8 %, …". */
export function spokenName(app, g) {
  const goals = app.store.study(g)?.objectives.map((objective) => objective.key) ?? ["top1_pct", "flops", "params"];
  const readings = metricsOf(app, g)
    .filter(({ metric }) => goals.includes(metric.key))
    .map(({ metric, text }) => `${metric.label} ${text}`);
  return [app.store.name(g), statusWords(app, g), ...readings].join(", ");
}

// Pointing at the plot: hovering shows, a click or tap selects.

import { element } from "./dom.js";
import { frontKeys } from "./keys.js";
import { nearestTo, point } from "./tip.js";

/** Makes the plot answer to pointer and keys. */
export function mountHover(place, app) {
  const tip = element("div", { className: "x-tip", hidden: true, "aria-hidden": "true" });
  place.append(tip);
  const state = { place, app, tip, shown: null, ref: "", brief: false, down: null, last: null };
  place.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "touch") pointAt(state, event);
  });
  place.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "touch") point(state, null);
  });
  // plotly lays a sheet over the page at every press, so a click never reaches the plot: press and release do
  place.addEventListener(
    "pointerdown",
    (event) => {
      state.down = event.button === 0 ? pressOf(event) : null;
    },
    true,
  );
  window.addEventListener("pointerup", (event) => release(state, event), true);
  window.addEventListener(
    "pointercancel",
    () => {
      state.down = null;
    },
    true,
  );
  place.addEventListener("keydown", (event) => frontKeys(state, event));
  place.addEventListener("blur", () => point(state, null));
  app.on(({ data }) => {
    if (data && state.shown !== null) pointAgain(state);
  });
  return state;
}

/** Keeps to the network that is pointed at when rows come: its number, place and standing may be others now. */
function pointAgain(state) {
  const { app } = state,
    g = app.find(state.ref),
    shown = g !== null && (g < 0 || app.store.derived.shown.includes(g));
  point(state, shown ? g : null, state.brief);
}

function pressOf(event) {
  return {
    x: event.clientX,
    y: event.clientY,
    at: event.timeStamp,
    tool: Boolean(event.target.closest?.(".modebar-container, .x-empty")),
  };
}

function release(state, event) {
  const { down, app } = state;
  state.down = null;
  if (
    !down ||
    down.tool ||
    Math.hypot(event.clientX - down.x, event.clientY - down.y) > 4 ||
    event.timeStamp - down.at > 800
  )
    return;
  const { last } = state,
    selected = app.view.get().selected;
  state.last = { x: down.x, y: down.y, at: event.timeStamp, selected };
  if (last && event.timeStamp - last.at < 350 && Math.hypot(down.x - last.x, down.y - last.y) < 6) {
    state.last = null;
    app.view.set({ zoom: null, selected: last.selected }); // two clicks are no selection: they show everything again
    return;
  }
  const g = nearestTo(state, event.clientX, event.clientY);
  if (event.pointerType === "touch") point(state, g, true);
  if (g !== null) app.select(g);
}

function pointAt(state, event) {
  const g =
    state.down || event.target.closest?.(".modebar-container") ? null : nearestTo(state, event.clientX, event.clientY);
  if (g !== state.shown) point(state, g);
}

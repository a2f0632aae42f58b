// The plot by keys: arrows walk the front from left to right, Enter selects, A and B pin, Esc clears.

import { point, spokenName } from "./tip.js";

/** Answers a key pressed while the plot has the focus. */
export function frontKeys(state, event) {
  if (event.target !== state.place) return; // a button in the plot keeps its own keys
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const act = ACTIONS[event.key] ?? ACTIONS[event.key.toLowerCase()];
  if (!act || act(state) === false) return;
  event.preventDefault();
  event.stopPropagation();
}

const step = (by) => (state) => walkFront(state, by);
const ACTIONS = {
  ArrowRight: step(1),
  ArrowUp: step(1),
  ArrowLeft: step(-1),
  ArrowDown: step(-1),
  Home: step(-Infinity),
  End: step(Infinity),
  Enter: (state) => chosen(state, (app, g) => app.select(g)),
  " ": (state) => chosen(state, (app, g) => app.select(g)),
  a: (state) => chosen(state, (app, g) => app.pin("a", g)),
  b: (state) => chosen(state, (app, g) => app.pin("b", g)),
  Escape: (state) => escapeKey(state),
};

function walkFront(state, by) {
  const { app } = state,
    walk = app.store.derived.walk;
  if (!walk.length) {
    app.announce("There is no front on these axes.");
    return;
  }
  const from = state.shown ?? app.find(app.view.get().selected),
    here = from === null ? -1 : walk.indexOf(from);
  const wanted = here < 0 ? (by > 0 ? 0 : walk.length - 1) : here + by;
  const g = walk[Math.max(0, Math.min(walk.length - 1, wanted))];
  point(state, g);
  app.announce(spokenName(app, g));
}

function chosen(state, act) {
  const { app } = state,
    g = state.shown ?? app.find(app.view.get().selected);
  if (g === null) return false;
  act(app, g);
  return true;
}

/** Esc hides the words first, then the selection. */
function escapeKey(state) {
  if (state.shown !== null) point(state, null);
  else state.app.view.set({ selected: "" });
}

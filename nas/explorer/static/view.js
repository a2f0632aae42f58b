// What the reader chose: axes, filters, selection. It lives here and in the address, so that a link shows the same.

import { readHash, writeHash } from "./permalink.js";

export const SHOWN = { infeasible: true, published: false, spread: true, knee: true, names: true };

/** A view in which nothing was chosen yet; x and y "" mean the study's own. */
export function emptyView() {
  return {
    x: "",
    y: "",
    colour: "",
    logx: null,
    logy: null,
    zoom: null,
    filters: {},
    hidden: [],
    device: "",
    show: { ...SHOWN },
    selected: "",
    a: "",
    b: "",
    sort: { key: "", desc: false },
    axes: [],
    goal: null,
    paused: false,
  };
}

/** (x, y) to begin with: accuracy (else a score, else the first objective) over FLOPs, else over what else there is
 * and differs among the networks. */
export function defaultAxes(store) {
  const known = (key) => store.column(key)?.some((value, g) => g < store.n && !Number.isNaN(value));
  const goals = store.studies.flatMap((study) => study.objectives.map((objective) => objective.key));
  const rest = ["train_images_per_s", "infer_images_per_s", "latency_ms", ...store.metrics.map(({ key }) => key)];
  const y = ["top1_pct", "rank_score", ...goals, ...rest].find(known) ?? goals[0] ?? "top1_pct";
  const differs = (key) => new Set(store.column(key)?.filter((value, g) => g < store.n && !Number.isNaN(value))).size > 1;
  const across = ["flops", "train_images_per_s", "params", ...goals, ...rest].filter((key) => key !== y && known(key));
  const x = across.find(differs) ?? across[0];
  return { x: x ?? goals.find((key) => key !== y) ?? "flops", y };
}

export class View {
  constructor(store, notify) {
    Object.assign(this, { store, notify, state: emptyView(), timer: 0, written: "" });
  }

  /** The view as it holds; x and y are never empty. */
  get() {
    if (this.state.x && this.state.y) return this.state;
    return { ...this.state, ...this.axes() };
  }

  axes() {
    if (this.basis !== this.store.revision || !this.known)
      [this.basis, this.known] = [this.store.revision, defaultAxes(this.store)];
    const { x, y } = this.state;
    return { x: x || this.known.x, y: y || this.known.y };
  }

  /** Merges changes; axes that change forget their scale and the zoom. */
  set(changes) {
    const before = this.get(),
      next = { ...this.state, ...changes };
    if (changes.show) next.show = { ...this.state.show, ...changes.show };
    const axis = ["x", "y"].filter((key) => key in changes && changes[key] !== before[key]);
    for (const key of axis) if (!(`log${key}` in changes)) next[`log${key}`] = null;
    const scale = ["logx", "logy"].some((key) => key in changes && changes[key] !== before[key]);
    if ((axis.length || scale) && !("zoom" in changes)) next.zoom = null;
    if (changes.zoom) Object.assign(next, { x: next.x || before.x, y: next.y || before.y }); // a zoom is one of these axes
    const keys = Object.keys(next).filter((key) => JSON.stringify(next[key]) !== JSON.stringify(this.state[key]));
    if (!keys.length) return;
    this.state = next;
    this.remember();
    this.notify({ data: false, keys });
  }

  /** Forgets the study's own axes, for rows that came. */
  refresh() {
    this.known = null;
  }

  /** The view as a fragment, to be put behind the page's address. */
  hash() {
    return writeHash(this.state, this.store);
  }

  remember() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.write(), 150); // browsers refuse to be told of every pixel of a slider
  }

  write() {
    const hash = this.hash();
    if (hash === this.written) return;
    this.written = hash;
    try {
      history.replaceState(history.state, "", hash ? `#${hash}` : location.pathname + location.search);
    } catch {
      location.hash = hash; // a page from a file, in a browser that allows nothing else
    }
  }

  /** Takes the view from the address; what could not be read, in words, or "". An anchor of the page is none. */
  restore() {
    const text = location.hash.slice(1);
    if (text && !text.includes("=")) {
      this.written = text;
      if (this.hash()) this.remember(); // a section was gone to: the link goes on saying the view
      return "";
    }
    if (text === this.written) return "";
    const { view, ignored } = readHash(text, this.store),
      next = { ...emptyView(), ...view, paused: this.state.paused };
    this.written = text;
    const keys = Object.keys(next).filter((key) => JSON.stringify(next[key]) !== JSON.stringify(this.state[key]));
    this.state = next;
    if (keys.length) this.notify({ data: false, keys });
    return ignored.length ? `Parts of the link were not understood and left out: ${ignored.join(", ")}.` : "";
  }
}

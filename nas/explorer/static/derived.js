// What follows from the rows and the view: which networks are shown, where each stands, the front of the axes shown.
// Computed when asked for, kept until data or view change.

import {
  DOMINATED,
  FRONT,
  TIED,
  UNRANKED,
  frontMembers,
  kneeOf,
  orientedRows,
  spreadRows,
  standingOf,
} from "./front.js";

const WORDS = ["unranked", "front", "tied", "dominated", "infeasible"];
const INFEASIBLE = 4;
const ROW_KEYS = ["filters", "hidden", "device", "show"],
  AXIS_KEYS = ["x", "y", "logx", "logy"];

export class Derived {
  constructor(store, view) {
    Object.assign(this, { store, view, cache: new Map() });
  }

  invalidate({ data, keys }) {
    if (data) this.cache.delete("counts");
    const changed = data && this.revision !== this.store.revision; // a trial that runs or failed is no network
    this.revision = this.store.revision;
    if (changed || ROW_KEYS.some((key) => keys.has(key))) this.cache.clear();
    else if (AXIS_KEYS.some((key) => keys.has(key))) for (const name of ["lines", "knees"]) this.cache.delete(name);
  }

  once(name, compute) {
    if (!this.cache.has(name)) this.cache.set(name, compute());
    return this.cache.get(name);
  }

  /** Distinct networks: measured or over a limit, each once. */
  get networks() {
    return this.once("networks", () => {
      const { store } = this,
        state = store.facts.get("state"),
        repeat = store.facts.get("repeat"),
        found = [];
      for (let g = 0; g < store.n; g++) if (state[g] <= 1 && !repeat[g]) found.push(g);
      return Int32Array.from(found);
    });
  }

  get total() {
    return this.networks.length;
  }

  /** The networks that pass the filters. */
  get shown() {
    return this.once("shown", () => this.networks.filter(this.test()));
  }

  /** A function that says whether a network passes the filters. One that lacks the value fails. */
  test() {
    const { store } = this,
      { filters, hidden, device, show } = this.view.get();
    const study = store.facts.get("study"),
      devices = store.facts.get("device"),
      wanted = store.names.list.indexOf(device);
    const away = new Set(hidden.map((key) => store.studies.find((one) => one.key === key)?.number));
    const bounds = Object.entries(filters).map(([key, [low, high]]) => [
      store.column(key),
      low ?? -Infinity,
      high ?? Infinity,
    ]);
    return (g) => {
      if (away.size && away.has(study[g])) return false;
      if (device && devices[g] >= 0 && devices[g] !== wanted) return false;
      if (!show.infeasible && this.isInfeasible(g)) return false;
      return bounds.every(([column, low, high]) => column && column[g] >= low && column[g] <= high);
    };
  }

  isInfeasible(g) {
    return this.store.facts.get("state")[g] === 1 || this.store.sparse.over.has(g);
  }

  /** Rows that may be compared in these metrics: Map from a text to their numbers. */
  groups(rows, keysOf) {
    const { store } = this,
      study = store.facts.get("study"),
      found = new Map();
    const device = store.facts.get("device"),
      training = store.facts.get("training");
    const rules = store.studies.map((one) => {
      const keys = keysOf(one);
      return [keys.some((key) => store.timed.has(key)), keys.some((key) => store.trained.has(key))];
    });
    for (const g of rows) {
      const [timed, trained] = rules[study[g]];
      const name = `${study[g]}/${timed ? device[g] : ""}/${trained ? training[g] : ""}`;
      if (!found.has(name)) found.set(name, []);
      found.get(name).push(g);
    }
    return found;
  }

  get standings() {
    return this.once("standings", () => {
      const { store } = this,
        code = new Uint8Array(store.n),
        feasible = [];
      for (const g of this.shown) {
        if (this.isInfeasible(g)) code[g] = INFEASIBLE;
        else feasible.push(g);
      }
      const goals = (study) => study.objectives.map((objective) => objective.key);
      for (const group of this.groups(feasible, goals).values()) this.rank(group, code);
      return code;
    });
  }

  /** How many networks are on the front or tied with it. */
  get ranked() {
    return this.once("ranked", () =>
      this.standings.reduce((sum, code) => sum + (code === FRONT || code === TIED ? 1 : 0), 0),
    );
  }

  rank(group, code) {
    const { store } = this,
      { objectives } = store.study(group[0]);
    const columns = objectives.map(({ key }) => store.column(key));
    if (!columns.length || columns.includes(null)) return;
    const spreads = spreadRows(
      objectives.map(({ key }) => store.spreadColumn(key)),
      group,
    );
    const standing = standingOf(
      orientedRows(
        columns,
        objectives.map(({ goal }) => goal),
        group,
      ),
      spreads,
      columns.length,
    );
    group.forEach((g, i) => {
      code[g] = standing[i];
    });
  }

  /** "front", "tied", "dominated", "unranked" (lacks an objective) or "infeasible", among the networks shown. */
  status(g) {
    if (g < 0) return "published";
    return WORDS[this.standings[g] ?? UNRANKED];
  }

  /** The fronts of the two metrics shown, one for each group that may share one: [{group, label, points: [[x, y, g]]}]. */
  get lines() {
    return this.once("lines", () => {
      const { store } = this,
        { x, y } = this.view.get(),
        goals = [x, y].map((key) => this.goal(key));
      const columns = [x, y].map((key) => store.column(key));
      if (x === y || goals.includes(null) || columns.includes(null)) return [];
      const feasible = [...this.shown].filter(
        (g) => !this.isInfeasible(g) && columns.every((column) => !Number.isNaN(column[g])),
      );
      const groups = [...this.groups(feasible, () => [x, y])],
        labels = this.groupLabels(groups);
      return groups.map(([group, rows], place) => {
        const members = frontMembers(orientedRows(columns, goals, rows), 2).map((i) => rows[i]);
        const points = members.map((g) => [columns[0][g], columns[1][g], g]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
        return { group, label: labels[place], points };
      });
    });
  }

  /** What tells the groups apart: the study, else the device, else the training, as few as do it. */
  groupLabels(groups) {
    const { store } = this,
      first = groups.map(([, rows]) => rows[0]);
    const facts = [(g) => store.study(g).label, (g) => store.device(g), (g) => store.training(g)],
      used = [];
    const label = (g) =>
      used
        .map((fact) => fact(g))
        .filter(Boolean)
        .join(", ");
    for (const fact of facts) {
      if (new Set(first.map(label)).size === first.length) break;
      if (new Set(first.map(fact)).size > 1) used.push(fact);
    }
    return first.map(label);
  }

  goal(key) {
    return this.store.metric(key).goal ?? null;
  }

  /** The knee of each line: the member farthest on the better side of the straight line between its ends. */
  get knees() {
    return this.once("knees", () => {
      const { logx, logy } = this.axisLogs(),
        { x: keyX, y: keyY } = this.view.get(),
        [sx, sy] = [keyX, keyY].map((key) => (this.goal(key) === "maximize" ? -1 : 1));
      return this.lines.flatMap(({ group, points }) => {
        const scaled = points.map(([x, y]) => [sx * (logx ? Math.log(x) : x), sy * (logy ? Math.log(y) : y)]);
        const place = kneeOf(scaled);
        return place < 0 ? [] : [{ group, g: points[place][2] }];
      });
    });
  }

  axisLogs() {
    return { logx: this.isLog("x"), logy: this.isLog("y") };
  }

  /** Whether this axis ("x" or "y") is logarithmic: as the view says, else by the range of what is shown. */
  isLog(axis) {
    const view = this.view.get(),
      key = view[axis],
      [low, high] = this.extent(key);
    if (!(low > 0)) return false;
    return view[`log${axis}`] ?? (["count", "rate"].includes(this.store.metric(key).style) && high >= 3 * low);
  }

  /** The smallest and largest value of a metric among the networks shown; NaN where there is none. */
  extent(key) {
    return this.once(`extent ${key}`, () => extentOf(this.store.column(key), this.shown));
  }

  /** The same over all networks, whatever the filters. */
  extentOfAll(key) {
    return this.once(`extent of all ${key}`, () => extentOf(this.store.column(key), this.networks));
  }

  get counts() {
    return this.once("counts", () => {
      const { store } = this,
        state = store.facts.get("state"),
        found = [0, 0, 0, 0];
      for (let g = 0; g < store.n; g++) found[state[g]]++;
      return { complete: found[0], infeasible: found[1], failed: found[2], running: found[3] };
    });
  }

  /** Front members of the lines shown, the leftmost first: what the arrow keys walk. */
  get walk() {
    return this.lines
      .flatMap((line) => line.points)
      .sort((a, b) => a[0] - b[0])
      .map((point) => point[2]);
  }
}

function extentOf(column, rows) {
  let low = Infinity,
    high = -Infinity;
  for (let i = 0; column && i < rows.length; i++) {
    const value = column[rows[i]];
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : [NaN, NaN];
}

/** The code of a status, for drawing without words. */
export const STATUS_CODE = {
  unranked: UNRANKED,
  front: FRONT,
  tied: TIED,
  dominated: DOMINATED,
  infeasible: INFEASIBLE,
};

// The rows of all studies in columns, by a global row number g that a row keeps until the page loads anew. A negative g
// is a published network: -1 the first.

import { ColumnSet, Names } from "./columns.js";

const STATES = ["complete", "infeasible", "failed", "running"];
const EXTRA = [
  { key: "resolution", label: "resolution", unit: "px", meaning: "pixels along a side of the input image" },
  { key: "trial", label: "trial", unit: "", meaning: "the number of the trial: the order of the search" },
  { key: "seconds", label: "seconds", unit: "s", meaning: "how long the trial took" },
].map((metric) => ({ goal: null, kind: "computed", style: "plain", badge: "", noise: "", conditions: "", ...metric }));
const SPARSE = ["baseline", "reason", "over", "retry_of"];

export class Store {
  constructor(page) {
    this.load(page);
  }

  /** Forgets everything and takes this page document. */
  load(page) {
    Object.assign(this, { n: 0, version: page.version ?? "", made: page.made ?? "", published: page.published ?? [] });
    this.revision = (this.revision ?? 0) + 1; // changes with the networks: measured ones and those over a limit
    this.publishedNote = page.published_note ?? "";
    this.numbers = new ColumnSet(); // values
    this.noise = new ColumnSet(); // spreads
    this.facts = new ColumnSet(); // state, trial, device, training, started, seconds, study, row, repeat
    this.names = new Names();
    this.sparse = Object.fromEntries(SPARSE.map((name) => [name, new Map()]));
    this.notations = new Map(); // of rows that came by a patch
    this.studies = [];
    for (const study of page.studies ?? []) this.addStudy(study);
    this.finish();
  }

  addStudy(document) {
    const { rows, ...head } = document;
    const study = { ...head, number: this.studies.length, globals: [], tokens: rows.notation };
    this.studies.push(study);
    this.put(
      study,
      Array.from({ length: rows.n }, (_, i) => i),
      rows,
    );
  }

  /** Puts rows of one study in place: `at` their row numbers, `rows` columns of the same length. */
  put(study, at, rows) {
    const places = at.map((row) => this.place(study, row));
    if (this.readFromNotation) this.numbers.columns.delete("resolution"); // to be read again when asked for
    this.readFromNotation = false;
    for (const key of Object.keys(rows.values ?? {})) this.fill(this.numbers.of(key), places, rows.values[key]);
    for (const key of Object.keys(rows.spreads ?? {})) this.fill(this.noise.of(key), places, rows.spreads[key]);
    for (const key of ["trial", "state", "started", "seconds"]) this.fill(this.facts.of(key), places, rows[key]);
    this.fill(
      this.facts.of("device"),
      places,
      rows.device?.map((i) => this.nameNumber(study.devices?.[i])),
    );
    this.fill(
      this.facts.of("training"),
      places,
      rows.training?.map((i) => this.nameNumber(study.trainings?.[i])),
    );
    const repeats = new Set(rows.repeat ?? []),
      repeat = this.facts.of("repeat").values;
    at.forEach((row, i) => {
      repeat[places[i]] = repeats.has(row) ? 1 : 0;
      for (const name of SPARSE) {
        const found = rows[name]?.[row];
        if (found === undefined) this.sparse[name].delete(places[i]);
        else this.sparse[name].set(places[i], found);
      }
      if (rows.notation?.plain) this.notations.set(places[i], rows.notation.plain[i]);
    });
    return places;
  }

  nameNumber(text) {
    return text ? this.names.number(text) : -1;
  }

  fill(column, places, values) {
    if (values) places.forEach((g, i) => column.put(g, values[i]));
  }

  place(study, row) {
    if (study.globals[row] !== undefined) return study.globals[row];
    const g = this.n++;
    for (const set of [this.numbers, this.noise, this.facts]) set.reach(this.n);
    study.globals[row] = g;
    this.facts.of("study").put(g, study.number);
    this.facts.of("row").put(g, row);
    return g;
  }

  /** Takes a patch of the server; the rows that are new or changed, as global numbers. */
  apply(patch) {
    const touched = [];
    for (const part of patch.studies ?? []) {
      const study = this.studies.find((one) => one.key === part.key);
      if (!study) continue;
      if (part.head) Object.assign(study, part.head);
      if (!part.at?.length) continue;
      // a row that lost a value would keep it: a patch says every column of its rows
      for (const set of [this.numbers, this.noise]) {
        for (const column of set.columns.values())
          part.at.forEach((row) => study.globals[row] !== undefined && column.put(study.globals[row], NaN));
      }
      const known = part.at.some((row) => this.facts.get("state")?.[study.globals[row]] <= 1);
      touched.push(...this.put(study, part.at, part.rows));
      if (known || part.rows.state.some((state) => state <= 1)) this.revision++;
    }
    this.version = patch.version ?? this.version;
    this.finish();
    return touched;
  }

  finish() {
    this.refs = null;
    const twice = (name) => this.studies.filter((study) => study.name === name).length > 1;
    for (const study of this.studies)
      study.label = twice(study.name) ? `${study.name} (${study.source || study.key})` : study.name;
    const union = new Map();
    for (const study of this.studies)
      for (const metric of study.metrics ?? []) if (!union.has(metric.key)) union.set(metric.key, metric);
    for (const metric of EXTRA) if (!union.has(metric.key)) union.set(metric.key, metric);
    this.byKey = union;
    this.metrics = [...union.values()];
    this.timed = new Set(this.studies.flatMap((study) => study.timed ?? []));
    this.trained = new Set(this.studies.flatMap((study) => study.trained ?? []));
  }

  metric(key) {
    return this.byKey.get(key) ?? { ...EXTRA[1], key, label: key, meaning: "" };
  }

  /** All values of a metric by g, NaN where missing; null where no row has any. Longer than n. */
  column(key) {
    if (key === "trial" || key === "seconds") return this.facts.get(key);
    if (key === "resolution" && !this.numbers.get(key)) this.readResolutions();
    return this.numbers.get(key);
  }

  spreadColumn(key) {
    return this.noise.get(key);
  }

  readResolutions() {
    const column = this.numbers.of("resolution");
    this.readFromNotation = true;
    for (let g = 0; g < this.n; g++) column.put(g, Number(/^r(\d+)/.exec(this.notation(g))?.[1] ?? NaN));
  }

  value(g, key) {
    if (g < 0) return this.published[-1 - g]?.[key] ?? null;
    const value = this.column(key)?.[g];
    return value === undefined || Number.isNaN(value) ? null : value;
  }

  spread(g, key) {
    return (g >= 0 && this.noise.get(key)?.[g]) || 0;
  }

  fact(g, key) {
    const value = g < 0 ? NaN : this.facts.get(key)?.[g];
    return value === undefined || Number.isNaN(value) ? null : value;
  }

  study(g) {
    return g < 0 ? null : this.studies[this.facts.get("study")[g]];
  }

  /** The row number of g within its study, by which the server knows it. */
  row(g) {
    return this.fact(g, "row");
  }

  state(g) {
    return g < 0 ? "published" : STATES[this.fact(g, "state") ?? 3];
  }

  trial(g) {
    return this.fact(g, "trial");
  }

  started(g) {
    return this.fact(g, "started");
  }

  seconds(g) {
    return this.fact(g, "seconds");
  }

  device(g) {
    return this.names.list[this.fact(g, "device") ?? -1] ?? "";
  }

  training(g) {
    return this.names.list[this.fact(g, "training") ?? -1] ?? "";
  }

  baseline(g) {
    return g < 0 ? "" : (this.sparse.baseline.get(g) ?? "");
  }

  reason(g) {
    return this.sparse.reason.get(g) ?? "";
  }

  over(g) {
    return this.sparse.over.get(g) ?? [];
  }

  repeat(g) {
    return this.fact(g, "repeat") === 1;
  }

  retryOf(g) {
    return this.sparse.retry_of.get(g) ?? null;
  }

  notation(g) {
    if (g < 0) return this.published[-1 - g]?.notation ?? "";
    if (this.notations.has(g)) return this.notations.get(g);
    const { tokens, index } = this.study(g).tokens,
      row = this.row(g);
    return tokens
      .map((choices, place) => choices[index[place][row]] ?? "")
      .filter(Boolean)
      .join(" ");
  }

  /** "#12", "efficientnet-b4 (#0)"; its study before it where several are shown. */
  name(g) {
    if (g < 0) return this.published[-1 - g]?.name ?? "";
    const trial = this.trial(g),
      number = trial === null ? "" : `#${trial}`,
      baseline = this.baseline(g);
    const own = baseline ? baseline + (number && ` (${number})`) : number || this.notation(g).slice(0, 24);
    return this.studies.length > 1 ? `${this.study(g).label}: ${own}` : own;
  }

  /** How a permalink calls a network. */
  ref(g) {
    if (g === null || g === undefined) return "";
    if (g < 0) return `published:${this.name(g)}`;
    const trial = this.trial(g),
      study = studyRef(this, this.study(g)),
      baseline = this.baseline(g);
    return trial !== null ? `${study}:${trial}` : `${study}:=${baseline || this.notation(g)}`;
  }

  /** The network a ref means; null where there is none (yet). */
  find(ref) {
    if (!ref) return null;
    if (ref.startsWith("published:")) {
      const place = this.published.findIndex((one) => one.name === ref.slice(10));
      if (place >= 0) return -1 - place;
    }
    if (!this.refs) {
      this.refs = new Map();
      for (let g = this.n - 1; g >= 0; g--) this.refs.set(this.ref(g), g);
    }
    return this.refs.get(ref) ?? null;
  }
}

/** How a permalink calls a study: the first of its name by the name alone, so that links hold when another one appears. */
export function studyRef(store, { name, key }) {
  return store.studies.find((one) => one.name === name).key === key ? name : `${name}@${key}`;
}

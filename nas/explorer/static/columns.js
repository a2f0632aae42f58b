// Columns that grow: numbers with NaN for what is missing, and the names of devices and trainings as small integers.

/** Numbers by global row number, NaN where nothing is known. */
export class NumberColumn {
  constructor(capacity) {
    this.values = new Float64Array(capacity).fill(NaN);
  }

  grow(capacity) {
    const larger = new Float64Array(capacity).fill(NaN);
    larger.set(this.values);
    this.values = larger;
  }

  put(g, value) {
    this.values[g] = value === null || value === undefined ? NaN : value;
  }
}

/** Columns by key, all of one length; one that is asked for and absent is made. */
export class ColumnSet {
  constructor() {
    this.capacity = 64;
    this.columns = new Map();
  }

  of(key) {
    if (!this.columns.has(key)) this.columns.set(key, new NumberColumn(this.capacity));
    return this.columns.get(key);
  }

  reach(n) {
    if (n <= this.capacity) return;
    while (this.capacity < n) this.capacity *= 2;
    for (const column of this.columns.values()) column.grow(this.capacity);
  }

  get(key) {
    return this.columns.get(key)?.values ?? null;
  }
}

/** Texts as numbers, in the order in which they came. */
export class Names {
  constructor() {
    this.list = [];
    this.index = new Map();
  }

  number(text) {
    if (!this.index.has(text)) {
      this.index.set(text, this.list.length);
      this.list.push(text);
    }
    return this.index.get(text);
  }
}

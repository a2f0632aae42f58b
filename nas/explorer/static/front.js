// Who beats whom: the semantics of nas/pareto.py. Inside, everything is to be minimized: rows hold the values with the
// maximized ones negated, `m` numbers a point, NaN where a value is missing.

export const UNRANKED = 0,
  FRONT = 1,
  TIED = 2,
  DOMINATED = 3;

/** Points as rows to be minimized. columns, goals: one an objective; order: which points; NaN stays NaN. */
export function orientedRows(columns, goals, order) {
  const m = columns.length,
    rows = new Float64Array(order.length * m);
  for (let j = 0; j < m; j++) {
    const column = columns[j],
      sign = goals[j] === "minimize" ? 1 : -1;
    for (let i = 0; i < order.length; i++) rows[i * m + j] = sign * column[order[i]];
  }
  return rows;
}

/** Spreads as rows; a missing one is 0, its sign is dropped. */
export function spreadRows(columns, order) {
  const m = columns.length,
    rows = new Float64Array(order.length * m);
  for (let j = 0; j < m; j++) {
    const column = columns[j];
    for (let i = 0; column && i < order.length; i++) rows[i * m + j] = Math.abs(column[order[i]]) || 0;
  }
  return rows;
}

/** Whether point a is worse than b beyond noise in no objective and better beyond noise in at least one. */
export function beatsBeyondNoise(rows, spreads, m, a, b) {
  let better = false;
  for (let j = 0; j < m; j++) {
    const worse = rows[a * m + j] - rows[b * m + j],
      noise = Math.max(spreads[a * m + j], spreads[b * m + j]);
    if (!(worse <= noise)) return false;
    if (worse < -noise) better = true;
  }
  return better;
}

function completePoints(rows, m) {
  const found = [];
  for (let i = 0; i * m < rows.length; i++) {
    let finite = true;
    for (let j = 0; j < m; j++) if (!Number.isFinite(rows[i * m + j])) finite = false;
    if (finite) found.push(i);
  }
  return found;
}

/** The points no other dominates at face value; equal ones stand together. In lexicographic order no point is dominated
    by a later one, so each meets the members so far only. */
export function frontMembers(rows, m) {
  const order = m ? completePoints(rows, m) : [];
  order.sort((a, b) => {
    for (let j = 0; j < m; j++) {
      const gap = rows[a * m + j] - rows[b * m + j];
      if (gap) return gap;
    }
    return a - b;
  });
  return m === 2
    ? staircase(rows, order)
    : order.reduce((members, point) => {
        if (!isCovered(rows, m, members, point)) members.push(point);
        return members;
      }, []);
}

function staircase(rows, order) {
  const members = [];
  let x = NaN,
    y = Infinity;
  for (const point of order) {
    const nextX = rows[2 * point],
      nextY = rows[2 * point + 1];
    if (nextY < y || (nextX === x && nextY === y)) {
      members.push(point);
      [x, y] = [nextX, nextY];
    }
  }
  return members;
}

function isCovered(rows, m, members, point) {
  const at = point * m;
  for (let k = members.length - 1; k >= 0; k--) {
    const other = members[k] * m;
    let j = 0,
      better = false;
    for (; j < m; j++) {
      const gap = rows[other + j] - rows[at + j];
      if (gap > 0) break;
      if (gap < 0) better = true;
    }
    if (j === m && better) return true;
  }
  return false;
}

/** The standing of every point: UNRANKED (a value is missing), FRONT, TIED (not dominated at face value, but another
    beats it beyond noise), DOMINATED. */
export function standingOf(rows, spreads, m) {
  const n = m ? rows.length / m : 0,
    standing = new Uint8Array(n),
    complete = m ? completePoints(rows, m) : [];
  for (const point of complete) standing[point] = DOMINATED;
  const noisy = spreads.some((spread) => spread > 0);
  for (const point of frontMembers(rows, m)) {
    const beaten = noisy && complete.some((other) => beatsBeyondNoise(rows, spreads, m, other, point));
    standing[point] = beaten ? TIED : FRONT;
  }
  return standing;
}

/** The place in `points` [[x, y], …] of a front farthest on the better side of the straight line between its ends, both
    axes scaled to [0, 1] and to be small; -1 with fewer than three, or where none lies on that side. */
export function kneeOf(points) {
  if (points.length < 3) return -1;
  const [u, v] = [0, 1].map((axis) => {
    const values = points.map((point) => point[axis]),
      low = Math.min(...values),
      span = Math.max(...values) - low || 1;
    return values.map((value) => (value - low) / span);
  });
  let best = -1,
    farthest = 1e-9;
  for (let i = 1; i < points.length - 1; i++) {
    const away = 1 - u[i] - v[i]; // the ends of a front lie at (0, 1) and (1, 0)
    if (away > farthest) [best, farthest] = [i, away];
  }
  return best;
}

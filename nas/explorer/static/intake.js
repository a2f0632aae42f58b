// Patches of the server, taken one after another and no faster than the page can draw them: a search shares its processor
// with the page. What came meanwhile is asked for at once, as one patch.

import { getJson } from "./data.js";

const REST = 8, // an update that took d ms of the page is followed by a rest of 8 d …
  LONGEST_REST = 1000, // … but no longer than this, ms
  ASK_AGAIN = 1000,
  FINISHED = 2; // states up to it are those of trials that ended

/** What has been told and not taken yet. `told` is called after each change of it, `took` after rows were taken. */
export function createIntake(app, { told, took, failed }) {
  return { app, told, took, failed, only: null, behind: false, reload: false, busy: false, rest: 0, fresh: new Set() };
}

/** Takes a patch now or, where the page is paused, busy or at rest, as soon as it may. */
export function receivePatch(intake, patch) {
  const { app } = intake;
  if (isOld(patch, app.store.version)) return;
  intake.only = intake.behind || !follows(patch, app.store.version) ? null : patch;
  intake.behind = true;
  intake.reload ||= Boolean(patch.reload);
  if (app.view.get().paused) countFresh(intake, patch);
  intake.told();
  drainIntake(intake);
}

/** Takes what waits, one thing at a time. */
export async function drainIntake(intake) {
  if (intake.busy) return;
  intake.busy = true;
  while (intake.behind && !intake.app.view.get().paused) {
    const took = await takeWaiting(intake);
    await new Promise((done) => setTimeout(done, took === null ? ASK_AGAIN : Math.min(LONGEST_REST, REST * took)));
  }
  intake.busy = false;
}

/** Takes all that waits; the ms of the page that it took, null where the server did not answer. */
async function takeWaiting(intake) {
  const { app, only } = intake;
  if (only && isOld(only, app.store.version)) return forgetWaiting(intake); // an answer was faster
  try {
    if (!only || intake.reload || !follows(only, app.store.version)) await fetchWaiting(intake);
    else {
      Object.assign(intake, { behind: false, only: null });
      return await applied(intake, () => app.store.apply(only), only);
    }
  } catch (error) {
    intake.failed(error);
    return null; // still behind: asked again after a while
  }
  const { page, patch } = intake.answer;
  intake.answer = null;
  return applied(intake, () => (page ? app.store.load(page) : app.store.apply(patch)), page ?? patch);
}

function forgetWaiting(intake) {
  Object.assign(intake, { behind: false, only: null, reload: false });
  return 0;
}

/** Asks once for all that came since the version that the page shows; the whole page where rows cannot be patched. */
async function fetchWaiting(intake) {
  const { app } = intake,
    before = { behind: false, only: null, reload: false };
  let reload = intake.reload,
    patch = null;
  Object.assign(intake, before); // what comes while the answer is on its way counts as new
  try {
    if (!reload) {
      patch = await getJson(`api/changes?since=${encodeURIComponent(app.store.version)}`);
      reload = patch.reload;
    }
    intake.answer = reload ? { page: await getJson("api/studies") } : { patch };
  } catch (error) {
    Object.assign(intake, { behind: true, only: null, reload: intake.reload || Boolean(reload) });
    throw error;
  }
  if (reload) app.source.forget();
}

/** Changes the data and waits until the page has drawn them; how long that kept it, in ms. */
async function applied(intake, change, what) {
  const { app } = intake;
  intake.fresh.clear();
  if (!what.studies?.length && what.schema === undefined) {
    app.store.version = what.version ?? app.store.version;
    return 0;
  }
  let begun = performance.now();
  change();
  const read = performance.now() - begun;
  requestAnimationFrame(() => (begun = performance.now()));
  begun = NaN;
  app.changed();
  intake.took();
  await Promise.race([drawn(), new Promise((done) => setTimeout(done, LONGEST_REST))]); // a hidden page draws nothing
  return read + (Number.isNaN(begun) ? 0 : performance.now() - begun);
}

// the plot draws in the frame, the panels in a task after it: this one comes behind both
const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(() => setTimeout(done))));

function countFresh({ app, fresh }, { studies = [] }) {
  for (const { key, at = [], rows } of studies) {
    const study = app.store.studies.find((one) => one.key === key);
    at.forEach((row, i) => {
      const g = study?.globals[row],
        known = g !== undefined && app.store.state(g) !== "running";
      if (!known && rows.state[i] <= FINISHED) fresh.add(`${key}:${row}`);
    });
  }
}

const versionParts = (version = "") => [version.slice(0, version.lastIndexOf(".")), Number(version.split(".").at(-1))];

/** Whether the page has all of it already. */
function isOld(patch, version) {
  const [epoch, number] = versionParts(patch.version),
    [own, shown] = versionParts(version);
  return epoch === own && number <= shown;
}

/** Whether it is about the same run of the server, so that rows keep their numbers. */
const follows = (patch, version) => versionParts(patch.version)[0] === versionParts(version)[0];

// A network's standing, place and commands as all panels say them.
import { countOf, element, setText } from "./dom.js";
import { exportCommand, showCommand } from "./commands.js";

const STANDINGS = {
  front: ["◆", "front", "no other network is at least as good in every objective and better in one"],
  tied: ["◇", "tied", "on the front, but within noise of being beaten"],
  dominated: ["●", "dominated", "another network is at least as good in every objective and better in one"],
  unranked: ["○", "unranked", "not ranked: an objective was not measured"],
  infeasible: ["×", "infeasible", "infeasible: over a limit"],
  failed: ["!", "failed", "failed: no result"],
  running: ["…", "running", "still running"],
  published: ["○", "published", "as published, not measured here"],
  repeat: ["=", "repeat", "the same network as an earlier trial"],
  filtered: ["–", "filtered out", "does not pass the filters"],
};

// front, tied, dominated, unranked, infeasible, failed, running, published, repeat or filtered.
export function standingOfNetwork(app, g) {
  if (g < 0) return "published";
  const state = app.store.state(g);
  if (state === "failed" || state === "running") return state;
  if (app.store.repeat(g)) return "repeat";
  const standing = app.store.derived.status(g);
  return standing === "unranked" && !app.store.derived.test()(g) ? "filtered" : standing;
}

// Sets a tag's sign, word and explanation.
export function showStanding(tag, standing) {
  const [sign, word, meaning] = STANDINGS[standing] ?? STANDINGS.unranked;
  const className = `tag ${standing}`;
  if (tag.className !== className) tag.className = className;
  setText(tag, `${sign} ${word}`);
  if (tag.title !== meaning) tag.title = meaning;
}

export const standingTag = (standing) => {
  const tag = element("span", {});
  showStanding(tag, standing);
  return tag;
};

// What a standing means, in a sentence without a full stop.
export const standingMeaning = (standing) => (STANDINGS[standing] ?? STANDINGS.unranked)[2];

// What the commands need to know of a network.
export function networkFacts(app, g) {
  const { store } = app;
  const study = g < 0 ? null : store.study(g);
  return {
    study: study?.name ?? "",
    option: study?.option ?? null,
    trial: g < 0 ? null : store.trial(g),
    notation: store.notation(g),
    baseline: store.baseline(g),
    name: store.name(g),
  };
}

// [[what it does, command], …] of a network with a notation; [] of one without.
export function networkCommands(app, g) {
  const facts = networkFacts(app, g);
  if (!facts.notation) return [];
  return [
    ["show", showCommand(facts)],
    ["export", exportCommand(facts)],
  ].filter(([, command]) => command);
}

// "22 Nov 2026, 04:11": a start in the reader's own time.
export function startedText(seconds) {
  if (seconds == null) return "";
  return new Date(1000 * seconds).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

// 45.9 s, 12 min, 1 h 20 min.
export function durationText(seconds) {
  if (seconds == null) return "";
  if (seconds < 90) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export const networksText = (count) => countOf(count, "network");

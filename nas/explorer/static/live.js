// New trials as they are told: server-sent events, polling where those do not come through. What comes replaces nothing the
// reader chose: zoom, selection, filters, focus and scroll stay.

import { element, setText } from "./dom.js";
import { getJson } from "./data.js";
import { createIntake, drainIntake, receivePatch } from "./intake.js";

const POLL = 2000,
  RETRY = 1000,
  AGAIN = 20000; // ms

/** Keeps the page in step with the server. */
export function mountLive(app) {
  const word = element("span", { className: "x-live-word" }),
    dot = element("i", { className: "x-dot", "aria-hidden": "true" });
  const pause = element(
    "button",
    {
      type: "button",
      className: "x-button",
      onclick: () => app.view.set({ paused: !app.view.get().paused }),
    },
    "pause",
  );
  app.status.replaceChildren(dot, word, pause);
  const feed = {
    app,
    word,
    dot,
    pause,
    failures: 0,
    connected: true,
    polling: false,
    changed: lastEnd(app),
    events: null,
    timer: 0,
  };
  feed.intake = createIntake(app, {
    told: () => showStatus(feed),
    took: () => {
      Object.assign(feed, { connected: true, changed: Date.now() });
      showStatus(feed);
    },
    failed: () => {
      feed.connected = false;
      showStatus(feed);
    },
  });
  app.on(({ keys }) => {
    if (!keys.has("paused")) return;
    const { paused } = app.view.get();
    setText(pause, paused ? "resume" : "pause");
    if (!paused) drainIntake(feed.intake);
    showStatus(feed);
  });
  connect(feed);
  setInterval(() => showStatus(feed), 1000);
  showStatus(feed);
  return feed;
}

const shownVersion = (feed) => encodeURIComponent(feed.app.store.version);

function connect(feed) {
  clearTimeout(feed.timer);
  feed.events?.close();
  const events = new EventSource(`api/events?since=${shownVersion(feed)}`);
  feed.events = events;
  events.onopen = () => reached(feed, false);
  events.addEventListener("patch", (message) => {
    reached(feed, false);
    receivePatch(feed.intake, JSON.parse(message.data));
  });
  events.onerror = () => {
    events.close();
    if (feed.events !== events) return;
    feed.failures++;
    feed.connected = feed.polling;
    showStatus(feed);
    if (feed.failures < 2) feed.timer = setTimeout(() => connect(feed), RETRY);
    else poll(feed, Date.now());
  };
}

function reached(feed, polling) {
  Object.assign(feed, { connected: true, polling, failures: polling ? feed.failures : 0 });
  showStatus(feed);
}

async function poll(feed, since) {
  try {
    const patch = await getJson(`api/changes?since=${shownVersion(feed)}`);
    reached(feed, true);
    receivePatch(feed.intake, patch);
  } catch {
    feed.connected = false;
    showStatus(feed);
  }
  const again = feed.connected && Date.now() - since > AGAIN;
  feed.timer = setTimeout(
    () => (again ? connect(feed) : poll(feed, feed.connected ? since : Date.now() - AGAIN)),
    POLL,
  );
}

/** "live · changed 2 s ago", "paused · 3 new", "connection lost, retrying". */
function showStatus(feed) {
  const { app } = feed,
    { paused } = app.view.get(),
    age = ageText(Date.now() - feed.changed);
  const fresh = feed.intake.fresh.size;
  const away = app.store.studies.length > 0 && app.store.studies.every((study) => study.state === "unreachable");
  const state = !feed.connected ? "lost" : paused ? "paused" : away ? "away" : "live";
  const words = {
    lost: "connection lost, retrying",
    away: "storage unreachable, retrying",
    paused: `paused${fresh ? ` · ${fresh} new` : ""}`,
    live: `live · changed ${age} ago`,
  };
  setText(feed.word, words[state] + (feed.polling && state === "live" ? " · polling" : ""));
  if (feed.dot.dataset.state === state) return;
  if (feed.dot.dataset.state && (state === "lost" || feed.dot.dataset.state === "lost"))
    app.announce(state === "lost" ? "Connection lost." : "Connected again.");
  feed.dot.dataset.state = state;
}

/** When the last trial that is known ended, by this machine's clock. */
function lastEnd({ store }) {
  let last = 0;
  for (let g = 0; g < store.n; g++) last = Math.max(last, 1000 * ((store.started(g) ?? 0) + (store.seconds(g) ?? 0)));
  return Math.min(Date.now(), last || Date.now());
}

function ageText(ms) {
  const seconds = Math.round(ms / 1000);
  if (seconds < 90) return `${seconds} s`;
  if (seconds > 172800) return `${Math.round(seconds / 86400)} days`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

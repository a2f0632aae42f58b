// The view as text behind the page's address, short and readable: x=flops&y=top1_pct&f.top1_pct=78..&sel=study:12

import { studyRef } from "./store.js";

const FLAGS = { infeasible: true, published: false, spread: true, knee: true, names: true };
const NAMES = { c: "colour", dev: "device", sel: "selected", a: "a", b: "b" };
const NEED = /^(.+?)(<=|>=)([^<>=]+)$/;

const encoded = (text) => encodeURIComponent(text.toWellFormed?.() ?? text).replace(/%(3A|2C|2F|3D|40|2B|3B|2A|5E)/g, decodeURIComponent);

/** The fragment of a view, without "#"; "" where nothing was chosen. */
export function writeHash(view, store = null) {
  const parts = [];
  const add = (key, value) => parts.push(`${encoded(key)}=${encoded(value)}`);
  for (const key of ["x", "y"]) if (view[key]) add(key, view[key]);
  for (const [key, name] of Object.entries(NAMES)) if (view[name]) add(key, view[name]);
  for (const key of ["logx", "logy"]) if (view[key] !== null) add(key, view[key] ? "log" : "linear");
  if (view.zoom) add("zoom", view.zoom.map((end) => Number(end.toPrecision(5))).join(","));
  for (const [key, [low, high]] of Object.entries(view.filters)) add(`f.${key}`, `${low ?? ""}..${high ?? ""}`);
  if (view.hidden.length) add("hide", view.hidden.map(hiddenName(store)).join(","));
  const flags = Object.keys(FLAGS).filter((key) => view.show[key] !== FLAGS[key]);
  if (flags.length) add("show", flags.map((key) => (view.show[key] ? key : `no-${key}`)).join(","));
  if (view.sort?.key) add("sort", (view.sort.desc ? "-" : "") + view.sort.key);
  if (view.axes.length) add("axes", view.axes.join(","));
  if (view.goal) add("goal", goalText(view.goal));
  return parts.join("&");
}

// a name tells more than a key, and holds when the server is started anew; a comma parts two
const hiddenName = (store) => (key) => {
  const study = store?.studies.find((one) => one.key === key);
  return study ? encodedName(studyRef(store, study)) : key;
};
const encodedName = (name) => name.replaceAll("%", "%25").replaceAll(",", "%2C");

// ";" parts the words of a goal
const encodedPart = (text) => text.replaceAll("%", "%25").replaceAll(";", "%3B");

function goalText({ key, needs = [], device = "" }) {
  return [key, ...needs.map((need) => need.join("")), ...(device ? [`@${encodedPart(device)}`] : [])].join(";");
}

/** {view, ignored}: the parts of a view that a fragment names, and the parts that mean nothing here. */
export function readHash(text, store) {
  const view = {},
    ignored = [];
  for (const part of text.split("&").filter(Boolean)) {
    try {
      const [, key, value] = /^([^=]+)=(.*)$/s.exec(part);
      readPart(decodeURIComponent(key), decodeURIComponent(value), view, store);
    } catch {
      ignored.push(part.slice(0, 40));
    }
  }
  return { view, ignored };
}

function readPart(key, value, view, store) {
  const metric = (name) => check(name, store.byKey.has(name));
  if (key === "x" || key === "y") view[key] = metric(value);
  else if (key === "c") view.colour = metric(value);
  else if (key in NAMES) view[NAMES[key]] = value;
  else if (key === "logx" || key === "logy") view[key] = check(value, ["log", "linear"].includes(value)) === "log";
  else if (key === "zoom") view.zoom = readZoom(value);
  else if (key.startsWith("f.")) view.filters = { ...view.filters, [metric(key.slice(2))]: readRange(value) };
  else if (key === "hide")
    view.hidden = store.studies
      .filter((study) => value.split(",").some((name) => [study.key, hiddenName(store)(study.key)].includes(name)))
      .map((study) => study.key);
  else if (key === "show") view.show = readFlags(value);
  else if (key === "sort") view.sort = { key: value.replace(/^-/, ""), desc: value.startsWith("-") };
  else if (key === "axes") view.axes = value.split(",").filter(Boolean).slice(0, 8);
  else if (key === "goal") view.goal = readGoal(value, metric);
  else check(key, false);
}

function check(value, holds) {
  if (!holds) throw new Error(value);
  return value;
}

function readEnd(text) {
  return text === "" ? null : check(Number(text), text.trim() !== "" && Number.isFinite(Number(text)));
}

function readRange(text) {
  const ends = check(text.split(".."), text.split("..").length === 2).map(readEnd);
  return check(
    ends,
    ends.some((end) => end !== null),
  );
}

function readZoom(text) {
  const ends = text.split(",").map(readEnd);
  return check(ends, ends.length === 4 && ends.every((end) => end !== null) && ends[0] < ends[1] && ends[2] < ends[3]);
}

function readFlags(text) {
  const show = { ...FLAGS };
  for (const word of text.split(",")) {
    const name = word.replace(/^no-/, "");
    check(name, name in FLAGS);
    show[name] = name === word;
  }
  return show;
}

function readGoal(text, metric) {
  const [key, ...rest] = text.split(";"),
    goal = { key: metric(key), needs: [], device: "" };
  for (const part of rest) {
    if (part.startsWith("@")) goal.device = decodeURIComponent(part.slice(1));
    else {
      const [, name, relation, bound] = NEED.exec(part);
      goal.needs.push([metric(name), relation, check(readEnd(bound), bound !== "")]);
    }
  }
  return goal;
}

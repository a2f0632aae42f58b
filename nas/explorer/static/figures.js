// The figures of the sections. A trace names its role, or a colour of the style sheet, and gets its colour here.
import { onPhone, onThemeChange, themeColour } from "./theme.js";

const ROLE_COLOUR = {
  front: "front", tied: "front", line: "front", dominated: "dominated", unranked: "dominated",
  infeasible: "infeasible", baseline: "ink", bar: "a",
};
const shownFigures = new Map();

/** What every plotly figure of the page is given as its configuration. */
export function figureConfig() {
  return {
    responsive: true, displaylogo: false, showSendToCloud: false, displayModeBar: onPhone() ? false : "hover",
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
  };
}

function colouredTrace(trace, ink) {
  const role = trace.meta?.role;
  if (!role) return;
  const own = themeColour(ROLE_COLOUR[role] ?? role);
  trace.marker = { ...trace.marker, color: trace.marker?.color ?? own };
  if (trace.type === "bar") trace.textfont = { color: ink };
  else {
    trace.marker.line = { ...trace.marker.line, color: own };
    trace.marker.opacity = role === "dominated" ? 0.75 : 1;
    trace.line = { ...trace.line, color: own };
    if (trace.textfont) trace.textfont = { ...trace.textfont, color: ink };
  }
  for (const bars of [trace.error_x, trace.error_y]) if (bars) bars.color = own;
}

function colouredAxes(layout, ink, grid) {
  for (const [name, axis] of Object.entries(layout)) {
    if (/^[xy]axis\d*$/.test(name)) Object.assign(axis, { gridcolor: grid, linecolor: grid });
    if (/^ternary\d*$/.test(name)) {
      axis.bgcolor = "rgba(0,0,0,0)";
      for (const side of ["aaxis", "baxis", "caxis"]) {
        axis[side] = { ...axis[side], gridcolor: grid, linecolor: themeColour("muted") };
      }
    }
  }
  for (const shape of layout.shapes ?? []) {
    if (shape.name) shape.line = { ...shape.line, color: themeColour(shape.name) };
  }
  const halo = "0 0 2px " + themeColour("card"), shadow = [halo, halo, halo, halo].join(", ");
  for (const note of layout.annotations ?? []) {
    Object.assign(note, { font: { size: 12, ...note.font, color: ink, shadow }, arrowcolor: ink });
  }
}

/** A copy of the figure in the present colours. */
export function colouredFigure(figure) {
  const copy = structuredClone(figure), ink = themeColour("ink"), layout = copy.layout;
  const family = getComputedStyle(document.body).fontFamily;
  for (const trace of copy.data) colouredTrace(trace, ink);
  colouredAxes(layout, ink, themeColour("grid"));
  Object.assign(layout, {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", uirevision: "kept",
    dragmode: onPhone() ? false : "zoom",
    font: { color: ink, size: 13, family },
    hoverlabel: {
      ...layout.hoverlabel, bgcolor: themeColour("card"), bordercolor: themeColour("muted"),
      font: { color: ink, size: 12, family },
    },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: themeColour("muted"), activecolor: ink },
  });
  return copy;
}

// the ticks of a log axis are chosen for the whole of it; zoomed in, plotly's own fit better
function retickAxes(place, layout, event) {
  for (const name of ["xaxis", "yaxis"]) {
    if (!layout[name]?.tickvals) continue;
    if (event[name + ".range[0]"] !== undefined) Plotly.relayout(place, { [name + ".tickmode"]: "auto" });
    if (event[name + ".autorange"]) Plotly.relayout(place, { [name + ".tickmode"]: "array" });
  }
}

function drawFigure(name, figure) {
  const place = document.getElementById(name);
  if (!place) return;
  const { data, layout } = colouredFigure(figure);
  const first = !place.classList.contains("js-plotly-plot");
  Plotly.react(place, data, layout, figureConfig());
  if (first) place.on("plotly_relayout", (event) => retickAxes(place, shownFigures.get(name).layout, event));
}

// only what is near the screen is drawn at once: a page of twenty figures is readable after the first
const nearScreen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    nearScreen.unobserve(target);
    drawFigure(target.id, shownFigures.get(target.id));
  }
}, { rootMargin: "300px" });

// a figure in a closed fold is drawn when it is opened, and not before
const foldedIn = (place) => place.closest("details:not([open])");

/** Draws the figures ({name: figure}) in the places of their names, each when it comes near the screen. */
export function drawFigures(figures) {
  for (const [name, figure] of Object.entries(figures)) {
    const place = document.getElementById(name);
    shownFigures.set(name, figure);
    if (!place) continue;
    const fold = foldedIn(place);
    if (fold) fold.addEventListener("toggle", () => nearScreen.observe(place), { once: true });
    else nearScreen.observe(place);
  }
}

const whenIdle = globalThis.requestIdleCallback ?? ((task) => setTimeout(task, 50)); // Safari
const isDrawn = (name) => document.getElementById(name)?.classList.contains("js-plotly-plot");

function isUnfolded(name) {
  const place = document.getElementById(name);
  return place !== null && !foldedIn(place);
}

// the rest of a page that has nothing else to do, one figure at a time
function drawWhenIdle() {
  whenIdle(() => {
    const name = [...shownFigures.keys()].find((one) => isUnfolded(one) && !isDrawn(one));
    if (name === undefined) return;
    drawFigure(name, shownFigures.get(name));
    drawWhenIdle();
  });
}

/** Draws the figures that lie in the page, and again when the colours change; `all`: those far below as well. */
export function startFigures(all) {
  const node = document.getElementById("figures");
  if (node) drawFigures(JSON.parse(node.textContent));
  if (all) drawWhenIdle();
  onThemeChange(() => {
    for (const [name, figure] of shownFigures) {
      if (isDrawn(name)) drawFigure(name, figure);
    }
  });
  addEventListener("beforeprint", () => {
    for (const [name, figure] of shownFigures) if (isUnfolded(name)) drawFigure(name, figure);
  });
}

"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const phone = matchMedia("(pointer: coarse)").matches || matchMedia("(max-width: 600px)").matches;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const config = {
    responsive: true, displaylogo: false, showSendToCloud: false, displayModeBar: phone ? false : "hover",
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
  };
  // a trace names its role, or a colour of the style sheet, which knows what each looks like
  const COLOUR = {
    front: "front", tied: "front", line: "front", dominated: "dominated", unranked: "dominated",
    infeasible: "infeasible", baseline: "ink", bar: "a",
  };
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

  function coloured(figure) {
    const copy = structuredClone(figure), ink = colour("ink"), grid = colour("grid");
    for (const trace of copy.data) {
      const own = colour(COLOUR[trace.meta.role] ?? trace.meta.role);
      trace.marker = { ...trace.marker, color: own };
      if (trace.type === "bar") trace.textfont = { color: ink };
      else {
        trace.marker.line = { ...trace.marker.line, color: own };
        trace.marker.opacity = trace.meta.role === "dominated" ? 0.75 : 1;
        trace.line = { ...trace.line, color: own };
        if (trace.textfont) trace.textfont = { ...trace.textfont, color: ink };
      }
      for (const bars of [trace.error_x, trace.error_y]) if (bars) bars.color = own;
    }
    const layout = copy.layout, family = getComputedStyle(document.body).fontFamily;
    const halo = "0 0 2px " + colour("card"), shadow = [halo, halo, halo, halo].join(", ");
    for (const name of layout.annotations ?? []) Object.assign(name, { font: { color: ink, size: 12, shadow }, arrowcolor: ink });
    for (const axis of [layout.xaxis, layout.yaxis]) Object.assign(axis, { gridcolor: grid, linecolor: grid });
    Object.assign(layout, {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", dragmode: phone ? false : "zoom", uirevision: "kept",
      font: { color: ink, size: 13, family },
      hoverlabel: { ...layout.hoverlabel, bgcolor: colour("card"), bordercolor: colour("muted"), font: { color: ink, size: 12, family } },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("muted"), activecolor: ink },
    });
    return copy;
  }

  function openNetwork(name) {
    const details = document.getElementById(name);
    if (!details || details.tagName !== "DETAILS") return;
    details.open = true;
    details.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" });
    details.querySelector("summary").focus({ preventScroll: true });
  }

  // the ticks of a log axis are chosen for the whole of it; zoomed in, plotly's own fit better
  function retick(place, layout, event) {
    for (const name of ["xaxis", "yaxis"]) {
      if (!layout[name].tickvals) continue;
      if (event[name + ".range[0]"] !== undefined) Plotly.relayout(place, { [name + ".tickmode"]: "auto" });
      if (event[name + ".autorange"]) Plotly.relayout(place, { [name + ".tickmode"]: "array" });
    }
  }

  function draw() {
    for (const [name, figure] of Object.entries(figures)) {
      const place = document.getElementById(name), { data, layout } = coloured(figure);
      const first = !place.classList.contains("js-plotly-plot");
      Plotly.react(place, data, layout, config);
      if (!first) continue;
      place.on("plotly_click", (event) => openNetwork(event.points[0].customdata));
      place.on("plotly_relayout", (event) => retick(place, figure.layout, event));
    }
  }

  function sortBy(head) {
    const table = head.closest("table"), body = table.tBodies[0], column = head.cellIndex;
    const falling = head.getAttribute("aria-sort") === "ascending";
    const numeric = head.classList.contains("number");
    const value = (row) => row.cells[column].dataset.sort;
    const order = (a, b) => {
      const x = value(a), y = value(b);
      if (x === "" || y === "") return (x === "") - (y === ""); // what was not measured stays last
      return (numeric ? x - y : x.localeCompare(y)) * (falling ? -1 : 1);
    };
    for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    body.append(...[...body.rows].sort(order));
  }

  async function copy(button) {
    const text = button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    button.textContent = "copied";
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  }

  document.addEventListener("click", (event) => {
    const head = event.target.closest("table.sortable th"), button = event.target.closest("button.copy");
    const link = event.target.closest("a[href^='#network-']");
    if (head) sortBy(head);
    if (button) copy(button);
    if (link) { event.preventDefault(); openNetwork(link.hash.slice(1)); }
  });
  dark.addEventListener("change", draw);
  draw();
  if (location.hash) openNetwork(decodeURIComponent(location.hash.slice(1)));
})();

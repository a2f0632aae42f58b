// The colours of the style sheet, which knows light and dark; plotly must be told them as values.

const darkScheme = matchMedia("(prefers-color-scheme: dark)");

/** The present colour called `name` in the style sheet, such as "front". */
export function themeColour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

/** Calls `redraw` whenever the reader turns to dark or light. */
export function onThemeChange(redraw) {
  darkScheme.addEventListener("change", redraw);
}

/** Whether the page is read on a phone: by finger, or on a narrow screen. */
export function onPhone() {
  return matchMedia("(pointer: coarse)").matches || matchMedia("(max-width: 600px)").matches;
}

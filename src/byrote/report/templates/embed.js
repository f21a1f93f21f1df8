"use strict";
const theme = JSON.parse(document.getElementById("theme").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
// Of a legend, in widths of its type: a letter, a symbol with the gap to the next; in pixels: an axis of numbers beside it.
const LETTER = 0.5;
const SYMBOL = 3;
const AXIS = 45;

// Vega does not wrap a legend: as many columns as fit, where one line would not.
function legendColumns(spec, width, fontSize) {
  const { legend, scale, field, type } = spec.layer.map((layer) => layer.encoding?.color).find(Boolean) ?? {};
  const rowsOfData = type === "nominal" ? Object.values(spec.datasets ?? {}).flat() : [];
  const named = legend?.values ?? scale?.domain ?? [...new Set(rowsOfData.map((row) => row[field] ?? ""))];
  const labels = named.map((label) => (typeof label === "number" ? "100%" : label));
  const widths = labels.map((label) => fontSize * (label.length * LETTER + SYMBOL));
  const total = widths.reduce((sum, one) => sum + one, 0);
  const rows = spec.layer.map((layer) => layer.encoding?.y?.sort).find(Array.isArray) ?? [];
  const besideRows = Math.max(0, ...rows.map((row) => fontSize * (String(row).length * LETTER + SYMBOL)));
  const room = width - Math.max(AXIS, besideRows);
  return total < room ? 0 : Math.max(1, Math.floor(room / Math.max(...widths)));
}

function embed(box, spec) {
  const config = structuredClone(theme[dark.matches ? "dark" : "light"]);
  config.legend.columns = legendColumns(spec, box.clientWidth, config.legend.labelFontSize);
  const tooltip = { theme: dark.matches ? "dark" : "light" };
  return vegaEmbed(box, spec, { actions: false, renderer: "svg", config, tooltip });
}

// Draws now, and again whenever the colour scheme or the width changes.
function keepDrawn(drawAll) {
  let settled;
  dark.addEventListener("change", drawAll);
  addEventListener("resize", () => {
    clearTimeout(settled);
    settled = setTimeout(drawAll, 200);
  });
  drawAll();
}

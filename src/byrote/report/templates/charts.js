"use strict";
function download(name, address) {
  const link = document.createElement("a");
  link.download = name;
  link.href = address;
  link.click();
}

function csv(rows) {
  const cell = (value) => (/[",\n]/.test(value ?? "") ? `"${value.replaceAll('"', '""')}"` : value ?? "");
  const lines = rows.map((row) => Object.values(row).map(cell).join(","));
  return [Object.keys(rows[0]).join(","), ...lines].join("\n");
}

class Chart {
  constructor(figure) {
    this.figure = figure;
    this.box = figure.querySelector(".canvas");
    this.spec = JSON.parse(figure.querySelector("script").textContent);
    this.log = false;
    figure.querySelectorAll("button").forEach((button) => {
      button.addEventListener("click", () => this[button.dataset.do](button));
    });
  }

  async draw() {
    const spec = structuredClone(this.spec);
    const axes = spec.layer.map((layer) => layer.encoding?.x).filter(Boolean);
    if (this.log) axes.forEach((x) => (x.scale = { ...x.scale, type: "log", nice: false }));
    this.embedded?.finalize();
    this.embedded = await embed(this.box, spec);
  }

  toggleLog(button) {
    this.log = !this.log;
    button.setAttribute("aria-pressed", this.log);
    return this.draw();
  }

  async svg() { download(`${this.figure.id}.svg`, await this.embedded.view.toImageURL("svg")); }
  async png() { download(`${this.figure.id}.png`, await this.embedded.view.toImageURL("png", 2)); }
  csv() {
    const [rows] = Object.values(this.spec.datasets);
    download(`${this.figure.id}.csv`, "data:text/csv;charset=utf-8," + encodeURIComponent(csv(rows)));
  }
}

const charts = [...document.querySelectorAll("figure.chart")].map((figure) => new Chart(figure));
keepDrawn(() => charts.forEach((chart) => chart.draw()));

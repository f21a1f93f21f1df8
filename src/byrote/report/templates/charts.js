"use strict";
function download(name, address) {
  const link = document.createElement("a");
  link.download = name;
  link.href = address;
  link.click();
}

// As the files beside the page: a text that a spreadsheet would execute gets a quote before it (byrote/files.py).
function harmless(text) {
  const isNumber = text.trim() !== "" && Number.isFinite(Number(text));
  return isNumber ? text : text.replace(/(^|[;\t\r\n])(?=\s*[=+\-@＝＋－＠]|[\t\r])/g, "$1'");
}

function csv(rows) {
  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const cell = (value) => quoted(harmless(String(value ?? "")));
  return [Object.keys(rows[0]), ...rows.map(Object.values)].map((row) => row.map(cell).join(",")).join("\n");
}

class Chart {
  constructor(figure) {
    this.figure = figure;
    this.box = figure.querySelector(".canvas");
    this.spec = JSON.parse(figure.querySelector("script").textContent);
    this.linear = false;
    figure.querySelectorAll("button").forEach((button) => {
      button.addEventListener("click", () => this[button.dataset.do](button));
    });
  }

  async draw() {
    const spec = structuredClone(this.spec);
    const axes = spec.layer.map((layer) => layer.encoding?.x).filter(Boolean);
    if (this.linear) axes.forEach((x) => delete x.scale);
    this.embedded?.finalize();
    this.embedded = await embed(this.box, spec);
  }

  toggleLog(button) {
    this.linear = !this.linear;
    button.setAttribute("aria-pressed", !this.linear);
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

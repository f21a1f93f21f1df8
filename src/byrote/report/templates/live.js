"use strict";
const PAUSE = 700;
const status = document.getElementById("status");
const title = document.querySelector("h1");
let rows = [];

class LiveChart {
  constructor(figure) {
    this.model = figure.dataset.model;
    this.box = figure.querySelector(".canvas");
    this.spec = JSON.parse(figure.querySelector("script").textContent);
  }

  async draw() {
    this.embedded?.finalize();
    this.embedded = await embed(this.box, this.spec);
    this.refresh();
  }

  refresh() {
    this.embedded?.view.data("curves", rows.filter((row) => row.model === this.model)).runAsync();
  }
}

const charts = [...document.querySelectorAll("figure.chart")].map((figure) => new LiveChart(figure));

async function poll() {
  let state;
  try {
    state = await (await fetch("state.json")).json();
  } catch {
    status.textContent = "The program has ended.";
    return;
  }
  rows = state.curves;
  charts.forEach((chart) => chart.refresh());
  if (state.status) status.textContent = state.status;
  if (!state.finished) {
    setTimeout(poll, PAUSE);
  } else {
    title.textContent = "Trained";
    if (state.report) {
      const link = Object.assign(document.createElement("a"), { href: "report.html", textContent: "Open the report" });
      status.replaceChildren(link);
    }
  }
}

keepDrawn(() => charts.forEach((chart) => chart.draw()));
poll();

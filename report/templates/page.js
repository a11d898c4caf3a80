"use strict";
// Tables sort and filter, charts are drawn, and the language changes; the numbers need none of it.
const root = document.documentElement;
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const chartTexts = JSON.parse(document.getElementById("chart-texts").textContent);

function translated(value) {
  if (typeof value === "string") return Object.hasOwn(chartTexts, value) ? chartTexts[value] : value;
  if (Array.isArray(value)) return value.map(translated);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) =>
    [key, ["$schema", "type", "field", "mark"].includes(key) ? inner : translated(inner)]));
}

function draw() {
  root.classList.toggle("dark", dark.matches);
  return Promise.all([...document.querySelectorAll("figure")].map((figure) => {
    const chart = figure.querySelector(".chart");
    const spec = JSON.parse(figure.querySelector("script").textContent);
    spec.width = "container";
    const limit = Math.max(90, Math.round(chart.clientWidth * 0.4));
    return vegaEmbed(chart, root.dataset.language === "zh" ? translated(spec) : spec, {
      actions: { export: true, source: false, compiled: false, editor: false },
      theme: dark.matches ? "dark" : undefined,
      config: { background: "transparent", axis: { labelLimit: limit },
        legend: chart.clientWidth < 560 ? { orient: "bottom", columns: 2 } : {} },
      renderer: "svg",
    });
  }));
}

function speak(language) {
  root.dataset.language = language;
  root.lang = language;
  for (const button of document.querySelectorAll("button[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
}

async function sortable() {
  const source = document.getElementById("datatables").textContent;
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const { default: DataTable } = await import(url);
  URL.revokeObjectURL(url);
  const texts = JSON.parse(document.getElementById("table-texts").textContent);
  for (const table of document.querySelectorAll("table.grid")) {
    // Of records all stay, because links lead to them.
    const long = Number(table.dataset.rows) > 25 && !("whole" in table.dataset);
    new DataTable(table, { order: [], paging: long, pageLength: 25, info: long, autoWidth: false,
      searching: Number(table.dataset.rows) > 3, language: texts });
  }
}

for (const button of document.querySelectorAll("button[data-language]")) {
  button.addEventListener("click", () => { speak(button.dataset.language); draw(); });
}
dark.addEventListener("change", draw);
speak(navigator.language.startsWith("zh") ? "zh" : "en");
Promise.all([draw(), sortable()]).then(() => { root.dataset.ready = "yes"; });

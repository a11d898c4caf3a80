"use strict";
// Tables sort and filter, charts are drawn; without this script both are still there to be read.
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function draw() {
  document.documentElement.classList.toggle("dark", dark.matches);
  return Promise.all([...document.querySelectorAll("figure")].map((figure) => {
    const chart = figure.querySelector(".chart");
    const spec = JSON.parse(figure.querySelector("script").textContent);
    spec.width = "container";
    const limit = Math.max(90, Math.round(chart.clientWidth * 0.4));
    return vegaEmbed(chart, spec, {
      actions: { export: true, source: false, compiled: false, editor: false },
      theme: dark.matches ? "dark" : undefined,
      config: { background: "transparent", axis: { labelLimit: limit },
        legend: chart.clientWidth < 560 ? { orient: "bottom", columns: 2 } : {} },
      renderer: "svg",
    });
  }));
}

async function sortable() {
  const source = document.getElementById("datatables").textContent;
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const { default: DataTable } = await import(url);
  URL.revokeObjectURL(url);
  for (const table of document.querySelectorAll("table.grid")) {
    // Of records all stay, because links lead to them.
    const long = Number(table.dataset.rows) > 25 && !("whole" in table.dataset);
    new DataTable(table, { order: [], paging: long, pageLength: 25, info: long, autoWidth: false,
      searching: Number(table.dataset.rows) > 3 });
  }
}

dark.addEventListener("change", draw);
Promise.all([draw(), sortable()]).then(() => { document.documentElement.dataset.ready = "yes"; });

"use strict";
// Copies commands, and reads values off the tables at one moment. The page is whole without.

for (const button of document.querySelectorAll("button[data-copies]")) {
  const source = document.getElementById(button.dataset.copies);
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Selected";
    }
  });
}

const plots = document.getElementById("plots");
const scrub = document.getElementById("scrub");
const moment_ = document.getElementById("moment");
const cursor = document.getElementById("cursor");
const pictures = plots.querySelectorAll(".plot > svg");

function show(step) {
  const steps = Number(moment_.max) + 1;
  const row = (table) => document.getElementById(table).tBodies[0].rows[step];
  const at = row("table-steps").cells[0].textContent;
  moment_.value = step;
  moment_.setAttribute("aria-valuetext", at);
  scrub.querySelector("output").textContent = at;
  const plot = pictures[0].getBoundingClientRect();
  const left = plot.left - plots.getBoundingClientRect().left;
  cursor.style.left = `${left + (plot.width * (step + 0.5)) / steps}px`;
  cursor.hidden = false;
  for (const output of plots.querySelectorAll("output[data-table]")) {
    const cell = row(output.dataset.table).cells[output.dataset.column];
    const value = cell?.textContent ?? "";
    output.textContent = value === "" || value === "–" ? value : value + output.dataset.unit;
  }
}

function stepUnder(event) {
  const plot = pictures[0].getBoundingClientRect();
  const share = (event.clientX - plot.left) / plot.width;
  return share < 0 || share > 1 ? null : Math.min(Math.floor(share * (Number(moment_.max) + 1)), Number(moment_.max));
}

scrub.hidden = false;
moment_.addEventListener("input", () => show(Number(moment_.value)));
plots.addEventListener("pointermove", (event) => {
  const step = stepUnder(event);
  if (step !== null) show(step);
});
addEventListener("resize", () => { if (!cursor.hidden) show(Number(moment_.value)); });

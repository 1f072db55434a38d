// What became of requests about bookings over time: what was done above the line, what was
// not below it.

import { count, figure, h, s, table } from "./dom.js";

const DONE = [["booked", "booked"], ["held", "held"], ["cancelled", "cancelled"]];
const NOT_DONE = [["taken", "night taken already"], ["unanswered", "no quorum, no room or unknown"]];
const BAR = 4;
const UP = 70;
const DOWN = 40;

const total = (counts) => counts.reduce((all, one) => all + one, 0);

function most(series, kinds) {
  return series.booked.reduce((high, _, at) => Math.max(high, total(kinds.map(([kind]) => series[kind][at]))), 0);
}

/** A round number that is not less. */
function rounded(value) {
  const step = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((times) => times * step).find((round) => round >= value);
}

function stack(series, kinds, scale, place, down) {
  let from = 0;
  return kinds.map(([kind]) => {
    const height = series[kind][place] * scale;
    const y = down ? UP + from : UP - from - height;
    from += height;
    return height === 0 ? null
      : s("rect", { class: kind, x: place * BAR, y: y.toFixed(2), width: BAR - 1, height: height.toFixed(2) });
  });
}

function patterns() {
  return s("defs", null,
    s("pattern", { id: "hatched", width: 4, height: 4, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      s("rect", { class: "taken-ground", width: 4, height: 4 }), s("rect", { class: "taken-stripe", width: 1.6, height: 4 })));
}

function legend(series) {
  const item = ([kind, word]) => {
    const all = total(series[kind]);
    return h("li", { "data-kind": kind }, h("span", { class: "swatch", "aria-hidden": "true" }),
      figure(`/series/${kind}`, all, count(all)), ` ${word}`);
  };
  return h("ul", { class: "legend" }, [...DONE, ...NOT_DONE].map(item));
}

function byMinute(series) {
  const perMinute = 60 / series.bucket_seconds;
  const rows = [];
  for (let end = series.booked.length; end > 0; end -= perMinute) {
    const from = Math.max(0, end - perMinute);
    const began = new Date((series.ends_at - (series.booked.length - 1 - from) * series.bucket_seconds) * 1000);
    rows.push([`from ${began.toISOString().slice(11, 19)}`,
      ...[...DONE, ...NOT_DONE].map(([kind]) => ({ number: count(total(series[kind].slice(from, end))) }))]);
  }
  return rows;
}

/** The bars, and the same by the minute as a table. */
export function series(snapshot) {
  const { series } = snapshot;
  const length = series.booked.length;
  const [up, down] = [rounded(most(series, DONE)), rounded(most(series, NOT_DONE))];
  const scale = Math.min(UP / up, Infinity);
  const scaleDown = Math.min(scale, DOWN / down);
  const bars = series.booked.map((_, place) => [
    stack(series, DONE, scale, place, false),
    stack(series, NOT_DONE, scaleDown, place, true),
  ]);
  const minutes = Math.round((length * series.bucket_seconds) / 60);
  const picture = [
    h("div", { class: "plot" },
      h("span", { class: "axis top" }, `${count(up)} in ${series.bucket_seconds} s`),
      s("svg", { viewBox: `0 0 ${length * BAR} ${UP + DOWN}`, preserveAspectRatio: "none", role: "img",
        "aria-label": "Bookings above the line, conflicts below it. The table has the figures." },
        patterns(), s("path", { class: "grid", d: `M0 ${UP / 2}H${length * BAR}M0 .5H${length * BAR}` }),
        bars, s("path", { class: "zero", d: `M0 ${UP}H${length * BAR}` })),
      h("span", { class: "axis left" }, `${minutes} minutes ago`), h("span", { class: "axis right" }, "now")),
    legend(series),
  ];
  const columns = ["Minute (UTC)", ...[...DONE, ...NOT_DONE].map(([, word]) => word)];
  return [picture, table("Bookings by the minute", columns, byMinute(series))];
}

// The changes of a listing as a graph: a lane for each region, the oldest on the left.

import { count, figure, h, s, table, time } from "./dom.js";

const STEP = 34;
const LANE = 34;
const EDGE = 18;
/** Shapes by lane: colours alone tell nobody anything. */
const SHAPES = [
  "M0-7a7 7 0 1 0 .01 0z",
  "M-6-6h12v12h-12z",
  "M0-8l8 14h-16z",
  "M0-8.500l8.500 8.500-8.500 8.500-8.500-8.500z",
  "M-3-7h6v4h4v6h-4v4h-6v-4h-4v-6h4z",
];
const NOBODY = "genesis";

/** The beginning of a hash: enough to tell changes of one listing apart. */
export function shortened(hash) {
  return String(hash ?? "").slice(0, 8);
}

function lanes(changes) {
  const regions = [...new Set(changes.map((one) => one.region ?? NOBODY))];
  return regions.sort((a, b) => (b === NOBODY) - (a === NOBODY) || a.localeCompare(b));
}

function edge([x1, y1], [x2, y2]) {
  const middle = (x1 + x2) / 2;
  return s("path", { class: "edge", d: `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}` });
}

function drawn(changes, regions) {
  const place = new Map(changes.map((one, at) => [one.hash,
    [EDGE + at * STEP, EDGE + regions.indexOf(one.region ?? NOBODY) * LANE]]));
  const parents = new Set(changes.flatMap((one) => one.parents));
  const edges = changes.flatMap((one) => one.parents.filter((parent) => place.has(parent))
    .map((parent) => edge(place.get(parent), place.get(one.hash))));
  const marks = changes.map((one) => {
    const [x, y] = place.get(one.hash);
    const lane = regions.indexOf(one.region ?? NOBODY);
    const isHead = !parents.has(one.hash);
    return s("g", { class: isHead ? "change head" : "change", "data-lane": lane % SHAPES.length, transform: `translate(${x} ${y})` },
      s("title", null, `${one.message} in ${one.region ?? NOBODY}, ${one.time}, ${shortened(one.hash)}${isHead ? ", a head" : ""}`),
      isHead ? s("circle", { class: "ring", r: 11.5 }) : null, s("path", { d: SHAPES[lane % SHAPES.length] }));
  });
  const [width, height] = [2 * EDGE + (changes.length - 1) * STEP, 2 * EDGE + (regions.length - 1) * LANE];
  const rules = regions.map((_, lane) => s("path", { class: "rule", d: `M0 ${EDGE + lane * LANE}H${width}` }));
  return s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `${changes.length} changes in ${regions.length} lanes. The table has them.` }, rules, edges, marks);
}

/** The graph, and the same as a table. */
export function graph(document) {
  if (!document) return [h("p", { class: "empty" }, "No node that answers has the document."), null];
  const { changes, changes_total: all } = document;
  const regions = lanes(changes);
  const picture = [
    h("div", { class: "graph" },
      h("ul", { class: "lanes" }, regions.map((region) => h("li", null, region))),
      h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Graph of changes" }, drawn(changes, regions))),
    h("p", { class: "note" }, figure("/document/changes_total", all, count(all)), ` changes, as node ${document.told_by} has them`,
      all > changes.length ? `; the latest ${count(changes.length)} are shown` : "", ". A ring marks a head."),
  ];
  const rows = [...changes].reverse().map((one) => [
    h("span", { class: "id" }, shortened(one.hash)), one.message, one.region ?? NOBODY, one.actor === null ? "–" : `node ${one.actor}`,
    time(one.time), one.parents.map(shortened).join(" ")]);
  return [picture, table("Changes, the latest first", ["Change", "What", "Region", "By", "Time (UTC)", "Builds on"], rows)];
}

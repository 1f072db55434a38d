// Regions and the links between them.

import { figure, h, ms, rate, s, table } from "./dom.js";
import { HEIGHT, WIDTH, land, place } from "./outline.js";

const LAND = land();
const HEALTH = { healthy: "well", degraded: "watch", unreachable: "act" };
/** Links of more regions than this say their figures only in the table. */
const LABELLED_REGIONS_MAX = 6;
/** From here on a lag is worth a word on the map, in milliseconds. */
const LAG_WORTH_SAYING_MS = 1_000;

const worst = (one, other) => (one === null ? other : other === null ? one : Math.max(one, other));
const least = (one, other) => (one === null ? other : other === null ? one : Math.min(one, other));
const sum = (one, other) => (one === null ? other : other === null ? one : one + other);

/** Links between regions: each direction as the nodes at its beginning tell it. */
export function between(snapshot, rates) {
  const links = new Map();
  for (const { node, region, links: told } of snapshot.nodes) {
    for (const link of told ?? []) {
      if (link.region === region) continue;
      const [a, b] = [region, link.region].sort();
      const key = `${a} ${b}`;
      if (!links.has(key)) links.set(key, { a, b, reachable: false, rtt: null, lag: {}, rate: {} });
      const known = links.get(key);
      known.reachable ||= link.reachable;
      known.rtt = least(known.rtt, link.rtt_ms ?? null);
      known.lag[region] = worst(known.lag[region] ?? null, link.lag_ms ?? null);
      known.rate[region] = sum(known.rate[region] ?? null, rates.get(`${node} ${link.node}`) ?? null);
    }
  }
  return [...links.values()];
}

function marker(health, x, y) {
  const at = { transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`, class: "marker", "data-state": HEALTH[health] };
  const shape =
    health === "healthy" ? s("path", { d: "M0-7a7 7 0 1 0 .01 0z" })
    : health === "degraded" ? s("path", { d: "M0-9l9 9-9 9-9-9z" })
    : s("path", { d: "M-7-7h14v14h-14z" });
  const cross = health === "unreachable" ? s("path", { class: "cross", d: "M-4-4l8 8M4-4l-8 8" }) : null;
  return s("g", at, s("g", { class: "upright" }, shape, cross));
}

/** How far along a link its figures stand, by turns: so that they seldom meet. */
const LABELS_AT = [0.5, 0.38, 0.6];

function curve(from, to, at) {
  const [x1, y1] = from;
  const [x2, y2] = to;
  const bend = 0.2 * Math.hypot(x2 - x1, y2 - y1);
  const [cx, cy] = [(x1 + x2) / 2, Math.max(12, (y1 + y2) / 2 - bend)];
  return {
    d: `M${x1.toFixed(1)} ${y1.toFixed(1)}Q${cx.toFixed(1)} ${cy.toFixed(1)} ${x2.toFixed(1)} ${y2.toFixed(1)}`,
    label: [[x1, cx, x2], [y1, cy, y2]].map(([a, c, b]) =>
      (1 - at) ** 2 * a + 2 * at * (1 - at) * c + at ** 2 * b),
  };
}

function drawnLink(link, places, labelAt) {
  const { d, label: [x, y] } = curve(places.get(link.a), places.get(link.b), labelAt ?? 0.5);
  const state = link.reachable ? "well" : "act";
  const lag = worst(link.lag[link.a] ?? null, link.lag[link.b] ?? null);
  const all = sum(link.rate[link.a] ?? null, link.rate[link.b] ?? null) ?? 0;
  const weight = Math.min(4, 1.25 + Math.log10(1 + all / 200));
  const label = link.reachable
    ? ms(link.rtt) + (lag !== null && lag >= LAG_WORTH_SAYING_MS ? ` · lag ${ms(lag)}` : "")
    : "no link";
  return s("g", { class: "link", "data-state": state },
    s("path", { class: "line", d, "stroke-width": weight.toFixed(2) }),
    all > 0 && link.reachable ? s("path", { class: "flow", d }) : null,
    labelAt !== null ? s("text", { x: x.toFixed(1), y: y.toFixed(1), "text-anchor": "middle" }, label) : null);
}

/** The map, and the same as a table. */
export function map(snapshot, rates) {
  const places = new Map(snapshot.regions.map((one) => [one.id, place(one.longitude, one.latitude)]));
  const links = between(snapshot, rates).filter((link) => places.has(link.a) && places.has(link.b));
  const isLabelled = snapshot.regions.length <= LABELLED_REGIONS_MAX;
  const regions = snapshot.regions.map((region) => {
    const [x, y] = places.get(region.id);
    const onLeft = x > WIDTH * 0.8;
    return s("g", { class: "region" }, marker(region.health, x, y),
      s("text", { x: x.toFixed(1), y: y.toFixed(1), class: onLeft ? "name left" : "name", "text-anchor": onLeft ? "end" : "start" },
        region.id));
  });
  const said = snapshot.regions.map((one) => `${one.id} ${one.health}`).join(", ");
  const picture = [
    s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: "world", "aria-label": `Regions: ${said}. The table has the figures.` },
      s("path", { class: "land", d: LAND }),
      links.map((link, at) => drawnLink(link, places, isLabelled ? LABELS_AT[at % LABELS_AT.length] : null)), regions),
    h("ul", { class: "legend" },
      h("li", { "data-state": "well" }, h("span", { class: "shape", "aria-hidden": "true" }), "healthy"),
      h("li", { "data-state": "watch" }, h("span", { class: "shape", "aria-hidden": "true" }), "degraded"),
      h("li", { "data-state": "act" }, h("span", { class: "shape", "aria-hidden": "true" }), "unreachable"),
      h("li", null, "on a link: round trip; the wider, the more traffic")),
  ];
  const rows = snapshot.regions.map((region, at) => [
    region.id,
    figure(`/regions/${at}/health`, region.health, region.health),
    { number: figure(`/regions/${at}/nodes_reachable`, region.nodes_reachable, `${region.nodes_reachable} of ${region.nodes_total}`) },
    { number: figure(`/regions/${at}/rtt_ms`, region.rtt_ms, ms(region.rtt_ms)) },
  ]);
  const pairs = links.map((link) => [
    `${link.a} – ${link.b}`, link.reachable ? "up" : "down", { number: ms(link.rtt) },
    { number: ms(link.lag[link.a]) }, { number: ms(link.lag[link.b]) },
    { number: rate(link.rate[link.a]) }, { number: rate(link.rate[link.b]) },
  ]);
  return [picture, [
    table("Regions", ["Region", "Health", "Nodes", "Round trip from here"], rows),
    table("Links between regions", ["Link", "State", "Round trip", "First behind second", "Second behind first", "First sends", "Second sends"], pairs,
      "The nodes have not told of their links yet."),
  ]];
}

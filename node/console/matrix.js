// How each node hears each other one.

import { figure, h, ms, rate, table } from "./dom.js";

/** Suspicion from which a peer is suspected, as the node has it. */
const PHI_SUSPECTED = 8;
const PHI_UNEASY = 3;
const LAG_UNEASY_MS = 1_000;

function state(link) {
  if (!link.reachable) return "act";
  const isUneasy = (link.phi ?? 0) >= PHI_UNEASY || (link.lag_ms ?? 0) >= LAG_UNEASY_MS;
  return (link.phi ?? 0) >= PHI_SUSPECTED ? "act" : isUneasy ? "watch" : "well";
}

const WORDS = { well: "up", watch: "uneasy", act: "down" };

function cell(from, to, nodes, at) {
  if (from.node === to.node) return h("td", { class: "self" }, h("span", { class: "unseen" }, "itself"));
  if (!from.links) return h("td", { class: "unasked" }, "…", h("span", { class: "unseen" }, "has not told"));
  const place = from.links.findIndex((link) => link.node === to.node);
  const link = from.links[place];
  if (!link) return h("td", null, "–");
  const pointer = (name) => `/nodes/${at}/links/${place}/${name}`;
  return h("td", { "data-state": state(link), title: link.last_error ?? null },
    h("span", { class: "shape", "aria-hidden": "true" }), h("span", { class: "unseen" }, WORDS[state(link)]),
    h("strong", null, link.reachable ? figure(pointer("rtt_ms"), link.rtt_ms, ms(link.rtt_ms)) : "down"),
    h("small", null, "lag ", figure(pointer("lag_ms"), link.lag_ms, ms(link.lag_ms))),
    h("small", null, "φ ", figure(pointer("phi"), link.phi, link.phi === null ? "–" : link.phi.toFixed(1))));
}

/** The matrix, and the same as a list of pairs. */
export function matrix(snapshot, rates) {
  const { nodes } = snapshot;
  const name = (node) => [h("span", { class: "node" }, `node ${node.node}`), h("small", null, node.region)];
  const picture = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Network matrix" },
    h("table", { class: "matrix" },
      h("caption", { class: "unseen" }, "Rows hear columns: round trip, lag behind them, and suspicion (phi)"),
      h("thead", null, h("tr", null, h("td", { class: "corner" }, "hears →"),
        nodes.map((node) => h("th", { scope: "col" }, name(node))))),
      h("tbody", null, nodes.map((from, at) => h("tr", null,
        h("th", { scope: "row" }, name(from)),
        nodes.map((to) => cell(from, to, nodes, at)))))));
  const rows = nodes.flatMap((from) => (from.links ?? []).map((link) => [
    `node ${from.node} (${from.region}) → node ${link.node} (${link.region})`,
    WORDS[state(link)],
    { number: ms(link.rtt_ms) }, { number: ms(link.rtt_deviation_ms) },
    { number: link.phi === null ? "–" : link.phi.toFixed(2) }, { number: ms(link.lag_ms) },
    { number: rate(rates.get(`${from.node} ${link.node}`)) },
    link.last_error ?? "",
  ]));
  const columns = ["From → to", "State", "Round trip", "Deviation", "Suspicion φ", "Lag behind it", "Sends", "Last error"];
  return [picture, table("Links between nodes", columns, rows, "No links: this cluster has one node.")];
}

// Nodes in figures, and the figures of all together.

import { badge, bytes, count, figure, h, ms, table } from "./dom.js";

const WORDS = { listings: "listings", groups_led: "groups led", groups_awake: "groups awake", entries_logged: "written",
  entries_applied: "applied", writes_queued: "writes queued" };

function standing(snapshot, node) {
  const region = snapshot.regions.find((one) => one.id === node.region);
  if (node.figures) return badge("well", "answers");
  if (snapshot.scope === "node") return badge("idle", "not asked yet");
  return badge("act", region?.health === "unreachable" ? "unreachable" : "silent");
}

function tile(snapshot, node, at) {
  const { figures } = node;
  const pointer = (name) => `/nodes/${at}/figures/${name}`;
  const isHere = node.node === snapshot.by.node;
  return h("li", { class: "node-tile" },
    h("p", { class: "node-name" }, h("strong", null, `node ${node.node}`), ` ${node.region} `, h("small", null, node.zone),
      isHere ? h("small", { class: "here" }, "this page") : null),
    h("p", null, standing(snapshot, node), node.state === "active" ? null : badge("watch", node.state)),
    h("dl", null, figures === null ? null : [
      ...Object.entries(WORDS).map(([name, word]) =>
        h("div", null, h("dt", null, word), h("dd", null, figure(pointer(name), figures[name], count(figures[name]))))),
      h("div", null, h("dt", null, "behind"), h("dd", null, figure(pointer("staleness_ms"), figures.staleness_ms, ms(figures.staleness_ms)))),
      h("div", null, h("dt", null, "logs"), h("dd", null, figure(pointer("log_bytes"), figures.log_bytes, bytes(figures.log_bytes)))),
    ]));
}

/** A tile for each node, and the same as a table. */
export function nodes(snapshot) {
  const picture = h("ul", { class: "node-tiles" }, snapshot.nodes.map((node, at) => tile(snapshot, node, at)));
  const columns = ["Node", "Region", "Zone", "State", "Version", ...Object.values(WORDS), "Hot documents", "Behind", "Payments open", "Stuck", "Set aside", "Logs"];
  const rows = snapshot.nodes.map((node, at) => {
    const figures = node.figures ?? {};
    const number = (name) => ({
      number: node.figures ? figure(`/nodes/${at}/figures/${name}`, figures[name], count(figures[name])) : "–",
    });
    return [`node ${node.node}`, node.region, node.zone, standing(snapshot, node), figures.version ?? "–",
      ...Object.keys(WORDS).map(number), number("documents_hot"), { number: ms(figures.staleness_ms) },
      number("payments_open"), number("payments_stuck"), number("quarantined"), { number: bytes(figures.log_bytes) }];
  });
  return [picture, table("Nodes", columns, rows)];
}

/** What stands at the top in large figures. */
export function tiles(snapshot) {
  const told = snapshot.nodes.filter((node) => node.figures);
  const all = (name) => told.reduce((sum, node) => sum + node.figures[name], 0);
  const links = told.flatMap((node) => node.links ?? []);
  const highest = (name) => links.reduce((high, link) => Math.max(high, link[name] ?? 0), 0);
  const sum = (counts) => counts.reduce((sum, one) => sum + one, 0);
  const here = snapshot.nodes.find((node) => node.node === snapshot.by.node);
  const conflicts = sum(snapshot.series.taken);
  const payments = all("payments_open");
  const stuck = all("payments_stuck");
  const tile = (name, value, written, note) => h("div", null, h("dt", null, name),
    h("dd", null, h("data", { value, "data-total": name }, written), note ? h("small", null, note) : null));
  return [
    tile("Listings here", here?.figures?.listings, count(here?.figures?.listings)),
    tile("Groups awake", all("groups_led"), count(all("groups_led")), "asleep cost nothing"),
    tile("Booked", sum(snapshot.series.booked), count(sum(snapshot.series.booked)), "in 15 minutes"),
    tile("Conflicts", conflicts, count(conflicts), "nights asked for twice"),
    tile("Longest lag", highest("lag_ms"), ms(highest("lag_ms"))),
    tile("Longest round trip", highest("rtt_ms"), ms(highest("rtt_ms"))),
    tile("Payments open", payments, count(payments), stuck > 0 ? `${count(stuck)} stuck` : "none stuck"),
  ];
}

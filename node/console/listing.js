// One listing in every region, side by side.

import { address, badge, count, figure, h, show, table, time } from "./dom.js";
import { graph, shortened } from "./graph.js";
import { ledger } from "./ledger.js";
import { draw, switchable } from "./figure.js";

/** Between two looks, in snapshots: a look asks every node. */
const LOOK_EVERY = 2;

const FIGURES = [
  ["stand", "In every region", "How the listing stands at each node. Nodes that have everything have the same heads."],
  ["changes", "Changes", "The graph of changes, oldest on the left: what was written side by side has several ends."],
  ["slots", "Slot ledger", "What the listing's Raft group has decided, as one node has applied it."],
  ["conflicts", "Conflicts", "Values that were written to one field at the same time."],
];

function section([id, name, note], json) {
  return h("section", { class: "figure", id: `listing-${id}`, "aria-labelledby": `listing-${id}-name` },
    h("div", { class: "head" }, h("h2", { id: `listing-${id}-name` }, name),
      h("div", { class: "tools" },
        h("button", { class: "as-table", type: "button", "aria-pressed": "false" }, "Table"),
        h("a", { href: json, "aria-label": `${name} as JSON` }, "JSON"))),
    h("p", { class: "note" }, note), h("div", { class: "picture" }), h("div", { class: "table", hidden: true }));
}

/** The heads that most nodes have. */
function usual(nodes) {
  const tally = new Map();
  for (const { standing } of nodes) {
    if (standing?.etag) tally.set(standing.etag, (tally.get(standing.etag) ?? 0) + 1);
  }
  return [...tally.entries()].sort((a, b) => b[1] - a[1])[0]?.[0] ?? null;
}

function agreement(standing, same) {
  if (standing === null) return badge("act", "no answer");
  if (standing.etag === null) return standing.serves ? badge("watch", "not here yet") : badge("idle", "held elsewhere");
  return standing.etag === same ? badge("well", "same heads") : badge("watch", "other heads");
}

function stand({ nodes }) {
  const same = usual(nodes);
  const cards = nodes.map(({ node, region, standing }, at) => {
    const pointer = (name) => `/nodes/${at}/standing/${name}`;
    const line = (word, value) => h("div", null, h("dt", null, word), h("dd", null, value));
    const number = (name) => figure(pointer(name), standing[name], count(standing[name]));
    return h("li", { class: "node-tile" },
      h("p", { class: "node-name" }, h("strong", null, region), h("small", null, `node ${node}`)),
      h("p", null, agreement(standing, same), standing?.deleted ? badge("watch", "deleted") : null,
        standing?.role === "leader" ? badge("idle", "leads") : null),
      standing === null ? null : h("dl", null,
        line("heads", h("span", { class: "id" }, standing.heads.map(shortened).join(" ") || "–")),
        line("changes", number("changes")), line("role", standing.role ?? "none"), line("term", number("term")),
        line("last in log", number("last_log_index")), line("applied", number("applied_index")),
        line("revision", number("revision"))));
  });
  const rows = nodes.map(({ node, region, standing }) => [
    `${region} / node ${node}`, agreement(standing, same), standing?.heads.map(shortened).join(" ") || "–",
    ...["changes"].map((name) => ({ number: count(standing?.[name]) })),
    standing?.role ?? "none", standing?.leader ? `node ${standing.leader}` : "–",
    (standing?.voters ?? []).join(", "),
    ...["term", "last_log_index", "applied_index", "revision"].map((name) => ({ number: count(standing?.[name]) })),
  ]);
  const columns = ["Where", "Document", "Heads", "Changes", "Role", "Leader", "Voters", "Term", "Last in log", "Applied", "Revision"];
  return [h("ul", { class: "node-tiles" }, cards), table("The listing in every region", columns, rows)];
}

function written(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function conflicts(document) {
  const rows = (document?.conflicts ?? []).flatMap((conflict) => conflict.values.map((one) => [
    conflict.field, written(one.value), one.shown ? badge("well", "shown") : badge("idle", "kept"),
    one.region ?? "?", one.actor === null ? "?" : `node ${one.actor}`, time(one.time), h("span", { class: "id" }, shortened(one.hash))]));
  const columns = ["Field", "Value", "", "Region", "By", "Time (UTC)", "Change"];
  const list = (document?.conflicts ?? []).map((conflict) => h("li", null,
    h("strong", null, conflict.field), h("small", null, ` decided by ${conflict.rule}`),
    h("ul", null, conflict.values.map((one) => h("li", null,
      one.shown ? badge("well", "shown") : badge("idle", "kept"), h("q", null, written(one.value)), h("small", null, `${one.region ?? "?"}`))))));
  const picture = list.length === 0 ? h("p", { class: "empty" }, "Nothing is in conflict.") : h("ul", { class: "conflicts" }, list);
  return [picture, table("Conflicts", columns, rows, "Nothing is in conflict.")];
}

/** The part of the page that shows a listing. */
export class Listing {
  constructor(root) {
    this.root = root;
    this.id = null;
    this.ticks = 0;
    this.isAsking = false;
  }

  enter(id) {
    if (this.id === id) return;
    this.id = id;
    const json = `/console/data/listings/${encodeURIComponent(id)}`;
    this.root.replaceChildren(
      h("section", { class: "listing-head" },
        h("p", null, h("a", { href: "#/", class: "back" }, "← All regions")),
        h("h2", { id: "listing-title", tabindex: -1 }, "…"),
        h("p", { class: "note" }, h("span", { class: "id" }, id), " ", h("span", { id: "listing-home" }))),
      h("p", { class: "empty", id: "listing-trouble", role: "alert", hidden: true }),
      h("div", { id: "listing-figures" }, FIGURES.map((figure) => section(figure, json))));
    for (const one of this.root.querySelectorAll(".figure")) switchable(one);
    this.look();
    document.getElementById("listing-title").focus({ preventScroll: true });
    scrollTo(0, 0);
  }

  leave() {
    this.id = null;
    this.root.replaceChildren();
  }

  tick() {
    this.ticks += 1;
    if (this.id !== null && this.ticks % LOOK_EVERY === 0) this.look();
  }

  async look() {
    if (this.isAsking) return;
    const id = this.id;
    this.isAsking = true;
    try {
      const answer = await fetch(address(`/console/data/listings/${encodeURIComponent(id)}`));
      const body = await answer.json();
      if (this.id !== id) return;
      if (answer.ok) this.paint(body);
      else this.trouble(body.detail ?? body.title);
    } catch {
      if (this.id === id) this.trouble("This node does not answer; trying again.");
    } finally {
      this.isAsking = false;
      if (this.id !== null && this.id !== id) this.look();
    }
  }

  trouble(what) {
    const said = document.getElementById("listing-trouble");
    said.hidden = false;
    show(said, what);
  }

  paint(shown) {
    document.getElementById("listing-trouble").hidden = true;
    show(document.getElementById("listing-title"), shown.document?.title ?? "A listing without a document");
    show(document.getElementById("listing-home"), shown.home === null ? "" : `at home in ${shown.home}`);
    draw("listing-stand", ...stand(shown));
    draw("listing-changes", ...graph(shown.document));
    draw("listing-slots", ...ledger(shown.ledger));
    draw("listing-conflicts", ...conflicts(shown.document));
    document.documentElement.dataset.listing = shown.listing_id;
  }
}

// The page: draws what the stream tells, and goes from the overview to a listing and back.

import { h, show } from "./dom.js";
import { events } from "./events.js";
import { draw, switchable } from "./figure.js";
import { follow } from "./feed.js";
import { groups } from "./groups.js";
import { Listing } from "./listing.js";
import { map } from "./map.js";
import { matrix } from "./matrix.js";
import { nodes, tiles } from "./nodes.js";
import { series } from "./series.js";

const at = (id) => document.getElementById(id);

/** Snapshots by which traffic is reckoned: the rate of the last five seconds. */
const REMEMBERED_MAX = 6;
const remembered = [];

function sent(snapshot) {
  const sent = new Map();
  for (const { node, links } of snapshot.nodes) {
    for (const link of links ?? []) sent.set(`${node} ${link.node}`, link.bytes_sent);
  }
  return sent;
}

/** Bytes per second by pair of nodes; a node that started anew has none for a moment. */
function rates(snapshot) {
  const now = { at: snapshot.at_ms, sent: sent(snapshot) };
  const before = remembered[0];
  remembered.push(now);
  if (remembered.length > REMEMBERED_MAX) remembered.shift();
  const rates = new Map();
  const seconds = before ? (now.at - before.at) / 1000 : 0;
  if (seconds <= 0) return rates;
  for (const [pair, bytes] of now.sent) {
    const earlier = before.sent.get(pair);
    if (earlier !== undefined && bytes >= earlier) rates.set(pair, (bytes - earlier) / seconds);
  }
  return rates;
}

function banner({ level, word, headline, facts }) {
  const section = at("banner");
  if (section.dataset.level !== level) section.dataset.level = level;
  show(section,
    h("span", { class: "sign", "aria-hidden": "true" }),
    h("div", null, h("p", { class: "word" }, word), h("h1", null, headline),
      h("ul", { class: "facts" }, facts.map((fact) => h("li", null, fact)))));
}

let latest = null;

function paint(snapshot) {
  latest = snapshot;
  const traffic = rates(snapshot);
  banner(snapshot.banner);
  show(at("at"), snapshot.at);
  at("at").setAttribute("datetime", snapshot.at);
  if (at("overview").hidden) return;
  show(at("tiles"), tiles(snapshot));
  draw("map", ...map(snapshot, traffic));
  draw("groups", ...groups(snapshot));
  draw("bookings", ...series(snapshot));
  draw("events", ...events(snapshot));
  draw("network", ...matrix(snapshot, traffic));
  draw("nodes", ...nodes(snapshot));
  document.documentElement.dataset.painted = snapshot.scope;
}

const listing = new Listing(at("listing"));

function route() {
  const found = /^#\/listings\/([^/]+)$/.exec(location.hash);
  let id = null;
  try {
    id = found ? decodeURIComponent(found[1]) : null;
  } catch {
    // No address of ours: the overview.
  }
  at("overview").hidden = id !== null;
  at("listing").hidden = id === null;
  if (id === null) {
    listing.leave();
    if (latest) paint(latest);
    if (location.hash === "#/") at("main").focus();
    // It may have been hidden when the browser looked for it.
    else if (location.hash) at(location.hash.slice(1))?.scrollIntoView();
    return;
  }
  at("find-id").value = id;
  listing.enter(id);
}

const THEMES = ["auto", "light", "dark"];

function theme() {
  const button = at("theme");
  const root = document.documentElement;
  const chosen = () => root.dataset.theme ?? "auto";
  const say = (name) => show(button, h("span", null, "Theme: "), name);
  say(chosen());
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(chosen()) + 1) % THEMES.length];
    if (next === "auto") delete root.dataset.theme;
    else root.dataset.theme = next;
    try {
      localStorage.setItem("meridian-theme", next);
    } catch {
      // No storage: it is forgotten with the page.
    }
    say(next);
  });
}

/** Texts in pictures that are stretched keep their size on the screen. */
function legible() {
  const world = at("map").querySelector(".picture");
  const measure = () => {
    const width = world.clientWidth;
    if (width > 0) at("map").style.setProperty("--unit", (1000 / width).toFixed(3));
  };
  new ResizeObserver(measure).observe(world);
  measure();
}

for (const section of document.querySelectorAll("#overview .figure")) switchable(section);
theme();
paint(JSON.parse(at("snapshot").textContent));
legible();
route();
addEventListener("hashchange", route);
at("find").addEventListener("submit", (event) => {
  event.preventDefault();
  const id = at("find-id").value.trim();
  if (id) location.hash = `#/listings/${encodeURIComponent(id)}`;
});
follow(
  (snapshot) => {
    paint(snapshot);
    listing.tick();
  },
  (state, word) => {
    at("pulse").dataset.state = state;
    show(at("pulse-word"), word);
  },
);

// Groups awake, by the region that leads them; what belongs elsewhere comes first.

import { count, figure, h, listingLink, s, table } from "./dom.js";

function bar(region, most) {
  const width = (led) => ((100 * led) / most).toFixed(2);
  const homes = Object.entries(region.by_home).filter(([home]) => home !== region.region);
  let from = region.at_home;
  return s("svg", { class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("defs", null, s("pattern", { id: "astray", width: 1.6, height: 10, patternUnits: "userSpaceOnUse" },
      s("rect", { width: 1.6, height: 10, class: "astray-ground" }), s("rect", { width: 0.6, height: 10, class: "astray-stripe" }))),
    s("rect", { class: "ground", width: 100, height: 10 }),
    s("rect", { class: "at-home", width: width(region.at_home), height: 10 }),
    homes.map(([, led]) => {
      const x = width(from);
      from += led;
      return s("rect", { class: "astray", x, width: width(led), height: 10 });
    }));
}

/** The bars, and the same as a table. */
export function groups(snapshot) {
  const { by_leader: regions, misplaced } = snapshot.groups;
  const most = Math.max(1, ...regions.map((region) => region.led));
  const astray = regions.reduce((all, region) => all + region.misplaced, 0);
  const bars = regions.map((region, at) => h("li", null,
    h("span", { class: "who" }, region.region),
    h("span", { class: "led" }, figure(`/groups/by_leader/${at}/led`, region.led, count(region.led)), " led",
      region.misplaced > 0 ? [", ", h("strong", { class: "astray-word" },
        figure(`/groups/by_leader/${at}/misplaced`, region.misplaced, count(region.misplaced)), " from elsewhere")] : ""),
    bar(region, most)));
  const list = misplaced.length === 0 ? null : [
    h("h3", null, "Away from home"),
    h("ul", { class: "astray-list" }, misplaced.map((one) => h("li", null,
      listingLink(one.listing_id), h("small", null, `${one.home ?? "?"}, led in ${one.led_in} by node ${one.led_by}`)))),
  ];
  const picture = [
    h("p", { class: "summary" }, regions.length === 0 ? "No node has told of its groups yet."
      : astray === 0 ? "Every group that is awake is led from its home region."
      : `${count(astray)} of the groups awake are led away from home.`),
    h("ul", { class: "bars" }, bars), list,
  ];
  const rows = regions.map((region) => [region.region, { number: count(region.misplaced) }, { number: count(region.at_home) },
    { number: count(region.led) }, Object.entries(region.by_home).map(([home, led]) => `${home}: ${led}`).join(", ")]);
  return [picture, [
    table("Groups by leader region", ["Led in", "Misplaced", "At home", "All", "By home region"], rows, "No group is awake."),
    table("Misplaced groups", ["Listing", "Home", "Led in", "By"],
      misplaced.map((one) => [listingLink(one.listing_id), one.home ?? "?", one.led_in, `node ${one.led_by}`]), "None is misplaced."),
  ]];
}

// The latest events of bookings.

import { badge, h, listingLink, table, time } from "./dom.js";

function state(type) {
  if (/confirmed|captured|authorized/.test(type)) return "well";
  if (/expired|declined|given_up|missed/.test(type)) return "watch";
  return "idle";
}

const listingOf = (event) => event.data?.listing_id ?? "";

/** The list, and the same as a table. */
export function events(snapshot) {
  const { events } = snapshot;
  const list = events.map((event) => h("li", null,
    time(event.time ?? ""), badge(state(event.type), event.type), listingLink(listingOf(event))));
  const picture = events.length === 0
    ? h("p", { class: "empty" }, "Nothing has happened to a booking that the nodes still know of.")
    : h("ol", { class: "events", tabindex: 0, "aria-label": "Latest events" }, list);
  const rows = events.map((event) => [time(event.time ?? ""), event.type, listingLink(listingOf(event)),
    { number: event.data?.number ?? "–" }, event.id]);
  return [picture, table("Latest events", ["Time (UTC)", "Type", "Listing", "Number", "Id"], rows, "No events.")];
}

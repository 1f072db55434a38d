// What a listing's Raft group has decided: nights, and who has them.

import { badge, count, figure, h, s, table, time } from "./dom.js";

const DAY_MS = 86_400_000;
/** Days that are drawn at most, from the first that is taken. */
const DAYS_MAX = 92;
const DAY = 14;
const ROW = 20;
const TAKES = { held: "held", pending_payment: "pending", confirmed: "confirmed", blocked: "blocked" };
const STATES = { confirmed: "well", held: "idle", pending_payment: "idle", blocked: "idle", cancelled: "watch", expired: "watch", reopened: "watch" };

/** Money in minor units, as its currency is written. */
function price(value) {
  if (!value) return "–";
  try {
    const format = new Intl.NumberFormat("en", { style: "currency", currency: value.currency });
    return format.format(value.amount / 10 ** format.resolvedOptions().maximumFractionDigits);
  } catch {
    return `${count(value.amount)} ${value.currency}`;
  }
}

/** Bars in as few rows as they fit into. */
function rows(bars) {
  const ends = [];
  return bars.map((bar) => {
    const free = ends.findIndex((end) => end <= bar.from);
    const row = free < 0 ? ends.length : free;
    ends[row] = bar.to;
    return { ...bar, row };
  });
}

function calendar(reservations) {
  const bars = reservations.filter((one) => TAKES[one.state])
    .map((one) => ({ from: Date.parse(one.check_in), to: Date.parse(one.check_out), one }))
    .filter((bar) => Number.isFinite(bar.from) && bar.to > bar.from)
    .sort((a, b) => a.from - b.from);
  if (bars.length === 0) return null;
  const first = Math.floor(bars[0].from / DAY_MS) * DAY_MS;
  const last = Math.min(Math.max(...bars.map((bar) => bar.to)), first + DAYS_MAX * DAY_MS);
  const days = Math.max(7, Math.ceil((last - first) / DAY_MS));
  const placed = rows(bars.filter((bar) => bar.from < last));
  const height = 18 + ROW * Math.max(...placed.map((bar) => bar.row + 1));
  const x = (at) => ((at - first) / DAY_MS) * DAY;
  const marks = Array.from({ length: days + 1 }, (_, day) => day).filter((day) => day % 7 === 0);
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Nights that are taken" },
    s("svg", { class: "calendar", width: days * DAY + 60, height, viewBox: `0 0 ${days * DAY + 60} ${height}`, role: "img",
      "aria-label": `${placed.length} reservations take nights. The table has them.` },
      marks.map((day) => [s("path", { class: "rule", d: `M${day * DAY} 14V${height}` }),
        s("text", { x: day * DAY + 3, y: 10 }, new Date(first + day * DAY_MS).toISOString().slice(5, 10))]),
      placed.map(({ from, to, row, one }) => s("g", { class: `slot ${TAKES[one.state]}` },
        s("title", null, `number ${one.number}: ${one.state}, ${one.check_in} to ${one.check_out}`),
        s("rect", { x: x(from) + 1, y: 18 + row * ROW, width: Math.max(4, x(to) - x(from) - 2), height: ROW - 5, rx: 3 }),
        s("text", { class: "number", x: x(from) + 5, y: 18 + row * ROW + 11 }, one.number)))));
}

/** The calendar and what it rests on, and the ledger as a table. */
export function ledger(told) {
  if (!told) {
    return [h("p", { class: "empty" }, "Nothing has been booked yet: the group has never been used."), null];
  }
  const { reservations } = told;
  const fact = (name, word) => h("div", null, h("dt", null, word), h("dd", null, figure(`/ledger/${name}`, told[name], count(told[name]))));
  const picture = [
    h("dl", { class: "facts-line" }, fact("log_index", "log index"), fact("revision", "revision"),
      fact("reservations_total", "reservations"), h("div", null, h("dt", null, "as of"), h("dd", null, time(told.time), ` on node ${told.told_by}`))),
    calendar(reservations) ?? h("p", { class: "empty" }, "No night is taken."),
    h("ul", { class: "legend slots" }, Object.entries(TAKES).map(([, name]) =>
      h("li", { "data-slot": name }, h("span", { class: "swatch", "aria-hidden": "true" }), name))),
  ];
  const rows = reservations.map((one) => [
    String(one.number), badge(STATES[one.state] ?? "idle", one.state), one.check_in, one.check_out, { number: count(one.guests) },
    { number: price(one.price) }, { number: count(one.fencing_token) },
    one.steps.map((step, at) => [at > 0 ? ", " : "", step.step, " ", time(step.at)])]);
  const columns = ["Number", "State", "From", "Until", "Guests", "Price", "Fencing token", "Steps (UTC)"];
  return [picture, table("Reservations, the latest first", columns, rows, "No reservation was ever made.")];
}

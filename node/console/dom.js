// Elements, made of names of ours and of texts. Nothing here, or anywhere else in the console,
// reads markup out of a text: what people have written stays text.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/** An element of HTML. */
export function h(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** An element of SVG. */
export function s(name, attributes, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

/** Makes an element hold these children, and changes only what differs: focus, scrolling and
 * what is selected stay where they are. */
export function show(element, ...children) {
  const next = document.createDocumentFragment();
  fill(next, null, children);
  patchChildren(element, next);
}

function patchChildren(live, next) {
  const wanted = [...next.childNodes];
  wanted.forEach((node, place) => {
    const there = live.childNodes[place];
    if (!there) live.append(node);
    else patch(there, node);
  });
  while (live.childNodes.length > wanted.length) live.lastChild.remove();
}

function patch(live, next) {
  if (live.nodeType !== next.nodeType || live.nodeName !== next.nodeName) {
    live.replaceWith(next);
    return;
  }
  if (live.nodeType === Node.TEXT_NODE) {
    if (live.data !== next.data) live.data = next.data;
    return;
  }
  for (const { name } of [...live.attributes]) {
    if (!next.hasAttribute(name)) live.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (live.getAttribute(name) !== value) live.setAttribute(name, value);
  }
  patchChildren(live, next);
}

/** A table: its caption, names of columns, and rows whose first cell names the row. Cells that
 * are `{ number }` stand on the right. */
export function table(caption, columns, rows, empty = "Nothing.") {
  const cell = (content, place) => {
    const isNumber = typeof content === "object" && content !== null && "number" in content;
    const inner = isNumber ? content.number : content;
    return place === 0
      ? h("th", { scope: "row" }, inner)
      : h("td", { class: isNumber ? "number" : null }, inner);
  };
  const isNumber = (place) => {
    const cell = rows[0]?.[place];
    return typeof cell === "object" && cell !== null && "number" in cell;
  };
  if (rows.length === 0) return h("p", { class: "empty" }, empty);
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    h("table", null,
      h("caption", { class: "unseen" }, caption),
      h("thead", null, h("tr", null, columns.map((name, place) =>
        h("th", { scope: "col", class: isNumber(place) ? "number" : null }, name)))),
      h("tbody", null, rows.map((row) => h("tr", null, row.map(cell))))));
}

/** A figure that can be read back: its exact value, and where it stands in the JSON. */
export function figure(pointer, value, written) {
  return h("data", { value: value ?? "", "data-figure": pointer }, written);
}

const whole = new Intl.NumberFormat("en");

export function count(value) {
  return value === null || value === undefined ? "–" : whole.format(value);
}

export function ms(value) {
  if (value === null || value === undefined) return "–";
  if (value >= 10_000) return `${(value / 1000).toFixed(0)} s`;
  if (value >= 1_000) return `${(value / 1000).toFixed(1)} s`;
  return value < 10 ? `${value.toFixed(1)} ms` : `${value.toFixed(0)} ms`;
}

export function bytes(value) {
  if (value === null || value === undefined) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function rate(value) {
  return value === null || value === undefined ? "–" : `${bytes(value)}/s`;
}

/** The time of day of an instant, in UTC, which is said in full on demand. */
export function time(instant) {
  return h("time", { datetime: instant, title: instant }, String(instant ?? "").slice(11, 19));
}

/** A link to the page of a listing. */
export function listingLink(id) {
  return h("a", { href: `#/listings/${encodeURIComponent(id)}`, class: "id", title: id }, id);
}

/** A state in a word, told apart by its shape, too. */
export function badge(state, word) {
  return h("span", { class: "badge", "data-state": state }, h("span", { class: "shape", "aria-hidden": "true" }), word);
}

/** Where the node serves something. The page's own address may have a name and a key in it, and
 * a browser asks nothing by such an address. */
export function address(path) {
  return new URL(path, location.origin).href;
}

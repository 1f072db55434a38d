// A picture that is a table, too.

import { show } from "./dom.js";

function remembered(key) {
  try {
    return localStorage.getItem(key) === "yes";
  } catch {
    return false;
  }
}

function remember(key, value) {
  try {
    localStorage.setItem(key, value ? "yes" : "no");
  } catch {
    // No storage: it is forgotten with the page.
  }
}

/** Lets a section be seen as a picture or as a table, as it was last seen here. */
export function switchable(section) {
  const button = section.querySelector(".as-table");
  const key = `meridian-table-${section.id}`;
  const set = (isTable) => {
    button.setAttribute("aria-pressed", String(isTable));
    section.querySelector(".picture").hidden = isTable;
    section.querySelector(".table").hidden = !isTable;
  };
  button.hidden = false;
  set(remembered(key));
  button.addEventListener("click", () => {
    const isTable = button.getAttribute("aria-pressed") !== "true";
    set(isTable);
    remember(key, isTable);
  });
}

/** Draws a section. */
export function draw(id, picture, table) {
  const section = document.getElementById(id);
  if (!section) return;
  show(section.querySelector(".picture"), picture);
  show(section.querySelector(".table"), table);
}

// Before the first paint: the theme that was chosen here, if one was.
"use strict";
try {
  const chosen = localStorage.getItem("meridian-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // No storage: the system's theme.
}

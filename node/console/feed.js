// The stream of snapshots, and whether it flows.

import { address } from "./dom.js";

const LATE_MS = 5_000;
const AGAIN_MS = 3_000;

/** Calls `seen` with each snapshot and `told` with the state of the stream and its word. Where
 * the browser gives up, because the node refused or is gone, it is tried again. */
export function follow(seen, told) {
  let source = null;
  let late = null;
  let again = null;

  const expect = () => {
    clearTimeout(late);
    late = setTimeout(() => told("late", "no news for a while"), LATE_MS);
  };
  const open = () => {
    clearTimeout(again);
    source?.close();
    let lastWord = null;
    source = new EventSource(address("/console/live"));
    expect();
    source.addEventListener("snapshot", (event) => {
      expect();
      lastWord = null;
      told("live", "live");
      seen(JSON.parse(event.data));
    });
    source.addEventListener("ended", (event) => {
      const { reason } = JSON.parse(event.data);
      lastWord = reason === "stopping" ? "this node stops" : "not known here any more";
      told("late", lastWord);
    });
    source.addEventListener("error", () => {
      // The end that was told of is no loss.
      told("late", lastWord ?? "connection lost, trying again");
      if (source.readyState !== EventSource.CLOSED) return;
      clearTimeout(again);
      again = setTimeout(openIfKnown, AGAIN_MS);
    });
  };
  // A browser asks its user for a name each time that the node wants one: not for ever.
  const openIfKnown = async () => {
    const refused = source;
    const answer = await fetch(address("/console/data/banner")).catch(() => null);
    // It was closed or opened anew meanwhile.
    if (source !== refused || source === null) return;
    if (answer?.status !== 401 && answer?.status !== 403) {
      open();
      return;
    }
    clearTimeout(late);
    told("late", "not known here any more: load the page again");
  };
  const close = () => {
    clearTimeout(late);
    clearTimeout(again);
    source?.close();
    source = null;
  };
  // Who does not look at the page keeps no seat and asks no node.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
      open();
      return;
    }
    close();
    told("waiting", "paused while hidden");
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && open());
  open();
}

// What pages say about campaigns.

import { hash } from "./address.js";
import { h } from "./dom.js";
import { count, duration, plural } from "./format.js";

export const campaignLink = (/** @type {string} */ id) => hash(`/campaigns/${encodeURIComponent(id)}`);

/** Its name, or what it ran. @param {any} one */
export const campaignName = (one) =>
  one.name ||
  (one.benchmarks.length > 2 ? `${plural(one.benchmarks.length, "benchmark")}` : one.benchmarks.join(", ")) ||
  one.run_group_id;

/** @param {any} one */
export function countsText({ counts, running, reason, finished_at: ended }) {
  const some = [
    running && `${count(running)} running`,
    counts.succeeded && `${count(counts.succeeded)} succeeded`,
    counts.failed && `${count(counts.failed)} failed`,
    counts.skipped && `${count(counts.skipped)} skipped`,
    counts.incompatible && `${count(counts.incompatible)} incompatible`,
  ];
  return [...some.filter(Boolean), ended && reason && reason !== "completed" ? reason.replaceAll("_", " ") : ""]
    .filter(Boolean)
    .join(", ");
}

/** How far an open campaign is. @param {any} one @param {number | null} [eta] */
export function progressBar({ counts, running, planned }, eta = null) {
  const done = counts.succeeded + counts.failed + counts.skipped + counts.incompatible;
  const all = planned ?? done + running;
  return h(
    "div",
    { class: "line" },
    h("progress", { value: done, max: all, "aria-label": "progress" }),
    h(
      "span",
      {},
      planned === null
        ? `${plural(done, "cell")} done, of a number that is not recorded`
        : `${count(done)} of ${plural(all, "cell")}`,
    ),
    eta !== null &&
      h("span", { class: "soft" }, eta > 0 ? `about ${duration(eta, { whole: true })} left` : "longer than usual"),
  );
}

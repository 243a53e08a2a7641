// A card for each benchmark: the best run, the latest, and the reference.

import { benchmarkLink } from "./address.js";
import { h, keep } from "./dom.js";
import { follow } from "./follow.js";
import { count, direction, signed } from "./format.js";
import { runLink, scored, statusBadge, when } from "./parts.js";
import { empty } from "./states.js";

/** @type {import("./routes.js").Show} */
export function show(main, _, { signal, ready }) {
  const place = h("div", {});
  const cards = h("div", { class: "cards" });
  main.replaceChildren(h("div", { class: "intro" }, h("h1", {}, "Benchmarks")), place);
  follow(place, {
    path: "/api/benchmarks",
    what: "The benchmarks",
    signal,
    draw: ({ benchmarks }) => {
      if (benchmarks.length) keep(cards, benchmarks.map((/** @type {any} */ row) => [row.benchmark_id, row, () => card(row)]));
      const shown = benchmarks.length ? cards : empty("No runs yet", "This command shows what can be run:", "benchmarks list-benchmarks");
      if (place.firstChild !== shown) place.replaceChildren(shown);
      ready();
    },
  });
}

/** @param {Record<string, any>} row */
function card(row) {
  const reference = row.high_score;
  const gap = reference && row.best_score !== null ? row.best_score - reference.value : null;
  const better = gap === null ? null : h("span", { class: `delta ${direction(gap, reference.higher_is_better)}` }, signed(gap));
  return h(
    "article",
    { class: "panel card" },
    h("h2", {}, h("a", { href: benchmarkLink(row.benchmark_id) }, row.benchmark_id)),
    h(
      "p",
      { class: "best" },
      row.best_run_id ? h("a", { class: "big", href: runLink(row.best_run_id) }, scored(row.best_score, null, row.unit)) : h("span", { class: "big" }, "—"),
      h("span", { class: "soft" }, row.best_run_id ? "own best" : "no own best yet"),
    ),
    h("p", { class: "against" }, reference ? [better, better && " ", h("span", { class: "soft" }, "against "), scored(reference.value, null, row.unit), h("span", { class: "soft" }, ` (${reference.label})`)] : h("span", { class: "soft" }, "no published reference")),
    h(
      "dl",
      { class: "facts" },
      h("dt", {}, "latest"),
      h("dd", { class: "latest" }, h("a", { href: runLink(row.latest_run_id) }, scored(row.latest_score, null, row.unit) || "no score"), statusBadge({ status: row.latest_status }), when(row.latest_started_at)),
      h("dt", {}, "model"),
      h("dd", {}, `${row.latest_provider}:${row.latest_model}`),
      h("dt", {}, "agent"),
      h("dd", {}, row.latest_agent),
      h("dt", {}, "runs"),
      h("dd", {}, `${count(row.runs)}, ${count(row.succeeded_runs)} succeeded`),
    ),
  );
}

// A card for each benchmark: the best run, the latest, and the reference.

import { get } from "./api.js";
import { h, message } from "./dom.js";
import { count, direction, score, signed } from "./format.js";
import { runLink, statusBadge, when } from "./parts.js";

/** Shows the page in `main`; returns what ends it. */
export function showBenchmarks(main) {
  let ended = false;
  const place = h("div", {}, h("p", { class: "soft" }, "Loading …"));
  main.replaceChildren(h("div", { class: "intro" }, h("h1", {}, "Benchmarks")), place);
  get("/api/benchmarks").then(
    ({ value }) => ended || draw(place, value),
    (problem) => ended || place.replaceChildren(message("The benchmarks cannot be shown", problem.message)),
  );
  return () => (ended = true);
}

function draw(place, { benchmarks, head }) {
  document.dispatchEvent(new CustomEvent("head", { detail: head }));
  if (!benchmarks.length) {
    place.replaceChildren(message("No runs yet", "This command shows what can be run:", "benchmarks list-benchmarks"));
    return;
  }
  place.replaceChildren(h("div", { class: "cards" }, benchmarks.map(card)));
}

function card(row) {
  const reference = row.high_score;
  const gap = reference && row.best_score !== null ? row.best_score - reference.value : null;
  return h(
    "article",
    { class: "panel card" },
    h("h2", {}, h("a", { href: `#/?benchmark=${encodeURIComponent(row.benchmark_id)}` }, row.benchmark_id)),
    h("div", {}, h("span", { class: "big" }, row.best_run_id ? h("a", { href: runLink(row.best_run_id) }, score(row.best_score)) : "—"), " ", h("span", { class: "soft" }, row.unit ?? "", " best")),
    h(
      "dl",
      { class: "facts" },
      h("dt", {}, "latest"),
      h("dd", {}, h("a", { href: runLink(row.latest_run_id) }, score(row.latest_score) || "no score"), " ", statusBadge({ status: row.latest_status }), " ", when(row.latest_started_at)),
      h("dt", {}, "model"),
      h("dd", {}, `${row.latest_provider}:${row.latest_model}`),
      h("dt", {}, "runs"),
      h("dd", {}, `${count(row.runs)}, ${count(row.succeeded_runs)} of them good`),
      reference ? [h("dt", {}, "reference"), h("dd", {}, `${score(reference.value)} (${reference.label}) `, gap === null ? "" : h("span", { class: direction(gap, reference.higher_is_better) }, signed(gap)))] : [],
    ),
  );
}

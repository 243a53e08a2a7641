// What needs a person: open regressions, and failures by their message.

import { hash, runLink, runsLink } from "./address.js";
import { command } from "./data-table.js";
import { h } from "./dom.js";
import { benchmarkName, count, plural, score, signed } from "./format.js";
import { p } from "./leaderboard-columns.js";
import { ledger } from "./ledger.js";
import { runLink as link, panel, reasonText, when } from "./parts.js";
import { tip } from "./tip.js";
import { contender } from "./who.js";

const LISTED = 6;
const LEVEL =
  "A score is compared with its level: that of the last campaign before it dropped. A regression stays here until a later campaign reaches the level again, or its run is retracted. The test is Holm-corrected over all contenders and tasks.";

/** @param {any} data @param {string} span in words */
export function attentionPanel(data, span) {
  const { regressions, failures, looked_at: lookedAt, within_noise: within, since } = data;
  const open = failures.filter((/** @type {any} */ one) => one.open);
  const closed = failures.filter((/** @type {any} */ one) => !one.open);
  const stale = ledger.stale.size;
  const number = regressions.length + open.length + (stale ? 1 : 0);
  const items = [
    ...regressions.slice(0, LISTED).map(regression),
    stale > 0 &&
      h(
        "li",
        { class: "item" },
        h("span", { class: "dot bad" }),
        h(
          "div",
          {},
          h("a", { href: runsLink({ status: "running" }) }, `${plural(stale, "running run")} without a heartbeat`),
          command("benchmarks recover-stale-runs"),
        ),
      ),
    ...open.slice(0, LISTED).map((/** @type {any} */ one) => failure(one, since)),
  ];
  const more = [
    rest("regression", regressions.slice(LISTED), regression),
    rest("group of failures", open.slice(LISTED), (one) => failure(one, since), "groups of failures"),
  ];
  const summary = h(
    "p",
    { class: "soft" },
    lookedAt
      ? [`${count(within)} of ${plural(lookedAt, "score")} are below their level, within noise `, tip("?", LEVEL), ". "]
      : "",
    data.failed
      ? h(
          "a",
          { href: runsLink({ status: "failed", since }) },
          `${count(data.failed)} of ${plural(data.attempted, "run")} failed`,
        )
      : data.attempted
        ? `None of ${plural(data.attempted, "run")} failed`
        : "No runs ended",
    ` ${span}`,
    closed.length
      ? `, ${count(closed.reduce((/** @type {number} */ all, /** @type {any} */ one) => all + one.runs, 0))} of them for reasons that have been overcome.`
      : ".",
  );
  return panel(
    ["Needs attention", number ? h("span", { class: "number-mark" }, count(number)) : ""],
    [number ? h("ul", { class: "plain items" }, items) : h("p", {}, "Nothing needs attention."), more, summary],
  );
}

/** What a list has after its first items, folded. @param {string} noun @param {any[]} some @param {(one: any) => HTMLElement} item @param {string} [nouns] */
const rest = (noun, some, item, nouns = `${noun}s`) =>
  some.length > 0 &&
  h(
    "details",
    { class: "item" },
    h("summary", {}, `${count(some.length)} more ${some.length === 1 ? noun : nouns}`),
    h("ul", { class: "plain items" }, some.map(item)),
  );

/** @param {any} one */
function regression({ run, before, score: now, level, since, campaigns, contrast: test }) {
  const compare = hash("/compare", { of: [before.run_id, run.run_id] });
  return h(
    "li",
    { class: "item" },
    h("span", { class: "dot bad" }),
    h(
      "div",
      {},
      h(
        "div",
        {},
        h("a", { href: link(run.run_id) }, benchmarkName(run.benchmark_id, run.extra_config)),
        " ",
        contender(run),
      ),
      h(
        "div",
        {},
        h("strong", {}, score(now)),
        `, was ${score(level)} `,
        h("span", { class: "worse" }, signed(test.delta)),
        h("span", { class: "soft" }, test.adjusted_p === null ? "" : ` p ${p(test.adjusted_p)}`),
      ),
      h(
        "div",
        { class: "soft" },
        "open since ",
        when(since),
        campaigns > 1 ? `, ${plural(campaigns, "campaign")} · ` : " · ",
        h("a", { href: compare }, "compare samples"),
      ),
    ),
  );
}

/** @param {any} one @param {string} since */
function failure(one, since) {
  const filters = {
    status: "failed",
    reason: one.reason,
    benchmark: one.benchmarks,
    model: one.models.map((/** @type {string} */ name) => name.replace(/^[^:]*:/, "")),
    since,
  };
  return h(
    "li",
    { class: "item" },
    h("span", { class: "dot warn" }),
    h(
      "div",
      {},
      h("div", { class: "message-line" }, one.message || reasonText({ reason: one.reason })),
      h(
        "div",
        { class: "soft" },
        h("a", { href: runsLink(filters) }, `${count(one.runs)} of ${plural(one.attempted, "run")}`),
        ` of ${one.benchmarks.join(", ")} with ${one.models.join(", ")} · `,
        h("a", { href: runLink(one.latest_run_id) }, "latest"),
        " ",
        when(one.latest_at),
      ),
      h("details", {}, h("summary", {}, `Retry (${count(one.open)} not done)`), one.commands.map(command)),
    ),
  );
}

// Registered plans and published tables: what was said beforehand, what was published, and what became of both.

import { planLink, runLink } from "./address.js";
import { dataTable, exportMenu } from "./data-table.js";
import { h } from "./dom.js";
import { follow } from "./follow.js";
import { count, interval, moment, plural, score, signed } from "./format.js";
import { ledger } from "./ledger.js";
import { facts, panel, when } from "./parts.js";
import { empty } from "./states.js";

/** @type {Record<string, [string, string]>} */
const STANDINGS = {
  open: ["live", "Open: the runs of the plan have not all succeeded yet"],
  confirmatory: ["good", "Confirmatory: carried out as registered"],
  exploratory: ["warn", "Exploratory: a deviation may have moved the result"],
};
/** @type {Record<string, string>} */
const OUTCOMES = { open: "not tested yet", supported: "supported", not_supported: "not supported" };

/** @type {import("./routes.js").Show} */
export function show(main, { id }, { signal, ready, title }) {
  const place = h("div", { class: "stack" });
  const intro = h("div", { class: "intro" }, h("h1", {}, id ? "Registered plan" : "Registered plans"));
  main.replaceChildren(intro, place);
  if (id) title(id);
  const load = follow(place, {
    path: id ? `/api/registrations/${encodeURIComponent(id)}` : "/api/registrations",
    what: id ? "The plan" : "The plans",
    draw: (found) => {
      place.replaceChildren(...(id ? onePlan(found) : lists(found)));
      ready();
    },
    signal,
  });
  ledger.addEventListener("state", () => load(), { signal });
}

/** @param {any} found */
function lists({ registrations, tables }) {
  return [
    registrations.length
      ? panel(
          "Plans",
          table("Registered plans", PLANS, registrations),
          exportMenu("plans", () => ({ columns: PLANS, rows: registrations })),
        )
      : empty(
          "No plans",
          "A plan says before the runs what will be measured, and which test decides.",
          "benchmarks register plan.toml",
        ),
    tables.length
      ? panel(
          "Published tables",
          table("Published tables", TABLES, tables),
          exportMenu("tables", () => ({ columns: TABLES, rows: tables })),
        )
      : "",
  ];
}

const table = (/** @type {string} */ caption, /** @type {any[]} */ columns, /** @type {any[]} */ rows) =>
  dataTable({ caption, columns, rows });

/** A column whose cell is its value. @param {string} key @param {string} [title] */
const plain = (key, title = key) => ({
  key,
  title,
  cell: (/** @type {any} */ one) => one[key] ?? "",
  value: (/** @type {any} */ one) => one[key],
});
const number = (/** @type {string} */ key, /** @type {string} */ title) => ({
  ...plain(key, title),
  number: true,
  cell: (/** @type {any} */ one) => count(one[key]),
});

const PLANS = [
  {
    ...plain("registration_id", "plan"),
    cell: (/** @type {any} */ one) => h("a", { href: planLink(one.registration_id) }, one.registration_id),
  },
  plain("hypothesis"),
  { ...plain("registered_at", "registered"), cell: (/** @type {any} */ one) => when(one.registered_at) },
  plain("author", "by"),
  number("runs", "runs"),
  number("amendments", "amendments"),
];
const TABLES = [
  { ...plain("name", "table"), cell: (/** @type {any} */ one) => `${one.name}@${one.version}` },
  plain("title"),
  { ...plain("published_at", "published"), cell: (/** @type {any} */ one) => when(one.published_at) },
  plain("author", "by"),
  number("rows", "rows"),
  {
    ...plain("registration_id", "plan"),
    cell: (/** @type {any} */ one) =>
      one.registration_id ? h("a", { href: planLink(one.registration_id) }, one.registration_id) : "none",
  },
  {
    ...number("retracted", "errata"),
    cell: (/** @type {any} */ one) => (one.retracted ? `${plural(one.retracted, "run")} retracted` : "none"),
  },
  {
    ...number("reproduced", "reproduced"),
    cell: (/** @type {any} */ one) => (one.reproduced ? `by ${plural(one.reproduced, "run")}` : "no"),
  },
];

/** @param {any} found */
function onePlan({ status, author, amended }) {
  const { plan } = status;
  const [kind, text] = STANDINGS[status.standing];
  return [
    h(
      "section",
      { class: `panel proof ${kind}` },
      h("p", { class: "line" }, h("span", { class: `dot ${kind}` }), h("strong", { class: "big" }, text)),
      facts([
        ["hypothesis", plan.hypothesis],
        ["verdict", OUTCOMES[status.outcome]],
        ["state", status.state.replaceAll("_", " ")],
        ["test", testText(plan)],
        ["stopping rule", plan.stopping_rule],
        ["deadline", plan.deadline],
        ["may be repeated after", plan.exclusions.reasons.join(", ")],
        ["registered", `${moment(status.registered_at)} by ${author}`],
        ["plan", h("code", {}, status.registration_id)],
      ]),
    ),
    panel("Runs", table("The runs of the plan", cells(plan), status.cells)),
    status.tests.length ? panel("The registered test", table("The registered test", TESTS, status.tests)) : "",
    panel(
      "Deviations",
      status.deviations.length
        ? h("ul", { class: "plain" }, status.deviations.map(deviation))
        : h("p", { class: "soft" }, "None: the plan was carried out as it was registered."),
    ),
    amended.length
      ? panel(
          "Amendments",
          h(
            "ul",
            { class: "plain" },
            amended.map((/** @type {any} */ one) =>
              h(
                "li",
                {},
                `${one.fields.join(", ")}: ${one.reason} `,
                h("span", { class: "soft" }, `${one.author}, `, when(one.at)),
              ),
            ),
          ),
        )
      : "",
  ];
}

/** @param {any} plan */
function testText({ test, threshold, metric }) {
  const margin = test.margin === null ? "" : `, margin ${score(test.margin)}`;
  const of = metric === "score" ? "" : `, by ${metric}`;
  return `${test.contender} ${test.kind} ${test.baseline}, p < ${threshold}${margin}${of}`;
}

/** @param {any} plan */
const cells = (plan) => [
  plain("benchmark_id", "benchmark"),
  ...(plan.seeds.length ? [plain("seed")] : []),
  plain("contender"),
  {
    key: "done",
    title: "done",
    number: true,
    cell: (/** @type {any} */ one) => `${one.counted.length} of ${one.planned}`,
  },
  number("attempts", "attempts"),
  {
    key: "failed",
    title: "failed",
    number: true,
    cell: (/** @type {any} */ { own_failures: own, infrastructure_failures: other }) =>
      other ? `${count(own + other)} (${count(other)} infrastructure)` : count(own),
  },
  {
    key: "score",
    title: "score",
    number: true,
    cell: (/** @type {any} */ one) => (one.score ? score(one.score.mean) : ""),
  },
  {
    key: "runs",
    title: "runs that count",
    cell: (/** @type {any} */ one) => runLinks(one.counted),
  },
];

const TESTS = [
  plain("benchmark_id", "benchmark"),
  {
    key: "delta",
    title: "difference",
    number: true,
    cell: (/** @type {any} */ { contrast: { delta, low, high } }) => [
      signed(delta),
      low === null ? "" : h("span", { class: "soft" }, ` ${interval(low, high)}`),
    ],
  },
  {
    key: "p",
    title: "p",
    number: true,
    cell: (/** @type {any} */ { adjusted_p: p }) => (p === null ? "unknown noise" : p.toPrecision(3)),
  },
  { key: "method", title: "method", cell: (/** @type {any} */ { contrast }) => contrast.method ?? "" },
  { key: "passes", title: "result", cell: (/** @type {any} */ { passes }) => (passes ? "passes" : "fails") },
];

/** The runs as links, by number: their ids are long. @param {string[]} ids */
const runLinks = (ids) =>
  ids.flatMap((id, at) => [
    at ? ", " : "",
    h("a", { href: runLink(id), title: id, "aria-label": id }, `run ${at + 1}`),
  ]);

/** @param {any} one */
const deviation = (one) =>
  h(
    "li",
    {},
    h("span", { class: `mark ${one.matters ? "stale" : ""}`.trim() }, one.matters ? "deviation" : "note"),
    ` ${one.text} `,
    runLinks(one.run_ids.slice(0, 20)),
  );

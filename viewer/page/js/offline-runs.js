// The list of runs of a page without a server.

/** @typedef {import("./inside.js").State} State */

/** The field of a row for each column that has another name. @type {Record<string, string>} */
const FIELDS = {
  group: "run_group_id",
  benchmark: "benchmark_id",
  started: "started_at",
  ended: "ended_at",
  duration: "duration_seconds",
  high_score: "high_score_value",
  delta: "delta_to_high_score",
  best: "best_so_far",
  tokens: "total_tokens",
  calls: "call_count",
  cost: "cost_usd",
};
const KEPT = ["benchmark", "status", "agent", "provider", "model", "reason", "group", "options", "kind", "tag"];
/** @type {Record<string, (run: any) => boolean>} */
const KINDS = {
  annotated: (run) => run.remarks > 0,
  error: (run) => Boolean(run.error),
  imported: (run) => run.imported !== null,
  late: (run) => run.late,
  "new best": (run) => run.is_record && run.previous_best !== null,
  recovered: (run) => run.recovered,
  reproduction: (run) => run.reproduces !== null,
  retracted: (run) => run.retracted !== null,
  synthetic: (run) => run.synthetic,
};
const SEARCHED = ["run_id", "run_group_id", "benchmark_id", "agent", "provider", "model", "error"];
const field = (/** @type {string} */ name) => FIELDS[name] ?? name;

/** The names that a run has in a filter: several for its kinds and tags. @param {any} run @param {string} name @returns {string[]} */
function namesOf(run, name) {
  if (name === "kind") return Object.keys(KINDS).filter((kind) => KINDS[kind](run));
  if (name === "tag") return run.tags;
  if (name === "options") {
    const options = Object.entries(run.extra_config).filter(([key]) => key !== "repeat");
    return [
      options
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`)
        .join(" "),
    ];
  }
  return [run[field(name)] ?? ""];
}

/** As `/api/runs` answers. @param {State} state @param {URLSearchParams} query */
export function runs(state, query) {
  const words = (query.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const [since, until] = [query.get("since"), query.get("until")];
  const wanted = KEPT.map((name) => /** @type {const} */ ([name, new Set(query.getAll(name))])).filter(
    ([, values]) => values.size,
  );
  const near = state.runs.filter(
    (run) =>
      (!since || run.started_at >= since) &&
      (!until || run.started_at < until) &&
      words.every((word) =>
        SEARCHED.some((name) =>
          String(run[name] ?? "")
            .toLowerCase()
            .includes(word),
        ),
      ),
  );
  const keeps = (/** @type {any} */ run, /** @type {string | null} */ but) =>
    wanted.every(([name, values]) => name === but || namesOf(run, name).some((one) => values.has(one)));
  const kept = near.filter((run) => keeps(run, null));
  const facets = Object.fromEntries(
    KEPT.map((name) => [
      name,
      counted(
        near.filter((run) => keeps(run, name)),
        name,
      ),
    ]),
  );
  const offset = Number(query.get("offset") ?? 0);
  const limit = Number(query.get("limit") ?? 100);
  return {
    runs: sorted(kept, query.get("sort") ?? "-started").slice(offset, offset + limit),
    total: kept.length,
    all: state.runs.length,
    next: null,
    facets,
    facets_left_out: {},
    head: state.head,
  };
}

/** @param {any[]} some @param {string} name */
function counted(some, name) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const run of some) for (const one of namesOf(run, name)) counts.set(one, (counts.get(one) ?? 0) + 1);
  if (name === "reason") counts.delete("");
  return Object.fromEntries([...counts].sort(([a, many], [b, few]) => few - many || (a < b ? -1 : 1)));
}

/** Missing values come last in both directions; equal ones keep their order. @param {any[]} some @param {string} order */
function sorted(some, order) {
  const columns = order
    .split(",")
    .filter(Boolean)
    .map((name) => (name.startsWith("-") ? { name: field(name.slice(1)), turn: -1 } : { name: field(name), turn: 1 }));
  return [...some].sort((one, other) => {
    for (const { name, turn } of columns) {
      const [a, b] = [one[name] ?? null, other[name] ?? null];
      if (a === b) continue;
      if (a === null) return 1;
      if (b === null) return -1;
      return (a < b ? -1 : 1) * turn;
    }
    return 0;
  });
}

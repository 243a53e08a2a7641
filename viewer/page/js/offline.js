// Answers for a page with its data inside (`export-viewer-data --html`), which has no server.

/**
 * @typedef {object} Inside
 * @property {Record<string, any>} head the state of the ledger
 * @property {Record<string, any>[]} runs every row, the newest first
 * @property {Record<string, { run: any, events: any }>} details of the newest runs
 * @property {Record<string, any>} answers by address
 * @property {Record<string, { list: any, one: Record<string, any> }>} samples of runs, as far as there was room
 */

/** What an element holds, compressed. @param {string} id @returns {Promise<Blob | null>} */
async function unpacked(id) {
  const text = document.getElementById(id)?.textContent;
  if (!text) return null;
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).blob();
}

/** @type {Inside} */
const inside = JSON.parse(await /** @type {Blob} */ (await unpacked("data")).text());

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

window.fetch = async (asked) => {
  const { pathname, search, searchParams } = new URL(String(asked), "http://inside/");
  const found = pathname === "/api/charts" ? await charts() : answer(pathname, search, searchParams);
  if (found instanceof Response) return found;
  if (found === undefined)
    return problem("This file does not contain these data; `benchmarks serve-viewer` shows them.");
  return new Response(JSON.stringify(found), { headers: { "Content-Type": "application/json" } });
};

async function charts() {
  const script = await unpacked("charts");
  return script ? { script: URL.createObjectURL(new Blob([script], { type: "text/javascript" })) } : undefined;
}

const problem = (/** @type {string} */ detail) =>
  new Response(JSON.stringify({ title: "not in this file", status: 404, detail }), {
    status: 404,
    headers: { "Content-Type": "application/problem+json" },
  });

/** @param {string} path @param {string} search @param {URLSearchParams} query */
function answer(path, search, query) {
  if (path === "/api/runs") return runs(query);
  if (path === "/api/board" && query.has("benchmark")) return boardOf(query.get("benchmark") ?? "");
  const [, id, part = ""] = path.match(/^\/api\/runs\/([^/]+)(?:\/(.*))?$/) ?? [];
  if (id === undefined) return inside.answers[path + search] ?? inside.answers[path];
  const known = inside.details[decodeURIComponent(id)];
  if (!known) return undefined;
  if (part === "") return known.run;
  if (part === "events") return known.events;
  if (part === "samples") return samples(decodeURIComponent(id), known.run.run, query);
  if (part === "sample") return sample(decodeURIComponent(id), query);
  if (part === "trajectories") return { trajectories: [], total: 0, notes: [], head: inside.head };
  if (part === "artifacts")
    return {
      artifacts: known.run.run.artifacts.map((/** @type {any} */ one) => ({ ...one, present: false, is_text: false })),
    };
  if (part.startsWith("logs/"))
    return part.endsWith("/matches")
      ? { matches: [], next_offset: null, size: 0 }
      : new Response("", { headers: { "X-Log-Size": "0", "X-Next-Offset": "0" } });
  return undefined;
}

/** The orders of samples. @type {Record<string, (row: any) => any>} */
const SAMPLE_ORDERS = {
  failed: (row) => ["incorrect", "error", "unscored", "correct"].indexOf(row.outcome),
  id: (row) => row.id,
  score: (row) => row.score,
  "-score": (row) => -row.score,
  "-latency": (row) => -(row.latency_ms ?? 0),
  "-tokens": (row) => -(row.tokens ?? 0),
  "-cost": (row) => -(row.cost_usd ?? 0),
};

/** The rows that the filters keep, in order. @param {any[]} rows @param {URLSearchParams} query */
function kept(rows, query) {
  const words = (query.get("q") ?? "").toLowerCase();
  const some = rows.filter(
    (row) =>
      ["outcome", "category", "error"].every((name) => !query.get(name) || row[name] === query.get(name)) &&
      (!words || [row.id, row.input, row.expected, row.output].join("\n").toLowerCase().includes(words)),
  );
  const of = SAMPLE_ORDERS[query.get("sort") ?? "failed"];
  return of ? [...some].sort((a, b) => (of(a) < of(b) ? -1 : of(a) > of(b) ? 1 : a.line - b.line)) : some;
}

/** As `/api/runs/{run_id}/samples` answers. @param {string} runId @param {any} run @param {URLSearchParams} query */
function samples(runId, run, query) {
  const held = inside.samples[runId];
  if (!held) {
    const has = run.artifacts.some((/** @type {any} */ one) => one.path.endsWith("samples.jsonl"));
    const problem = has
      ? "this file has no room for the samples of this run; `benchmarks serve-viewer` shows them"
      : "";
    return {
      samples: [],
      rows: [],
      total: 0,
      right: 0,
      wrong: 0,
      errors: 0,
      unscored: 0,
      unreadable: 0,
      facets: {},
      problem,
      head: inside.head,
    };
  }
  const rows = kept(held.list.rows, query);
  const offset = Number(query.get("offset") ?? 0);
  return { ...held.list, rows: rows.slice(offset, offset + Number(query.get("limit") ?? 100)), total: rows.length };
}

/** As `/api/runs/{run_id}/sample` answers. @param {string} runId @param {URLSearchParams} query */
function sample(runId, query) {
  const held = inside.samples[runId];
  const [id, line] = [query.get("id"), Number(query.get("line")) || null];
  const row = held?.list.rows.find((/** @type {any} */ one) => (line ? one.line === line : one.id === id));
  if (!row) return undefined;
  const rows = kept(held.list.rows, query);
  const index = rows.indexOf(row);
  const beside = (/** @type {any} */ one) => one && { id: one.id, line: one.is_repeated ? one.line : null };
  return {
    ...held.one[row.line],
    index: index < 0 ? null : index,
    total: rows.length,
    previous: beside(rows[index - 1]) ?? null,
    next: index < 0 ? null : (beside(rows[index + 1]) ?? null),
  };
}

/** The leaderboard of one benchmark. @param {string} benchmark */
function boardOf(benchmark) {
  const board = inside.answers["/api/board"];
  const places = board.tasks.flatMap((/** @type {any} */ one, /** @type {number} */ at) =>
    one.task.benchmark_id === benchmark ? [at] : [],
  );
  const contenders = board.contenders.map((/** @type {any} */ one) => ({
    ...one,
    cells: places.map((/** @type {number} */ at) => one.cells[at]),
  }));
  return {
    ...board,
    tasks: places.map((/** @type {number} */ at) => board.tasks[at]),
    contenders: contenders.filter((/** @type {any} */ one) => one.cells.some(Boolean)),
  };
}

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

/** As `/api/runs` answers. @param {URLSearchParams} query */
function runs(query) {
  const words = (query.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const [since, until] = [query.get("since"), query.get("until")];
  const wanted = KEPT.map((name) => /** @type {const} */ ([name, new Set(query.getAll(name))])).filter(
    ([, values]) => values.size,
  );
  const near = inside.runs.filter(
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
    all: inside.runs.length,
    next: null,
    facets,
    facets_left_out: {},
    head: inside.head,
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

export {}; // It waits for its data, as only a module can.

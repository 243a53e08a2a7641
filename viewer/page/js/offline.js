// Answers for a page with its data inside (`export-viewer-data --html`), which has no server.

import { inside, now, stateAt, unpacked, withHead } from "./inside.js";
import { changes } from "./offline-changes.js";
import { runs } from "./offline-runs.js";
import { sample, samples } from "./offline-samples.js";

/** @typedef {import("./inside.js").State} State */

const NOT_HERE = "This file does not contain these data; `benchmarks serve-viewer` shows them.";
const NOT_THEN = "This was not known yet at the moment that is shown.";
const TOO_EARLY = "This file does not have this moment; `benchmarks serve-viewer` shows it.";

window.fetch = async (asked) => {
  const { pathname, searchParams: query } = new URL(String(asked), "http://inside/");
  if (pathname === "/api/charts") return (await charts()) ?? problem(NOT_HERE);
  const asOf = query.get("as_of");
  query.delete("as_of");
  const state = stateAt(asOf);
  const found = state ? answer(pathname, query, state) : problem(TOO_EARLY);
  if (found instanceof Response) return found;
  if (found === undefined) return problem(state !== now && answer(pathname, query, now) ? NOT_THEN : NOT_HERE);
  return json(found);
};

async function charts() {
  const script = await unpacked("charts");
  return script && json({ script: URL.createObjectURL(new Blob([script], { type: "text/javascript" })) });
}

const json = (/** @type {any} */ value) =>
  new Response(JSON.stringify(value), { headers: { "Content-Type": "application/json" } });

const problem = (/** @type {string} */ detail) =>
  new Response(JSON.stringify({ title: "not in this file", status: 404, detail }), {
    status: 404,
    headers: { "Content-Type": "application/problem+json" },
  });

/** @param {string} path @param {URLSearchParams} query @param {State} state */
function answer(path, query, state) {
  if (path === "/api/runs") return runs(state, query);
  if (path === "/api/ledger") return extent();
  if (path === "/api/changes") return changesSince(query.get("since"), state);
  const [, id, part = ""] = path.match(/^\/api\/runs\/([^/]+)(?:\/(.*))?$/) ?? [];
  return id === undefined ? kept(path, query, state) : ofRun(decodeURIComponent(id), part, query, state);
}

/** An answer that the file has as the server gave it. @param {string} path @param {URLSearchParams} query @param {State} state */
function kept(path, query, state) {
  const rest = new URLSearchParams(query);
  const [limit, offset] = [Number(query.get("limit")) || undefined, Number(query.get("offset")) || 0];
  rest.delete("limit");
  rest.delete("offset");
  const found = withHead(addressesOf(state).get(addressOf(path, rest)), state);
  if (found && path === "/api/campaigns")
    return { ...found, campaigns: found.campaigns.slice(offset, limit && offset + limit) };
  if (found?.points && limit) return { ...found, points: found.points.slice(-limit) };
  return found;
}

/** @type {Map<any, Map<string, any>>} */
const known = new Map();

/** The answers of a state by their addresses as this browser writes them. @param {State} state */
function addressesOf({ answers }) {
  let found = known.get(answers);
  if (!found) {
    found = new Map(
      Object.entries(answers).map(([address, one]) => {
        const { pathname, searchParams } = new URL(address, "http://inside/");
        return [addressOf(pathname, searchParams), one];
      }),
    );
    known.set(answers, found);
  }
  return found;
}

const addressOf = (/** @type {string} */ path, /** @type {URLSearchParams} */ query) => `${path}?${query}`;

/** With the moments that the file has. */
function extent() {
  const moments = inside.moments.map(({ position, at }) => ({ position, at }));
  return { ...withHead(now.answers["/api/ledger"], now), moments };
}

/** @param {string | null} since @param {State} state */
function changesSince(since, state) {
  const before = stateAt(since);
  return before ? changes(before, state, now.answers["/api/integrity"].events) : problem(TOO_EARLY);
}

/** @param {string} runId @param {string} part @param {URLSearchParams} query @param {State} state */
function ofRun(runId, part, query, state) {
  const found = state.about[runId];
  if (!found) return undefined;
  if (part === "") return withHead(found, state);
  if (part === "events") return events(runId, state);
  if (part === "samples") return samples(state, runId, query);
  if (part === "sample") return sample(state, runId, query);
  if (part === "trajectories") return { trajectories: [], total: 0, notes: [], head: state.head };
  if (part === "artifacts")
    return {
      artifacts: found.run.artifacts.map((/** @type {any} */ one) => ({ ...one, present: false, is_text: false })),
    };
  if (part.startsWith("logs/"))
    return part.endsWith("/matches")
      ? { matches: [], next_offset: null, size: 0 }
      : new Response("", { headers: { "X-Log-Size": "0", "X-Next-Offset": "0" } });
  return undefined;
}

/** @param {string} runId @param {State} state */
function events(runId, state) {
  const some = inside.events[runId].events.filter((/** @type {any} */ one) => one.seq <= state.head.position);
  return {
    events: some,
    chain_verified: some.every((/** @type {any} */ one) => one.chain_verified),
    head: state.head,
  };
}

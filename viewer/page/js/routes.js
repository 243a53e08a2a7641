// The pages. Each is a module with `show(main, parameters, context)`, which fills `main` and may return a function that ends it.
// It is loaded when it is shown first.

import { failure, loading } from "./states.js";

/**
 * @typedef {object} Parameters
 * @property {string | null} id the part of the address after the page's name: `#/runs/<id>`
 * @property {string | null} part what comes after `samples/`: `#/runs/<id>/samples/<part>`
 * @property {URLSearchParams} query the part of the address after `?`
 *
 * @typedef {object} Context
 * @property {AbortSignal} signal aborted when the page ends: for requests and listeners
 * @property {(text: string) => void} title names the page in the window's title
 * @property {() => void} ready the page has its content: scroll to the last position
 * @property {(query: URLSearchParams | Record<string, any>, how?: { replace?: boolean }) => void} keep writes the page's state into the address
 * @property {() => void} leave goes back to the previous page, or to the list that this one belongs to
 *
 * @typedef {(main: HTMLElement, parameters: Parameters, context: Context) => (() => void) | void} Show
 *
 * @typedef {object} Route
 * @property {string} name which page it is
 * @property {string} section which link of the header leads here
 * @property {string} title
 * @property {Show} show
 */

/** @param {() => Promise<{ show: Show }>} load @returns {Show} */
const lazy = (load) => (main, parameters, context) => {
  /** @type {(() => void) | void} */
  let end;
  main.replaceChildren(loading());
  load().then(
    ({ show }) => {
      if (!context.signal.aborted) end = show(main, parameters, context);
    },
    (problem) => {
      if (!context.signal.aborted)
        main.replaceChildren(failure("This page cannot be loaded", problem.message, () => location.reload()));
    },
  );
  return () => end?.();
};

/** @type {Record<string, Route>} */
const PAGES = {
  "": { name: "start", section: "start", title: "Start", show: lazy(() => import("./start-page.js")) },
  leaderboard: {
    name: "leaderboard",
    section: "leaderboard",
    title: "Leaderboard",
    show: lazy(() => import("./leaderboard-page.js")),
  },
  campaigns: {
    name: "campaigns",
    section: "campaigns",
    title: "Campaigns",
    show: lazy(() => import("./campaigns-page.js")),
  },
  integrity: {
    name: "integrity",
    section: "integrity",
    title: "Integrity",
    show: lazy(() => import("./integrity-page.js")),
  },
  registrations: {
    name: "registrations",
    section: "integrity",
    title: "Registered plans",
    show: lazy(() => import("./registrations-page.js")),
  },
  runs: { name: "runs", section: "runs", title: "Runs", show: lazy(() => import("./runs-page.js")) },
  benchmarks: {
    name: "leaderboard",
    section: "leaderboard",
    title: "Leaderboard",
    show: lazy(() => import("./leaderboard-page.js")),
  },
  compare: { name: "compare", section: "compare", title: "Compare", show: lazy(() => import("./compare-page.js")) },
  ask: { name: "ask", section: "ask", title: "SQL", show: lazy(() => import("./ask-page.js")) },
};

/** @type {Record<string, Route>} */
const ONE = {
  runs: { name: "run", section: "runs", title: "Run", show: lazy(() => import("./run-page.js")) },
  benchmarks: {
    name: "benchmark",
    section: "leaderboard",
    title: "Benchmark",
    show: lazy(() => import("./benchmark-page.js")),
  },
  campaigns: {
    name: "campaign",
    section: "campaigns",
    title: "Campaign",
    show: lazy(() => import("./campaign-page.js")),
  },
  registrations: {
    name: "registration",
    section: "integrity",
    title: "Registered plan",
    show: lazy(() => import("./registrations-page.js")),
  },
  compare: {
    name: "side-by-side",
    section: "compare",
    title: "Compare a sample",
    show: lazy(() => import("./side-by-side-page.js")),
  },
};

/** The samples of a run or of a benchmark. @type {Record<string, Route>} */
const SAMPLES = {
  runs: { name: "sample", section: "runs", title: "Sample", show: lazy(() => import("./sample-page.js")) },
  benchmarks: {
    name: "heat-map",
    section: "leaderboard",
    title: "Samples",
    show: lazy(() => import("./heat-map-page.js")),
  },
};

/** The page of an address; undefined if there is none. @param {{ page: string, id: string | null, part?: string | null }} address */
export const routeOf = ({ page, id, part = null }) => (id === null ? PAGES : part === null ? ONE : SAMPLES)[page];

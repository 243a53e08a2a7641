// The pages. Each is a module with `show(main, parameters, context)`, which fills `main` and may return a function that ends it.

import { show as ask } from "./ask-page.js";
import { show as benchmark } from "./benchmark-page.js";
import { show as benchmarks } from "./benchmarks-page.js";
import { show as compare } from "./compare-page.js";
import { show as heatMap } from "./heat-map-page.js";
import { show as overview } from "./overview-page.js";
import { show as run } from "./run-page.js";
import { show as runs } from "./runs-page.js";
import { show as sample } from "./sample-page.js";
import { show as sideBySide } from "./side-by-side-page.js";

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

/** @type {Record<string, Route>} */
const PAGES = {
  "": { name: "overview", section: "overview", title: "Overview", show: overview },
  runs: { name: "runs", section: "runs", title: "Runs", show: runs },
  benchmarks: { name: "benchmarks", section: "benchmarks", title: "Benchmarks", show: benchmarks },
  compare: { name: "compare", section: "compare", title: "Compare", show: compare },
  ask: { name: "ask", section: "ask", title: "SQL", show: ask },
};

/** @type {Record<string, Route>} */
const ONE = {
  runs: { name: "run", section: "runs", title: "Run", show: run },
  benchmarks: { name: "benchmark", section: "benchmarks", title: "Benchmark", show: benchmark },
  compare: { name: "side-by-side", section: "compare", title: "Compare a sample", show: sideBySide },
};

/** The samples of a run or of a benchmark. @type {Record<string, Route>} */
const SAMPLES = {
  runs: { name: "sample", section: "runs", title: "Sample", show: sample },
  benchmarks: { name: "heat-map", section: "benchmarks", title: "Samples", show: heatMap },
};

/** The page of an address; undefined if there is none. @param {{ page: string, id: string | null, part?: string | null }} address */
export const routeOf = ({ page, id, part = null }) => (id === null ? PAGES : part === null ? ONE : SAMPLES)[page];

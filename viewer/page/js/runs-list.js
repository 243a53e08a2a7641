// The runs that match the filters, as far as a reader has scrolled: the server gives them in blocks.

import { get } from "./api.js";

export const BLOCK = 100;

export class RunsList {
  /** @type {Map<number, any[]>} */
  #blocks = new Map();
  /** @type {Set<number>} */
  #asked = new Set();
  #turn = 0;
  #controller = new AbortController();
  total = 0;
  all = 0;
  /** @type {Record<string, Record<string, number>>} */
  facets = {};
  /** @type {Record<string, number>} */
  leftOut = {};
  /** @type {string} */
  #state = "";

  /** @param {() => URLSearchParams} question the parameters for the server, without offset and limit */
  constructor(question) {
    this.question = question;
  }

  /** @param {number} index */
  row(index) {
    return this.#blocks.get(Math.floor(index / BLOCK))?.[index % BLOCK];
  }

  /** The index of a run among those that were fetched, or -1. @param {string | undefined} runId */
  indexOf(runId) {
    for (const [block, rows] of this.#blocks) {
      const at = rows.findIndex((row) => row.run_id === runId);
      if (at >= 0) return block * BLOCK + at;
    }
    return -1;
  }

  end() {
    this.#turn += 1;
    this.#controller.abort();
  }

  /** Fetches some rows again and forgets all others. True if no later call replaced this one. @param {number} first @param {number} last */
  async renew(first, last) {
    this.end();
    this.#controller = new AbortController();
    const mine = ++this.#turn;
    const numbers = blocks(first, last);
    const answers = await Promise.all(numbers.map((block, index) => this.#ask(block, index === 0)));
    if (mine !== this.#turn) return false;
    const { total, all, facets, facets_left_out: leftOut, head } = answers[0];
    Object.assign(this, { total, all, facets, leftOut });
    this.#state = head.hash;
    this.#blocks = new Map(numbers.map((block, index) => [block, answers[index].runs]));
    this.#asked = new Set(numbers);
    return true;
  }

  /**
   * Fetches the missing ones of some rows. True if rows came; "moved" if the ledger has changed meanwhile, so that the
   * rows do not fit together.
   *
   * @param {number} first
   * @param {number} last
   */
  async fill(first, last) {
    const mine = this.#turn;
    const missing = blocks(first, Math.min(last, this.total)).filter((block) => !this.#asked.has(block));
    if (!missing.length) return false;
    for (const block of missing) this.#asked.add(block);
    try {
      const answers = await Promise.all(missing.map((block) => this.#ask(block, false)));
      if (mine !== this.#turn) return false;
      for (const [index, block] of missing.entries()) this.#blocks.set(block, answers[index].runs);
      return answers.some(({ head }) => head.hash !== this.#state) ? "moved" : true;
    } catch (problem) {
      for (const block of missing) this.#asked.delete(block);
      throw problem;
    }
  }

  /** @param {number} block @param {boolean} facets */
  async #ask(block, facets) {
    const query = this.question();
    query.set("limit", String(BLOCK));
    if (block) query.set("offset", String(block * BLOCK));
    if (!facets) query.set("facets", "0");
    const answer = await get("/api/runs", { query, signal: this.#controller.signal });
    return /** @type {NonNullable<typeof answer>} */ (answer).value;
  }
}

/** @param {number} first @param {number} last */
function blocks(first, last) {
  const from = Math.floor(first / BLOCK);
  const to = Math.max(from, Math.floor((last - 1) / BLOCK));
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

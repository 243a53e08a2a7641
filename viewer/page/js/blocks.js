// The rows of a long list, as far as a reader has scrolled: the server gives them in blocks.

export const BLOCK = 100;

export class Blocks {
  /** @type {Map<number, any[]>} */
  #blocks = new Map();
  /** @type {Set<number>} */
  #asked = new Set();
  #turn = 0;
  total = 0;

  /** @param {(offset: number, isFirst: boolean) => Promise<any>} ask gives `{ rows, total }` from an offset on */
  constructor(ask) {
    this.ask = ask;
  }

  /** @param {number} index */
  row(index) {
    return this.#blocks.get(Math.floor(index / BLOCK))?.[index % BLOCK];
  }

  /** @param {(row: any) => boolean} is */
  find(is) {
    for (const rows of this.#blocks.values()) {
      const found = rows.find(is);
      if (found) return found;
    }
    return undefined;
  }

  /** Fetches the beginning, and the rows around an index, and forgets all others. The first answer; null if a later call has replaced this one. @param {number} [index] */
  async renew(index = 0) {
    const mine = ++this.#turn;
    const block = Math.floor(index / BLOCK);
    const [first, there] = await Promise.all([this.ask(0, true), block ? this.ask(block * BLOCK, false) : null]);
    if (mine !== this.#turn) return null;
    this.#blocks = new Map([[0, first.rows ?? []]]);
    if (there) this.#blocks.set(block, there.rows ?? []);
    this.#asked = new Set(this.#blocks.keys());
    this.total = first.total;
    return first;
  }

  /** Fetches the missing ones of some rows. True if rows came. @param {[number, number]} sight */
  async fill([first, last]) {
    const mine = this.#turn;
    const missing = [];
    for (let block = Math.floor(first / BLOCK); block * BLOCK < Math.min(this.total, last + 8); block += 1)
      if (!this.#asked.has(block)) missing.push(block);
    if (!missing.length) return false;
    for (const block of missing) this.#asked.add(block);
    try {
      const answers = await Promise.all(missing.map((block) => this.ask(block * BLOCK, false)));
      if (mine !== this.#turn) return false;
      for (const [at, block] of missing.entries()) this.#blocks.set(block, answers[at].rows ?? []);
      return true;
    } catch {
      for (const block of missing) this.#asked.delete(block);
      return false;
    }
  }
}

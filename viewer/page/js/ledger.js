// The state of the ledger that the page shows: the present, live, or the past. One stream of events for the whole page.

const AWAY_MS = 6000; // A stream that ends is opened again at once. After this time without one, the server is away.
const REOPEN_MS = 3000;
export const DAMAGED = "the ledger is damaged"; // The title of the server's error.
const IS_FILE = document.getElementById("data") !== null; // The page has its data inside, and no server.

/**
 * `note`: what a page without a server says about a moment that it does not have.
 *
 * @typedef {{ position: number, hash: string, at: string | null, past: boolean, note?: string }} Head
 */

/**
 * Events: "changed" {runs: rows, reset: boolean}, when data may have changed (`reset`: any of them, not only `runs`);
 * "head", when another state is shown; "state", when `state` changes.
 */
class Ledger extends EventTarget {
  /** @type {Head | null} */
  head = null;
  /** @type {"waiting" | "live" | "away" | "past" | "file"} */
  state = "waiting";
  /** @type {ReadonlySet<string>} */
  stale = new Set();
  /** The first fault in the chain of the ledger; empty if none is known. */
  damage = "";
  /** What the server has proven of the events that are shown. @type {"proven" | "checking" | "damaged"} */
  proof = "checking";
  /** The moment that is shown, a position or a time; null for now. @type {string | null} */
  asOf = new URLSearchParams(location.search).get("as_of");
  /** @type {EventSource | null} */
  #source = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #missed;
  /** Rows received since the last head. @type {any[]} */
  #runs = [];

  constructor() {
    super();
    this.#say(this.#first());
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#close() : this.#open()));
    window.addEventListener("popstate", () => this.#show(new URLSearchParams(location.search).get("as_of")));
  }

  /** An answer says which state it shows. @param {Head} head */
  saw(head) {
    if (this.head?.hash !== head.hash || this.head.past !== head.past || this.head.note !== head.note) {
      this.head = head;
      if (this.asOf !== null || IS_FILE) this.#askForProof(head);
      this.dispatchEvent(new Event("head"));
    }
    this.#open();
  }

  /** Without a stream, as in the past, the proof is asked for. @param {Head} head */
  async #askForProof(head) {
    try {
      const answer = await fetch(`api/integrity${this.asOf === null ? "" : `?as_of=${head.position}`}`);
      const found = await answer.json();
      if (answer.ok) this.proved(found);
      else if (found.title === DAMAGED) this.proved({ state: "damaged", damage: firstLine(found.detail) });
    } catch {
      // The header says if the server does not answer.
    }
  }

  /** What the server knows of the chain. @param {{ state: Ledger["proof"], damage: string }} found */
  proved({ state, damage }) {
    if (state === this.proof && damage === this.damage) return;
    this.proof = state;
    this.damage = damage;
    this.dispatchEvent(new Event("state"));
  }

  /** Show another moment; null for now. @param {string | null} asOf @param {{ replace?: boolean }} [how] */
  travel(asOf, { replace = false } = {}) {
    if (asOf === this.asOf) return;
    const search = asOf === null ? "" : `?as_of=${encodeURIComponent(asOf)}`;
    const address = location.pathname + search + location.hash;
    if (replace) history.replaceState(history.state, "", address);
    else history.pushState(history.state, "", address);
    this.#show(asOf);
  }

  /** The state before any answer. @returns {Ledger["state"]} */
  #first() {
    if (this.asOf !== null) return "past";
    return IS_FILE ? "file" : "waiting";
  }

  /** @param {string | null} asOf */
  #show(asOf) {
    if (asOf === this.asOf) return;
    this.asOf = asOf;
    this.#close();
    this.head = null;
    this.#say(this.#first());
    this.#announce({ runs: [], reset: true });
  }

  #open() {
    if (IS_FILE || this.#source || this.asOf !== null || this.head === null || document.hidden) return;
    const source = new EventSource(`api/stream?after=${this.head.position}`);
    const data = (/** @type {MessageEvent} */ event) => JSON.parse(event.data);
    source.onopen = () => this.#here();
    source.onerror = () => this.#gone(source);
    source.addEventListener("run", (event) => this.#runs.push(data(event)));
    source.addEventListener("head", (event) => this.#moved(data(event)));
    source.addEventListener("reset", (event) => this.#moved(data(event), { reset: true }));
    source.addEventListener("stale", (event) => this.#aged(data(event).run_ids));
    source.addEventListener("proof", (event) => this.proved(data(event)));
    this.#source = source;
    this.#missed ??= setTimeout(() => this.#away(), AWAY_MS);
  }

  /** Without a stream: the server does not answer, or cannot read the ledger any more. */
  #away() {
    this.#say("away");
    this.#askForProof(/** @type {Head} */ (this.head));
  }

  #close() {
    clearTimeout(this.#missed);
    this.#missed = undefined;
    this.#source?.close();
    this.#source = null;
    this.#runs = [];
  }

  #here() {
    clearTimeout(this.#missed);
    this.#missed = undefined;
    const back = this.state === "away";
    this.#say("live");
    if (back) this.#announce({ runs: [], reset: true });
  }

  /** @param {EventSource} source */
  #gone(source) {
    this.#runs = []; // Rows without a head after them will be sent again.
    this.#missed ??= setTimeout(() => this.#away(), AWAY_MS);
    if (source.readyState !== EventSource.CLOSED) return;
    source.close(); // The answer was not a stream, so the browser does not connect again.
    setTimeout(() => {
      if (this.#source !== source) return;
      this.#source = null;
      this.#open();
    }, REOPEN_MS);
  }

  /** @param {Head} head @param {{ reset?: boolean }} [how] */
  #moved(head, { reset = false } = {}) {
    const runs = this.#runs.splice(0);
    this.#here();
    if (this.head?.position !== head.position) {
      this.head = head;
      this.dispatchEvent(new Event("head"));
    }
    if (runs.length || reset) this.#announce({ runs, reset });
  }

  /** @param {string[]} ids */
  #aged(ids) {
    const before = [...this.stale].join();
    this.stale = new Set(ids);
    if (before !== ids.join()) this.#announce({ runs: [], reset: true });
  }

  /** @param {Ledger["state"]} state */
  #say(state) {
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }

  /** @param {{ runs: any[], reset: boolean }} detail */
  #announce(detail) {
    this.dispatchEvent(new CustomEvent("changed", { detail }));
  }
}

/** @param {string} [text] */
export const firstLine = (text = "") => text.split("\n", 1)[0].replace(/^ledger damaged: |\.$/g, "");

export const ledger = new Ledger();

// Data that follow the ledger: loaded at the start, and again when it changes.

import { ApiError, get } from "./api.js";
import { ledger } from "./ledger.js";
import { failure, loading } from "./states.js";

const PAUSE_MS = 400; // Between two requests while the ledger grows.

/**
 * Shows the answer of `path` in `place`, and keeps it up to date until `signal` is aborted. Before the first answer,
 * `place` shows that it is being loaded, or why it cannot be loaded.
 *
 * @param {HTMLElement} place
 * @param {object} how
 * @param {string} how.path
 * @param {() => Record<string, any> | URLSearchParams} [how.query]
 * @param {(value: any) => void | Promise<void>} how.draw puts the answer into `place`
 * @param {string} how.what for the sentence "… cannot be shown"
 * @param {(change: { runs: any[], reset: boolean }) => boolean} [how.concerns] whether a change can alter the answer
 * @param {AbortSignal} how.signal
 * @returns {(how?: { fresh?: boolean }) => Promise<void>} loads again; `fresh`: because the parameters changed
 */
export function follow(place, { path, query = () => ({}), draw, what, concerns = () => true, signal }) {
  /** @type {string | null} */
  let tag = null;
  let shown = false;
  let turn = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let waiting;

  async function load({ fresh = false } = {}) {
    clearTimeout(waiting);
    waiting = undefined;
    if (fresh) tag = null;
    const mine = ++turn;
    const over = () => signal.aborted || mine !== turn;
    try {
      const answer = await get(path, { query: query(), known: tag, signal });
      if (over() || !answer) return;
      if (!shown) place.replaceChildren();
      shown = true;
      await draw(answer.value);
      tag = answer.tag;
    } catch (problem) {
      if (over()) return;
      if (!(problem instanceof ApiError)) throw problem;
      // The data stay while the server is away (the header says so); an error of the server is shown.
      if (shown && !problem.status) return;
      shown = false;
      place.replaceChildren(
        failure(
          `${what} cannot be shown`,
          problem.message,
          problem.status === 404 ? null : () => load({ fresh: true }),
        ),
      );
    }
  }

  place.replaceChildren(loading());
  ledger.addEventListener(
    "changed",
    (event) => {
      const { detail } = /** @type {CustomEvent} */ (event);
      if (detail.reset && ledger.asOf !== null) load({ fresh: true });
      else if (detail.reset || concerns(detail)) waiting ??= setTimeout(load, PAUSE_MS);
    },
    { signal },
  );
  signal.addEventListener("abort", () => clearTimeout(waiting));
  load();
  return load;
}

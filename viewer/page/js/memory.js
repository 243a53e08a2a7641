// What a page keeps in the browser's history, so that "back" leads to the last position.

/** The state of the current entry of the history: {scroll, table, shown, chosen}. */
export const recall = () => history.state ?? {};

/** Adds to it, and keeps the address. @param {Record<string, any>} facts */
export function remember(facts) {
  history.replaceState({ ...recall(), ...facts }, "");
}

/** A function that runs `act` once calls have paused for `pause` milliseconds; `cancel` forgets the last call. @param {() => void} act @param {number} pause */
export function settled(act, pause) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(act, pause);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}

// What changed between two moments, for a page without a server: as `/api/changes` answers.

const LISTED = 500;

/** @typedef {import("./inside.js").State} State */

/** @param {State} before @param {State} after @param {any[]} events the newest corrections and imports of all times */
export function changes(before, after, events) {
  const statuses = new Map(before.runs.map((run) => [run.run_id, run.status]));
  const changed = after.runs.filter((run) => statuses.get(run.run_id) !== run.status);
  const counted = (/** @type {string} */ status) => changed.filter((run) => run.status === status).length;
  return {
    before: before.head,
    head: after.head,
    started: after.runs.filter((run) => !statuses.has(run.run_id)).length,
    succeeded: counted("succeeded"),
    failed: counted("failed"),
    scores: changedScores(scoresOf(before), scoresOf(after)).slice(0, LISTED),
    events: events.filter((one) => one.seq > before.head.position && one.seq <= after.head.position).slice(0, LISTED),
  };
}

/** The cells of a leaderboard by task and contender. @param {State} state */
function scoresOf(state) {
  const board = state.answers["/api/board"];
  /** @type {Map<string, any>} */
  const found = new Map();
  for (const { agent, provider, model, cells } of board.contenders)
    cells.forEach((/** @type {any} */ cell, /** @type {number} */ place) => {
      const { task } = board.tasks[place];
      if (cell)
        found.set(JSON.stringify([Object.values(task), agent, provider, model]), {
          task,
          agent,
          provider,
          model,
          cell,
        });
    });
  return found;
}

/** @param {Map<string, any>} before @param {Map<string, any>} after */
function changedScores(before, after) {
  const found = [];
  for (const key of [...new Set([...before.keys(), ...after.keys()])].sort()) {
    const [old, latest] = [before.get(key), after.get(key)];
    if (old && latest && isSame(old.cell, latest.cell)) continue;
    const { task, agent, provider, model } = latest ?? old;
    found.push({
      task,
      agent,
      provider,
      model,
      before: old ? old.cell.score.mean : null,
      before_run_id: old ? old.cell.run_id : null,
      after: latest ? latest.cell.score.mean : null,
      after_run_id: latest ? latest.cell.run_id : null,
    });
  }
  return found;
}

/** @param {any} one @param {any} other */
const isSame = (one, other) =>
  one.score.mean === other.score.mean && one.score.run_ids.join() === other.score.run_ids.join();

// The API of the server that this page comes from.

export class ApiError extends Error {}

/** What a path answers; null where `known` (an ETag) is still right. */
export async function get(path, { known } = {}) {
  let response;
  try {
    response = await fetch(path, { headers: known ? { "If-None-Match": known } : {}, cache: "no-store" });
  } catch {
    throw new ApiError("The viewer's server does not answer. Is `benchmarks serve-viewer` still running?");
  }
  if (response.status === 304) return null;
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new ApiError(problem.detail || problem.title || `The server answered ${response.status}.`);
  }
  return { value: await response.json(), tag: response.headers.get("ETag") };
}

/** A piece of a log, from `offset` on: its text, and where the next piece begins. */
export async function getLog(runId, name, offset) {
  const response = await fetch(`${runPath(runId)}/logs/${name}?offset=${offset}`, { cache: "no-store" });
  if (!response.ok) throw new ApiError(`The log cannot be read (${response.status}).`);
  return {
    bytes: new Uint8Array(await response.arrayBuffer()),
    size: Number(response.headers.get("X-Log-Size")),
    next: Number(response.headers.get("X-Next-Offset")),
  };
}

export const runPath = (runId) => `/api/runs/${encodeURIComponent(runId)}`;

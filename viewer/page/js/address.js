// The addresses of pages. The state of a page comes after `#`, the moment of all pages (`as_of`) before it, so that
// every link keeps the moment.

/** @param {string} path @param {Record<string, any> | URLSearchParams} [query] */
export function hash(path, query = {}) {
  const asked = new URLSearchParams();
  const entries = query instanceof URLSearchParams ? [...query] : Object.entries(query);
  for (const [name, value] of entries) {
    if (value !== null && value !== undefined) for (const one of [value].flat()) asked.append(name, String(one));
  }
  const text = asked.toString();
  return `#${path}${text ? `?${text}` : ""}`;
}

export const runLink = (/** @type {string} */ runId) => hash(`/runs/${encodeURIComponent(runId)}`);
export const planLink = (/** @type {string} */ id) => hash(`/registrations/${encodeURIComponent(id)}`);
export const runsLink = (/** @type {Record<string, any>} */ filters) => hash("/runs", filters);
/** The samples of a benchmark by contender. */
export const heatMapLink = (/** @type {string} */ id, /** @type {Record<string, any>} */ query = {}) =>
  hash(`/benchmarks/${encodeURIComponent(id)}/samples`, query);
export const benchmarkLink = (/** @type {string} */ id) => hash(`/benchmarks/${encodeURIComponent(id)}`);

/** The page that the address names, its id, the sample in it (`/samples/<part>`), and its state. */
export function here() {
  const [path, parameters = ""] = location.hash.replace(/^#/, "").split("?");
  const [, page = "", ...rest] = path.split("/");
  const query = new URLSearchParams(parameters);
  if (rest[0] && rest[1] === "samples" && rest.length > 2 === (page === "runs"))
    return { page, id: decoded(rest[0]), part: decoded(rest.slice(2).join("/")), query };
  return { page, id: rest.length && rest[0] ? decoded(rest.join("/")) : null, part: null, query };
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // This program did not write it; the server answers that it does not exist.
  }
}

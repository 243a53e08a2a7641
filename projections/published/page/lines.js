// Lines of the ledger: their hashes, and their places in the tree of the checkpoint.

import { base64, hashOf, same, unhex } from "./bytes.js";
import { leafHash, rootOf } from "./tree.js";

/** @typedef {Record<string, any>} Event */
/** @typedef {import("./note.js").Note} Note */
/** @typedef {{ line: string, proof: string[] }} ProvenLine */
/** @typedef {{ seq: number, stream: string, type: string, hash: string, proof: string[] }} WithheldLine */

/** The event of a line, the text that its hash is over, and that hash. @param {string} line */
export function eventIn(line) {
  const cut = line.lastIndexOf(',"hash":"');
  /** @type {Event} */
  const event = JSON.parse(line);
  return { event, body: line.slice(0, cut), digest: line.slice(cut + 9, -2) };
}

/**
 * The event of a line, after its hash and its place in the tree are proven. Throws an Error that says what is wrong.
 * @param {ProvenLine} proven @param {Note} note
 */
export async function provenEvent({ line, proof }, note) {
  const { event, body, digest } = readable(() => eventIn(line));
  if ((await hashOf(body)) !== digest || line !== `${body},"hash":"${digest}"}`)
    throw new Error(`the line of event ${event.seq} was changed: its hash does not match its bytes`);
  await provePlace(event.seq, digest, proof, note);
  return event;
}

/**
 * Prove that the event with a hash is at a place of the tree. Throws an Error that says what is wrong.
 * @param {number} seq @param {string} hash @param {string[]} proof @param {Note} note
 */
export async function provePlace(seq, hash, proof, note) {
  const hashes = readable(() => proof.map(base64));
  let root;
  try {
    root = await rootOf(await leafHash(unhex(hash)), seq - 1, note.size, hashes);
  } catch (problem) {
    throw unreadable(problem);
  }
  if (!same(root, note.root)) throw new Error(`event ${seq} is not in the tree of the checkpoint`);
}

/** @template T @param {() => T} read @returns {T} */
function readable(read) {
  try {
    return read();
  } catch (problem) {
    throw unreadable(problem);
  }
}

/** @param {unknown} problem */
const unreadable = (problem) =>
  new Error(`a line or its proof cannot be read: ${problem instanceof Error ? problem.message : problem}`);

// The Merkle tree of the ledger (RFC 6962): the root that a proof gives for a leaf.

import { hex, joined, sha256 } from "./bytes.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */

/** A node is computed once: many proofs share it. @type {Map<string, Promise<Bytes>>} */
const nodes = new Map();

/** @param {Bytes} left @param {Bytes} right @returns {Promise<Bytes>} */
function node(left, right) {
  const key = hex(left) + hex(right);
  const known = nodes.get(key) ?? sha256(joined([1], left, right));
  nodes.set(key, known);
  return known;
}

/** The hash of a leaf. @param {Bytes} leaf */
export const leafHash = (leaf) => sha256(joined([0], leaf));

/**
 * The root that a proof gives (RFC 9162, section 2.1.3.2). Throws an Error if it has the wrong length for its place.
 * @param {Bytes} leaf @param {number} index @param {number} size @param {Bytes[]} proof
 */
export async function rootOf(leaf, index, size, proof) {
  if (!(index >= 0 && index < size))
    throw new Error(`the tree has ${size} leaves, so it does not have a leaf ${index}`);
  let [at, last, root] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (last === 0) throw new Error("the proof has too many hashes for its place in the tree");
    if (at % 2 === 1 || at === last) {
      root = await node(sibling, root);
      while (at % 2 === 0 && at !== 0) [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
    } else root = await node(root, sibling);
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  if (last !== 0) throw new Error("the proof has too few hashes for its place in the tree");
  return root;
}

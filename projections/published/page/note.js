// Checkpoints and their signatures (C2SP signed-note, tlog-checkpoint, cosignature/v1).

import { base64, joined, same, sha256, subtle, utf8 } from "./bytes.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {{ name: string, id: Bytes, signature: Bytes }} Signature */
/** @typedef {{ text: string, origin: string, size: number, root: Bytes, signatures: Signature[] }} Note */
/** Whether a signature is good (true), bad (false) or unknown (null). @typedef {{ good: boolean | null, text: string }} Judgement */

const COSIGNATURE = 4;
const TIME_BYTES = 8;

/** Throws an Error if it is not a checkpoint. @param {string} note @returns {Note} */
export function parseNote(note) {
  const cut = note.lastIndexOf("\n\n");
  const text = cut < 0 ? note : note.slice(0, cut + 1);
  const [origin, size, root] = text.split("\n");
  if (!/^(0|[1-9][0-9]*)$/.test(size ?? "") || !root) throw new Error("it has no size or no root");
  const signatures = (cut < 0 ? "" : note.slice(cut + 2)).split("\n").filter(Boolean).map(parseSignature);
  return { text, origin, size: Number(size), root: base64(root), signatures };
}

/** @param {string} line @returns {Signature} */
function parseSignature(line) {
  const [, name, encoded] = /^\u2014 (\S+) (\S+)$/.exec(line) ?? [];
  if (!name) throw new Error("one of its signatures is damaged");
  const raw = base64(encoded);
  return { name, id: raw.slice(0, 4), signature: raw.slice(4) };
}

/** Whether a key has signed the note. @param {Note} note @param {string} key @returns {Promise<Judgement>} */
export async function judge(note, key) {
  const [, name, encoded] = /^([^+\s]+)\+[0-9a-f]{8}\+(\S+)$/.exec(key.trim()) ?? [];
  if (!name) return { good: false, text: `this is not a public key: ${key.slice(0, 60)}` };
  let raw;
  try {
    raw = base64(encoded);
  } catch {
    return { good: false, text: `the public key of ${name} is damaged` };
  }
  const id = (await sha256(joined(utf8.encode(`${name}\n`), raw))).slice(0, 4);
  const mine = note.signatures.find((one) => one.name === name && same(one.id, id));
  if (!mine) return { good: false, text: `${name} has not signed the checkpoint with this key` };
  const isWitness = raw[0] === COSIGNATURE;
  if (!isWitness && name !== note.origin)
    return { good: false, text: `the checkpoint is of ${note.origin}, and the key is that of ${name}` };
  return verified(name, raw.slice(1), isWitness ? cosigned(note, mine) : [utf8.encode(note.text), mine.signature, ""]);
}

/** What a witness signs, its signature, and when. @param {Note} note @param {Signature} mine @returns {[Bytes, Bytes, string]} */
function cosigned(note, { signature }) {
  if (signature.length < TIME_BYTES) return [utf8.encode(note.text), signature, ""];
  const time = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0);
  const when = new Date(Number(time) * 1000);
  const shown = Number.isNaN(when.valueOf()) ? "at no valid time" : `on ${when.toISOString().slice(0, 19)} UTC`;
  const message = utf8.encode(`cosignature/v1\ntime ${time}\n${note.text}`);
  return [message, signature.slice(TIME_BYTES), ` ${shown}, as a witness`];
}

/** @param {string} name @param {Bytes} key @param {[Bytes, Bytes, string]} signed @returns {Promise<Judgement>} */
async function verified(name, key, [message, signature, when]) {
  try {
    if (!subtle) throw new Error("no WebCrypto");
    const imported = await subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
    const good = await subtle.verify({ name: "Ed25519" }, imported, signature, message);
    return good
      ? { good, text: `${name} has signed the checkpoint${when}` }
      : { good, text: `the signature by ${name} is not by its key, or not for this checkpoint` };
  } catch {
    return { good: null, text: `the signature by ${name}: this browser cannot verify Ed25519` };
  }
}

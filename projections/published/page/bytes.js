// Bytes as the ledger writes them: hex, base64, and SHA-256 by WebCrypto.

/** A browser offers WebCrypto to pages of files and of https addresses only. @type {SubtleCrypto | undefined} */
export const subtle = globalThis.crypto?.subtle;

export const utf8 = new TextEncoder();

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */

/** @param {Bytes} bytes */
export const hex = (bytes) => Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");

/** @param {string} text @returns {Bytes} */
export const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (two) => Number.parseInt(two, 16));

/** @param {string} text @returns {Bytes} */
export const base64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** @param {Bytes} bytes @returns {Promise<Bytes>} */
export async function sha256(bytes) {
  if (!subtle) throw new Error("this browser does not offer WebCrypto here");
  return new Uint8Array(await subtle.digest("SHA-256", bytes));
}

/** The SHA-256 of a text, as hex. @param {string} text */
export const hashOf = async (text) => hex(await sha256(utf8.encode(text)));

/** @param {(Bytes | number[])[]} parts @returns {Bytes} */
export function joined(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** @param {Bytes} one @param {Bytes} other */
export const same = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);

// The files of a run: to download, and to read if they are text.

import { get, getPiece } from "./api.js";
import { h } from "./dom.js";
import { bytes } from "./format.js";
import { panel } from "./parts.js";

const MAX_BYTES = 100_000; // Bytes of a file that are shown.

export class ArtifactsPanel {
  /** @param {string} path @param {AbortSignal} signal */
  constructor(path, signal) {
    this.path = path;
    this.signal = signal;
    this.body = h("tbody");
    const head = h(
      "tr",
      {},
      h("th", { scope: "col" }, "File"),
      h("th", { scope: "col", class: "number" }, "Size"),
      h("th", { scope: "col" }, "SHA-256"),
      h("th", { scope: "col" }, h("span", { class: "visually-hidden" }, "View")),
    );
    this.view = h("div", { class: "artifact", "aria-live": "polite" });
    const table = h(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": "Artifacts" },
      h("table", { class: "artifacts" }, h("thead", {}, head), this.body),
    );
    this.element = panel("Artifacts", [table, this.view], "", { "data-panel": "artifacts", hidden: true });
  }

  async load() {
    let answer;
    try {
      answer = await get(`${this.path}/artifacts`, { past: false, signal: this.signal });
    } catch (problem) {
      if (this.signal.aborted) return;
      this.element.hidden = false;
      this.view.replaceChildren(h("p", { class: "error" }, /** @type {Error} */ (problem).message));
      return;
    }
    const { artifacts } = /** @type {any} */ (answer).value;
    this.element.hidden = !artifacts.length;
    this.body.replaceChildren(...artifacts.map((/** @type {any} */ file) => this.#row(file)));
  }

  /** @param {{ path: string, bytes: number, sha256: string, present: boolean, is_text: boolean }} file */
  #row(file) {
    const href = `${this.path}/artifacts/${file.path.split("/").map(encodeURIComponent).join("/")}`;
    const button = h("button", { type: "button", class: "quiet", onclick: () => this.#look(file.path, href) }, "View");
    return h(
      "tr",
      {},
      h(
        "th",
        { scope: "row" },
        file.present
          ? h("a", { href, download: "" }, file.path)
          : [file.path, " ", h("span", { class: "mark" }, "gone")],
      ),
      h("td", { class: "number" }, bytes(file.bytes)),
      h("td", { class: "mono soft digest", title: file.sha256 }, file.sha256.slice(0, 12)),
      h("td", {}, file.present && file.is_text && button),
    );
  }

  /** @param {string} name @param {string} href */
  async #look(name, href) {
    try {
      const piece = await getPiece(href, { view: "text", offset: 0, limit: MAX_BYTES }, this.signal);
      const cut = piece.next < piece.size ? `, the first ${bytes(piece.next)} of ${bytes(piece.size)}` : "";
      const close = h(
        "button",
        { type: "button", class: "quiet", onclick: () => this.view.replaceChildren() },
        "Close",
      );
      this.view.replaceChildren(
        h("p", {}, h("strong", {}, name), h("span", { class: "soft" }, cut), " ", close),
        h(
          "pre",
          { class: "log mono", tabindex: "0", "aria-label": name },
          laidOut(name, new TextDecoder().decode(piece.bytes), !cut),
        ),
      );
    } catch (problem) {
      this.view.replaceChildren(h("p", { class: "error" }, /** @type {Error} */ (problem).message));
    }
  }
}

/** JSON on several lines, if it is complete. @param {string} name @param {string} text @param {boolean} whole */
function laidOut(name, text, whole) {
  if (!whole || !name.endsWith(".json")) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

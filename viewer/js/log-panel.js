// The end of stdout or stderr, which grows while the run does.

import { getPiece, runPath } from "./api.js";
import { h } from "./dom.js";
import { bytes, plain } from "./format.js";
import { panel } from "./run-panels.js";

const TAIL_BYTES = 200_000;
const MOST_CHARACTERS = 1_000_000; // Of a log that is followed for hours, the beginning goes.

export class LogPanel {
  constructor(runId) {
    this.runId = runId;
    this.text = h("pre", { class: "log mono", tabindex: "0", "aria-label": "Output" });
    this.buttons = ["stdout", "stderr"].map((name) => h("button", { type: "button", "aria-pressed": "false", onclick: () => this.show(name) }, name));
    this.element = panel("Output", this.text, h("span", { class: "tabs" }, this.buttons));
    this.reset("stdout");
  }

  reset(name) {
    this.name = name;
    this.turn = {};
    this.loading = null;
    this.next = null;
    this.decoder = new TextDecoder();
    this.open = ""; // The last line, as long as it has no end.
    this.last = new Text("");
    this.empty = new Text("(nothing)");
    this.text.replaceChildren(this.empty);
    this.length = 0;
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.textContent === name));
  }

  show(name) {
    this.reset(name);
    return this.load();
  }

  /** Fetch what is new. One fetch at a time: two would bring the same piece twice. */
  load() {
    const { turn } = this;
    this.loading ??= this.fetch(turn).finally(() => {
      if (turn === this.turn) this.loading = null;
    });
    return this.loading;
  }

  async fetch(turn) {
    for (let more = true; more; ) {
      let piece;
      try {
        piece = await getPiece(`${runPath(this.runId)}/logs/${this.name}`, { offset: this.next ?? -TAIL_BYTES });
      } catch (problem) {
        if (turn !== this.turn) return;
        if (this.next !== null) throw problem;
        this.empty.data = problem.message;
        return;
      }
      if (turn !== this.turn) return; // Somebody wants to read the other one.
      this.append(piece);
      more = piece.next < piece.size;
    }
  }

  append({ bytes: piece, size, next }) {
    const following = this.text.scrollTop + this.text.clientHeight >= this.text.scrollHeight - 8;
    if (size) this.empty.remove();
    if (this.next === null && size > TAIL_BYTES) this.text.prepend(`… ${bytes(size - TAIL_BYTES)} before this\n`);
    this.next = next;
    if (!piece.length) return;
    const raw = this.open + this.decoder.decode(piece, { stream: true });
    const end = raw.lastIndexOf("\n") + 1;
    this.open = raw.slice(end);
    this.last.remove();
    if (end) this.text.append(plain(raw.slice(0, end)));
    this.last.data = plain(this.open);
    this.text.append(this.last);
    this.length += end;
    while (this.length > MOST_CHARACTERS && this.text.childNodes.length > 2) {
      this.length -= this.text.firstChild.data.length;
      this.text.firstChild.remove();
    }
    if (following) this.text.scrollTop = this.text.scrollHeight;
  }
}

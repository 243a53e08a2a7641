// stdout and stderr of a run: with their colours, followed while they grow, and searched.

import { bare, colour, PLAIN, settle } from "./ansi.js";
import { get, getPiece, runPath } from "./api.js";
import { h } from "./dom.js";
import { bytes, count } from "./format.js";
import { settled } from "./memory.js";
import { panel } from "./parts.js";

const PIECE = 200_000; // Bytes that are fetched at once.
const MOST_CHARACTERS = 1_000_000; // Of a log that is followed for hours, the beginning goes.
const TYPING_MS = 200;
const NEAR = 40; // Pixels from the end that count as being there.

export class LogPanel {
  #turn = {};
  /** @type {Promise<void> | null} */
  #loading = null;
  /** Where the next piece begins; null before the first. @type {number | null} */
  #next = null;
  /** Where the first piece begins; negative: from the end. */
  #from = -PIECE;
  #size = 0;
  #length = 0;
  #decoder = new TextDecoder();
  #style = PLAIN;
  /** The last line, as long as it has no end. */
  #open = "";
  #last = h("span");
  #isFollowing = true;

  /** @param {string} runId @param {AbortSignal} signal */
  constructor(runId, signal) {
    this.path = `${runPath(runId)}/logs`;
    this.signal = signal;
    this.name = "stdout";
    this.text = h(
      "pre",
      { class: "log mono", tabindex: "0", "aria-label": "Output", onscroll: () => this.#scrolled() },
      h("span", { class: "soft" }, "…"),
    );
    this.buttons = ["stdout", "stderr"].map((name) =>
      h("button", { type: "button", "aria-pressed": "false", "data-log": name, onclick: () => this.show(name) }, name),
    );
    const search = settled(() => this.#find(), TYPING_MS);
    this.search = /** @type {HTMLInputElement} */ (
      h("input", {
        type: "search",
        placeholder: "Search the log",
        "aria-label": "Search the log",
        oninput: search,
        onkeydown: (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && this.#forget(),
      })
    );
    this.following = /** @type {HTMLInputElement} */ (
      h("input", { type: "checkbox", checked: true, onchange: () => this.#follow(this.following.checked) })
    );
    this.whole = h("button", { type: "button", class: "quiet", onclick: () => this.#restart(0) }, "From the start");
    this.matches = h("ol", { class: "matches", "aria-label": "Lines found", hidden: true });
    this.told = h("span", { class: "soft" });
    const raw = h("a", { target: "_blank", rel: "noopener" }, "raw");
    this.raw = raw;
    const tools = h(
      "div",
      { class: "log-tools" },
      this.search,
      h("label", {}, this.following, "follow"),
      this.whole,
      raw,
      this.told,
    );
    this.element = panel("Output", [tools, this.matches, this.text], h("span", { class: "tabs" }, this.buttons), {
      "data-panel": "output",
    });
    this.#name(this.name);
  }

  /** @param {string} name */
  #name(name) {
    this.name = name;
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.log === name));
    this.raw.setAttribute("href", `${this.path}/${name}`);
  }

  /** @param {string} name */
  show(name) {
    this.#name(name);
    this.#forget();
    return this.#restart(-PIECE);
  }

  /** Fetches what is new. One fetch at a time: two would bring the same piece twice. */
  async load() {
    if (!this.#isFollowing && this.#next !== null) return;
    await this.#fetch();
    if (this.#isFollowing) this.text.scrollTop = this.text.scrollHeight;
  }

  #fetch() {
    const turn = this.#turn;
    this.#loading ??= this.#pieces(turn).finally(() => {
      if (turn === this.#turn) this.#loading = null;
    });
    return this.#loading;
  }

  /** Shows the log from another byte on. @param {number} from @param {{ mark?: boolean }} [how] `mark`: the first line is what was looked for */
  #restart(from, { mark = false } = {}) {
    this.#turn = {};
    this.#loading = null;
    this.#next = null;
    this.#from = from;
    this.#length = 0;
    this.#decoder = new TextDecoder();
    this.#style = PLAIN;
    this.#open = "";
    this.#last = h("span");
    this.#isFollowing = from < 0;
    this.following.checked = this.#isFollowing;
    this.text.replaceChildren(h("span", { class: "soft" }, "…"));
    return this.#fetch().then(() => mark && this.#mark());
  }

  /** @param {{}} turn */
  async #pieces(turn) {
    for (let more = true; more; ) {
      let piece;
      try {
        piece = await getPiece(
          `${this.path}/${this.name}`,
          { offset: this.#next ?? this.#from, limit: PIECE },
          this.signal,
        );
      } catch (problem) {
        if (turn === this.#turn && this.#next === null)
          this.text.replaceChildren(/** @type {Error} */ (problem).message);
        return;
      }
      if (turn !== this.#turn) return; // Somebody wants to read something else.
      this.#append(piece);
      more = this.#isFollowing && piece.next < piece.size;
    }
  }

  /** @param {{ bytes: Uint8Array, size: number, next: number }} piece */
  #append({ bytes: piece, size, next }) {
    const first = this.#next === null;
    const start = next - piece.length;
    if (first)
      this.text.replaceChildren(
        size ? "" : h("span", { class: "soft" }, "(nothing)"),
        start > 0 ? h("span", { class: "soft" }, `… ${bytes(start)} before this\n`) : "",
      );
    else if (!this.#size && size) this.text.replaceChildren();
    this.#next = next;
    this.#size = size;
    this.told.textContent = bytes(size);
    this.whole.hidden = first ? start === 0 : this.whole.hidden;
    if (!piece.length) return;
    const raw = this.#open + this.#decoder.decode(piece, { stream: true });
    const end = raw.lastIndexOf("\n") + 1;
    this.#open = raw.slice(end);
    this.#last.remove();
    if (end) this.text.append(this.#drawn(raw.slice(0, end), true));
    this.#last = this.#drawn(this.#open, false);
    this.text.append(this.#last);
    this.#length += end;
    while (this.#length > MOST_CHARACTERS && this.text.childNodes.length > 2) {
      this.#length -= this.text.firstChild?.textContent?.length ?? 0;
      this.text.firstChild?.remove();
    }
  }

  /** Whole lines change the style that follows; the open one will be drawn again. @param {string} raw @param {boolean} whole */
  #drawn(raw, whole) {
    const { pieces, style } = colour(settle(raw), this.#style);
    if (whole) this.#style = style;
    return h(
      "span",
      {},
      pieces.map(({ text, classes }) => (classes ? h("span", { class: classes }, text) : text)),
    );
  }

  #scrolled() {
    const atEnd = this.text.scrollTop + this.text.clientHeight >= this.text.scrollHeight - NEAR;
    if (this.#next === null) return;
    if (atEnd && this.#next < this.#size) this.#fetch();
    else if (atEnd !== this.#isFollowing && this.#next >= this.#size) this.#follow(atEnd, { move: false });
  }

  /** @param {boolean} on @param {{ move?: boolean }} [how] */
  #follow(on, { move = true } = {}) {
    this.#isFollowing = on;
    this.following.checked = on;
    if (!on || !move) return;
    if (this.#next !== null && this.#next < this.#size) this.#restart(-PIECE);
    else this.text.scrollTop = this.text.scrollHeight;
  }

  #forget() {
    this.search.value = "";
    this.matches.hidden = true;
  }

  async #find() {
    const wanted = this.search.value;
    this.matches.hidden = !wanted;
    if (!wanted) return;
    try {
      const answer = await get(`${this.path}/${this.name}/matches`, {
        query: { q: wanted, limit: 200 },
        past: false,
        signal: this.signal,
      });
      if (wanted !== this.search.value || !answer) return;
      const { matches, next_offset: next } = answer.value;
      const rows = matches.map((/** @type {any} */ match) =>
        h(
          "li",
          {},
          h(
            "button",
            { type: "button", onclick: () => this.#restart(match.offset, { mark: true }) },
            h("span", { class: "line" }, count(match.line)),
            h("span", { class: "text" }, bare(match.text)),
          ),
        ),
      );
      this.matches.replaceChildren(
        ...rows,
        (!matches.length && h("li", {}, h("p", { class: "soft" }, "Nothing like that in this log."))) || "",
        (next !== null &&
          h("li", {}, h("p", { class: "soft" }, `The first ${count(matches.length)} lines; there are more.`))) ||
          "",
      );
    } catch (problem) {
      this.matches.replaceChildren(h("li", {}, h("p", { class: "error" }, /** @type {Error} */ (problem).message)));
    }
  }

  /** Marks the first line, which is the one that was looked for. */
  #mark() {
    const lines = [...this.text.children].find(
      (one) => one instanceof HTMLSpanElement && !one.classList.contains("soft"),
    );
    if (!lines) return;
    const found = h("mark", { class: "found" });
    for (const node of [...lines.childNodes]) {
      const text = node.textContent ?? "";
      const end = text.indexOf("\n");
      if (end < 0) {
        found.append(node);
        continue;
      }
      found.append(text.slice(0, end));
      node.textContent = text.slice(end);
      break;
    }
    lines.prepend(found);
    this.text.scrollTop = 0;
    this.text.focus({ preventScroll: true });
  }
}

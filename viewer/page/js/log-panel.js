// stdout and stderr of a run, with their colours. They are followed while they grow, and can be searched.

import { bare, colour, PLAIN, settle } from "./ansi.js";
import { get, getPiece, runPath } from "./api.js";
import { h } from "./dom.js";
import { bytes, count } from "./format.js";
import { settled } from "./memory.js";
import { panel } from "./parts.js";

const PIECE = 200_000; // Bytes that are fetched at once.
const MAX_CHARACTERS = 1_000_000; // A log that is followed for hours loses its beginning.
const TYPING_MS = 200;
const BEFORE = 10; // Lines that are shown before one that the address names.
const GUTTER = 68; // Pixels for the numbers of lines.
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
  /** The last line, while it has no end. */
  #open = "";
  #last = h("span");
  #isFollowing = true;
  /** The number of the first line that is shown; null if it is not known. @type {number | null} */
  #firstLine = null;
  /** The number of the line at which the next first piece begins; 0: it begins at a byte. */
  #line = 0;
  /** A line to show first, from the address. @type {number | null} */
  #wantedLine = null;

  /**
   * @param {string} runId
   * @param {AbortSignal} signal
   * @param {{ log: string | null, line: number | null, keep: (log: string | null, line: number | null) => void }} address which line the address names
   */
  constructor(runId, signal, address) {
    this.address = address;
    this.path = `${runPath(runId)}/logs`;
    this.signal = signal;
    this.name = address.log === "stderr" ? "stderr" : "stdout";
    this.#wantedLine = address.line;
    this.text = h(
      "pre",
      {
        class: "log lines mono",
        tabindex: "0",
        "aria-label": "Output",
        onscroll: () => this.#scrolled(),
        onclick: (/** @type {MouseEvent} */ event) => this.#clicked(event),
      },
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
    this.size = h("span", { class: "soft" });
    this.line = /** @type {HTMLInputElement} */ (
      h("input", {
        type: "number",
        min: "1",
        placeholder: "Line",
        "aria-label": "Go to line",
        value: address.line ?? "",
        onchange: () => this.goTo(Number(this.line.value)),
      })
    );
    const raw = h("a", { target: "_blank", rel: "noopener" }, "raw");
    this.raw = raw;
    const tools = h(
      "div",
      { class: "log-tools" },
      this.search,
      h("label", {}, this.following, "follow"),
      this.whole,
      this.line,
      raw,
      this.size,
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

  /** Shows another stream if nothing is loaded yet. @param {string} name */
  prefer(name) {
    if (this.#next === null && !this.address.log) this.#name(name);
  }

  /** @param {string} name */
  show(name) {
    this.#name(name);
    this.#forget();
    this.address.keep(name, null);
    return this.#restart(-PIECE);
  }

  /** Shows a line, with some before it, and writes it into the address. @param {number} line */
  async goTo(line) {
    if (!Number.isInteger(line) || line < 1) return;
    this.address.keep(this.name, line);
    const last = (this.#firstLine ?? 0) + this.#lines().length;
    if (this.#firstLine !== null && line >= this.#firstLine && line < last) this.#mark(line - this.#firstLine);
    else await this.#restart(0, { line });
  }

  #lines() {
    return /** @type {NodeListOf<HTMLElement>} */ (this.text.querySelectorAll(".log-line"));
  }

  /** A click beside the text, on its number, names the line in the address. @param {MouseEvent} event */
  #clicked(event) {
    const line = /** @type {HTMLElement} */ (event.target).closest(".log-line");
    if (!line || this.#firstLine === null || event.clientX > this.text.getBoundingClientRect().left + GUTTER) return;
    this.goTo(this.#firstLine + [...this.#lines()].indexOf(/** @type {HTMLElement} */ (line)));
  }

  /** Fetches what is new, one fetch at a time: two would bring the same piece twice. */
  async load() {
    if (this.#wantedLine !== null) {
      const line = this.#wantedLine;
      this.#wantedLine = null;
      await this.#restart(0, { line });
      return;
    }
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

  /** Shows the log from another byte on. @param {number} from @param {{ mark?: number, line?: number }} [how] `mark`: the line that was found, from 0; `line`: its number, instead of `from` */
  #restart(from, { mark = -1, line = 0 } = {}) {
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
    this.#line = line ? Math.max(1, line - BEFORE) : 0;
    this.following.checked = this.#isFollowing;
    this.text.replaceChildren(h("span", { class: "soft" }, "…"));
    return this.#fetch().then(() => {
      if (mark >= 0) this.#mark(mark);
      else if (line) this.#mark(line - (this.#firstLine ?? 1));
    });
  }

  /** @param {{}} turn */
  async #pieces(turn) {
    for (let more = true; more; ) {
      let piece;
      try {
        piece = await getPiece(
          `${this.path}/${this.name}`,
          {
            limit: PIECE,
            ...(this.#next === null && this.#line ? { line: this.#line } : { offset: this.#next ?? this.#from }),
            ...(this.#next === null && { number: 1 }),
          },
          this.signal,
        );
      } catch (problem) {
        if (turn === this.#turn && this.#next === null)
          this.text.replaceChildren(/** @type {Error} */ (problem).message);
        return;
      }
      if (turn !== this.#turn) return; // The reader has chosen another part.
      this.#append(piece);
      more = this.#isFollowing && piece.next < piece.size;
    }
  }

  /** @param {{ bytes: Uint8Array, size: number, next: number, line?: number | null }} piece */
  #append({ bytes: piece, size, next, line }) {
    const first = this.#next === null;
    const start = next - piece.length;
    if (first) {
      this.#firstLine = line ?? null;
      this.text.style.counterReset = `line ${(line ?? 1) - 1}`;
      this.text.classList.toggle("unnumbered", line === null);
    }
    if (first)
      this.text.replaceChildren(
        size ? "" : h("span", { class: "soft" }, "No output"),
        start > 0 ? h("span", { class: "soft" }, `… ${bytes(start)} before this\n`) : "",
      );
    else if (!this.#size && size) this.text.replaceChildren();
    this.#next = next;
    this.#size = size;
    this.size.textContent = bytes(size);
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
    while (this.#length > MAX_CHARACTERS && this.text.childNodes.length > 2) {
      const gone = /** @type {HTMLElement} */ (this.text.firstElementChild);
      this.#length -= gone.textContent?.length ?? 0;
      if (this.#firstLine !== null) this.#firstLine += gone.querySelectorAll(".log-line").length;
      gone.remove();
      if (this.#firstLine !== null) this.text.style.counterReset = `line ${this.#firstLine - 1}`;
    }
  }

  /** Whole lines change the style of what follows; the open line is drawn again. @param {string} raw @param {boolean} whole */
  #drawn(raw, whole) {
    const { pieces, style } = colour(settle(raw), this.#style);
    if (whole) this.#style = style;
    /** @type {any[][]} */
    const lines = [[]];
    for (const { text, classes } of pieces) {
      for (const [at, part] of text.split(/(?<=\n)/).entries()) {
        if (at > 0) lines.push([]);
        lines[lines.length - 1].push(classes ? h("span", { class: classes }, part) : part);
      }
      if (text.endsWith("\n")) lines.push([]);
    }
    return h(
      "span",
      {},
      lines.filter((parts) => parts.length).map((parts) => h("span", { class: "log-line" }, parts)),
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
            { type: "button", onclick: () => this.#restart(match.context_offset, { mark: match.lines_before }) },
            h("span", { class: "line" }, count(match.line)),
            h("span", { class: "text" }, bare(match.text)),
          ),
        ),
      );
      this.matches.replaceChildren(
        ...rows,
        (!matches.length && h("li", {}, h("p", { class: "soft" }, "No matches."))) || "",
        (next !== null &&
          h("li", {}, h("p", { class: "soft" }, `The first ${count(matches.length)} matches; there are more.`))) ||
          "",
      );
    } catch (problem) {
      this.matches.replaceChildren(h("li", {}, h("p", { class: "error" }, /** @type {Error} */ (problem).message)));
    }
  }

  /** Marks the line that was found. @param {number} at its place among those that are shown, from 0 */
  #mark(at) {
    for (const old of this.text.querySelectorAll(".found")) old.classList.remove("found");
    const lines = this.#lines();
    const found = lines[Math.max(0, Math.min(at, lines.length - 1))];
    if (!found) return;
    found.classList.add("found");
    if (this.#firstLine !== null) {
      const number = this.#firstLine + [...lines].indexOf(found);
      this.line.value = String(number);
      this.address.keep(this.name, number);
    }
    this.text.scrollTop = found.offsetTop - this.text.clientHeight / 3;
    this.text.focus({ preventScroll: true });
  }
}

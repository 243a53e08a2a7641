// Rows of a table of any length: only those in sight are in the document. All rows have one height.

import { h, keep } from "./dom.js";

const BEYOND = 8; // Rows kept above and below what is in sight, so that scrolling shows no gap.

export class VirtualRows {
  /** The number of rows. */
  count = 0;
  #height = 36;
  #frame = 0;
  #top = spacer();
  #bottom = spacer();

  /**
   * @param {HTMLElement} scroller what scrolls
   * @param {HTMLTableSectionElement} body
   * @param {object} from
   * @param {(index: number) => any} from.row the data of a row; undefined if they are not there yet
   * @param {(row: any) => string} from.name the name of a row
   * @param {(row: any) => HTMLElement} from.make
   * @param {() => HTMLElement} from.blank a row without data yet
   * @param {() => void} from.moved called when other rows are in sight
   */
  constructor(scroller, body, { row, name, make, blank, moved }) {
    this.scroller = scroller;
    this.body = body;
    this.row = row;
    this.name = name;
    this.make = make;
    this.blank = blank;
    this.moved = moved;
    scroller.addEventListener("scroll", () => {
      this.#frame ||= requestAnimationFrame(() => {
        this.#frame = 0;
        this.draw();
        this.moved();
      });
    });
    this.sizes = new ResizeObserver(() => {
      this.#measure();
      this.draw();
      this.moved();
    });
    this.sizes.observe(scroller);
  }

  end() {
    this.sizes.disconnect();
    cancelAnimationFrame(this.#frame);
  }

  /** The first row in sight, and the one after the last. @returns {[number, number]} */
  inSight() {
    const head = this.body.offsetTop;
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / this.#height));
    const last = Math.ceil((this.scroller.scrollTop + this.scroller.clientHeight - head) / this.#height);
    return [Math.min(first, Math.max(0, this.count - 1)), Math.max(0, Math.min(this.count, last))];
  }

  draw() {
    const [first, last] = this.inSight();
    const from = Math.max(0, first - BEYOND);
    const to = Math.min(this.count, last + BEYOND);
    const focused = this.body.contains(document.activeElement);
    /** @type {import("./dom.js").Part[]} */
    const parts = [["top", null, () => this.#top]];
    for (let index = from; index < to; index += 1) {
      const row = this.row(index);
      parts.push(
        row === undefined ? [`blank ${index}`, null, this.blank] : [this.name(row), row, () => this.make(row)],
      );
    }
    parts.push(["bottom", null, () => this.#bottom]);
    this.#top.style.height = `${from * this.#height}px`;
    this.#bottom.style.height = `${(this.count - to) * this.#height}px`;
    keep(this.body, parts);
    const rows = [...this.body.rows].slice(1, -1);
    for (const [place, row] of rows.entries()) row.setAttribute("aria-rowindex", String(from + place + 2));
    if (this.#measure()) this.draw();
    // The row with the focus went out of sight: the table takes the focus, for the keys.
    else if (focused && !this.body.contains(document.activeElement)) this.scroller.focus({ preventScroll: true });
  }

  /** Rows look different now: make them again. */
  forget() {
    keep(this.body, []);
  }

  /** Brings a row into sight. @param {number} index */
  reveal(index) {
    const head = this.body.offsetTop;
    const top = index * this.#height;
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
    const bottom = top + this.#height + head - this.scroller.clientHeight;
    if (bottom > this.scroller.scrollTop) this.scroller.scrollTop = bottom;
    this.draw();
  }

  /** The rows have moved by some places: those in sight stay where they are. @param {number} places */
  shift(places) {
    this.scroller.scrollTop += places * this.#height;
  }

  #measure() {
    const height = this.body.rows[1]?.getBoundingClientRect().height;
    if (!height || this.body.rows.length < 3 || Math.abs(height - this.#height) < 0.25) return false;
    this.#height = height;
    return true;
  }
}

function spacer() {
  return h("tr", { class: "space", "aria-hidden": "true" });
}

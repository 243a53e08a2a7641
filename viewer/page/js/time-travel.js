// History: a bar under the header, with a slider over the ledger and a date. It is always visible while the past is shown.

import { get } from "./api.js";
import { h } from "./dom.js";
import { count, moment } from "./format.js";
import { ledger } from "./ledger.js";
import { settled } from "./memory.js";

const SCRUB_MS = 120;

class TimeTravel extends HTMLElement {
  /** The extent of the ledger. @type {any} */
  #extent = null;
  #button = /** @type {HTMLButtonElement} */ (document.getElementById("as-of"));
  #text = h("p", { class: "state", role: "status" });
  // Disabled until the extent of the ledger is known: a position has no meaning before.
  #slider = /** @type {HTMLInputElement} */ (
    h("input", { type: "range", min: "1", max: "1", step: "1", disabled: true, "aria-label": "Position in the ledger" })
  );
  #date = /** @type {HTMLInputElement} */ (
    h("input", { type: "datetime-local", step: "1", disabled: true, "aria-label": "Date and time, UTC" })
  );
  #now = h("button", { type: "button", onclick: () => ledger.travel(null) }, "Back to now");
  #problem = h("p", { class: "error", role: "alert", hidden: true });

  connectedCallback() {
    const travel = settled(() => this.#travel(String(this.#positionOf(this.#slider.value))), SCRUB_MS);
    this.#slider.addEventListener("input", () => {
      if (!this.#extent) return;
      this.#sayPosition(this.#positionOf(this.#slider.value));
      travel();
    });
    this.#date.addEventListener(
      "change",
      () =>
        this.#date.value &&
        this.#travel(`${this.#date.value.length === 16 ? `${this.#date.value}:00` : this.#date.value}Z`),
    );
    this.#button.addEventListener("click", () => this.#toggle());
    this.append(
      h(
        "div",
        { class: "row" },
        this.#text,
        h(
          "label",
          { class: "slider" },
          h("span", { class: "soft" }, "start"),
          this.#slider,
          h("span", { class: "soft" }, "now"),
        ),
        h("label", {}, this.#date, h("span", { class: "soft" }, "UTC")),
        this.#now,
        this.#problem,
      ),
    );
    ledger.addEventListener("head", () => this.#draw());
    ledger.addEventListener("state", () => this.#draw());
    this.#draw();
  }

  /** @param {string} moment */
  #travel(moment) {
    const last = this.#extent && Number(moment) >= this.#extent.events;
    // All moves of the slider are one step in the browser's history.
    ledger.travel(last ? null : moment, { replace: ledger.asOf !== null });
  }

  /** The moments of the slider: a page without a server has some, not all. @returns {{ position: number, at: string }[] | undefined} */
  get #moments() {
    return this.#extent.moments?.filter((/** @type {any} */ one) => one.position);
  }

  /** The position that a place of the slider stands for. @param {string} place */
  #positionOf(place) {
    return this.#moments ? (this.#moments[Number(place) - 1]?.position ?? this.#extent.events) : Number(place);
  }

  /** The place of the slider for a position. @param {number} position */
  #placeOf(position) {
    const after = this.#moments?.filter(({ position: one }) => one <= position).length;
    if (after === undefined) return String(position);
    return String(position >= this.#extent.events ? after + 1 : Math.max(1, after));
  }

  async #toggle() {
    this.hidden = !this.hidden;
    this.#button.setAttribute("aria-expanded", String(!this.hidden));
    if (!this.hidden) {
      await this.#draw();
      this.#slider.focus();
    } else if (ledger.asOf !== null) ledger.travel(null);
  }

  async #draw() {
    const past = ledger.asOf !== null;
    document.documentElement.toggleAttribute("data-past", past);
    this.#now.hidden = !past;
    if (past) this.hidden = false;
    this.#button.setAttribute("aria-expanded", String(!this.hidden));
    this.#button.textContent = past ? "Snapshot" : "History";
    if (this.hidden) return;
    await this.#measure();
    this.#slider.disabled = this.#date.disabled = !this.#extent?.events;
    if (!this.#extent) return;
    const { head } = ledger;
    this.#slider.max = this.#placeOf(Math.max(1, this.#extent.events));
    const at = past ? head?.at : null;
    const position = past ? head?.position : this.#extent.events;
    if (position !== undefined && position !== null && document.activeElement !== this.#slider)
      this.#slider.value = this.#placeOf(position);
    this.#date.min = (this.#extent.first_at ?? "").slice(0, 19);
    if (document.activeElement !== this.#date) this.#date.value = at ? at.slice(0, 19) : "";
    if (past && head) {
      const isTime = !/^\d+$/.test(ledger.asOf ?? "");
      const when = isTime && !head.note ? moment(ledger.asOf) : moment(at);
      if (!head.past)
        this.#say(
          isTime && Date.parse(ledger.asOf ?? "") > Date.now() ? `${when} is in the future` : "No events since",
          `this is the current state, up to event ${count(head.position)}, the last`,
        );
      else
        this.#say(
          `Viewing ${when || "the time before the first event"}`,
          `event ${count(head.position)} of ${count(this.#extent.events)}; ${head.note ?? "later events are not shown"}`,
        );
    } else if (past) {
      // A page without an answer about the history knows only the moment that was asked for.
      const asked = ledger.asOf ?? "";
      const isPosition = /^\d+$/.test(asked);
      if (isPosition && document.activeElement !== this.#slider) this.#slider.value = this.#placeOf(Number(asked));
      this.#say(
        isPosition ? `Viewing event ${count(Number(asked))}` : `Viewing ${moment(asked)}`,
        "later events are not shown",
      );
    } else this.#say("Now", "move the slider, or choose a date, to see the state at that moment");
  }

  /** @param {number} position */
  #sayPosition(position) {
    const marks = this.#extent.marks;
    const after = marks.findIndex((/** @type {any} */ mark) => mark.position >= position);
    const [left, right] = [marks[Math.max(0, after - 1)], marks[Math.max(0, after)]];
    const share = right.position === left.position ? 0 : (position - left.position) / (right.position - left.position);
    const about = new Date(Date.parse(left.at) + share * (Date.parse(right.at) - Date.parse(left.at))).toISOString();
    this.#slider.setAttribute("aria-valuetext", `event ${position}, about ${moment(about)}`);
    this.#say(`Event ${count(position)} of ${count(this.#extent.events)}`, `about ${moment(about)}`);
  }

  /** @param {string} first @param {string} second */
  #say(first, second) {
    this.#text.replaceChildren(h("strong", {}, first), " ", h("span", { class: "soft" }, second));
  }

  async #measure() {
    if (this.#extent && (ledger.asOf !== null || this.#extent.events === ledger.head?.position)) return;
    try {
      const answer = await get("/api/ledger", { past: false });
      if (answer) this.#extent = answer.value;
      this.#problem.hidden = true;
    } catch (problem) {
      this.#problem.textContent = /** @type {Error} */ (problem).message;
      this.#problem.hidden = false;
    }
  }
}

customElements.define("time-travel", TimeTravel);

// Times that tick: how long ago something was, and for how long it has been running.

import { ago, duration, moment } from "./format.js";

const TICK_MS = 1000;
/** @type {Set<{ tick: () => void }>} */
const ticking = new Set();

setInterval(() => {
  if (!document.hidden) for (const one of ticking) one.tick();
}, TICK_MS);

class Ticking extends HTMLElement {
  static observedAttributes = ["datetime"];
  connectedCallback() {
    ticking.add(this);
    this.tick();
  }
  disconnectedCallback() {
    ticking.delete(this);
  }
  attributeChangedCallback() {
    this.tick();
  }
  tick() {
    const iso = this.getAttribute("datetime");
    this.title = moment(iso);
    const text = iso ? this.written(iso) : "";
    if (this.textContent !== text) this.textContent = text;
  }
  /** @param {string} iso */
  written(iso) {
    return iso;
  }
}

/** `<time-ago datetime="…">`: "3 min ago", with the absolute time on hover. */
class TimeAgo extends Ticking {
  /** @param {string} iso */
  written(iso) {
    return ago(iso);
  }
}

/** `<time-elapsed datetime="…">`: the time since then. */
class TimeElapsed extends Ticking {
  /** @param {string} iso */
  written(iso) {
    return duration(Math.max(0, Math.floor((Date.now() - Date.parse(iso)) / 1000)), { whole: true });
  }
}

customElements.define("time-ago", TimeAgo);
customElements.define("time-elapsed", TimeElapsed);

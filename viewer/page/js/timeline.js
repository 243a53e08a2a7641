// The events of a run, each with its place in the chain. Events never change: what is shown stays, and more may follow.

import { h, keep } from "./dom.js";
import { count, moment, score } from "./format.js";
import { panel } from "./parts.js";
import { visible } from "./visible.js";

/** @typedef {{ seq: number, type: string, at: string, hash: string, chain_verified: boolean, data: Record<string, any> }} Event */

export class Timeline {
  constructor() {
    this.state = h("span", {});
    this.list = h("ol", { class: "timeline" });
    this.element = panel("Events", this.list, this.state);
  }

  /** @param {Event[]} events */
  draw(events) {
    const broken = events.filter((event) => !event.chain_verified).length;
    this.state.className = `status ${broken ? "failed" : "succeeded"}`;
    this.state.textContent = broken ? `✕ ${broken} not as written` : "✓ chain verified";
    this.state.title = "Each event's hash was computed anew from its bytes, and compared with the event before it";
    keep(
      this.list,
      beats(events).map((some) => [
        `${some[0].seq}`,
        [some.length, some[0].chain_verified],
        () => (some.length > 1 ? heartbeats(some) : one(some[0])),
      ]),
    );
  }
}

/** The events as a list of lists: heartbeats that follow each other stand together. @param {Event[]} events */
function beats(events) {
  /** @type {Event[][]} */
  const groups = [];
  for (const event of events) {
    const last = groups.at(-1);
    if (event.type === "heartbeat" && event.chain_verified && last?.[0].type === "heartbeat" && last[0].chain_verified)
      last.push(event);
    else groups.push([event]);
  }
  return groups;
}

const one = (/** @type {Event} */ event) =>
  entry(
    event,
    [h("span", { class: "kind" }, event.type), h("span", {}, moment(event.at)), gist(event), place(event)],
    () => event,
  );

/** What an event says, in a few words. @param {Event} event */
function gist({ type, data }) {
  /** @type {Record<string, () => any>} */
  const told = {
    started: () => `attempt ${data.attempt}`,
    finished: () => data.score !== null && data.score !== undefined && `score ${score(data.score, data.stderr)}`,
    failed: () => data.reason,
    recovered: () => data.reason,
    annotated: () => `${data.author}: ${data.note}`,
    retracted: () => `${data.author}: ${data.reason}`,
    heartbeat: () => data.progress && `${data.progress.done}${data.progress.total ? ` of ${data.progress.total}` : ""}`,
  };
  const gist = told[type]?.();
  return gist && h("span", { class: "soft" }, gist);
}

/** @param {Event[]} events */
function heartbeats(events) {
  const last = events[events.length - 1];
  const { progress } = last.data;
  const far = progress && `${progress.done}${progress.total ? ` of ${progress.total}` : ""}`;
  const told = [
    h("span", { class: "kind" }, "heartbeat"),
    h("span", {}, `${count(events.length)} times, until ${moment(last.at)}`),
    far && h("span", { class: "soft" }, far),
    place(last),
  ];
  return entry(last, told, () => events);
}

const place = (/** @type {Event} */ event) =>
  h(
    "span",
    { class: event.chain_verified ? "mono soft" : "mono error", title: event.hash },
    `#${event.seq} ${event.hash.slice(0, 12)}`,
    event.chain_verified ? "" : " ✕ broken",
  );

/** @param {Event} event @param {any[]} told @param {() => any} data what stands in it, whole */
function entry(event, told, data) {
  const whole = h("pre", { class: "mono", tabindex: "0", "aria-label": `Event ${event.seq}` });
  // Thousands of heartbeats as text would make the page heavy: the text is made when somebody wants to read it.
  const write = () => (whole.textContent ||= visible(JSON.stringify(data(), null, 2)));
  return h("li", { class: event.type }, h("details", {}, h("summary", { onclick: write }, told), whole));
}

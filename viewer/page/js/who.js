// A contender is a model with an agent: both are always shown.

import { breakable, h } from "./dom.js";
import { optionsText } from "./format.js";

/** @typedef {{ agent: string, provider: string, model: string }} Who */

/** The last part of a name such as meta-llama/Llama-4. @param {string} name */
export const shortModel = (name) => name.split("/").at(-1) || name || "no model";

/** @param {Who} one */
export const contenderText = ({ agent, provider, model }) => `${provider}:${model} · ${agent}`;

/** The name of a contender as Compare reads it. @param {Who} one */
export const contenderSpec = ({ agent, provider, model }) => `contender:${agent} with ${provider}:${model}`;

/** @param {Who} one */
export const contender = (one) =>
  h(
    "span",
    { class: "contender", title: contenderText(one) },
    h("strong", {}, breakable(shortModel(one.model))),
    " ",
    h("span", { class: "soft" }, `${one.agent} · ${one.provider}`),
  );

/** The name of a task: its benchmark, with the options that tell it from other tasks. @param {any} one */
export const taskText = ({ task, options }) => [task.benchmark_id, optionsText(options)].filter(Boolean).join(" ");

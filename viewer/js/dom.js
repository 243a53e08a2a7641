// Elements, made from data. Text only ever becomes text: nothing here reads HTML.

/** An element: h("a", {href, class: …, onclick: …}, child, …); children are elements, text, or nothing. */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Says something to those who listen to the page. */
export function announce(text) {
  document.getElementById("status").textContent = text;
}

/** A message in place of data: a heading, a sentence, and perhaps a command to type. */
export function message(title, text, command) {
  return h(
    "div",
    { class: "panel message" },
    h("h2", {}, title),
    h("p", {}, text),
    command && h("code", {}, command),
  );
}

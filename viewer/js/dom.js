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

/** Says something to those who listen to the page, once. */
export function announce(text) {
  const status = document.getElementById("status");
  if (status.textContent !== text) status.textContent = text;
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

const drawn = new WeakMap();

/**
 * Fills a container with parts [name, data, make]. A part whose data are as before stays the same element, with its
 * focus, its scroll position and whatever is open in it.
 */
export function keep(container, parts) {
  const before = drawn.get(container) ?? new Map();
  const after = new Map();
  let focusOn;
  for (const [name, data, make] of parts) {
    const key = JSON.stringify(data);
    const old = before.get(name);
    if (old?.key === key) {
      after.set(name, old);
      continue;
    }
    const element = make();
    if (!element) continue;
    if (old?.element.contains(document.activeElement)) focusOn = element;
    // In the old one's place at once: were all taken away first, the box would be empty, and forget its scroll position.
    old?.element.replaceWith(element);
    after.set(name, { key, element });
  }
  const elements = [...after.values()].map((part) => part.element);
  const staying = new Set(elements);
  for (const element of [...container.children]) if (!staying.has(element)) element.remove();
  let place = container.firstElementChild;
  for (const element of elements) {
    if (element === place) place = place.nextElementSibling;
    else container.insertBefore(element, place);
  }
  drawn.set(container, after);
  focusOn?.querySelector("a, button, summary")?.focus({ preventScroll: true });
}

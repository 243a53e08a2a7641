// Starts a page that has its scripts and its data inside: modules get names by an import map, which must come first.

(async () => {
  const text = document.getElementById("scripts")?.textContent ?? "";
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  /** @type {Record<string, string>} */
  const scripts = await new Response(stream).json();
  const map = document.createElement("script");
  map.type = "importmap";
  const addresses = Object.entries(scripts).map(([name, script]) => [
    name,
    `data:text/javascript;charset=utf-8,${encodeURIComponent(script)}`,
  ]);
  map.textContent = JSON.stringify({ imports: Object.fromEntries(addresses) });
  document.head.append(map);
  const start = async (/** @type {string} */ name) => import(name);
  await start("page/offline.js");
  await start("page/main.js");
})();

// Builds elements. Text only ever enters the page as text nodes, so nothing that people uploaded can become markup.

const ATTRIBUTES_ONLY = new Set(["role", "for", "list", "download", "datetime", "width", "height"]);

/** An element with properties and children; strings become text, null and false are left out. */
export function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.className = value;
    else if (key.startsWith("aria-") || key.startsWith("data-") || ATTRIBUTES_ONLY.has(key)) element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Say something to people who listen instead of look. */
export function announce(text) {
  document.getElementById("status").textContent = text;
}

/** A quiet box with one message and, perhaps, what to do next. */
export function note(title, ...lines) {
  return el("div", { class: "note" }, el("h2", {}, title), lines.map((line) => (typeof line === "string" ? el("p", {}, line) : line)));
}

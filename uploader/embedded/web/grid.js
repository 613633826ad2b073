// A grid of cards that arrow keys walk through; cards are links, so Enter, middle click and copy work as everywhere.

import { el } from "./dom.js";

/** A grid of elements. */
export function grid(cards, label) {
  const list = el("ul", { class: "grid", "aria-label": label, onkeydown: walk }, cards.map((card) => el("li", {}, card)));
  return list;
}

/** The picture of a file, or a tile with its suffix. */
export function picture(file, className = "thumb") {
  const source = ownPath(file.Preview_URL);
  if (source) return el("img", { class: className, src: source, alt: "", loading: "lazy", decoding: "async", onerror: (event) => event.target.replaceWith(tile(file, className)) });
  return tile(file, className);
}

/** The path when it is an object of this server, otherwise null: the page loads nothing from elsewhere. */
export function ownPath(url) {
  return typeof url === "string" && url.startsWith("/hatrac/") ? url : null;
}

/** Last part of a file's path. */
export function fileName(file) {
  return file.Filename || file.Path.split("/").at(-1);
}

function tile(file, className) {
  const suffix = fileName(file).split(".").at(-1).slice(0, 6).toUpperCase();
  return el("span", { class: `${className} tile`, "aria-hidden": "true" }, suffix);
}

function walk(event) {
  const cards = [...event.currentTarget.querySelectorAll("a.card")];
  const at = cards.indexOf(document.activeElement);
  if (at < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
  const top = cards[0].getBoundingClientRect().top;
  const perRow = cards.filter((card) => Math.abs(card.getBoundingClientRect().top - top) < 2).length || 1;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -perRow, ArrowDown: perRow, Home: -at, End: cards.length - 1 - at }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  cards[Math.max(0, Math.min(cards.length - 1, at + step))]?.focus();
}

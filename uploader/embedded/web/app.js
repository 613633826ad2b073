// Decides what the page shows: the address after # is the view, the keyboard walks between views.

import { Refused, session } from "./api.js";
import { announce, el, note } from "./dom.js";
import { datasetsView } from "./datasets.js";
import { datasetView } from "./dataset.js";
import { fileView } from "./file.js";
import { searchView } from "./search.js";

const main = document.getElementById("main");
const search = document.getElementById("search");
const TYPING_PAUSE_MS = 180;

let agent = "";
let showing = 0; // the latest view wins: a slow earlier one must not overwrite it
let pending = null;
const cameFrom = new Map(); // view -> the card that was opened there, to be focused again on the way back
let current = "";

async function show() {
  const turn = ++showing;
  pending?.abort();
  pending = new AbortController();
  const address = location.hash || "#/";
  main.setAttribute("aria-busy", "true");
  let view;
  try {
    view = await viewOf(address, pending.signal);
  } catch (error) {
    if (error.name === "AbortError") return;
    view = trouble(error);
  }
  if (turn !== showing) return;
  main.replaceChildren(view);
  main.removeAttribute("aria-busy");
  current = address;
  const title = view.querySelector("h1, h2")?.textContent ?? "";
  document.title = title ? `${title} · Nanoferry` : "Nanoferry";
  if (!address.startsWith("#/search/")) announce(title);
  placeFocus(address);
}

function viewOf(address, signal) {
  const [, kind = "", ...rest] = address.split("/");
  const value = decodeURIComponent(rest.join("/"));
  if (kind !== "search") search.value = "";
  switch (kind) {
    case "dataset": return datasetView(value, agent);
    case "file": return fileView(value, agent);
    case "search":
      if (document.activeElement !== search) search.value = value;
      return searchView(value, signal);
    default: return datasetsView();
  }
}

function placeFocus(address) {
  if (document.activeElement === search) return;
  const link = cameFrom.get(address);
  const card = link && [...main.querySelectorAll("a.card")].find((found) => found.getAttribute("href") === link);
  window.scrollTo(0, 0);
  (card ?? main.querySelector("a.card") ?? main).focus({ preventScroll: !card });
}

function trouble(error) {
  if (error instanceof Refused && error.status === 401) return signedOut();
  if (error instanceof Refused && (error.status === 404 || error.status === 409)) {
    return note("This catalog is still empty", "It has no tables for microscopy data yet. The first upload makes them, or:", el("pre", {}, "nanoferry catalog init"));
  }
  const again = el("button", { type: "button", onclick: show }, "Try again");
  return note("The catalog does not answer", error instanceof Refused ? error.message : "The server may have been stopped. Start it with:", el("pre", {}, "nanoferry serve"), again);
}

function signedOut() {
  return note("This page is closed", "It opens with a link that works once. Ask for one in a terminal:", el("pre", {}, "nanoferry serve"), "and open the address it prints.");
}

function typed(event) {
  const editing = event.target.matches("input, textarea, select, [contenteditable]");
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    if (event.target === search) {
      leaveSearch();
    } else if (editing) {
      event.target.value = "";
      event.target.blur();
    } else {
      back();
    }
    event.preventDefault();
    return;
  }
  if (editing) {
    if (event.target === search && event.key === "ArrowDown") {
      event.preventDefault();
      main.querySelector("a.card")?.focus();
    }
    return;
  }
  const go = (selector) => {
    const link = main.querySelector(selector);
    if (link) location.hash = link.getAttribute("href");
  };
  if (event.key === "/") {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "t" || event.key === "T") {
    event.preventDefault();
    document.getElementById("tag-input")?.focus();
  } else if (!document.activeElement.closest(".grid")) {
    if (event.key === "ArrowLeft") go("[data-previous]");
    else if (event.key === "ArrowRight") go("[data-next]");
    else if (event.key === "ArrowDown" && document.activeElement === main) {
      const card = main.querySelector("a.card");
      if (card) {
        event.preventDefault();
        card.focus();
      }
    }
  }
}

function back() {
  const link = main.querySelector("[data-back]");
  if (link) location.hash = link.getAttribute("href");
  else if (current !== "#/") location.hash = "#/";
}

function leaveSearch() {
  search.value = "";
  search.blur();
  if (location.hash.startsWith("#/search/")) location.hash = "#/";
  else main.focus();
}

let pause = 0;
function seek(now) {
  clearTimeout(pause);
  pause = setTimeout(() => {
    const text = search.value.trim();
    const address = text ? `#/search/${encodeURIComponent(text)}` : "#/";
    // Typing is one step back in the browser's history, not one per letter.
    if (location.hash.startsWith("#/search/")) {
      history.replaceState(null, "", address);
      show();
    } else if (text) location.hash = address;
  }, now ? 0 : TYPING_PAUSE_MS);
}

async function start() {
  addEventListener("hashchange", show);
  addEventListener("keydown", typed);
  main.addEventListener("click", (event) => {
    const card = event.target.closest("a.card");
    if (card) cameFrom.set(current, card.getAttribute("href"));
  });
  search.addEventListener("input", () => seek(false));
  document.getElementById("search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    seek(true);
    main.querySelector("a.card")?.focus();
  });
  try {
    const found = await session();
    agent = found?.client.id ?? "";
    document.getElementById("who").textContent = found?.client.display_name ?? "";
  } catch {
    agent = ""; // the view itself says what is wrong
  }
  await show();
}

start();

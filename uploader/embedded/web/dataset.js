// One dataset: what is known of it, its tags, its files as thumbnails.

import { quoted, row, rows } from "./api.js";
import { el, note } from "./dom.js";
import { bytes, counted, moment } from "./format.js";
import { fileName, grid, picture } from "./grid.js";
import { tagPanel } from "./tags.js";

const PAGE = 120;
const LINKED = { Project: ["Title", "Name"], Sample: ["Title", "Name"], Measurement: ["Title", "Name"], Instrument: ["Name"], Proposal: ["Title", "Identifier"] };

/** The view of one dataset. */
export async function datasetView(rid, agent) {
  const dataset = await row("Dataset", rid);
  if (!dataset) return note("No such dataset", "It may have been removed.", el("p", {}, el("a", { href: "#/" }, "All datasets")));
  const [[total], first, facts, tags] = await Promise.all([
    rows(`/aggregate/nanoscience:File/Dataset=${quoted(rid)}/n:=cnt(RID)`), filesAfter(rid, null), factsOf(dataset), tagPanel("Dataset", rid, agent),
  ]);
  const list = grid(first.map(fileCard), "Files");
  let last = first.at(-1);
  const more = el("button", { class: "more", type: "button", hidden: first.length < PAGE, onclick: async () => {
    const next = await filesAfter(rid, last);
    list.append(...next.map((file) => el("li", {}, fileCard(file))));
    last = next.at(-1) ?? last;
    more.hidden = next.length < PAGE;
  } }, "Show more files");
  return el("div", {},
    el("nav", { class: "trail", "aria-label": "Where you are" }, el("a", { href: "#/", "data-back": "" }, "Datasets")),
    el("h1", {}, dataset.Title || dataset.Name),
    dataset.Description ? el("p", { class: "description" }, dataset.Description) : null,
    el("div", { class: "columns about" },
      el("section", { class: "panel", "aria-labelledby": "about-title" }, el("h2", { id: "about-title" }, "About"), factList(facts, "facts compact"), documentOf(dataset.Metadata)), tags),
    el("div", { class: "heading" }, el("h2", {}, "Files"), el("p", { class: "quiet" }, counted(total.n, "file"))), list, more);
}

/** A card of one file. */
export function fileCard(file) {
  return el("a", { class: "card file", href: `#/file/${quoted(file.RID)}`, title: file.Path }, picture(file),
    el("span", { class: "title" }, fileName(file)), el("span", { class: "quiet" }, [moment(file.Acquired), bytes(file.Bytes)].filter(Boolean).join(" · ")));
}

/** A list of labelled facts: [label, text, hint?]. */
export function factList(facts, className = "facts") {
  return el("dl", { class: className }, facts.map(([label, text, hint]) => el("div", { title: hint ?? null }, el("dt", {}, label), el("dd", {}, text))));
}

/** The whole metadata document, folded. */
export function documentOf(document) {
  if (!document) return null;
  return el("details", {}, el("summary", {}, "Whole record"), el("pre", { tabIndex: 0 }, JSON.stringify(document, null, 2)));
}

async function filesAfter(rid, last) {
  const from = last ? `@after(${quoted(last.Path)},${quoted(last.RID)})` : "";
  return rows(`/entity/nanoscience:File/Dataset=${quoted(rid)}@sort(Path,RID)${from}?limit=${PAGE}`);
}

async function factsOf(dataset) {
  const linked = await Promise.all(Object.entries(LINKED).map(async ([table, names]) => {
    const found = dataset[table] ? await row(table, dataset[table]) : null;
    const name = found && names.map((column) => found[column]).find(Boolean);
    return name ? [table, name] : null;
  }));
  const own = [["Technique", dataset.Technique], ["Operator", dataset.Operator], ["Acquired", moment(dataset.Acquired)], ["Level", dataset.Level],
    ["Spec", [dataset.Spec, dataset.Spec_Version].filter(Boolean).join(" ")], ["Name", dataset.Title ? dataset.Name : null], ["Added", moment(dataset.RCT)]];
  return [...linked.filter(Boolean), ...own.filter(([, text]) => text)];
}

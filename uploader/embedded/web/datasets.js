// The first screen: all datasets, newest first, each with a glimpse of its images.

import { quoted, rows } from "./api.js";
import { el, note } from "./dom.js";
import { counted, moment } from "./format.js";
import { grid, picture } from "./grid.js";

const PAGE = 24;

/** The view of all datasets. */
export async function datasetsView() {
  const counts = new Map((await rows("/attributegroup/nanoscience:File/Dataset;n:=cnt(RID)")).map((row) => [row.Dataset, row.n]));
  const first = await page(null);
  if (!first.length) {
    return el("div", {}, el("h1", {}, "Datasets"),
      note("Nothing here yet", "Send a folder of instrument files:", el("pre", {}, "nanoferry upload --dir FOLDER"), "and they will appear on this page."));
  }
  const list = grid(first.map((dataset) => datasetCard(dataset, counts.get(dataset.RID) ?? 0)), "Datasets");
  const files = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const view = el("div", {}, el("div", { class: "heading" }, el("h1", {}, "Datasets"), el("p", { class: "quiet" }, counted(files, "file"))), list);
  let last = first.at(-1);
  const more = el("button", { class: "more", type: "button", onclick: async () => {
    const next = await page(last);
    list.append(...next.map((dataset) => el("li", {}, datasetCard(dataset, counts.get(dataset.RID) ?? 0))));
    last = next.at(-1) ?? last;
    more.hidden = next.length < PAGE;
  } }, "Show more");
  more.hidden = first.length < PAGE;
  view.append(more);
  return view;
}

/** A card of one dataset. */
export function datasetCard(dataset, count) {
  const cover = el("span", { class: "cover" });
  const facts = [dataset.Technique, moment(dataset.Acquired).slice(0, 10), count === null ? null : counted(count, "file")].filter(Boolean);
  const card = el("a", { class: "card dataset", href: `#/dataset/${quoted(dataset.RID)}` }, cover,
    el("span", { class: "title" }, dataset.Title || dataset.Name), el("span", { class: "quiet" }, facts.join(" · ")));
  fillCover(cover, dataset.RID);
  return card;
}

async function page(after) {
  const from = after ? `@after(${quoted(after.RCT)},${quoted(after.RID)})` : "";
  return rows(`/entity/nanoscience:Dataset@sort(RCT::desc::,RID)${from}?limit=${PAGE}`);
}

async function fillCover(cover, rid) {
  try {
    const files = await rows(`/entity/nanoscience:File/Dataset=${quoted(rid)}&!Preview_URL::null::@sort(Path)?limit=4`);
    cover.classList.add(`of-${files.length}`);
    cover.append(...files.map((file) => picture(file)));
    if (!files.length) cover.append(el("span", { class: "thumb tile" }, "no previews"));
  } catch {
    cover.append(el("span", { class: "thumb tile" }, "no previews"));
  }
}

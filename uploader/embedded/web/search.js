// Search by text: every word must occur in a file's names and values, a dataset's texts, or a tag.

import { quoted, rows } from "./api.js";
import { announce, el, note } from "./dom.js";
import { counted } from "./format.js";
import { datasetCard } from "./datasets.js";
import { fileCard } from "./dataset.js";
import { grid } from "./grid.js";

const LIMIT = 60;
const FILE_TEXTS = ["Path", "Title", "Operator", "Instrument_Model", "Manufacturer", "Detector", "Acquisition_Mode", "Format", "MD5"];
const DATASET_TEXTS = ["Name", "Title", "Description", "Technique", "Operator"];

/** The view of what was found for a text. */
export async function searchView(text, signal) {
  const words = text.trim().split(/\s+/).filter(Boolean);
  if (!words.length) return note("Search", "Type a part of a file name, a sample, an instrument or a tag.");
  const tagged = matches(words, ["Term"]);
  const [files, datasets, taggedFiles, taggedDatasets] = await Promise.all([
    rows(`/entity/nanoscience:File/${matches(words, FILE_TEXTS)}@sort(Path,RID)?limit=${LIMIT}`, signal),
    rows(`/entity/nanoscience:Dataset/${matches(words, DATASET_TEXTS)}@sort(RCT::desc::,RID)?limit=${LIMIT}`, signal),
    rows(`/entity/nanoscience:Tag/${tagged}/(File)=(nanoscience:File:RID)?limit=${LIMIT}`, signal),
    rows(`/entity/nanoscience:Tag/${tagged}/(Dataset)=(nanoscience:Dataset:RID)?limit=${LIMIT}`, signal),
  ]);
  const allFiles = unique([...taggedFiles, ...files]);
  const allDatasets = unique([...taggedDatasets, ...datasets]);
  const found = [allDatasets.length && counted(allDatasets.length, "dataset"), allFiles.length && counted(allFiles.length, "file")].filter(Boolean).join(", ");
  announce(found ? `Found ${found}.` : "Nothing found.");
  if (!found) return note(`Nothing found for “${text}”`, "Fewer or shorter words find more. Tags are searched too.");
  return el("div", {}, el("div", { class: "heading" }, el("h1", {}, `“${text}”`), el("p", { class: "quiet" }, found)),
    allDatasets.length ? grid(allDatasets.map((dataset) => datasetCard(dataset, null)), "Datasets found") : null,
    allFiles.length ? grid(allFiles.map(fileCard), "Files found") : null,
    allFiles.length >= LIMIT ? el("p", { class: "quiet" }, `Only the first ${LIMIT} are shown: add a word to narrow it down.`) : null);
}

function matches(words, columns) {
  return words.map((word) => {
    const pattern = quoted(word.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
    return `(${columns.map((column) => `${column}::ciregexp::${pattern}`).join(";")})`;
  }).join("&");
}

function unique(found) {
  return [...new Map(found.map((one) => [one.RID, one])).values()];
}

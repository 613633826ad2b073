// One file: its picture, its header values, its tags, and the way to its bytes.

import { columns, quoted, row, rows } from "./api.js";
import { el, note } from "./dom.js";
import { bytes, described, moment, quantity } from "./format.js";
import { documentOf, factList } from "./dataset.js";
import { fileName, ownPath, picture } from "./grid.js";
import { tagPanel } from "./tags.js";

const APART = new Set(["RID", "RCT", "RMT", "RCB", "RMB", "Dataset", "Path", "Filename", "URL", "Bytes", "MD5", "SHA256", "Preview_URL", "Metadata", "Derived_From"]);
const MOMENTS = new Set(["Acquired"]);

/** The view of one file. */
export async function fileView(rid, agent) {
  const file = await row("File", rid);
  if (!file) return note("No such file", "It may have been removed.", el("p", {}, el("a", { href: "#/" }, "All datasets")));
  const [dataset, model, before, after, tags] = await Promise.all([
    row("Dataset", file.Dataset), columns("File"), neighbour(file, "before"), neighbour(file, "after"), tagPanel("File", rid, agent),
  ]);
  const source = ownPath(file.URL);
  const derived = file.Derived_From ? el("p", {}, el("a", { href: `#/file/${quoted(file.Derived_From)}` }, "Derived from another file")) : null;
  const near = (found, label, key) => (found ? el("a", { href: `#/file/${quoted(found.RID)}`, [`data-${key}`]: "", title: found.Path }, label) : el("span", { class: "off" }, label));
  return el("div", {},
    el("nav", { class: "trail", "aria-label": "Where you are" }, el("a", { href: "#/" }, "Datasets"),
      el("a", { href: `#/dataset/${quoted(file.Dataset)}`, "data-back": "" }, dataset ? dataset.Title || dataset.Name : file.Dataset),
      el("span", { class: "near" }, near(before, "← Previous", "previous"), near(after, "Next →", "next"))),
    el("h1", {}, fileName(file)),
    el("div", { class: "columns wide" },
      el("figure", {}, picture(file, "preview"),
        el("figcaption", {}, el("span", { class: "quiet" }, file.Path), derived,
          source ? el("a", { class: "button", href: source, download: fileName(file) }, `Download (${bytes(file.Bytes)})`) : null)),
      el("div", {}, tags,
        el("section", { class: "panel", "aria-labelledby": "header-title" }, el("h2", { id: "header-title" }, "From the header"), headerFacts(file, model), documentOf(file.Metadata)),
        el("section", { class: "panel", "aria-labelledby": "bytes-title" }, el("h2", { id: "bytes-title" }, "Bytes"), factList(
          [["Size", file.Bytes === null ? null : `${bytes(file.Bytes)} (${file.Bytes.toLocaleString("en-GB")} B)`], ["MD5", file.MD5], ["SHA-256", file.SHA256], ["Object", file.URL], ["Record", file.RID], ["Added", moment(file.RCT)]].filter(([, text]) => text))))));
}

function headerFacts(file, model) {
  const facts = model.filter(({ name }) => !APART.has(name) && file[name] !== null && file[name] !== undefined && file[name] !== "").map(({ name, comment }) => {
    const { label, unit } = described(name);
    return [label, MOMENTS.has(name) ? moment(file[name]) : quantity(file[name], unit), comment];
  });
  return facts.length ? factList(facts) : el("p", { class: "quiet" }, "The file says nothing of itself that we can read.");
}

async function neighbour(file, side) {
  const order = side === "after" ? "@sort(Path,RID)" : "@sort(Path::desc::,RID::desc::)";
  const found = await rows(`/entity/nanoscience:File/Dataset=${quoted(file.Dataset)}${order}@after(${quoted(file.Path)},${quoted(file.RID)})?limit=1`);
  return found[0] ?? null;
}

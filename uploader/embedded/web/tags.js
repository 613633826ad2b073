// Tags of a dataset or file: show, add, accept, reject, remove. Every change is one row in the catalog.

import { insert, quoted, remove, rows, update } from "./api.js";
import { announce, el } from "./dom.js";
import { number } from "./format.js";

const MARK = { accepted: "✓", proposed: "?", rejected: "✕" };

/** The tag panel of one row; `column` is Dataset or File. */
export async function tagPanel(column, rid, agent) {
  const list = el("ul", { class: "tags" });
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const input = el("input", { id: "tag-input", list: "tag-terms", placeholder: "Add a tag", autocomplete: "off", maxLength: 120, "aria-label": "Add a tag" });
  const terms = el("datalist", { id: "tag-terms" });
  let tags = await rows(`/entity/nanoscience:Tag/${column}=${quoted(rid)}@sort(RCT,RID)`);

  const attempt = async (work, said) => {
    problem.hidden = true;
    try {
      await work();
      announce(said);
    } catch (error) {
      problem.textContent = `Nothing was changed: ${error.message}`;
      problem.hidden = false;
    }
    draw();
  };

  const add = async (event) => {
    event.preventDefault();
    const term = input.value.trim();
    if (!term) return;
    const already = tags.find((tag) => tag.Term.toLowerCase() === term.toLowerCase());
    await attempt(async () => {
      if (already) await setStatus(already, "accepted");
      else tags.push(await insert("Tag", { Term: term, [column]: rid, Source: "person", Agent: agent, Status: "accepted", Time: new Date().toISOString() }));
      input.value = "";
    }, `Tag ${term} added.`);
    input.focus();
  };

  const setStatus = async (tag, status) => {
    await update("Tag", tag.RID, { Status: status });
    tag.Status = status;
  };

  const takeAway = async (tag) => {
    await remove("Tag", tag.RID);
    tags = tags.filter((kept) => kept !== tag);
    input.focus();
  };

  const drawn = (tag) => {
    const action = (label, sign, work, said) =>
      el("button", { type: "button", title: label, "aria-label": `${label} ${tag.Term}`, onclick: () => attempt(work, said) }, sign);
    const score = typeof tag.Score === "number" ? el("span", { class: "score", title: "Score" }, number(tag.Score)) : null;
    return el("li", { class: `tag ${tag.Status}`, title: `${tag.Status} · from ${tag.Source}${tag.Agent ? ` (${tag.Agent})` : ""}` },
      el("span", { class: "mark", "aria-label": tag.Status, role: "img" }, MARK[tag.Status] ?? "·"),
      el("span", { class: "term" }, tag.Term), score,
      el("span", { class: "actions" },
        tag.Status !== "accepted" && action("Accept", "Accept", () => setStatus(tag, "accepted"), `${tag.Term} accepted.`),
        tag.Status !== "rejected" && action("Reject", "Reject", () => setStatus(tag, "rejected"), `${tag.Term} rejected.`),
        action("Remove", "Remove", () => takeAway(tag), `${tag.Term} removed.`)));
  };

  const none = () => el("li", { class: "quiet" }, "No tags yet.");
  const draw = () => list.replaceChildren(...(tags.length ? tags.map(drawn) : [none()]));
  draw();
  rows("/entity/nanoscience:Image_Category@sort(Name)").then(
    (found) => terms.replaceChildren(...found.map((term) => el("option", { value: term.Name }))),
    () => {}, // suggestions are a comfort: without them the field still takes any term
  );
  return el("section", { class: "panel", "aria-labelledby": "tags-title" },
    el("h2", { id: "tags-title" }, "Tags"), list,
    el("form", { class: "add-tag", onsubmit: add }, input, terms, el("button", { type: "submit" }, "Add")), problem);
}

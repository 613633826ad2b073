// The requests to this server's own ERMrest. Same origin, signed in by the page's cookie.

const CATALOG = "/ermrest/catalog/1";
const SYSTEM = "defaults=RID,RCT,RMT,RCB,RMB";

/** An answer that is not a success. */
export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/** A value as ERMrest wants it in a URL: everything but letters, digits and - . _ is encoded. */
export function quoted(value) {
  return encodeURIComponent(String(value)).replace(/[!'()*~]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Rows of an ERMrest path below the catalog. */
export async function rows(path, signal) {
  return (await request("GET", `${CATALOG}${path}`, undefined, signal)).json();
}

/** The row of a table with this RID, or null. */
export async function row(table, rid) {
  const found = await rows(`/entity/nanoscience:${table}/RID=${quoted(rid)}`);
  return found[0] ?? null;
}

/** Columns of a table in the model's order. */
export async function columns(table) {
  const model = await rows(`/schema/nanoscience/table/${table}`);
  return model.column_definitions;
}

/** Add a row and return it as it is kept. */
export async function insert(table, values) {
  return (await send("POST", `/entity/nanoscience:${table}?${SYSTEM}`, [values]))[0];
}

/** Change columns of the row with this RID. */
export async function update(table, rid, values) {
  const changed = await send("PUT", `/attributegroup/nanoscience:${table}/RID;${Object.keys(values).map(quoted).join(",")}`, [{ RID: rid, ...values }]);
  if (changed.length !== 1) throw new Refused(404, "It is no longer there.");
}

/** Remove the row with this RID. */
export async function remove(table, rid) {
  await request("DELETE", `${CATALOG}/entity/nanoscience:${table}/RID=${quoted(rid)}`);
}

/** Who is signed in, or null. */
export async function session() {
  try {
    return await (await request("GET", "/authn/session")).json();
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return null;
    throw error;
  }
}

async function send(method, path, document) {
  return (await request(method, `${CATALOG}${path}`, JSON.stringify(document))).json();
}

async function request(method, url, body, signal) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(url, { method, headers, body, signal, credentials: "same-origin" });
  if (!answer.ok) throw new Refused(answer.status, (await answer.text()).trim());
  return answer;
}

// Building what is on the page. Data gets there as text alone.
import { parts, plain } from "./text.mjs";

/** An element: `h("button.danger", { onclick }, "Kill")`. Children are elements, text, or nothing. */
export function h(what, more = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  const element = document.createElement(tag);
  if (classes.length > 0) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(more)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && typeof value !== "string") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  put(element, ...children);
  return element;
}

/** Puts children into an element in the place of what was there. */
export function put(element, ...children) {
  element.replaceChildren(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== false),
  );
}

/** Text of an element, touched only where it changes. */
export function say(element, text) {
  const wanted = String(text);
  if (element.textContent !== wanted) element.textContent = wanted;
}

/** A name from outside: apart from the text around it in direction, and with nothing in it that is not seen. */
export function nameOf(text, tag = "bdi") {
  const children = parts(text).map((part) => (part.odd ? h("span.odd", {}, part.text) : part.text));
  return h(`${tag}.name`, { title: plain(text) }, ...children);
}

/** Keeps the children of `parent` in step with `items`, each by its key; what is there already is updated. */
export function fill(parent, items, key, make) {
  const kept = parent.kept ?? new Map();
  const next = new Map();
  let place = parent.firstChild;
  for (const item of items) {
    const id = key(item);
    const entry = kept.get(id) ?? make(item);
    entry.update?.(item);
    next.set(id, entry);
    if (entry.node === place) place = place.nextSibling;
    else parent.insertBefore(entry.node, place);
  }
  for (const [id, entry] of kept) if (!next.has(id)) entry.node.remove();
  parent.kept = next;
}

/** A table of facts: `[["Plugin", "cart 1.0.0"], …]`; nothing where the value is null. */
export function facts(pairs) {
  const given = pairs.filter((pair) => pair !== null && pair[1] !== null && pair[1] !== undefined);
  return h("dl.facts", {}, ...given.flatMap(([label, value]) => [h("dt", {}, label), h("dd", {}, value)]));
}

/** A button. */
export function button(label, onclick, { kind = "", title = null, disabled = false } = {}) {
  return h(kind === "" ? "button" : `button.${kind}`, { type: "button", onclick, title, disabled }, label);
}

/** A field with its label, and what it is for. */
export function field(label, input, hint = null) {
  return h("label.field", {}, h("span.label", {}, label), input, hint === null ? null : h("span.hint", {}, hint));
}

/** A tick box with its label. */
export function tick(label, input, hint = null) {
  return h("label.tick", {}, input, h("span", {}, label, hint === null ? null : h("span.hint", {}, ` ${hint}`)));
}

/** What cannot be had, in the host's words, with what to do about it. */
export function trouble(error) {
  const cure = error.hint === null || error.hint === undefined ? null : h("p.cure", {}, plain(error.hint));
  return h(
    "div.trouble",
    { role: "alert" },
    h("p", {}, h("strong", {}, error.title ?? "It did not work"), " ", h("code", {}, error.code ?? "error")),
    h("p", {}, plain(forbidden(error) ?? error.message)),
    cure,
  );
}

/** What to tell somebody whose token does not do. */
function forbidden(error) {
  if (error.status !== 403) return null;
  return `This token may not do that. ${error.message} Use one with a role that suffices: the key at the top changes it.`;
}

/** A short message at the edge, which goes by itself; troubles stay until they are closed. */
export function toast(text, error = null) {
  const place = document.getElementById("toasts");
  const close = button("Close", () => note.remove(), { kind: "quiet" });
  const note = h(
    error === null ? "div.toast" : "div.toast.bad",
    {},
    error === null ? h("p", {}, text) : trouble(error),
    close,
  );
  place.append(note);
  while (place.childElementCount > 4) place.firstElementChild.remove();
  if (error === null) setTimeout(() => note.remove(), 6_000);
}

/** A dialog; `make` is given a function that closes it with an answer. Without an answer it is null. */
export function dialog(title, make) {
  const before = document.activeElement;
  return new Promise((resolve) => {
    let answer = null;
    const shown = h("dialog", { "aria-labelledby": "dialog-title" });
    const close = (given) => {
      answer = given;
      shown.close();
    };
    put(shown, h("h2", { id: "dialog-title" }, title), ...[make(close)].flat());
    shown.addEventListener("close", () => {
      shown.remove();
      if (before?.isConnected) before.focus();
      resolve(answer);
    });
    shown.addEventListener("click", (event) => {
      if (event.target === shown) close(null);
    });
    document.body.append(shown);
    shown.showModal();
  });
}

/** Asks before something is done. True: it is to be done. */
export async function confirmed(title, content, act, { danger = false } = {}) {
  const answer = await dialog(title, (close) => [
    h("div.said", {}, ...[content].flat()),
    h(
      "div.actions",
      {},
      button("Cancel", () => close(null), { kind: "quiet" }),
      button(act, () => close(true), { kind: danger ? "danger" : "main" }),
    ),
  ]);
  return answer === true;
}

/** Gives bytes to the browser to keep as a file. */
export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = h("a", { href: url, download: name.replace(/[^\w.-]+/g, "_") });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Does what a button says, with the button waiting; a refusal is told. The answer, or null. */
export async function doing(pressed, work) {
  if (pressed !== null) pressed.disabled = true;
  try {
    return await work();
  } catch (error) {
    toast("", error);
    return null;
  } finally {
    if (pressed !== null) pressed.disabled = false;
  }
}

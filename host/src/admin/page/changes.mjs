// Changes of what is stored: asked for as a dry run first, the loss told, then done.
import { confirmed, doing, facts, h, nameOf, toast } from "./dom.mjs";
import { changePath } from "./children.mjs";
import { count, counted, moment, plain, size } from "./text.mjs";

/** What a change loses, as sentences; none: nothing. */
export function losses(loss) {
  const said = [];
  if (loss.commits > 0)
    said.push(`${counted(loss.commits, "commit counts", "commits count")} no longer, though each was acknowledged.`);
  if (loss.records.length > 0) {
    const of = loss.records.map((record) => `${record.sequence} (${moment(record.time_ms)}, ${size(record.bytes)})`);
    const more = of.length > 6 ? `, and ${count(of.length - 6)} more` : "";
    said.push(`Erased for good: ${counted(loss.records.length, "record")}: ${of.slice(0, 6).join(", ")}${more}.`);
  }
  if (loss.messages === null) said.push("Messages that wait in the current record are dropped; how many is not known.");
  else if (loss.messages > 0)
    said.push(`${counted(loss.messages, "message that waits is", "messages that wait are")} dropped.`);
  if (loss.copies > 0)
    said.push(`${counted(loss.copies, "copy", "copies")} in quarantine erased (${size(loss.copy_bytes)}).`);
  if (loss.head)
    said.push(
      "What its damaged head alone knew is lost: which plugins have refused its records, how it ended, and which record a swap goes back to.",
    );
  return said;
}

function ended({ ended: how }) {
  if (how === null || how === undefined) return "";
  return how.not_started === null
    ? "; it was stopped and started again"
    : `; it was stopped, and not started again: ${how.not_started}`;
}

function report(title, done) {
  if (done.idle) return toast(`${title}: there is nothing to do`);
  const number = done.written === null || done.written === undefined ? "" : ` as record ${done.written}`;
  return toast(`${title}: done${number}${ended(done)}`);
}

function lossOf(dry) {
  const said = losses(dry.loss);
  return [
    said.length === 0 ? h("p", {}, "Nothing is lost by it.") : h("p.warn", {}, h("strong", {}, "What would be lost")),
    said.length === 0 ? null : h("ul", {}, ...said.map((text) => h("li", {}, text))),
    dry.taken === null || dry.taken === undefined
      ? null
      : facts([["State that counts then", `that of record ${dry.taken}`]]),
    ...dry.notes.map((note) => h("p.note", {}, plain(note))),
    dry.runs === null
      ? null
      : h("p", {}, `It is ${dry.runs}: it is stopped in good order, changed, and started again.`),
  ];
}

/**
 * Asks for `what` as a dry run, tells what it would lose, and does it if that is wished. True: it was done.
 * `send` makes the request, where it is none without a body.
 */
export async function change(context, name, { what, act, title, parameters = {}, send = null, pressed = null }) {
  const { live } = context;
  const request =
    send ?? ((more) => live.api.post(changePath(name, what, { ...parameters, ...more }), { timeout: null }));
  const heading = () => h("span", {}, `${title} `, nameOf(name));
  const done = await doing(pressed, async () => {
    let dry;
    try {
      dry = await request({});
    } catch (error) {
      if (error.code !== "running") throw error;
      // It would lose nothing, but has to be stopped.
      const content = [
        h("p", {}, plain(error.message)),
        h("p", {}, "It is stopped in good order, changed, and started again. Nothing is lost."),
      ];
      if (!(await confirmed(heading(), content, act))) return null;
      return request({ yes: true, stop_it: true });
    }
    if (dry.done || dry.idle) return dry;
    const lossy = losses(dry.loss).length > 0;
    if (!(await confirmed(heading(), lossOf(dry), act, { danger: lossy }))) return null;
    return request({ yes: true, ...(dry.runs === null ? {} : { stop_it: true }) });
  });
  if (done === null) return false;
  report(`${plain(name)}: ${title.toLowerCase()}`, done);
  live.look();
  return true;
}

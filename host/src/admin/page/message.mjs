// Sends a message to an actor, and shows the reply.
import { named, query } from "./api.mjs";
import { button, facts, field, h, put, trouble } from "./dom.mjs";
import { bodyBlock } from "./compare.mjs";
import { micros } from "./text.mjs";

/** How much of a reply is shown, in bytes. */
const REPLY_BYTES = 64 << 10;
/** Messages that were sent from here and are offered again. */
const KEPT = 20;

/** A reply's bytes as the API shows bodies. */
function shownOf(bytes) {
  const start = bytes.slice(0, REPLY_BYTES);
  try {
    return {
      body_bytes: bytes.length,
      body_text: new TextDecoder("utf-8", { fatal: bytes.length <= REPLY_BYTES }).decode(start),
    };
  } catch {
    return {
      body_bytes: bytes.length,
      body_hex: Array.from(start, (byte) => byte.toString(16).padStart(2, "0")).join(""),
    };
  }
}

export class Messages {
  constructor(context, name) {
    this.context = context;
    this.name = name;
    this.sent = [];
    this.body = h("textarea", {
      rows: "4",
      spellcheck: "false",
      "aria-describedby": "message-type",
      placeholder: '"get"   or   {"add": 3}',
    });
    this.type = h("span.hint", { id: "message-type" });
    this.id = h("input", { autocomplete: "off", spellcheck: "false", placeholder: "made by the host" });
    this.timeout = h("input", { type: "number", min: "1", max: "3600000", placeholder: "30000" });
    this.before = h("select", {
      hidden: true,
      "aria-label": "Sent before",
      onchange: () => {
        this.body.value = this.sent[this.before.selectedIndex - 1] ?? this.body.value;
      },
    });
    this.reply = h("div.reply", { "aria-live": "polite" });
    this.element = h(
      "form.message",
      { onsubmit: (event) => this.submitted(event), onkeydown: (event) => this.pressed(event) },
      field("Message", this.body),
      this.type,
      this.before,
      h(
        "details",
        {},
        h("summary", {}, "Options"),
        field("Id", this.id, "Idempotency-Key: an actor with durability “turn” handles the same id once."),
        field("Time for the reply, in ms", this.timeout),
      ),
      h(
        "div.actions.left",
        {},
        h("button.main", { name: "how", value: "call", title: "Ctrl-Enter" }, "Call"),
        h("button.quiet", { name: "how", value: "cast" }, "Cast"),
        button("Clear", () => put(this.reply), { kind: "quiet" }),
      ),
      this.reply,
    );
    this.ask();
  }

  async ask() {
    try {
      const told = await this.context.live.api.get(`/v1/actors/${named(this.name)}`);
      this.type.textContent = told.messages ? `It takes ${told.messages}.` : "";
    } catch {
      this.type.textContent = "";
    }
  }

  pressed(event) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    this.send("call", this.element.querySelector("button.main"));
  }

  submitted(event) {
    event.preventDefault();
    this.send(event.submitter?.value ?? "call", event.submitter);
  }

  async send(how, pressed) {
    const id = this.id.value.trim();
    const headers = id === "" ? {} : { "Idempotency-Key": id };
    const wait = this.timeout.value === "" ? null : Number(this.timeout.value);
    const path = `/v1/actors/${named(this.name)}/${how}${query({ timeout_ms: how === "call" ? wait : null })}`;
    if (pressed) pressed.disabled = true;
    const began = performance.now();
    const took = () => micros((performance.now() - began) * 1_000);
    try {
      const { api } = this.context.live;
      const options = { body: this.body.value, headers, timeout: (wait ?? 30_000) + 10_000 };
      const response = await api.fetch("POST", path, options);
      this.remember(this.body.value);
      if (how === "cast") {
        put(
          this.reply,
          facts([
            ["Taken", `after ${took()}`],
            ["Id", (await response.json()).id],
          ]),
        );
      } else {
        const bytes = new Uint8Array(await response.arrayBuffer());
        put(this.reply, bodyBlock(shownOf(bytes), `Reply after ${took()}`));
      }
    } catch (error) {
      const failure = error.failure ? facts([["Failure", error.failure.code]]) : null;
      put(this.reply, trouble(error), failure);
    } finally {
      if (pressed) pressed.disabled = false;
    }
    this.context.live.look();
  }

  remember(text) {
    this.sent = [text, ...this.sent.filter((one) => one !== text)].slice(0, KEPT);
    const short = (one) => (one.length > 60 ? `${one.slice(0, 60)}…` : one || "(empty)");
    put(this.before, h("option", {}, "sent before…"), ...this.sent.map((one) => h("option", {}, short(one))));
    this.before.hidden = false;
  }
}

// The form of a swap: a component, its options, the plan, and the start.
import { confirmed, field, h, put, tick, trouble } from "./dom.mjs";
import { named, query } from "./api.mjs";
import { planBlock, SwapState } from "./swapping.mjs";

/** How often a swap that runs is looked at, in milliseconds. */
const FOLLOW_MS = 400;

/** The form of a swap, its plan, and its course. */
export class Swap {
  constructor(context, plugin) {
    this.context = context;
    this.plugin = plugin;
    this.file = h("input", {
      type: "file",
      accept: ".wasm,application/wasm",
      required: true,
      onchange: () => this.chosen(),
    });
    this.signature = h("input", { type: "file", accept: ".minisig" });
    this.inputs = this.options();
    this.shown = h("div", { "aria-live": "polite" });
    this.state = new SwapState(context);
    this.buttons = h(
      "div.actions.left",
      {},
      h("button.quiet", { name: "what", value: "check" }, "Plan"),
      h("button.quiet", { name: "what", value: "rehearse" }, "Rehearse"),
      h("button.main", { name: "what", value: "start" }, "Start…"),
    );
    this.form = h(
      "form.swap",
      { onsubmit: (event) => this.submitted(event) },
      field("Component of the new version", this.file),
      h("details", {}, h("summary", {}, "Options"), h("div.columns", {}, ...this.fields())),
      this.buttons,
    );
    this.element = h("div", {}, this.form, this.shown, this.state.element);
  }

  options() {
    const text = (placeholder) => h("input", { placeholder, autocomplete: "off", spellcheck: "false" });
    const number = (placeholder) => h("input", { type: "number", min: "0", placeholder });
    return {
      part: text("all"),
      batch: text("10%"),
      at_once: number("32"),
      pause_ms: number("0"),
      watch_ms: number("60000"),
      max_failures: number("0"),
      on_failure: h("select", {}, ...["back", "stop", "skip"].map((word) => h("option", {}, word))),
      rehearsal_ms: number("60000"),
      switch_timeout_ms: number("10000"),
      allow_loss: h("input", { type: "checkbox" }),
    };
  }

  fields() {
    const { inputs } = this;
    return [
      field("Part", inputs.part, "All, 10%, or names and patterns with commas."),
      field("Batch", inputs.batch, "How many before it is looked at: 1% to 100%, or a number."),
      field("At once", inputs.at_once, "1 to 48."),
      field("Pause between batches, ms", inputs.pause_ms),
      field("Watch after the last, ms", inputs.watch_ms),
      field("Failures that change nothing", inputs.max_failures),
      field("On more of them", inputs.on_failure, "back: all go back; stop: nobody more; skip: they stay."),
      field("Rehearsal at most, ms", inputs.rehearsal_ms, "0: none."),
      field("Switch of one actor at most, ms", inputs.switch_timeout_ms),
      field("Signature of the component", this.signature, "A .minisig, where plugin_keys demand one."),
      tick("The way back may lose what was done since", inputs.allow_loss),
    ];
  }

  chosen() {
    put(this.shown);
  }

  wish(more) {
    const { inputs } = this;
    const given = Object.entries(inputs).filter(
      ([key, input]) => key !== "allow_loss" && key !== "on_failure" && input.value.trim() !== "",
    );
    const parameters = Object.fromEntries(given.map(([key, input]) => [key, input.value.trim()]));
    if (inputs.on_failure.value !== "back") parameters.on_failure = inputs.on_failure.value;
    if (inputs.allow_loss.checked) parameters.allow_loss = true;
    return query({ ...parameters, ...more });
  }

  async send(more) {
    const headers = {};
    const [signature] = this.signature.files;
    if (signature !== undefined) headers["Baton-Signature"] = encodeURIComponent(await signature.text());
    const path = `/v1/plugins/${named(this.plugin)}/swap${this.wish(more)}`;
    return this.context.live.api.post(path, { body: this.file.files[0], headers, timeout: null });
  }

  async submitted(event) {
    event.preventDefault();
    const what = event.submitter?.value ?? "check";
    const buttons = [...this.buttons.querySelectorAll("button")];
    for (const one of buttons) one.disabled = true;
    put(
      this.shown,
      h(
        "p.quiet",
        {},
        what === "check" ? "It looks at every actor…" : "It tries the new version on copies of their states…",
      ),
    );
    try {
      if (what === "start") await this.start();
      else put(this.shown, planBlock(await this.send({ [what]: true })));
    } catch (error) {
      put(this.shown, trouble(error));
    }
    for (const one of buttons) one.disabled = false;
  }

  /** The plan with a rehearsal is shown before anything is switched. */
  async start() {
    const rehearses = this.inputs.rehearsal_ms.value.trim() !== "0";
    const plan = await this.send(rehearses ? { rehearse: true } : { check: true });
    put(this.shown, planBlock(plan));
    const title = `Swap ${this.plugin} from ${plan.from.version} to ${plan.to.version}?`;
    if (!(await confirmed(title, planBlock(plan), "Start the swap", { danger: plan.way_back !== "reads" }))) return;
    put(this.shown);
    await this.send({});
    await this.context.live.look();
  }

  /** Follows the swap that runs more closely than the rest. */
  update(swap) {
    this.state.update(swap);
    if (swap !== null && swap.phase !== "ended" && this.following !== true) this.follow();
  }

  async follow() {
    this.following = true;
    const { live } = this.context;
    try {
      for (;;) {
        await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS));
        if (!this.element.isConnected || live.link !== "there") break;
        const swap = await live.api.get(`/v1/plugins/${named(this.plugin)}/swap`);
        const at = live.swaps.findIndex((one) => one.plugin === this.plugin);
        if (at === -1) live.swaps.push(swap);
        else live.swaps[at] = swap;
        live.changed();
        if (swap.phase === "ended") break;
      }
    } catch {
      // The next look tells what is wrong.
    }
    this.following = false;
    live.look();
  }
}

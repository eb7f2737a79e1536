// A host with real guests, and a browser that looks at it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { request } from "node:http";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const root = resolve(import.meta.dirname, "../..");
const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
const baton = process.env.BATON_BIN ?? join(target, "debug/baton");
const guests = process.env.BATON_GUESTS ?? join(target, "guests/out");
const tools = process.env.BATON_PAGE_TOOLS ?? join(target, "toolchains/page");
const fetched = createRequire(join(tools, "package.json"));
const { chromium } = fetched("playwright-core");
export const { blake3 } = await import(pathToFileURL(fetched.resolve("@noble/hashes/blake3.js")));

/** How long anything may take here; far beyond what it takes, so that a slow machine fails nothing. */
export const PATIENCE_MS = 60_000;
const FLAGS = [
  "--no-sandbox",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-default-apps",
  "--no-first-run",
];

/** Tokens of the three roles, as the file has them. */
export const TOKENS = { read: "r".repeat(40), call: "c".repeat(40), operate: "o".repeat(40), look: "l".repeat(40) };
const TOKENS_FILE = `
[tokens.reader]
roles = ["read"]
token = "${TOKENS.read}"
[tokens.looker]
roles = ["read", "call"]
token = "${TOKENS.look}"
[tokens.caller]
roles = ["call"]
token = "${TOKENS.call}"
[tokens.operator]
roles = ["operate"]
token = "${TOKENS.operate}"
`;

/** A guest's component, as an absolute path. */
export function guest(name) {
  return join(guests, `${name}.wasm`);
}

/** A plugin's section of the configuration. */
export function plugin(name, more = "") {
  return `[[plugin]]\npath = ${JSON.stringify(guest(name))}\n${more}\n`;
}

/** An actor's section. */
export function actor(name, of, more = "") {
  return `[[actor]]\nname = ${JSON.stringify(name)}\nplugin = "${of}"\n${more}\n`;
}

/** A shop: its supervisor with a counter and a foreman, and below it a pool for actors of a template. */
export function shop({ strategy, restarts, boss, pool, pattern, of }) {
  return `[[supervisor]]
name = "shop"
strategy = "${strategy}"
max_restarts = ${restarts}
max_seconds = 60
${actor("stock", "counter", 'supervisor = "shop"\nargs = "40"')}
${actor(boss, "foreman", 'supervisor = "shop"')}
[[supervisor]]
name = "${pool}"
supervisor = "shop"
dynamic = true
[[actors]]
pattern = "${pattern}"
plugin = "${of}"
supervisor = "${pool}"
`;
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}

/** A `baton run` in a folder of its own, with guests laid into it, at an address that stays over its restarts. */
export class Host {
  static async start(t, config, { files = [] } = {}) {
    const host = new Host();
    host.folder = mkdtempSync(join(tmpdir(), "baton-page-"));
    host.port = await freePort();
    host.url = `http://127.0.0.1:${host.port}`;
    writeFileSync(join(host.folder, "tokens.toml"), TOKENS_FILE, { mode: 0o600 });
    t.after(async () => {
      await host.stop();
      rmSync(host.folder, { recursive: true, force: true });
    });
    for (const name of files) copyFileSync(guest(name), join(host.folder, `${name}.wasm`));
    await host.run(config);
    return host;
  }

  /** Runs with this configuration; without one, with the last. */
  async run(config = this.config, ...more) {
    this.config = config;
    const api = `[api]\nlisten = "127.0.0.1:${this.port}"\ntokens = "tokens.toml"\ninsecure_loopback = true\n`;
    writeFileSync(join(this.folder, "baton.toml"), `${config}\n${api}`);
    this.process = spawn(baton, ["run", ...more], { cwd: this.folder, stdio: ["ignore", "pipe", "pipe"] });
    this.said = "";
    this.process.stderr.on("data", (data) => {
      this.said += data;
    });
    this.ended = once(this.process, "exit");
    const begun = new Promise((done) => {
      createInterface({ input: this.process.stdout }).on("line", (line) => line.startsWith("ready") && done("ready"));
    });
    const how = await Promise.race([begun, this.ended]);
    assert.equal(how, "ready", `the host ended before it was ready: ${this.said}`);
  }

  /** SIGTERM, as in a deploy; and its end. */
  async stop(signal = "SIGTERM") {
    if (this.process === undefined || this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill(signal);
    await this.ended;
  }

  /** A request past the page, through the socket: `[status, bytes]`. */
  ask(method, path, body) {
    return new Promise((done, failed) => {
      const asked = request({ socketPath: join(this.folder, "data/baton.sock"), method, path }, (answer) => {
        const pieces = [];
        answer.on("data", (piece) => pieces.push(piece));
        answer.on("end", () => done([answer.statusCode, Buffer.concat(pieces)]));
      });
      asked.on("error", failed);
      asked.end(body);
    });
  }

  /** The same with text: `[status, text]`. */
  async api(method, path, body = null) {
    const [status, bytes] = await this.ask(method, path, body);
    return [status, bytes.toString()];
  }

  /** The bytes of an answer that is to succeed. */
  async bytes(path) {
    const [status, bytes] = await this.ask("GET", path, null);
    assert.equal(status, 200, bytes.toString());
    return bytes;
  }

  /** A call to an actor, which is to succeed. */
  async call(name, message) {
    const [status, text] = await this.api("POST", `/v1/actors/${encodeURIComponent(name)}/call`, message);
    assert.equal(status, 200, text);
    return text;
  }

  /** Where an actor stands; none: it is just being stopped and started. */
  async phase(name) {
    const [status, text] = await this.api("GET", `/v1/actors/${encodeURIComponent(name)}`);
    return status === 200 ? JSON.parse(text).phase : null;
  }

  /** What the API says of an actor. */
  async actor(name) {
    const [status, text] = await this.api("GET", `/v1/actors/${encodeURIComponent(name)}`);
    assert.equal(status, 200, text);
    return JSON.parse(text);
  }
}

let browser = null;

/** The browser, one for all tests of a file. */
async function browserOf() {
  browser ??= chromium.launch({ executablePath: process.env.BATON_CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
  return browser;
}

/** Ends the browser; each file of tests does so at its end. */
export async function closeBrowser() {
  if (browser !== null) await (await browser).close();
  browser = null;
}

/** A page that looks at `host`. What goes wrong in it fails the test at its end, but for answers that it expects. */
export async function look(
  t,
  host,
  { hash = "", width = 1280, height = 800, scheme = "light", token = TOKENS.operate, expected = [] } = {},
) {
  const context = await (
    await browserOf()
  ).newContext({ viewport: { width, height }, colorScheme: scheme, reducedMotion: "reduce" });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(`${error.message}\n${error.stack}`));
  page.on("dialog", (dialog) => {
    wrong.push(`a dialog of the browser's: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) wrong.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(host.url) && !request.url().startsWith("data:") && !request.url().startsWith("blob:"))
      wrong.push(`it asked ${request.url()}`);
  });
  page.wrong = () => wrong.filter((text) => !expected.some((pattern) => pattern.test(text)));
  t.after(async () => {
    await context.close();
    assert.deepEqual(page.wrong(), []);
  });
  await page.goto(`${host.url}/${token === null ? "" : `#token=${token}`}`);
  if (hash !== "")
    await page.evaluate((to) => {
      location.hash = to;
    }, hash);
  return page;
}

/** The row of an actor in the tree. */
export function row(page, name) {
  return page.locator(".rows .row").filter({ has: page.locator(`.name[title=${JSON.stringify(name)}]`) });
}

/** Waits until `condition` holds of what the host says. */
export async function until(condition, what) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    if (await condition()) return;
    assert.ok(Date.now() < end, `it did not come to this: ${what}`);
    await new Promise((again) => setTimeout(again, 50));
  }
}

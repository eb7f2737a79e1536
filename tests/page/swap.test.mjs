// Swaps: planned, rehearsed, run, stopped, taken back.
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import { actor, closeBrowser, guest, Host, look, plugin, row, until } from "./harness.mjs";

after(closeBrowser);

const CARTS = `${plugin("cart-1.0.0")}${["cart/1", "cart/2", "cart/3"].map((name) => actor(name, "cart")).join("")}`;

async function carts(t) {
  const host = await Host.start(t, CARTS);
  for (const name of ["cart/1", "cart/2", "cart/3"])
    await host.call(name, JSON.stringify({ add: { item: "tea", quantity: 2 } }));
  return host;
}

const versions = async (host) => {
  const [, text] = await host.api("GET", "/v1/actors");
  return JSON.parse(text).actors.map((one) => one.version);
};

/** A key of minisign, and what it signs: the digest of a file, and that together with the comment. */
function signer() {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const id = randomBytes(8);
  const base64 = (...parts) => Buffer.concat(parts.map((part) => Buffer.from(part))).toString("base64");
  const raw = Buffer.from(publicKey.export({ format: "jwk" }).x, "base64url");
  const signature = (bytes) => {
    const own = sign(null, createHash("blake2b512").update(bytes).digest(), privateKey);
    const comment = "by the tests";
    const whole = sign(null, Buffer.concat([own, Buffer.from(comment)]), privateKey);
    return `untrusted comment: it is\n${base64("ED", id, own)}\ntrusted comment: ${comment}\n${base64(whole)}\n`;
  };
  return { publicKey: base64("Ed", id, raw), signature };
}

test("a swap is planned, rehearsed, run and taken back, and each step says what it is about to cost", async (t) => {
  const host = await carts(t);
  const page = await look(t, host, { hash: "#/plugins/cart/swap" });
  await page.getByLabel("Component of the new version").setInputFiles(guest("cart-2.1.0"));
  await page.getByRole("button", { name: "Plan", exact: true }).click();
  await page.locator(".plan", { hasText: "3 of schema 1" }).waitFor();
  await page.locator(".plan .warn", { hasText: "1.0.0 does not read schema 2" }).waitFor();
  await page.getByRole("button", { name: "Rehearse" }).click();
  await page.locator(".plan", { hasText: "3 states taken over" }).waitFor();
  assert.deepEqual(await versions(host), ["1.0.0", "1.0.0", "1.0.0"], "a plan changes nothing");

  await page.getByText("Options").click();
  await page.getByLabel("Watch after the last, ms").fill("0");
  await page.getByRole("button", { name: "Start…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("heading", { name: "Swap cart from 1.0.0 to 2.1.0?" }).waitFor();
  await dialog.getByRole("button", { name: "Start the swap" }).click();
  await page.locator(".swap-state .report", { hasText: "Done." }).waitFor();
  await page.locator(".report", { hasText: "3 actors" }).waitFor();
  assert.deepEqual(await versions(host), ["2.1.0", "2.1.0", "2.1.0"]);
  await page.locator(".card th", { hasText: "2.1.0" }).waitFor();

  await host.call("cart/2", JSON.stringify({ add: { item: "jam" } }));
  await page.getByRole("button", { name: "Take back…" }).click();
  await dialog.getByText("States that it does not read: 3").or(dialog.getByText("Misfits")).first().waitFor();
  await dialog.getByLabel(/may be lost/).check();
  await dialog.getByRole("button", { name: "Take back" }).click();
  await page
    .locator(".swap-state", { hasText: "Way back from 2.1.0 to 1.0.0" })
    .locator(".report", { hasText: "Done." })
    .waitFor();
  assert.deepEqual(await versions(host), ["1.0.0", "1.0.0", "1.0.0"]);
  await page.locator(".report", { hasText: "Lost something on the way back: 3" }).waitFor();
  await page.getByRole("link", { name: "Actors" }).first().click();
  await until(
    async () => (await row(page, "cart/1").locator(".cell.plugin").innerText()) === "cart 1.0.0",
    "the tree shows it",
  );
});

test("a swap that runs is followed and stopped where it is, and both versions are shown", async (t) => {
  const host = await carts(t);
  const page = await look(t, host, { hash: "#/plugins/cart/swap" });
  await page.getByLabel("Component of the new version").setInputFiles(guest("cart-2.1.0"));
  await page.getByText("Options").click();
  await page.getByRole("textbox", { name: "Batch" }).fill("1");
  await page.getByLabel("Pause between batches, ms").fill("600000");
  await page.getByRole("button", { name: "Start…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Start the swap" }).click();
  await page.locator(".progress", { hasText: "1 of 3" }).waitFor();
  await page.locator(".steps [aria-current=step]", { hasText: "pausing" }).waitFor();
  await page.getByRole("button", { name: "Stop here…" }).click();
  await page.getByRole("dialog").getByText("Nobody more is switched.").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Stop here" }).click();
  await page.locator(".report", { hasText: "Half-way: two versions run side by side." }).waitFor();
  assert.deepEqual((await versions(host)).toSorted(), ["1.0.0", "1.0.0", "2.1.0"]);
  await until(async () => (await page.locator(".card tbody tr").count()) === 2, "both versions");
});

test("a swap that runs is turned round, and who was switched goes back", async (t) => {
  const host = await carts(t);
  const page = await look(t, host, { hash: "#/plugins/cart/swap" });
  await page.getByLabel("Component of the new version").setInputFiles(guest("cart-2.1.0"));
  await page.getByText("Options").click();
  await page.getByRole("textbox", { name: "Batch" }).fill("1");
  await page.getByLabel("Pause between batches, ms").fill("600000");
  await page.getByLabel("The way back may lose").check();
  await page.getByRole("button", { name: "Start…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Start the swap" }).click();
  await page.locator(".progress", { hasText: "1 of 3" }).waitFor();
  assert.equal((await versions(host)).filter((version) => version === "2.1.0").length, 1);
  await page.getByRole("button", { name: "Turn round…" }).click();
  await page.getByRole("dialog").getByText("those that were switched go back").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Take back" }).click();
  await page.locator(".report", { hasText: "It went back: all run the old version again." }).waitFor();
  await page.locator(".report .facts", { hasText: "Went back" }).waitFor();
  assert.deepEqual(await versions(host), ["1.0.0", "1.0.0", "1.0.0"]);
  assert.deepEqual(JSON.parse(await host.call("cart/1", '"show"')).items, { tea: 2 });
});

test("where keys demand it, a component is taken with its signature alone", async (t) => {
  const { publicKey, signature } = signer();
  const host = await Host.start(t, "", { files: ["cart-1.0.0"] });
  const laid = join(host.folder, "cart-1.0.0.wasm");
  writeFileSync(`${laid}.minisig`, signature(readFileSync(laid)));
  await host.stop();
  const own = `[[plugin]]\npath = "cart-1.0.0.wasm"\n${actor("cart/1", "cart")}`;
  await host.run(`plugin_keys = ["${publicKey}"]\n${own}`);
  const page = await look(t, host, { hash: "#/plugins/cart/swap" });
  await page.getByLabel("Component of the new version").setInputFiles(guest("cart-2.1.0"));
  await page.getByRole("button", { name: "Plan", exact: true }).click();
  await page.locator(".trouble", { hasText: "signature" }).waitFor();
  await page.getByText("Options").click();
  const file = (bytes) => ({ name: "cart.wasm.minisig", mimeType: "text/plain", buffer: Buffer.from(signature(bytes)) });
  const signed = page.getByLabel("Signature of the component");
  await signed.setInputFiles(file(Buffer.from("something else")));
  await page.getByRole("button", { name: "Plan", exact: true }).click();
  await page.locator(".trouble", { hasText: "or of other bytes" }).waitFor();
  await signed.setInputFiles(file(readFileSync(guest("cart-2.1.0"))));
  await page.getByLabel("Watch after the last, ms").fill("0");
  await page.getByRole("button", { name: "Start…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Start the swap" }).click();
  await page.locator(".report", { hasText: "Done." }).waitFor();
  assert.deepEqual(await versions(host), ["2.1.0"]);
});

test("a component that cannot be used is refused in the host's words", async (t) => {
  const host = await carts(t);
  const page = await look(t, host, { hash: "#/plugins/cart/swap" });
  await page.getByLabel("Component of the new version").setInputFiles(guest("counter"));
  await page.getByRole("button", { name: "Plan", exact: true }).click();
  await page.locator(".trouble", { hasText: "counter" }).waitFor();
  await page
    .getByLabel("Component of the new version")
    .setInputFiles({ name: "x.wasm", mimeType: "application/wasm", buffer: Buffer.from("rubbish") });
  await page.getByRole("button", { name: "Plan", exact: true }).click();
  await page.locator(".trouble", { hasText: "plugin" }).waitFor();
  await page.getByLabel("Component of the new version").setInputFiles(guest("cart-2.1.0"));
  await page.getByText("Options").click();
  await page.getByRole("textbox", { name: "Batch" }).fill("0%");
  await page.getByRole("button", { name: "Plan", exact: true }).click();
  await page.locator(".trouble", { hasText: "batch" }).waitFor();
});

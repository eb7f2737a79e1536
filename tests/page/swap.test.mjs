// Swaps: planned, rehearsed, run, stopped, taken back.
import assert from "node:assert/strict";
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

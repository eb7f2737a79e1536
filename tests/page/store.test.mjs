// What is stored: history, the ways back, and who is held.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import { actor, blake3, closeBrowser, guest, Host, look, plugin, row, until } from "./harness.mjs";

after(closeBrowser);

const FLIGHT = JSON.stringify({ flight: { date: "2001/01/01 00:47", delay: 66, distance: 1750, destination: "LAS" } });
const airports = (version) => `${plugin(`flights-${version}`)}${actor("airport/ATL", "flights")}`;

const CHECKSUM_BYTES = 32;

/** An actor with three records: 5, 12 and 19. */
async function counted(t) {
  const host = await Host.start(t, `${plugin("counter")}${actor("counter/1", "counter", 'args = "5"')}`);
  for (const message of ['"get"', '{"add":7}', '{"add":7}']) {
    await host.call("counter/1", message);
    const [status, text] = await host.api("POST", "/v1/actors/counter%2F1/restart");
    assert.equal(status, 200, text);
  }
  return host;
}

test("two records are compared, one is gone back to, and one is copied, each after its loss was told", async (t) => {
  const host = await counted(t);
  const page = await look(t, host, { hash: "#/actors/counter%2F1/history" });
  await page.locator(".records tbody tr").nth(2).waitFor();
  await page.getByRole("button", { name: "Compare A and B" }).click();
  await page.getByText("The states differ in 1 byte, first at 0: 1 B and 1 B.").waitFor();
  await page.locator(".comparison tr", { hasText: "generation" }).first().waitFor();

  const first = page.locator(".records tbody tr", { has: page.locator("th", { hasText: /^1$/ }) });
  await first.getByRole("button", { name: "Roll back…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("2 commits count no longer, though each was acknowledged.").waitFor();
  await dialog.getByText("It is running: it is stopped in good order, changed, and started again.").waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();
  assert.equal(await host.call("counter/1", '"get"'), "19", "a dry run changes nothing");
  await first.getByRole("button", { name: "Roll back…" }).click();
  await dialog.getByRole("button", { name: "Roll back" }).click();
  await page.locator(".toast", { hasText: "it was stopped and started again" }).waitFor();
  assert.equal(await host.call("counter/1", '"get"'), "5");

  await page.locator(".records tbody tr").first().getByRole("button", { name: "Fork…" }).click();
  await dialog.getByLabel("Name of the copy").fill("counter/copy");
  await dialog.getByRole("button", { name: "Try" }).click();
  await page.locator(".toast", { hasText: "fork record" }).waitFor();
  await page.goto(`${host.url}/#/store`);
  await page.getByRole("link", { name: "counter/copy" }).click();
  await page.locator(".records tbody tr").first().waitFor();

  // To a name that has a state: what that costs is told, and asked.
  await page.goto(`${host.url}/#/actors/counter%2F1/history`);
  const forks = page.locator(".records").getByRole("button", { name: "Fork…" });
  await forks.first().click();
  await dialog.getByLabel("Name of the copy").fill("counter/copy");
  await dialog.getByRole("button", { name: "Try" }).click();
  await page.locator(".toast.bad", { hasText: "exists" }).waitFor();
});

test("what is stored is verified, exported, forgotten and taken over again", async (t) => {
  const host = await counted(t);
  const page = await look(t, host, { hash: "#/store" });
  await page.locator(".tile", { hasText: "sled" }).waitFor();
  await page.getByRole("button", { name: "Verify all" }).click();
  await page.getByText("All that is stored is whole.").waitFor();
  await page.getByRole("link", { name: "counter/1" }).click();
  await page.locator(".records").waitFor();
  const coming = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export" }).click();
  const file = join(host.folder, "counter.baton");
  await (await coming).saveAs(file);
  assert.ok(readFileSync(file).length > 100);

  await host.api("POST", "/v1/actors/counter%2F1/stop");
  await page.getByRole("button", { name: "Forget…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText(/Erased for good: 3 records/).waitFor();
  await dialog.getByRole("button", { name: "Forget state and history" }).click();
  await page.getByText("Nothing is stored for this actor yet.").or(page.getByText("No record yet")).first().waitFor();
  await page.locator("input[type=file]").first().setInputFiles(file);
  await dialog
    .or(page.locator(".toast", { hasText: "take over" }))
    .first()
    .waitFor();
  if ((await dialog.count()) > 0) await dialog.getByRole("button", { name: "Take over" }).click();
  await page.locator(".records tbody tr").nth(2).waitFor();
  await host.api("POST", "/v1/actors/counter%2F1/start");
  assert.equal(await host.call("counter/1", '"get"'), "19");
});

test("all that is stored is exported, and all but one record of an actor is pruned", async (t) => {
  const host = await counted(t);
  const page = await look(t, host, { hash: "#/store" });
  const coming = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export all" }).click();
  const file = join(host.folder, "all.baton");
  await (await coming).saveAs(file);
  assert.deepEqual(readFileSync(file), await host.bytes("/v1/store-export"), "it is what the host hands out");
  await page.getByRole("link", { name: "counter/1" }).click();
  const records = page.locator(".records tbody tr");
  await records.nth(2).waitFor();
  await page.getByRole("button", { name: "Prune to one record…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText(/Erased for good: 2 records: 2 .*, 1 /).waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();
  assert.equal(await records.count(), 3, "a dry run changes nothing");
  await page.getByRole("button", { name: "Prune to one record…" }).click();
  await dialog.getByRole("button", { name: "Prune" }).click();
  await until(async () => (await records.count()) === 1, "one record is left");
  assert.equal(await host.call("counter/1", '"get"'), "19");

  await host.api("POST", "/v1/actors/counter%2F1/stop");
  await host.api("POST", "/v1/store/counter%2F1/forget?yes=true");
  const [, text] = await host.api("PUT", "/v1/store/counter%2F1/image", readFileSync(file));
  assert.equal(JSON.parse(text).done, true, text);
  await host.api("POST", "/v1/actors/counter%2F1/start");
  assert.equal(await host.call("counter/1", '"get"'), "19", "the export has it whole");
});

/** Damages the head of an actor where it lies in redb's file: it stands after its key, and its digest after it. */
function damageHead(file, name) {
  const bytes = readFileSync(file);
  let damaged = 0;
  for (let at = bytes.indexOf(name); at !== -1; at = bytes.indexOf(name, at + 1)) {
    const begin = at + name.length;
    for (let length = 32; length < 1_024; length += 1) {
      const end = begin + length;
      const digest = bytes.subarray(end, end + CHECKSUM_BYTES);
      if (Buffer.from(blake3(bytes.subarray(begin, end))).equals(digest)) {
        bytes[end - 1] ^= 0x10;
        damaged += 1;
        break;
      }
    }
  }
  assert.ok(damaged > 0, "its head is there");
  writeFileSync(file, bytes);
}

test("a head that is damaged is made anew of the records that are there", async (t) => {
  const config = `${plugin("counter")}${actor("counter/1", "counter")}\n[store]\nbackend = "redb"\n`;
  const host = await Host.start(t, config);
  await host.call("counter/1", '{"add":7}');
  await host.stop();
  damageHead(join(host.folder, "data/store.redb"), "counter/1");
  // redb takes the whole file for damaged; a recovery keeps what is in it as it is.
  await host.run(config, "--recover");
  const page = await look(t, host, { hash: "#/attention" });
  await page.locator(".callout", { hasText: "its head is damaged" }).waitFor();
  await page.getByRole("button", { name: "Repair its head…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("What its damaged head alone knew is lost").waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();
  assert.equal(await host.phase("counter/1"), "held", "a dry run changes nothing");
  // The same from its history, which cannot be read.
  await page.goto(`${host.url}/#/actors/counter%2F1/history`);
  await page.locator(".history .trouble").waitFor();
  await page.locator(".history").getByRole("button", { name: "Repair its head…" }).click();
  await dialog.getByRole("button", { name: "Repair" }).click();
  await until(async () => (await host.phase("counter/1")) === "running", "it runs");
  await page.locator(".records tbody tr").first().waitFor();
  assert.equal(await host.call("counter/1", '"get"'), "7");
});

test("a held actor says why, and is let go by a version that reads its state", async (t) => {
  const host = await Host.start(t, airports("2.0.0"));
  await host.call("airport/ATL", FLIGHT);
  await host.stop();
  await host.run(airports("1.0.0"));
  const page = await look(t, host);
  await page.getByRole("link", { name: "Attention 1" }).click();
  await page.getByText("its state has schema 2, and `flights` 1.0.0 reads 1 to 1").first().waitFor();
  assert.ok((await page.title()).startsWith("(1) "));
  await page.getByRole("link", { name: "Swap a version in" }).click();
  await page.getByLabel("Component of the new version").setInputFiles(guest("flights-2.0.0"));
  await page.getByText("Options").click();
  await page.getByLabel("Watch after the last, ms").fill("0");
  await page.getByRole("button", { name: "Start…" }).click();
  await page.getByRole("dialog").getByText("1 held").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Start the swap" }).click();
  await page.locator(".report", { hasText: "Done." }).waitFor();
  await until(async () => (await host.phase("airport/ATL")) === "running", "it runs");
  await page.getByRole("link", { name: "Actors" }).first().click();
  await until(
    async () => (await row(page, "airport/ATL").locator(".cell.phase").innerText()) === "running",
    "and is shown to run",
  );
  assert.equal(JSON.parse(await host.call("airport/ATL", '"stats"')).flights, 1);
});

/** An export with a bit flipped wherever `text` stands, and the checksum over the whole mended. */
function damaged(bytes, text) {
  const found = Buffer.from(bytes.subarray(0, -CHECKSUM_BYTES));
  const at = found.indexOf(text);
  assert.ok(at !== -1 && found.indexOf(text, at + 1) === -1, `${text} stands in one record`);
  found[at] ^= 1;
  return Buffer.concat([found, blake3(found)]);
}

test("a damaged record is in quarantine, its copy can be kept, and its actor goes back by hand", async (t) => {
  const host = await Host.start(t, `${plugin("cart-1.0.0")}${actor("cart/1", "cart")}`);
  await host.call("cart/1", JSON.stringify({ add: { item: "tea" } }));
  await host.api("POST", "/v1/actors/cart%2F1/restart");
  await host.call("cart/1", JSON.stringify({ add: { item: "zebra" } }));
  await host.api("POST", "/v1/actors/cart%2F1/stop");
  // As a copy of a store on a bad disk: the host takes it over as it is, and finds out when it is read.
  const image = damaged(await host.bytes("/v1/store-export"), "zebra");
  await host.api("POST", "/v1/store/cart%2F1/forget?yes=true");
  const [, text] = await host.api("PUT", "/v1/store/cart%2F1/image", image);
  assert.equal(JSON.parse(text).done, true, text);
  await host.api("POST", "/v1/actors/cart%2F1/start");
  const page = await look(t, host, { hash: "#/attention" });
  await page.locator(".callout", { hasText: "Held: its record is damaged" }).waitFor();
  await page.getByRole("button", { name: "Look for copies in quarantine" }).click();
  await page.locator(".view.attention table td", { hasText: "checksum" }).first().waitFor();
  await page.getByRole("link", { name: "Look at its history" }).click();
  const coming = page.waitForEvent("download");
  await page.getByRole("button", { name: "Keep as a file" }).click();
  assert.ok(readFileSync(await (await coming).path()).includes("{ebra"), "as it was found");
  await page.getByRole("button", { name: "Erase…" }).click();
  await page.getByRole("dialog").getByText("1 copy in quarantine erased").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Erase" }).click();
  await until(async () => (await page.getByRole("button", { name: "Erase…" }).count()) === 0, "the copy is gone");
  await page.locator(".callout").getByRole("button", { name: "Roll back…" }).click();
  await page.getByRole("dialog").getByText("1 commit counts no longer").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Roll back" }).click();
  await until(async () => (await host.phase("cart/1")) === "running", "it runs");
  assert.deepEqual(JSON.parse(await host.call("cart/1", '"show"')).items, { tea: 1 });
});

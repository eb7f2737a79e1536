// The tree: live, long, by keyboard, with any names.
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { actor, closeBrowser, Host, look, plugin, row, shop, until } from "./harness.mjs";

after(closeBrowser);

const SHOP = `${plugin("counter")}${plugin("foreman")}
${shop({ strategy: "one_for_all", restarts: 7, boss: "boss", pool: "pool", pattern: "w/*", of: "counter" })}`;

const cell = (page, name, column) => row(page, name).locator(`.cell.${column}`);
const shows = (locator, text) =>
  until(async () => (await locator.count()) === 1 && (await locator.innerText()).trim() === text, `${text} is shown`);

test("the tree is live: a start, a crash and a stop are seen without a reload", async (t) => {
  const host = await Host.start(t, SHOP);
  const page = await look(t, host);
  await shows(cell(page, "stock", "phase"), "running");
  assert.equal(await row(page, "stock").getAttribute("aria-level"), "2");
  assert.equal(await row(page, "w/1").count(), 0);

  await host.call("w/1", '{"add":1}');
  await shows(cell(page, "w/1", "phase"), "running");
  assert.equal(
    await row(page, "w/1").getAttribute("aria-level"),
    "3",
    "it stands below the pool, which stands below the shop",
  );

  await shows(cell(page, "boss", "restarts"), "");
  await host.api("POST", "/v1/actors/boss/call", '{"crash":true}');
  await shows(cell(page, "boss", "restarts"), "1");
  await row(page, "boss").click();
  await page.getByRole("tab", { name: "Crashes" }).click();
  await page.locator(".letter pre", { hasText: "panic" }).first().waitFor();

  await host.api("POST", "/v1/actors/stock/stop");
  await shows(cell(page, "stock", "phase"), "down");
  await row(page, "stock").click();
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await shows(cell(page, "stock", "phase"), "running");
});

test("whoever sleeps is shown asleep, with its history, and wakes for a message", async (t) => {
  const rest = "[passivation]\npassivate_after_ms = 20\nleast_resident_ms = 0\n";
  const pool = '[[actors]]\npattern = "w/*"\nplugin = "counter"\n';
  const host = await Host.start(t, `${rest}${plugin("counter")}${actor("stock", "counter")}${pool}`);
  await host.call("w/1", '{"add":2}');
  const page = await look(t, host);
  await shows(cell(page, "stock", "phase"), "asleep");
  for (const [name, before] of [
    ["stock", 0],
    ["w/1", 2],
  ]) {
    await page.goto(`${host.url}/#/actors/${encodeURIComponent(name)}/message`);
    await page.getByRole("textbox", { name: "Message" }).fill('{"add":3}');
    await page.getByRole("button", { name: "Call" }).click();
    await page.locator(".reply pre", { hasText: new RegExp(`^${before + 3}$`) }).waitFor();
    await until(async () => (await host.actor(name)).phase === "asleep", `${name} sleeps again`);
    await page.locator(".pill.p-asleep").first().waitFor();
    await page.getByRole("tab", { name: "History" }).click();
    await page.getByText("stopped (passivate)").first().waitFor();
  }
});

test("what is done to an actor is asked for with its cost, and told", async (t) => {
  const host = await Host.start(t, SHOP);
  const page = await look(t, host, { hash: "#/actors/stock/message" });
  await page.getByRole("textbox", { name: "Message" }).fill('{"add":2}');
  await page.getByRole("button", { name: "Call" }).click();
  await page.locator(".reply pre", { hasText: /^42$/ }).waitFor();
  await page.getByRole("textbox", { name: "Message" }).fill('{"sub":2}');
  await page.getByRole("textbox", { name: "Message" }).press("Control+Enter");
  await page.locator(".reply", { hasText: "bad-message" }).waitFor();

  await page.getByRole("button", { name: "Kill…" }).click();
  await page
    .getByRole("dialog")
    .getByText("It has no record yet: all that it has done since it began would be lost.")
    .waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  assert.equal((await host.actor("stock")).restarts, 0);

  await page.getByRole("button", { name: "Restart…" }).click();
  await page.getByRole("dialog").getByText("nothing is lost").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Restart" }).click();
  await page.locator(".toast", { hasText: "restarted" }).waitFor();
  assert.equal(await host.call("stock", '"get"'), "42");

  await page.getByRole("button", { name: "Suspend…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Suspend" }).click();
  await page.getByRole("button", { name: "Resume" }).click();
  await page.getByRole("button", { name: "Suspend…" }).waitFor();
  await page.getByRole("button", { name: "Stop…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Stop" }).click();
  await page.locator(".toast", { hasText: "saved as record 2" }).waitFor();

  await page.goto(`${host.url}/#/actors/shop`);
  for (const fact of ["one_for_all", "7 restarts within 60 s", "All below it"])
    await page.locator(".facts", { hasText: fact }).waitFor();
  await page.getByRole("button", { name: "Stop…" }).click();
  await page.getByRole("dialog").getByText("Below it: 2 actors, 1 supervisor.").waitFor();
});

test("an actor is started from the page, and what is wrong with its specification is told", async (t) => {
  const host = await Host.start(t, SHOP);
  const page = await look(t, host);
  await row(page, "stock").waitFor();
  await page.getByRole("button", { name: "Start an actor…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("w//1");
  await dialog.getByRole("button", { name: "Start" }).click();
  await dialog.locator(".trouble", { hasText: "empty segment" }).waitFor();
  await dialog.getByLabel("Name").fill("new/1");
  await dialog.getByLabel("Plugin").selectOption("counter");
  await dialog.getByText("With a plugin").click();
  await dialog.getByLabel("Arguments").fill("7");
  await dialog.getByRole("button", { name: "Start" }).click();
  await page.getByRole("heading", { name: "new/1" }).waitFor();
  assert.equal(await host.call("new/1", '"get"'), "7");
});

test("ten thousand actors scroll, are searched and sorted, and are not all in the page", async (t) => {
  const shards = Array.from({ length: 20 }, (_, shard) => {
    const name = `shard/${String(shard).padStart(2, "0")}`;
    const own = Array.from({ length: 500 }, (__, at) =>
      actor(
        `counter/${String(shard).padStart(2, "0")}/${String(at).padStart(3, "0")}`,
        "counter",
        `supervisor = "${name}"`,
      ),
    );
    return `[[supervisor]]\nname = "${name}"\n${own.join("")}`;
  });
  const host = await Host.start(t, `instances = 11000\n${plugin("counter")}${shards.join("")}`);
  const page = await look(t, host);
  const grid = page.getByRole("treegrid");
  await until(async () => (await grid.getAttribute("aria-rowcount")) === "10021", "all rows are counted");
  const drawn = () => page.locator(".rows .row").count();
  assert.ok((await drawn()) < 120, "far fewer are drawn");

  const frames = await grid.evaluate(async (element) => {
    let missing = 0;
    let seen = 0;
    while (element.scrollTop + element.clientHeight < element.scrollHeight - 1) {
      element.scrollTop += 2_000;
      await new Promise((next) => requestAnimationFrame(next));
      const box = element.getBoundingClientRect();
      const middle = document.elementFromPoint(box.left + 60, box.top + box.height / 2);
      if (middle?.closest(".rows > .row") === null) missing += 1;
      seen += 1;
    }
    return { missing, seen };
  });
  assert.ok(frames.seen > 50);
  assert.equal(frames.missing, 0, "there was a row wherever it was scrolled to");
  await page.locator(".rows bdi", { hasText: "counter/19/499" }).waitFor();
  assert.ok((await drawn()) < 120);

  await page.keyboard.press("/");
  await page.keyboard.type("07/49");
  await until(
    async () => (await grid.getAttribute("aria-rowcount")) === "12",
    "the ten that match, below their supervisor",
  );
  await page.getByRole("status").filter({ hasText: "10 matches" }).waitFor();
  await page.keyboard.press("Escape");
  await host.call("counter/11/250", '{"add":1}');
  await page.getByLabel("Order").selectOption("handled");
  await until(
    async () => (await page.locator('.rows .row[aria-rowindex="2"]').innerText()).includes("counter/11/250"),
    "who has handled most stands first",
  );
});

test("the keyboard does it all", async (t) => {
  const host = await Host.start(t, SHOP);
  const page = await look(t, host);
  await row(page, "stock").waitFor();
  const active = () =>
    page.evaluate(() => {
      const grid = document.querySelector(".grid");
      return (
        document
          .getElementById(grid.getAttribute("aria-activedescendant"))
          ?.querySelector(".name .name, .cell.name bdi")?.textContent ?? null
      );
    });
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  await press("Tab");
  assert.equal(
    await page.evaluate(() => document.activeElement.className),
    "skip",
    "the first stop leads past the navigation",
  );
  await press("Enter");
  await press("/");
  assert.equal(await page.evaluate(() => document.activeElement.id), "search");
  await press("Escape");
  await press("/", "ArrowDown");
  assert.equal(await active(), "shop");
  await press("ArrowDown");
  assert.equal(await active(), "stock");
  await press("ArrowLeft");
  assert.equal(await active(), "shop", "up to the supervisor");
  await press("ArrowLeft");
  await until(async () => (await row(page, "stock").count()) === 0, "what it has is closed");
  assert.equal(await row(page, "shop").getAttribute("aria-expanded"), "false");
  await press("ArrowRight", "End");
  assert.equal(await active(), "pool");
  await press("Home", "ArrowDown", "Enter");
  await page.getByRole("heading", { name: "stock" }).waitFor();
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outline, "solid", "what has the focus is seen");

  await press("]");
  await page.getByRole("tab", { name: "Message", selected: true }).waitFor();
  await page.getByRole("textbox", { name: "Message" }).focus();
  await page.keyboard.type('{"add":1}');
  await press("Control+Enter");
  await page.locator(".reply pre", { hasText: /^41$/ }).waitFor();
  await press("Escape", "Escape");
  await until(async () => await page.locator(".detail").isHidden(), "back in the list");
  assert.equal(await active(), "stock");

  for (const [key, place] of [
    ["2", "#/attention"],
    ["3", "#/plugins"],
    ["4", "#/events"],
    ["5", "#/store"],
    ["6", "#/host"],
    ["1", "#/actors"],
  ]) {
    await press(key);
    await until(() => new URL(page.url()).hash === place, `${key} leads to ${place}`);
  }
  await press("?");
  await page.getByRole("dialog", { name: "Keys" }).waitFor();
  await press("Escape");
  await until(async () => (await page.getByRole("dialog").count()) === 0, "the keys are closed");
});

test("a name or a message that would be markup or an escape code is text", async (t) => {
  const names = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "{{7-7}}${7-7}",
    "a%2F%00#?&=/b",
    "javascript:alert(1)",
    "right\u202Eto\u202Cleft",
    "no\u200Bspace",
    "Zoë/東京/🎈",
    "__proto__",
    "constructor",
  ];
  const host = await Host.start(
    t,
    `${plugin("counter")}${plugin("foreman")}${names.map((name) => actor(name, "foreman")).join("")}`,
  );
  const page = await look(t, host);
  const shown = new Map([
    ["right\u202Eto\u202Cleft", "right⟨U+202E⟩to⟨U+202C⟩left"],
    ["no\u200Bspace", "no⟨U+200B⟩space"],
  ]);
  const letter = "<img src=x onerror=alert(2)>";
  for (const name of names) {
    const title = shown.get(name) ?? name;
    await row(page, title).click();
    await page
      .locator(".detail h2.name")
      .and(page.locator(`[title=${JSON.stringify(title)}]`))
      .waitFor();
    await page.getByRole("tab", { name: "Message" }).click();
    await page
      .getByRole("textbox", { name: "Message" })
      .fill(JSON.stringify({ "</script><b id=injected>\u001b[31m\u202E": 1 }));
    await page.getByRole("button", { name: "Call" }).click();
    await page.locator(".reply .trouble").waitFor();
    for (const tab of ["State", "History", "Crashes", "Events", "Overview"])
      await page.getByRole("tab", { name: tab }).click();
    if (name === names[1]) {
      await page.getByRole("tab", { name: "Message" }).click();
      await page.getByText("Options").click();
      await page.getByRole("textbox", { name: "Id", exact: false }).first().fill(letter);
      await page.getByRole("textbox", { name: "Message" }).fill('{"crash":true}');
      await page.getByRole("button", { name: "Call" }).click();
      await page.locator(".reply .trouble", { hasText: "crashed" }).waitFor();
    }
  }
  for (const view of ["attention", "plugins", "events", "store", "host"]) {
    await page.goto(`${host.url}/#/${view}`);
    await page.locator(`.view.${view}`).waitFor();
  }
  await page.goto(`${host.url}/#/events`);
  await page.locator(".letter").first().click();
  await page.locator(".letter .facts", { hasText: letter }).waitFor();
  assert.equal(await page.locator("#injected, main script, main img, main svg").count(), 0);
  assert.equal(await page.evaluate(() => document.querySelectorAll("script").length), 1);
});

test("a group is looked up and told something, and the host says how it is", async (t) => {
  const host = await Host.start(
    t,
    `${plugin("counter")}${["a", "b"].map((name) => actor(name, "counter", 'groups = ["pair"]')).join("")}`,
  );
  const page = await look(t, host, { hash: "#/host" });
  await page.locator(".facts", { hasText: "2 running" }).waitFor();
  await page.getByRole("textbox", { name: "Group" }).fill("pair");
  await page.getByRole("button", { name: "Show members" }).click();
  await page.getByRole("link", { name: "b", exact: true }).waitFor();
  await page.getByRole("textbox", { name: "Message" }).fill('{"add":2}');
  await page.getByRole("button", { name: "Dispatch" }).click();
  await page.getByText("2 mailboxes took it.").waitFor();
  assert.equal(await host.call("b", '"get"'), "2");
});

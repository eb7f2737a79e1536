// What happens, as it happens.
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { actor, closeBrowser, Host, look, plugin, row, until } from "./harness.mjs";

after(closeBrowser);

const TWO = `${plugin("counter")}${plugin("foreman")}${actor("stock", "counter")}${actor("boss", "foreman")}`;
const told = (page, kind, text) =>
  page.locator(".view.events .event", { has: page.locator(".kind", { hasText: kind }), hasText: text });

test("events are told as they happen, those from before as well, and a crash with its backtrace", async (t) => {
  const host = await Host.start(t, TWO);
  await host.api("POST", "/v1/actors/boss/call", '{"crash":true}');
  const page = await look(t, host, { hash: "#/events" });
  await page.locator("#state", { hasText: "live" }).waitFor();
  const crash = told(page, "crashed", "boss").first();
  await crash.locator("summary").click();
  await crash.locator("pre", { hasText: "panic" }).waitFor();
  await told(page, "restarted", "restart 1").first().waitFor();

  await host.api("POST", "/v1/actors/stock/stop");
  await told(page, "stopped", "saved as record 1").first().waitFor();
  await page.getByLabel("Kind").selectOption("crashed");
  await until(async () => (await page.locator(".view.events .event").count()) === 1, "the crash alone");
  await page.getByLabel("Kind").selectOption("");
  await page.getByLabel("Search events").fill("stock");
  await until(async () => (await told(page, "crashed", "boss").count()) === 0, "what is about stock alone");
  await page.getByLabel("Search events").fill("");

  await page.getByRole("button", { name: "Hold still" }).click();
  await host.api("POST", "/v1/actors/stock/start");
  await page.getByText(/held still, [1-9]/).waitFor();
  const before = await page.locator(".view.events .event").count();
  await page.getByRole("button", { name: "Hold still" }).click();
  await until(async () => (await page.locator(".view.events .event").count()) > before, "what came meanwhile");

  await page.goto(`${host.url}/#/actors/boss/events`);
  await page.locator(".panel .event .kind", { hasText: "crashed" }).waitFor();
});

test("after a restart of the host its events are told again from its start", async (t) => {
  const host = await Host.start(t, TWO);
  const page = await look(t, host, { hash: "#/events" });
  await page.locator("#state", { hasText: "live" }).waitFor();
  await host.stop();
  await page.locator("#banner", { hasText: "The host does not answer" }).waitFor();
  await host.run();
  await told(page, "host", "another process answers now").waitFor();
  await until(async () => (await told(page, "host", "ready").count()) >= 2, "both hosts were ready");
  await page.getByRole("link", { name: "Actors", exact: true }).click();
  await row(page, "stock").waitFor();
});

// Who looks: tokens and roles; and a host that goes and comes back.
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { actor, closeBrowser, Host, look, plugin, row, TOKENS, until } from "./harness.mjs";

after(closeBrowser);

const ONE = `${plugin("counter")}${actor("counter/1", "counter")}`;

test("without a token the page asks for one, keeps it for the tab, and says when it is wrong", async (t) => {
  const host = await Host.start(t, ONE);
  const page = await look(t, host, { token: null });
  const dialog = page.getByRole("dialog", { name: "Token" });
  await dialog.getByLabel("Token").fill("x".repeat(40));
  await dialog.getByRole("button", { name: "Use it" }).click();
  await dialog.getByText("The token that was used is not known to the host").waitFor();
  await dialog.getByLabel("Token").fill(TOKENS.operate);
  await dialog.getByRole("button", { name: "Use it" }).click();
  await row(page, "counter/1").waitFor();
  await page.reload();
  await row(page, "counter/1").waitFor();
  assert.equal(
    await page.evaluate((token) => JSON.stringify({ ...localStorage }).includes(token), TOKENS.operate),
    false,
  );
  assert.equal((await page.context().cookies()).length, 0);
});

test("a token in a link is taken out of the address at once", async (t) => {
  const host = await Host.start(t, ONE);
  const page = await look(t, host);
  await row(page, "counter/1").waitFor();
  assert.ok(!page.url().includes(TOKENS.operate), page.url());
  await page.goBack();
  assert.ok(!page.url().includes(TOKENS.operate), "nor does it stand in what was before");
});

test("a token whose role does not suffice looks, and is told so when it does more", async (t) => {
  const host = await Host.start(t, ONE);
  const page = await look(t, host, { token: TOKENS.look, hash: "#/actors/counter%2F1/message" });
  await page.getByRole("textbox", { name: "Message" }).fill('{"add":2}');
  await page.getByRole("button", { name: "Call" }).click();
  await page.locator(".reply pre", { hasText: /^2$/ }).waitFor();
  await page.getByRole("button", { name: "Restart…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Restart" }).click();
  await page.locator(".toast.bad", { hasText: "This token may not do that." }).waitFor();
  await page.locator(".toast.bad", { hasText: "operate" }).waitFor();
  assert.equal((await host.actor("counter/1")).generation, 1);

  await page.evaluate((token) => {
    location.hash = `#token=${token}`;
  }, TOKENS.call);
  await page.locator("#banner", { hasText: "This token may not look at the actors" }).waitFor();
});

test("a host that goes is told at once, what was known stays, and it comes back by itself", async (t) => {
  const host = await Host.start(t, ONE);
  const page = await look(t, host);
  await row(page, "counter/1").waitFor();
  await host.call("counter/1", '{"add":9}');
  await host.stop();
  await page.locator("#banner", { hasText: "The host does not answer" }).waitFor();
  assert.equal(await row(page, "counter/1").count(), 1, "what was known is still there");
  assert.equal(await page.evaluate(() => document.body.dataset.link), "gone");
  await host.run();
  await until(async () => (await page.evaluate(() => document.body.dataset.link)) === "there", "it is there again");
  assert.ok(await page.locator("#banner").isHidden());
  await until(
    async () => (await row(page, "counter/1").locator(".cell.generation").innerText()) === "2",
    "and what is shown is new",
  );
});

test("nothing else may frame the page, run in it, or guess what it is", async (t) => {
  const host = await Host.start(t, ONE);
  const answer = await fetch(`${host.url}/`);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
  const policy = answer.headers.get("content-security-policy");
  for (const part of [
    "default-src 'none'",
    "frame-ancestors 'none'",
    "connect-src 'self'",
    "require-trusted-types-for 'script'",
  ])
    assert.ok(policy.includes(part), policy);
  assert.ok(!policy.includes("unsafe"), policy);
  const page = await look(t, host, { expected: [/Content Security Policy|TrustedHTML|TrustedScript/] });
  const ran = await page.evaluate(() => {
    const script = document.createElement("script");
    script.append("globalThis.injected = true");
    document.body.append(script);
    let refused = false;
    try {
      document.body.innerHTML = "<b>x</b>";
    } catch {
      refused = true;
    }
    return { injected: globalThis.injected === true, refused };
  });
  assert.deepEqual(ran, { injected: false, refused: true });
});

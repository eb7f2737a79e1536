// How it looks: no part of it beyond the edge, and all of it legible, narrow and wide, light and dark.
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { actor, closeBrowser, guest, Host, look, plugin, row } from "./harness.mjs";

after(closeBrowser);

const LONG = `tenant/${"a-rather-long-name-".repeat(6)}/1`;
const MANY = `${plugin("counter")}${plugin("foreman")}${plugin("cart-1.0.0")}
[[supervisor]]
name = "shop"
[[supervisor]]
name = "back-office"
supervisor = "shop"
${actor("stock", "counter", 'supervisor = "back-office"')}
${actor(LONG, "counter", 'supervisor = "back-office"')}
${actor("boss", "foreman", "max_restarts = 0")}
${actor("cart/1", "cart")}
`;

/** All that a person may open: the address, and what is done there before it is looked at. */
const PLACES = [
  ["#/actors"],
  ["#/actors/stock"],
  ["#/actors/stock/message"],
  ["#/actors/stock/state"],
  ["#/actors/stock/history"],
  ["#/actors/boss/crashes"],
  ["#/actors/boss"],
  ["#/actors/shop"],
  [`#/actors/${encodeURIComponent(LONG)}/history`],
  ["#/attention"],
  ["#/events"],
  ["#/store"],
  ["#/host"],
  [
    "#/plugins/cart/swap",
    async (page) => {
      await page.getByLabel("Component of the new version").setInputFiles(guest("cart-2.1.0"));
      await page.locator(".swap summary").click();
      await page.getByRole("button", { name: "Rehearse" }).click();
      await page.locator(".plan").waitFor();
    },
  ],
  [
    "#/actors/stock/history",
    async (page) => {
      await page.getByRole("button", { name: "Compare A and B" }).click();
      await page.locator(".comparison").waitFor();
    },
  ],
  [
    "#/actors/stock",
    async (page) => {
      await page.getByRole("button", { name: "Kill…" }).click();
      await page.getByRole("dialog").waitFor();
    },
  ],
];

/** What stands beyond the edge of the window, and texts whose contrast is below what AA asks for. */
function faults() {
  const seen = [];
  const colour = (text) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((at) => top[at] * top[3] + below[at] * (1 - top[3])).concat(1);
  const light = (c) => {
    const [r, g, b] = c.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const chain = [];
    for (let at = element; at !== null; at = at.parentElement) chain.unshift(getComputedStyle(at).backgroundColor);
    return chain.reduce((below, text) => over(colour(text), below), [255, 255, 255, 1]);
  };
  const walker = document.createTreeWalker(document.querySelector("dialog") ?? document.body, NodeFilter.SHOW_TEXT);
  const done = new Set();
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const element = node.parentElement;
    if (
      node.data.trim() === "" ||
      done.has(element) ||
      ["SCRIPT", "STYLE", "NOSCRIPT", "OPTION"].includes(element.tagName)
    )
      continue;
    done.add(element);
    if (
      !element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) ||
      element.closest("[disabled]") !== null
    )
      continue;
    const style = getComputedStyle(element);
    const back = behind(element);
    let shade = 1;
    for (let at = element; at !== null; at = at.parentElement) shade *= Number(getComputedStyle(at).opacity);
    const front = colour(style.color);
    front[3] *= shade;
    const [a, b] = [light(over(front, back)), light(back)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const large = Number.parseFloat(style.fontSize) >= 24;
    if (ratio < (large ? 3 : 4.5))
      seen.push(
        `contrast ${ratio.toFixed(2)}: ${element.className || element.tagName}: ${node.data.trim().slice(0, 40)}`,
      );
  }
  const scrolls = (element) => {
    for (let at = element.parentElement; at !== null; at = at.parentElement) {
      if (getComputedStyle(at).overflowX !== "visible" && at.matches(".scrolls, .tabs, .diff, pre, .cell")) return true;
    }
    return false;
  };
  for (const element of document.querySelectorAll("body *")) {
    const box = element.getBoundingClientRect();
    if (box.width === 0 || scrolls(element) || !element.checkVisibility() || element.closest(".skip") !== null)
      continue;
    if (box.right > innerWidth + 0.5 || box.left < -0.5)
      seen.push(
        `beyond the edge: ${element.tagName}.${element.className} ${Math.round(box.left)}..${Math.round(box.right)}`,
      );
  }
  for (const element of document.querySelectorAll("html, body, main, .view, .list, .detail, .grid")) {
    if (element.scrollWidth > element.clientWidth + 1)
      seen.push(
        `it scrolls sideways: ${element.className || element.tagName} ${element.scrollWidth} in ${element.clientWidth}`,
      );
  }
  const nameless = [
    ...document.querySelectorAll("button, a[href], input:not([hidden]):not([type=file]), select, textarea"),
  ].filter((element) => {
    const text =
      element.textContent.trim() || element.getAttribute("aria-label") || element.labels?.[0]?.textContent.trim() || "";
    return element.checkVisibility() && text === "";
  });
  seen.push(...nameless.map((element) => `nobody knows what it is: ${element.outerHTML.slice(0, 80)}`));
  return [...new Set(seen)];
}

for (const [width, height] of [
  [400, 800],
  [700, 900],
  [1280, 800],
  [2000, 1200],
]) {
  for (const scheme of ["light", "dark"]) {
    test(`at ${width} px, ${scheme}, everything is within the edges and legible`, async (t) => {
      const host = await Host.start(t, MANY);
      for (const message of ['"get"', '{"add":3}']) {
        await host.call("stock", message);
        await host.api("POST", "/v1/actors/stock/restart");
      }
      await host.api("POST", "/v1/actors/boss/call", '{"crash":true}');
      const page = await look(t, host, { width, height, scheme });
      await row(page, "boss").filter({ hasText: "failed" }).waitFor();
      for (const [place, act] of PLACES) {
        await page.evaluate((to) => {
          location.hash = to;
        }, place);
        await page.waitForFunction((to) => location.hash === to, place);
        if (place.startsWith("#/actors/")) await page.locator(".detail .title").waitFor();
        if (place.endsWith("/history")) await page.locator(".history > div > *").first().waitFor();
        if (place === "#/store") await page.locator(".view.store tbody tr").first().waitFor();
        if (place === "#/attention") await page.locator(".view.attention .callout").first().waitFor();
        await act?.(page);
        assert.deepEqual(await page.evaluate(faults), [], `${place}`);
        await page.keyboard.press("Escape");
      }
    });
  }
}

test("the switch for colours goes before what the system says, and is remembered", async (t) => {
  const host = await Host.start(t, MANY);
  const page = await look(t, host, { scheme: "dark" });
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await paper();
  await page.getByRole("button", { name: "Colours: as the system" }).click();
  assert.notEqual(await paper(), dark, "light");
  await page.reload();
  await page.getByRole("button", { name: "Colours: light" }).click();
  assert.equal(await paper(), dark, "dark");
});

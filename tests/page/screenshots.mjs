// Makes the pictures of the book anew: `npm run screenshots`, with a host and a browser as the tests have them.
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";

import { actor, closeBrowser, guest, Host, look, row, shop } from "./harness.mjs";

const images = resolve(import.meta.dirname, "../../docs/src/images");
mkdirSync(images, { recursive: true });

const carts = Array.from({ length: 12 }, (_, at) => `cart/${String(at + 1).padStart(3, "0")}`);
const files = ["counter", "foreman", "cart-1.0.0"];
const CONFIG = `${files.map((name) => `[[plugin]]\npath = "${name}.wasm"\n`).join("")}
${shop({ strategy: "one_for_one", restarts: 5, boss: "orders", pool: "open-carts", pattern: "cart/*", of: "cart" })}
${actor("mailer", "foreman", "max_restarts = 0")}
`;

const ends = [];
const t = { after: (end) => ends.unshift(end) };
try {
  const host = await Host.start(t, CONFIG, { files });
  for (const name of carts) {
    for (const item of ["tea", "jam", "bread"]) await host.call(name, JSON.stringify({ add: { item, quantity: 2 } }));
  }
  for (let round = 0; round < 40; round += 1) await host.call("stock", '{"add":1}');
  await host.api("POST", "/v1/actors/orders/call", '{"crash":true}');
  await host.api("POST", "/v1/actors/mailer/call", '{"crash":true}');
  const tree = await look(t, host, { width: 1280, height: 640, hash: "#/actors/orders/crashes" });
  await row(tree, "mailer").filter({ hasText: "failed" }).waitFor();
  await tree.locator(".letter[open] pre").first().waitFor();
  await tree.screenshot({ path: join(images, "page-actors.png") });

  const swap = await look(t, host, { width: 1280, height: 640, scheme: "dark", hash: "#/plugins/cart/swap" });
  await swap.getByLabel("Component of the new version").setInputFiles(guest("cart-2.1.0"));
  await swap.getByRole("button", { name: "Rehearse" }).click();
  await swap.locator(".plan").waitFor();
  await swap.screenshot({ path: join(images, "page-swap.png") });
} finally {
  for (const end of ends) await end();
  await closeBrowser();
}

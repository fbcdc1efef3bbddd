// Every page: no violation that axe can find, in light and dark; nothing wider than the window
// from a small phone to 4K.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { goToPayment, root, startBrowser, startShop, visitor } from "./shop.mjs";

const axeSource = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let shop, browser;
before(async () => {
  shop = await startShop();
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await shop?.stop();
});

const open = ["/", "/search", "/search?q=mug", "/search?q=nosuchthing", "/search?min=abc", "/category/tableware",
  "/product/harrow-mug", "/product/harrow-mug?variant=harrow-mug~clay-350-ml", "/cart", "/about", "/terms", "/privacy", "/no-such-page"];

async function check(page, name) {
  await page.evaluate(axeSource);
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
  assert.ok(passes.length > 10, "axe has looked");
  assert.deepEqual(violations.map(({ id, nodes }) => `${name}: ${id}: ${nodes[0].html} ${nodes[0].failureSummary}`), []);
}

async function checkShopping(page) {
  await page.goto("/product/harrow-mug");
  await page.getByRole("button", { name: "Add to cart" }).click();
  await page.getByText("Added to your cart.").waitFor();
  await check(page, "product with a note");
  await page.goto("/cart");
  await check(page, "cart");
  await page.getByRole("button", { name: "Check out" }).click();
  await page.waitForURL("**/checkout/*");
  await check(page, "address");
  await page.getByRole("button", { name: "Continue to delivery" }).click();
  await page.getByRole("alert").waitFor();
  await check(page, "address with errors");
}

async function checkPaying(page) {
  await goToPayment(page);
  await check(page, "payment");
  await page.goto(page.url().replace("/payment", "/delivery"));
  await check(page, "delivery");
  await page.getByRole("button", { name: "Continue to payment" }).click();
  await page.getByLabel("Test card that is refused").check();
  await page.getByRole("button", { name: /^Pay / }).click();
  await page.getByRole("alert").waitFor();
  await check(page, "payment with an error");
  await page.getByLabel("Test card that pays").check();
  await page.getByRole("button", { name: /^Pay / }).click();
  await page.waitForURL("**/order/*");
  await check(page, "order");
}

for (const scheme of ["light", "dark"])
  test(`axe finds nothing wrong on any page, ${scheme}`, async () => {
    const { page, complaints, close } = await visitor(browser, shop, { scheme });
    for (const path of open) {
      await page.goto(path);
      await check(page, path);
    }
    await checkShopping(page);
    await checkPaying(page);
    assert.deepEqual(complaints, []);
    await close();
  });

for (const width of [360, 768, 1280, 3840])
  test(`nothing is wider than a window of ${width} px`, async () => {
    const { page, close } = await visitor(browser, shop, { width });
    const fits = async (name) => {
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(wider <= 0, `${name} is ${wider} px wider`);
    };
    for (const path of open) {
      await page.goto(path);
      await fits(path);
    }
    await goToPayment(page);
    await fits("payment");
    await page.goto("/cart");
    await fits("cart");
    await close();
  });

test("what is hard to show fits too: long words, tables, no pictures, sold out", async () => {
  const hard = await startShop(path.join(root, "tests/data/hard_to_show.csv"));
  try {
    for (const width of [360, 768, 1280]) {
      const { page, close } = await visitor(browser, hard, { width });
      const fits = async (where) => {
        await page.goto(where);
        const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert.ok(wider <= 0, `${where} is ${wider} px wider than ${width}`);
      };
      for (const where of ["/", "/search", `/search?q=${"x".repeat(90)}`, "/product/gone-lamp", "/product/long-one"]) await fits(where);
      await page.getByRole("button", { name: "Add to cart" }).click();
      await page.waitForFunction(() => /cart_count=[1-9]/.test(document.cookie));
      await fits("/checkout"); // by hand: leads to the cart
      assert.equal(new URL(page.url()).pathname, "/cart");
      await page.getByRole("button", { name: "Check out" }).click();
      await page.waitForURL("**/checkout/*");
      await fits(page.url());
      await close();
    }
  } finally {
    await hard.stop();
  }
});

// The warehouse's pages: an order is picked with a scanner, packed and shipped without scripts; axe
// finds nothing; nothing is wider than a phone; a packing slip is one page.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { startBrowser, visitor } from "./shop.mjs";
import { logIn, startWarehouse } from "./warehouse.mjs";

const axeSource = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let house, browser;
before(async () => {
  house = await startWarehouse();
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await house?.stop();
});

// As a scanner: it types into the field that has the focus, and Enter.
async function scan(page, code) {
  await page.locator("#code:focus").waitFor();
  await page.keyboard.type(code);
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
}

test("an order is picked by scanning, packed and shipped without scripts", async () => {
  const { page, complaints, close } = await visitor(browser, house, { width: 400, scripts: false });
  await logIn(page, house);
  await page.getByRole("link", { name: /1001/ }).click();
  for (const code of ["MUG-MOSS-250", "NOTE-A5", "MUG-MOSS-250"]) await scan(page, code);
  await page.getByText("3 of 4 picked.").waitFor();
  await scan(page, "NOTE-A5");
  await page.getByRole("alert").getByText("put it back").waitFor();
  await page.getByLabel("Carrier").first().fill("Parcel Post");
  await page.getByLabel("Tracking number").first().fill("PP123");
  await page.getByRole("button", { name: "Pack and ship" }).click();
  await page.getByRole("heading", { name: "Parcel 1 shipped" }).waitFor();
  assert.match(await page.locator(".parcel").innerText(), /2 × Harrow mug[\s\S]*1 × Field notebook/);
  // The number of the next order, scanned on this one's page, leads there.
  await page.locator("#code").focus();
  await scan(page, "1003");
  await page.getByRole("heading", { name: /Order 1003/ }).waitFor();
  await page.getByRole("button", { name: "Pack only" }).click();
  await page.getByRole("heading", { name: "Parcel 1 packed" }).waitFor();
  await page.getByRole("button", { name: "It has left" }).click();
  await page.getByRole("heading", { name: "Parcel 1 shipped" }).waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

const paths = ["/", "/?state=all", "/?q=nosuchthing", "/stock", "/item?item=field-notebook", "/product", "/reports"];

for (const scheme of ["light", "dark"]) {
  test(`axe finds nothing on any page (${scheme})`, async () => {
    const { page, complaints, close } = await visitor(browser, house, { scheme });
    const check = async (name) => {
      await page.evaluate(axeSource);
      const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
      assert.ok(passes.length > 10, "axe has looked");
      assert.deepEqual(violations.map(({ id, nodes }) => `${name}: ${id}: ${nodes[0].html} ${nodes[0].failureSummary}`), []);
    };
    await page.goto("/login");
    await check("login");
    await logIn(page, house);
    for (const path of scheme === "light" ? paths : ["/", "/reports"]) {
      await page.goto(path);
      await check(path);
    }
    for (const number of scheme === "light" ? ["1001", "1002", "1003"] : ["1001"]) {
      await page.goto("/?state=all");
      await page.getByRole("link", { name: new RegExp(number) }).click();
      await page.getByRole("heading", { name: `Order ${number}` }).waitFor();
      await check(`order ${number}`);
    }
    await page.getByRole("link", { name: "Packing slip" }).click();
    await page.waitForURL("**/slip");
    await check("slip");
    assert.deepEqual(complaints, []);
    await close();
  });
}

test("nothing is wider than the window", async () => {
  const { page, close } = await visitor(browser, house);
  await logIn(page, house);
  await page.getByRole("link", { name: /1002/ }).click();
  await page.getByRole("heading", { name: "Order 1002" }).waitFor();
  const order = new URL(page.url()).pathname;
  for (const width of [320, 1200]) {
    await page.setViewportSize({ width, height: 800 });
    for (const path of [...paths, order, `${order}/slip`]) {
      await page.goto(path);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= width, `${path} is ${wide} px wide in a window of ${width}`);
    }
  }
  await close();
});

test("each number of the stock stands under its head", async () => {
  const { page, close } = await visitor(browser, house);
  await logIn(page, house);
  await page.goto("/stock");
  const left = async (cells) => Promise.all((await cells.all()).map(async (cell) => (await cell.boundingBox()).x));
  const heads = await left(page.locator("main th")), cells = await left(page.locator("main tbody tr").first().locator("td"));
  assert.equal(heads.length, 4);
  assert.deepEqual(cells, heads);
  await close();
});

test("a packing slip prints on one page, with nothing but the slip", async () => {
  const { page, close } = await visitor(browser, house);
  await logIn(page, house);
  await page.getByRole("link", { name: /1002/ }).click();
  await page.getByRole("link", { name: "Packing slip" }).click();
  await page.getByRole("img", { name: /Bar code/ }).waitFor();
  const pdf = (await page.pdf({ format: "A5", preferCSSPageSize: true })).toString("latin1");
  assert.equal(pdf.match(/\/Type \/Page\b/g).length, 1);
  await page.emulateMedia({ media: "print" });
  assert.equal(await page.locator("header.top").isVisible(), false);
  assert.equal(await page.getByRole("heading", { name: "Order 1002" }).isVisible(), true);
  await close();
});

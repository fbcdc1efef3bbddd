// A purchase by clicks: with and without scripts, on a phone and on a desk.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fillAddress, startBrowser, startShop, visitor } from "./shop.mjs";

let shop, browser;
before(async () => {
  shop = await startShop();
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await shop?.stop();
});

async function findProduct(page) {
  await page.goto("/");
  assert.match(await page.title(), /\S/);
  await page.getByRole("searchbox").first().fill("harrow");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/search?q=harrow");
  await page.locator("main").getByRole("link", { name: "Harrow Mug" }).click();
  await page.waitForURL("**/product/harrow-mug");
}

async function chooseVariant(page, scripts) {
  await page.locator("label", { hasText: "Moss" }).click();
  await page.locator("label", { hasText: "350 ml" }).click();
  if (scripts) {
    await page.waitForURL("**/product/harrow-mug?variant=harrow-mug~moss-350-ml");
  } else {
    await page.getByRole("button", { name: "Show price and stock" }).click();
    await page.waitForURL("**option2=350*");
  }
  assert.equal(await page.locator("[data-price]").innerText(), "$22.00");
  assert.equal(await page.locator("[data-stock]").innerText(), "In stock");
}

async function putIntoCart(page, scripts) {
  await page.fill("#quantity", "2");
  await page.getByRole("button", { name: "Add to cart" }).click();
  if (scripts) {
    await page.getByRole("link", { name: "View cart" }).click();
    await page.waitForURL("**/cart");
    await page.locator("[data-cart-count]", { hasText: /^2$/ }).waitFor();
  }
  await page.waitForURL("**/cart");
  await page.getByRole("heading", { name: "Harrow Mug" }).waitFor();
  assert.match(await page.locator(".line").innerText(), /Moss \/ 350 ml/);
  assert.match(await page.locator(".totals .grand").innerText(), /\$44\.00/);
}

async function changeQuantity(page, scripts) {
  const quantity = page.getByLabel("Quantity of Harrow Mug");
  await quantity.fill("3");
  if (scripts) await quantity.blur(); // sends it by itself
  else await page.getByRole("button", { name: "Update" }).click();
  await page.locator(".totals .grand", { hasText: "$66.00" }).waitFor();
}

// First with mistakes: they are told, lead to their fields, and what was typed stays.
async function giveAddress(page) {
  await page.getByRole("button", { name: "Check out" }).click();
  await page.waitForURL("**/checkout/*");
  await page.fill("#first_name", "Ada");
  await page.fill("#email", "ada at example");
  await page.getByRole("button", { name: "Continue to delivery" }).click();
  const summary = page.getByRole("alert");
  await summary.getByRole("heading", { name: "There is a problem" }).waitFor();
  assert.equal(await page.inputValue("#first_name"), "Ada");
  assert.equal(await page.inputValue("#email"), "ada at example");
  await summary.getByRole("link", { name: /e-mail address in the form/ }).click();
  await page.waitForURL(/#email$/);
  assert.match(await page.locator("#email-error").innerText(), /name@example\.com/);
  await fillAddress(page);
  await page.getByRole("button", { name: "Continue to delivery" }).click();
  await page.waitForURL("**/delivery");
}

async function pay(page) {
  await page.getByLabel("Standard Shipping").check();
  await page.getByRole("button", { name: "Continue to payment" }).click();
  await page.waitForURL("**/payment");
  assert.match(await page.locator("dl.review").innerText(), /London/);
  await page.getByRole("button", { name: /^Pay / }).click();
  await page.getByRole("alert").getByRole("link", { name: "Choose a card" }).waitFor();
  await page.getByLabel("Test card that is refused").check();
  await page.getByRole("button", { name: /^Pay / }).click();
  await page.getByRole("alert").getByRole("link", { name: /The bank refused/ }).waitFor();
  await page.getByLabel("Test card that pays").check();
  await page.getByRole("button", { name: /^Pay / }).click();
  await page.waitForURL("**/order/*");
}

async function lookAtOrder(page) {
  await page.getByRole("heading", { name: "Thank you, Ada" }).waitFor();
  const text = await page.locator("main").innerText();
  assert.match(text, /Order 1\d\d\d/);
  assert.match(text, /Order placed/);
  assert.match(text, /Test card ending in 4242/);
  assert.match(await page.locator(".mini-lines").innerText(), /3 × \$22\.00/);
  await page.goto("/cart");
  await page.getByText("There is nothing in your cart").waitFor();
}

for (const width of [390, 1280])
  for (const scripts of [true, false])
    test(`a purchase goes through at ${width} px ${scripts ? "with" : "without"} scripts`, async () => {
      const { page, complaints, close } = await visitor(browser, shop, { width, scripts });
      await findProduct(page);
      await chooseVariant(page, scripts);
      await putIntoCart(page, scripts);
      await changeQuantity(page, scripts);
      await giveAddress(page);
      await pay(page);
      await lookAtOrder(page);
      assert.deepEqual(complaints, []);
      await close();
    });

// A purchase without touching a mouse: Tab, arrows, End, Space and Enter only.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ada, startBrowser, startShop, visitor } from "./shop.mjs";

let shop, browser;
before(async () => {
  shop = await startShop();
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await shop?.stop();
});

const TABS_MAX = 80;
const ARROWS_MAX = 300;

// What has the focus: its name for assistive technology, roughly, and whether that is visible.
function focused(page) {
  return page.evaluate(() => {
    const at = document.activeElement;
    const label = at.labels?.[0]?.innerText ?? at.getAttribute("aria-label") ?? at.innerText ?? "";
    const seen = at.matches(".choice input") ? at.nextElementSibling : at;
    const style = getComputedStyle(seen);
    return { id: at.id, tag: at.tagName, text: label.trim(), ring: style.outlineStyle !== "none" };
  });
}

async function tabTo(page, fits, what) {
  for (let i = 0; i < TABS_MAX; i++) {
    await page.keyboard.press("Tab");
    const at = await focused(page);
    if (fits(at)) {
      assert.ok(at.ring, `the focus on ${what} is visible`);
      return at;
    }
  }
  assert.fail(`Tab does not reach ${what}`);
}
const byText = (text) => (at) => at.text.startsWith(text);
const byId = (id) => (at) => at.id === id;

async function typeInto(page, id, text) {
  await tabTo(page, byId(id), id);
  await page.keyboard.type(text);
}

// Letters would have to follow each other within a second to be one name.
async function choose(page, id, value) {
  await tabTo(page, byId(id), id);
  await page.keyboard.press("End");
  for (let i = 0; i < ARROWS_MAX && (await page.inputValue(`#${id}`)) !== value; i++) await page.keyboard.press("ArrowUp");
  assert.equal(await page.inputValue(`#${id}`), value);
}

async function press(page, text) {
  await tabTo(page, byText(text), text);
  await page.keyboard.press("Enter");
}

test("a purchase goes through by keyboard alone", async () => {
  const { page, complaints, close } = await visitor(browser, shop);
  await page.goto("/");
  await page.keyboard.press("Tab");
  assert.equal((await focused(page)).text, "Skip to the content");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement.id === "main");

  await page.goto("/product/harrow-mug");
  await tabTo(page, byId("option1-0"), "the first colour");
  await page.keyboard.press("ArrowRight");
  await page.waitForURL("**variant=harrow-mug~moss*");
  await press(page, "Add to cart");
  await page.getByText("Added to your cart.").waitFor();
  await press(page, "View cart");
  await page.waitForURL("**/cart");
  await press(page, "Check out");
  await page.waitForURL("**/checkout/*");

  for (const name of ["email", "first_name", "last_name"]) await typeInto(page, name, ada[name]);
  await choose(page, "country", "GB");
  for (const name of ["street", "postal_code", "locality"]) await typeInto(page, name, ada[name]);
  await page.keyboard.press("Enter");
  await page.waitForURL("**/delivery");
  await tabTo(page, byId("rate-1"), "the delivery options");
  await page.keyboard.press("Space");
  await press(page, "Continue to payment");
  await page.waitForURL("**/payment");
  await tabTo(page, byId("card-1"), "the cards");
  await page.keyboard.press("Space");
  await press(page, "Pay $");
  await page.waitForURL("**/order/*");
  await page.getByRole("heading", { name: "Thank you, Ada" }).waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

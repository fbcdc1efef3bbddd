// What a shopper may rely on whatever they press, and what others cannot do to them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fillAddress, goToPayment, startBrowser, startShop, visitor } from "./shop.mjs";

let shop, browser;
before(async () => {
  shop = await startShop();
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await shop?.stop();
});

const cookies = (answer) => answer.headers.getSetCookie().map((cookie) => cookie.split(";")[0]).join("; ");

function post(path, form, headers = {}) {
  return fetch(shop.url + path, { method: "POST", body: new URLSearchParams(form), headers, redirect: "manual" });
}

test("paying twice at once makes one order", async () => {
  const { page, close } = await visitor(browser, shop);
  await goToPayment(page);
  const form = await page.evaluate(() => Object.fromEntries(new FormData(document.querySelector("form[data-once]"))));
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => post(new URL(page.url()).pathname, { ...form, card: "success_token" })));
  const places = answers.filter((answer) => answer.headers.get("location")).map((answer) => answer.headers.get("location"));
  assert.ok(places.length >= 1);
  const order = new URL(page.url()).pathname.split("/")[2];
  await page.goto(`/order/${order}`);
  const number = /Order (\d+)/.exec(await page.locator("main").innerText())[1];
  await goToPayment(page);
  await page.getByLabel("Test card that pays").check();
  await page.getByRole("button", { name: /^Pay / }).click();
  await page.waitForURL("**/order/*");
  const next = /Order (\d+)/.exec(await page.locator("main").innerText())[1];
  assert.equal(Number(next), Number(number) + 1, "no order came in between");
  await close();
});

test("one click adds once, though the answer is lost and the form sent again", async () => {
  const { page, close } = await visitor(browser, shop);
  await page.goto("/product/harrow-mug?variant=harrow-mug~moss-250-ml");
  await page.getByRole("button", { name: "Add to cart" }).click();
  await page.getByText("Added to your cart.").waitFor();
  let done = 0;
  await page.route("**/cart/add", async (route) => {
    done = (await route.fetch()).status();
    await route.abort("connectionreset");
  }, { times: 1 });
  await page.getByRole("button", { name: "Add to cart" }).click();
  await page.waitForURL("**/cart");
  assert.equal(done, 200, "the first attempt was done");
  assert.match(await page.locator(".totals .grand").innerText(), /\$37\.00/);
  await page.goto("/product/harrow-mug?variant=harrow-mug~moss-250-ml");
  await page.getByRole("button", { name: "Add to cart" }).click();
  await page.getByText("Added to your cart.").waitFor();
  await page.goto("/cart");
  assert.match(await page.locator(".totals .grand").innerText(), /\$55\.50/, "another click is another unit");
  await close();
});

test("going back after buying shows the order, not a second payment", async () => {
  const { page, close } = await visitor(browser, shop);
  await goToPayment(page);
  await page.getByLabel("Test card that pays").check();
  await page.getByRole("button", { name: /^Pay / }).click();
  await page.waitForURL("**/order/*");
  const order = page.url();
  await page.goBack();
  await page.waitForURL("**/order/*");
  assert.equal(page.url(), order);
  await close();
});

test("a change that another site asks for is refused", async () => {
  const item = { item: "harrow-mug~moss-250-ml" };
  assert.equal((await post("/cart/add", item, { "Sec-Fetch-Site": "cross-site" })).status, 403);
  assert.equal((await post("/cart/add", item, { Origin: "https://evil.example" })).status, 403);
  assert.equal((await post("/cart/add", item, { Origin: "null" })).status, 403);
  assert.equal((await post("/cart/add", item, { Origin: shop.url })).status, 303);
});

test("a cart is changed by its own form only", async () => {
  const mine = await post("/cart/add", { item: "harrow-mug~moss-250-ml" });
  const cart = cookies(mine);
  assert.match(mine.headers.getSetCookie()[0], /HttpOnly/);
  assert.match(mine.headers.getSetCookie()[0], /SameSite=Lax/);
  const change = { item: "harrow-mug~moss-250-ml", quantity: "5" };
  assert.equal((await post("/cart/set", change, { Cookie: cart })).status, 403);
  assert.equal((await post("/cart/set", { ...change, token: "0".repeat(64) }, { Cookie: cart })).status, 403);
  const page = await (await fetch(`${shop.url}/cart`, { headers: { Cookie: cart } })).text();
  const token = /name="token" value="([0-9a-f]{64})"/.exec(page)[1];
  assert.equal((await post("/cart/set", { ...change, token }, { Cookie: cart })).status, 303);
});

test("a cart that is not known any more is replaced by a new one", async () => {
  const unknown = "cart=0123456789abcdef0123456789abcdef";
  const page = await fetch(`${shop.url}/cart`, { headers: { Cookie: unknown } });
  assert.match(await page.text(), /There is nothing in your cart/);
  const added = await post("/cart/add", { item: "harrow-mug~moss-250-ml" }, { Cookie: unknown });
  assert.equal(added.status, 303);
  assert.doesNotMatch(cookies(added), /cart=0123456789abcdef/);
});

test("what is cached holds nothing of a shopper", async () => {
  const cart = cookies(await post("/cart/add", { item: "harrow-mug~moss-250-ml" }));
  for (const path of ["/", "/category/tableware", "/product/harrow-mug", "/product/harrow-mug.json"]) {
    const mine = await fetch(shop.url + path, { headers: { Cookie: cart } });
    const theirs = await fetch(shop.url + path);
    assert.equal(mine.headers.get("set-cookie"), null);
    assert.equal(await mine.text(), await theirs.text(), path);
  }
});

test("a sold unit shows on the product's page at once", async () => {
  const { page, close } = await visitor(browser, shop);
  const left = async () => (await (await fetch(`${shop.url}/product/harrow-mug.json`)).json()).variants[0].left;
  await page.goto("/product/harrow-mug?variant=harrow-mug~chalk-250-ml");
  const before = await (await fetch(`${shop.url}/product/harrow-mug.json`)).headers.get("etag");
  assert.equal(await left(), undefined, "there are more than a few");
  await page.fill("#quantity", "8");
  await page.getByRole("button", { name: "Add to cart" }).click();
  await page.getByText("Added to your cart.").waitFor();
  await page.goto("/cart");
  await page.getByRole("button", { name: "Check out" }).click();
  await fillAddress(page);
  await page.getByRole("button", { name: "Continue to delivery" }).click();
  await page.getByRole("button", { name: "Continue to payment" }).click();
  await page.getByLabel("Test card that pays").check();
  await page.getByRole("button", { name: /^Pay / }).click();
  await page.waitForURL("**/order/*");
  assert.equal(await left(), 2);
  const after = await (await fetch(`${shop.url}/product/harrow-mug.json`)).headers.get("etag");
  assert.notEqual(after, before);
  await page.goto("/product/harrow-mug?variant=harrow-mug~chalk-250-ml");
  await page.getByText("Only 2 left").waitFor();
  await close();
});

test("every page carries the safety headers", async () => {
  for (const path of ["/", "/cart", "/no-such-page", "/product/harrow-mug", "/search?q=%3Cscript%3E"]) {
    const answer = await fetch(shop.url + path);
    const policy = answer.headers.get("content-security-policy");
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe/);
    assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
    assert.doesNotMatch(await answer.text(), /<script>/);
  }
});

test("paths outside are not reached", async () => {
  for (const path of ["/media/..%2f..%2fetc/passwd", "/media/%2e%2e/x", "/assets/..%2fhome.html", "/pictures/..%2fdemo.csv", "/pictures/"])
    assert.equal((await fetch(shop.url + path)).status, 404, path);
});

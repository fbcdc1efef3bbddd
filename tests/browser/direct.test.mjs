// Direct mode: shoppers are at their server's own address; when it dies, their next click works.
import assert from "node:assert/strict";
import http from "node:http";
import { after, before, test } from "node:test";
import { fillAddress, startBrowser, startDemo, until, visitor } from "./shop.mjs";

let browser;
before(async () => {
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
});

// For who expects no change: the machine may stand still for a moment.
const PATIENT = ["--silent-after", "30s", "--checks-lost", "1000"];

const origin = (page) => new URL(page.url()).origin;

async function homeOf(page, demo) {
  const { servers } = await demo.view();
  const home = servers.find((server) => server.url === origin(page));
  assert.ok(home, `${page.url()} is at none of ${servers.map((server) => server.url)}`);
  return home;
}

// Where the load manager sends a browser with COOKIE (which fetch could not say it is).
function sentTo(demo, cookie) {
  return new Promise((resolve, reject) => {
    const headers = { cookie, accept: "text/html", "sec-fetch-mode": "navigate" };
    const request = http.get(`${demo.url}/about`, { headers }, (answer) => {
      answer.resume();
      resolve(answer.headers.location ?? "");
    });
    request.on("error", reject);
  });
}

// The load manager sends nobody there any more: without scripts nothing else can tell, and with
// them whoever is sent back to a server that hangs waits there.
async function killAndWait(home, demo, page, signal = "SIGKILL") {
  process.kill(home.pid, signal);
  const cookies = await page.context().cookies(demo.url);
  const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
  await until(async () => {
    const location = await sentTo(demo, cookie);
    return location && !location.startsWith(home.url);
  }, `the load manager knowing of ${signal}`);
}

async function toCart(page, demo, scripts) {
  await page.goto("/product/harrow-mug?variant=harrow-mug~moss-250-ml");
  const home = await homeOf(page, demo);
  await page.getByRole("button", { name: "Add to cart" }).click();
  if (scripts) await page.getByRole("link", { name: "View cart" }).click();
  await page.waitForURL("**/cart");
  assert.match(await page.locator(".totals .grand").innerText(), /\$18\.50/);
  return home;
}

async function withDemo(scripts, what, ...options) {
  const demo = await startDemo("--direct", "--no-restart", ...options);
  const { page, complaints, close } = await visitor(browser, demo, { scripts });
  try {
    await what({ demo, page, complaints });
  } finally {
    await close();
    await demo.stop();
  }
}

for (const scripts of [true, false]) {
  const how = scripts ? "with scripts" : "without scripts";

  test(`shoppers are sent to their server's own address and stay there, ${how}`, () =>
    withDemo(scripts, async ({ demo, page, complaints }) => {
      const home = await toCart(page, demo, scripts);
      assert.notEqual(home.url, demo.url);
      for (const [link, place] of [["All products", "search"], ["About", "about"], ["Terms", "terms"], ["Cart", "cart"]]) {
        await page.getByRole("link", { name: link, exact: link !== "Cart" }).first().click();
        await page.waitForURL(`**/${place}`);
        assert.equal(origin(page), home.url, link);
      }
      await page.getByRole("button", { name: "Check out" }).click();
      await page.waitForURL("**/checkout/*");
      assert.deepEqual(complaints, []);
    }, ...PATIENT));

  test(`when home is killed the next click on a link works, ${how}`, () =>
    withDemo(scripts, async ({ demo, page }) => {
      const home = await toCart(page, demo, scripts);
      await killAndWait(home, demo, page);
      await page.getByRole("link", { name: "All products" }).click();
      await page.waitForURL("**/search");
      const away = await homeOf(page, demo);
      assert.notEqual(away.url, home.url);
      await page.getByRole("link", { name: "Cart", exact: false }).first().click();
      await page.waitForURL("**/cart");
      assert.match(await page.locator(".totals .grand").innerText(), /\$18\.50/);
      assert.notEqual(origin(page), home.url);
    }));

  test(`when home is killed the next click on a button works, up to the purchase, ${how}`, () =>
    withDemo(scripts, async ({ demo, page }) => {
      const home = await toCart(page, demo, scripts);
      await killAndWait(home, demo, page);
      await page.getByRole("button", { name: "Check out" }).click();
      await page.waitForURL("**/checkout/*");
      assert.notEqual(origin(page), home.url);
      await fillAddress(page);
      await page.getByRole("button", { name: "Continue to delivery" }).click();
      await page.getByRole("button", { name: "Continue to payment" }).click();
      await page.waitForURL("**/payment");
      await page.locator("label", { hasText: "Test card that pays" }).click();
      await page.getByRole("button", { name: /Pay/ }).click();
      await page.waitForURL("**/order/*");
    }));
}

test("a server that hangs is left after a moment, with scripts", () =>
  withDemo(true, async ({ demo, page }) => {
    const home = await toCart(page, demo, true);
    try {
      await killAndWait(home, demo, page, "SIGSTOP");
      await page.getByRole("link", { name: "About" }).click();
      await page.waitForURL("**/about");
      assert.notEqual(origin(page), home.url);
    } finally {
      process.kill(home.pid, "SIGCONT");
    }
  }));

test("a shopper far away stays at home all the same", () =>
  withDemo(true, async ({ demo, page, complaints }) => {
    const home = await toCart(page, demo, true);
    const elsewhere = [];
    page.on("request", (request) => request.url().startsWith(demo.url) && elsewhere.push(request.url()));
    const session = await page.context().newCDPSession(page);
    // More than a click waits for an answer of a server that is near; four times as long as the last
    // answer took is less than the most that it ever waits.
    const far = { offline: false, latency: 700, downloadThroughput: -1, uploadThroughput: -1 };
    await session.send("Network.enable");
    await session.send("Network.emulateNetworkConditions", far);
    // The browser's own times do not know of this distance: the first answer tells.
    const answered = page.waitForResponse("**/livez");
    await page.getByRole("heading").first().click();
    await answered;
    const begin = await page.evaluate(() => performance.now());
    // No wait: for so long no other answer is asked for.
    await page.waitForFunction((since) => performance.now() > since + 300, begin);
    const again = page.waitForResponse("**/livez");
    await page.getByRole("link", { name: "About" }).first().click();
    await again;
    await page.waitForURL("**/about");
    assert.equal(origin(page), home.url);
    assert.deepEqual(elsewhere, []);
    assert.deepEqual(complaints, []);
  }, ...PATIENT));

test("of the keys those alone that follow links and press buttons ask after the server", () =>
  withDemo(true, async ({ demo, page }) => {
    await toCart(page, demo, true);
    let asked = 0;
    page.on("request", (request) => (asked += new URL(request.url()).pathname === "/livez"));
    await page.getByRole("searchbox").first().focus();
    await page.keyboard.type("oak");
    assert.equal(asked, 0);
    await page.keyboard.press("Enter");
    await page.waitForURL("**/search?*");
    assert.ok(asked > 0);
  }, ...PATIENT));

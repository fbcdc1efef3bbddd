// A purchase by way of the load manager, while home is killed before every click that matters: the
// shopper sees nothing of it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fillAddress, startBrowser, startDemo, until, visitor } from "./shop.mjs";

let browser;
before(async () => {
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
});

// Who answered the page last.
function watchServers(page) {
  const seen = { last: null, moved: 0 };
  page.on("response", (response) => {
    if (response.request().isNavigationRequest() && response.status() < 300) seen.last = Number(response.headers()["stoa-server"]);
  });
  return seen;
}

// Kills it and clicks, at once; then waits until it is back, so that the next one may be killed.
async function killAndClick(demo, seen, click) {
  const killed = seen.last;
  const { pid } = (await demo.view()).servers.find((server) => server.id === killed);
  process.kill(pid, "SIGKILL");
  await click();
  if (seen.last !== killed) seen.moved++;
  await until(async () => {
    const { primary, servers } = await demo.view();
    // What is told of it just after its death may be from before.
    const isNew = servers.find((server) => server.id === killed).pid !== pid;
    return primary && isNew && servers.every((server) => server.state === "up" && server.lag_entries === 0);
  }, `server ${killed} being back`);
}

for (const scripts of [true, false]) {
  test(`home is killed before each step of a purchase, and no step fails, ${scripts ? "with" : "without"} scripts`, async () => {
    const demo = await startDemo();
    const { page, complaints, close } = await visitor(browser, demo, { scripts });
    try {
      const seen = watchServers(page);
      await page.goto("/product/harrow-mug?variant=harrow-mug~moss-250-ml");
      assert.equal(new URL(page.url()).origin, demo.url);
      await killAndClick(demo, seen, async () => {
        await page.getByRole("button", { name: "Add to cart" }).click();
        if (scripts) await page.getByRole("link", { name: "View cart" }).click();
        await page.waitForURL("**/cart");
      });
      assert.match(await page.locator(".totals .grand").innerText(), /\$18\.50/);
      await killAndClick(demo, seen, async () => {
        await page.getByRole("button", { name: "Check out" }).click();
        await page.waitForURL("**/checkout/*");
      });
      await fillAddress(page);
      await killAndClick(demo, seen, async () => {
        await page.getByRole("button", { name: "Continue to delivery" }).click();
        await page.waitForURL("**/delivery");
      });
      await page.getByRole("button", { name: "Continue to payment" }).click();
      await page.waitForURL("**/payment");
      await page.locator("label", { hasText: "Test card that pays" }).click();
      await killAndClick(demo, seen, async () => {
        await page.getByRole("button", { name: /^Pay / }).click();
        await page.waitForURL("**/order/*");
      });
      assert.match(await page.locator("main").innerText(), /Harrow Mug/);
      assert.ok(seen.moved > 0, "home was back before every click");
      assert.deepEqual(complaints, []);
    } finally {
      await close();
      await demo.stop();
    }
  });
}

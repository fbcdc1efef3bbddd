// The tiers' status page: what is done, who dies and what is decided is seen by whoever looks.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { freePort, line, root, startBrowser, visitor } from "./shop.mjs";

const program = process.env.STOA ?? path.join(root, "build/stoa");
let folder, front, door, url, browser;

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "stoa-tiers-"));
  const port = await freePort();
  door = { url: `http://127.0.0.1:${port}` };
  front = spawn(program, ["front", "--master", "--dir", folder, "--listen", "127.0.0.1:0", "--status", `127.0.0.1:${port}`,
    "--scale", "poll", "--scale-workers-min", "2", "--scale-workers-max", "2", "--scale-fronts-max", "1",
    "--worker-option=--bench=1000"], { stdio: ["ignore", "pipe", "ignore"] });
  url = await line(front, /ready at (\S+)$/, "the front");
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  front?.kill("SIGTERM");
  if (folder) await rm(folder, { recursive: true, force: true });
});

// A row for each of COUNT members, whose names begin with TIER and which are ready.
const ready = (page, tier, count) => page.waitForFunction(([name, wanted]) =>
  [...document.querySelectorAll('[data-members] tr[data-state="ready"] [data-c="name"]')].filter((cell) => cell.textContent.startsWith(name)).length === wanted,
[tier, count]);

test("requests, deaths and decisions are seen as they happen", async () => {
  const { page, complaints, close } = await visitor(browser, door);
  await page.goto("/");
  await page.waitForSelector("[data-alive]:not([hidden])");
  await ready(page, "front", 1);
  await ready(page, "worker", 2);
  await page.waitForFunction(() => /^workers 0 → 2/.test(document.querySelector("[data-decisions] .kind")?.textContent));

  for (let i = 0; i < 10; i++) assert.equal((await fetch(`${url}/cached`)).status, 200);
  await page.waitForFunction(() => document.querySelector('[data-class="pages"] [data-c="done"]').textContent === "10");
  await page.waitForSelector('[data-chart="workers"] .line', { state: "attached" });

  const { workers } = await (await fetch(`${door.url}/tiers.json`)).json();
  process.kill(workers[0].pid, "SIGKILL");
  await page.waitForFunction(() => document.querySelector('[data-v="deaths-words"]').textContent === "1 death");
  await ready(page, "worker", 2);
  assert.deepEqual(complaints, []);
  await close();
});

test("without scripts the page has the same figures and loads itself anew", async () => {
  const { page, complaints, close } = await visitor(browser, door, { scripts: false });
  await page.goto("/");
  assert.equal(await page.locator('[data-class="pages"] [data-c="done"]').innerText(), "10");
  assert.ok((await page.locator("[data-members] tr").count()) >= 2);
  assert.match(await page.locator("[data-decisions]").innerText(), /workers 0 → 2/);
  assert.match(await page.content(), /http-equiv="refresh" content="2"/);
  assert.deepEqual(complaints, []);
  await close();
});

test("nothing sticks out, from a telephone to a wall", async () => {
  for (const width of [320, 400, 1217, 3840]) {
    const { page, close } = await visitor(browser, door, { width, height: 800, scheme: "dark" });
    await page.goto("/");
    await page.waitForSelector("[data-alive]:not([hidden])");
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width);
    await close();
  }
});

test("a front that stops is seen not to be there", async () => {
  const { page, close } = await visitor(browser, door);
  await page.goto("/");
  await page.waitForSelector("[data-alive]:not([hidden])");
  const ended = new Promise((resolve) => front.once("exit", resolve));
  front.kill("SIGTERM");
  assert.equal(await ended, 0);
  await page.waitForSelector("[data-alive].lost");
  await close();
});

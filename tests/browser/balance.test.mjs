// The load manager's status page: what happens to a server is seen by whoever looks.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import path from "node:path";
import { after, before, test } from "node:test";
import { freePort, line, root, startBrowser, visitor } from "./shop.mjs";

const program = process.env.STOA ?? path.join(root, "build/stoa");
const SERVER = `require("node:http").createServer((q, a) => a.end("hello")).listen(Number(process.argv[1]), "127.0.0.1", () => console.log("ready"))`;
const ports = {};
const servers = [];
let balance, door, url, browser;

async function startServer(index) {
  const child = spawn(process.execPath, ["-e", SERVER, String(ports[index])], { stdio: ["ignore", "pipe", "inherit"] });
  await line(child, /^ready$/, "a server");
  servers[index] = child;
}

function killServer(index) {
  const gone = new Promise((resolve) => servers[index].once("exit", resolve));
  servers[index].kill("SIGKILL");
  return gone;
}

before(async () => {
  for (const index of [0, 1, "door"]) ports[index] = await freePort();
  await startServer(0);
  await startServer(1);
  door = { url: `http://127.0.0.1:${ports.door}` };
  balance = spawn(program, ["balance", "--listen", "127.0.0.1:0", "--status", `127.0.0.1:${ports.door}`, "--policy", "round-robin",
    "--hedge", "off", "--silent-after", "60s", "--checks-lost", "1000", // of a machine that stands still for a moment nobody dies
    "--upstream", `http://127.0.0.1:${ports[0]}`, "--upstream", `http://127.0.0.1:${ports[1]}`], { stdio: ["ignore", "pipe", "ignore"] });
  url = await line(balance, /ready at (\S+)$/, "the load manager");
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  balance?.kill("SIGTERM");
  for (const server of servers) server.kill("SIGKILL");
});

async function shop(times) {
  for (let i = 0; i < times; i++) assert.equal((await fetch(url)).status, 200);
}

test("a server that is killed is seen to be out as it happens, and to be back", async () => {
  const { page, complaints, close } = await visitor(browser, door);
  await page.goto("/");
  await page.waitForSelector("[data-alive]:not([hidden])");
  for (const row of [1, 2]) await page.waitForSelector(`[data-servers] tr:nth-child(${row})[data-state="up"]`);
  await shop(20);
  await page.waitForFunction(() => document.querySelector('[data-v="requests"]').textContent === "20");

  await killServer(1);
  await shop(20);
  await page.waitForSelector('[data-servers] tr:nth-child(2)[data-state="out"]');
  await page.waitForSelector('[data-events] [data-kind="out"]');
  assert.match(await page.locator('[data-events] [data-kind="out"]').first().innerText(), new RegExp(`:${ports[1]}`));
  await page.waitForFunction(() => document.title.startsWith("1 of 2"));
  await page.waitForSelector('[data-chart="rate"] .mark', { state: "attached" });

  await startServer(1);
  await page.waitForSelector('[data-servers] tr:nth-child(2):is([data-state="up"], [data-state="warming"])');
  await page.waitForSelector('[data-events] [data-kind="back"]');
  assert.deepEqual(complaints, []);
  await close();
});

test("one who comes later sees what was: the charts and the events", async () => {
  const { page, complaints, close } = await visitor(browser, door);
  await page.goto("/");
  await page.waitForFunction(() => /^M[\d.]+ .*L/.test(document.querySelector('[data-chart="latency"] .line')?.getAttribute("d")));
  await page.waitForSelector("[data-events] li");
  assert.deepEqual(complaints, []);
  await close();
});

test("without scripts the page has the same figures and loads itself anew", async () => {
  const { page, complaints, close } = await visitor(browser, door, { scripts: false });
  await page.goto("/");
  assert.equal(await page.locator("[data-servers] tr").count(), 2);
  assert.match(await page.locator("[data-servers]").innerText(), new RegExp(`127.0.0.1:${ports[0]}`));
  assert.ok((await page.locator("[data-events] li").count()) > 0);
  assert.match(await page.content(), /http-equiv="refresh" content="2"/);
  assert.deepEqual(complaints, []);
  await close();
});

test("nothing sticks out, from a telephone to a wall", async () => {
  for (const width of [320, 400, 768, 1217, 1280, 3840]) {
    const { page, close } = await visitor(browser, door, { width, height: 800, scheme: "dark" });
    await page.goto("/");
    await page.waitForSelector("[data-alive]:not([hidden])");
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width);
    await close();
  }
});

test("a load manager that stops is seen not to be there", async () => {
  const { page, close } = await visitor(browser, door);
  await page.goto("/");
  await page.waitForSelector("[data-alive]:not([hidden])");
  const ended = new Promise((resolve) => balance.once("exit", resolve));
  balance.kill("SIGTERM");
  assert.equal(await ended, 0);
  await page.waitForSelector("[data-alive].lost");
  await close();
});

// A shop of its own for a test: on a free port, in a folder of its own, stopped at the end;
// and a browser to look at it with.
import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import readline from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

export const root = process.env.STOA_ROOT ?? fileURLToPath(new URL("../..", import.meta.url));
const program = process.env.STOA ?? path.join(root, "build/stoa");
const READY_MS = 30000;
const STOP_MS = 30000;

function within(promise, ms, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export async function startShop(catalogue = "demo") {
  const [engine, by] = (process.env.ENGINE ?? "").split("+");
  return start("serve", ["--catalogue", catalogue, ...(engine ? ["--engine", engine] : []),
    ...(by ? ["--io-uring"] : [])]);
}

// Servers and a load manager in front of them; `view()` is what `stoa status` says of them.
export async function startDemo(...options) {
  const demo = await start("demo", ["--catalogue", "demo", ...options]);
  const view = async () => {
    const { stdout } = await promisify(execFile)(program, ["status", "--json", "--dir", demo.data]);
    return JSON.parse(stdout);
  };
  try {
    await until(async () => {
      const { primary, servers } = await view();
      return primary && servers.length > 1 && servers.every((server) => server.state === "up" && server.url);
    }, "all servers being up");
  } catch (error) {
    await demo.stop();
    throw error;
  }
  return { ...demo, view };
}

// Waits for CONDITION to be true; its value.
export async function until(condition, what, ms = READY_MS) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what} did not come about in ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20)); // no wait: the pace of looking
  }
}

async function start(command, options) {
  const dir = await mkdtemp(path.join(tmpdir(), "stoa-browser-"));
  const data = path.join(dir, "data");
  const child = spawn(program, [command, "--listen", "127.0.0.1:0", "--dir", data, ...options], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (text) => (said += text));
  const ended = new Promise((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
  const ready = new Promise((resolve, reject) => {
    readline.createInterface({ input: child.stdout }).on("line", (line) => {
      const match = /^stoa: shop ready at (\S+)$/.exec(line);
      if (match) resolve(match[1]);
    });
    child.once("error", reject);
    ended.then(({ code }) => reject(new Error(`the shop ended with status ${code}: ${said}`)));
  });
  const stop = async () => {
    child.kill("SIGTERM");
    const { code } = await within(ended, STOP_MS, "stopping the shop").catch((error) => {
      child.kill("SIGKILL");
      throw error;
    });
    await rm(dir, { recursive: true, force: true });
    if (code !== 0) throw new Error(`the shop ended with status ${code}: ${said}`);
  };
  try {
    return { url: await within(ready, READY_MS, "starting the shop"), data, stop };
  } catch (error) {
    child.kill("SIGKILL");
    await rm(dir, { recursive: true, force: true });
    throw error;
  }
}

// A port that nobody has at this moment, outside of those that connections get: who is killed finds
// it free again.
export function freePort(tries = 100) {
  const port = 12000 + Math.floor(Math.random() * 7000);
  return new Promise((resolve, reject) => {
    const server = net.createServer().once("error", (error) => (tries ? resolve(freePort(tries - 1)) : reject(error)));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(port)));
  });
}

// Waits for the line of a child's output that PATTERN matches.
export function line(child, pattern, what) {
  return new Promise((resolve, reject) => {
    readline.createInterface({ input: child.stdout }).on("line", (text) => {
      const match = pattern.exec(text);
      if (match) resolve(match[1] ?? text);
    });
    child.once("exit", (code) => reject(new Error(`${what} ended with ${code}`)));
    child.once("error", reject);
  });
}

export function startBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: process.getuid() === 0 ? ["--no-sandbox"] : [],
  });
}

// A page of a visitor of its own; what the browser complains about is collected. An answer of
// 4xx to a form with a mistake is meant, and so is no complaint; nor is that the machine got another
// network interface meanwhile, as tests make them that run beside.
export async function visitor(browser, shop, { width = 1280, height = 800, scripts = true, scheme = "light" } = {}) {
  const context = await browser.newContext({
    baseURL: shop.url,
    viewport: { width, height },
    javaScriptEnabled: scripts,
    colorScheme: scheme,
    reducedMotion: "reduce",
  });
  context.setDefaultTimeout(30000);
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(`script: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" && !/status of 4\d\d|ERR_NETWORK_CHANGED/.test(message.text())) complaints.push(message.text());
  });
  page.on("requestfailed", (request) => {
    if (!["net::ERR_ABORTED", "net::ERR_NETWORK_CHANGED"].includes(request.failure()?.errorText)) complaints.push(`${request.url()}: ${request.failure()?.errorText}`);
  });
  return { page, complaints, close: () => context.close() };
}

export const ada = {
  email: "ada@example.com",
  first_name: "Ada",
  last_name: "Lovelace",
  street: "12 St James's Square",
  postal_code: "SW1Y 4JH",
  locality: "London",
};

export async function fillAddress(page, person = ada) {
  for (const [name, value] of Object.entries(person)) await page.fill(`#${name}`, value);
  await page.selectOption("#country", "GB");
}

// From the product to the page where one pays, the short way; with scripts. That the cart counts
// something is not enough: of a cart bought elsewhere the browser has the old count.
export async function goToPayment(page) {
  await page.goto("/product/harrow-mug?variant=harrow-mug~moss-250-ml");
  await page.getByRole("button", { name: "Add to cart" }).click();
  await page.getByText("Added to your cart.").waitFor();
  await page.goto("/cart");
  await page.getByRole("button", { name: "Check out" }).click();
  await fillAddress(page);
  await page.getByRole("button", { name: "Continue to delivery" }).click();
  await page.getByRole("button", { name: "Continue to payment" }).click();
  await page.waitForURL("**/payment");
}

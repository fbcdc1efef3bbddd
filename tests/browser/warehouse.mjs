// A warehouse of its own for a test, with orders in it that a shop's primary could have sent.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import readline from "node:readline";
import { root } from "./shop.mjs";

const program = process.env.STOA ?? path.join(root, "build/stoa");
const TOKEN = "a-token-that-shop-and-warehouse-share";
const SHOP = randomUUID().replaceAll("-", "");

const items = [
  ["harrow-mug~moss-250-ml", "MUG-MOSS-250", "Harrow mug", "Moss / 250 ml"],
  ["field-notebook", "NOTE-A5", "Field notebook", ""],
  ["linen-apron~natural", "APRON-NAT", "Linen apron with two deep pockets and a long tie", "Natural"],
];

function order(number, quantities) {
  return {
    effect: randomUUID().replaceAll("-", ""),
    order: randomUUID(),
    number,
    placed_ms: Date.now() - (2000 - number) * 60000,
    log_index: number,
    lines: quantities.map((quantity, at) => {
      const [item, sku, title, options] = items[at];
      return { line: at + 1, item, sku, title, options, quantity };
    }),
    destination: {
      first_name: number % 2 ? "Ada" : "Charles", last_name: number % 2 ? "Lovelace" : "Babbage", phone: "+44 20 7946 0000",
      street: "12 St James's Square", extended: "", locality: "London", region: "", postal_code: "SW1Y 4JH", country: "GB",
    },
    service: "standard",
    email: "ada@example.com",
  };
}

export async function startWarehouse() {
  const dir = await mkdtemp(path.join(tmpdir(), "stoa-warehouse-"));
  const token = path.join(dir, "token");
  await writeFile(token, TOKEN);
  // Nobody listens at the shop's address: what is to be told waits.
  const child = spawn(program, ["warehouse", "--plain", "--listen", "127.0.0.1:0", "--dir", path.join(dir, "house"),
    "--token-file", token, "--shop", "http://127.0.0.1:9"], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  let phrase;
  child.stderr.on("data", (text) => (said += text));
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const url = await new Promise((resolve, reject) => {
    readline.createInterface({ input: child.stdout }).on("line", (line) => {
      phrase = /shown only now: (\S+)/.exec(line)?.[1] ?? phrase;
      const ready = /ready at (\S+)$/.exec(line);
      if (ready) resolve(ready[1]);
    });
    child.once("error", reject);
    ended.then((code) => reject(new Error(`the warehouse ended with status ${code}: ${said}`)));
  });
  const sendOrders = async (...orders) => {
    const answer = await fetch(`${url}/v1/orders`, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}`, "stoa-fence": `${SHOP} 0.1`, "content-type": "application/json" },
      body: JSON.stringify({ orders }),
    });
    if (!answer.ok) throw new Error(`orders were not taken: ${answer.status} ${await answer.text()}`);
  };
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    await rm(dir, { recursive: true, force: true });
  };
  await sendOrders(order(1001, [2, 1, 1]), order(1002, [1]), order(1003, [3, 2]));
  return { url, phrase, stop };
}

export async function logIn(page, house) {
  await page.goto("/");
  await page.getByLabel("Pass phrase of this warehouse").fill(house.phrase);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("heading", { name: "Orders" }).waitFor();
}

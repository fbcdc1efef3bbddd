/* What scripts add. Everything works without this file: it only spares page loads.
   Each part looks for its own marks (data-…) and does nothing where there are none. */
"use strict";
(() => {
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  /* ---- How many things are in the cart: the one cookie that scripts may read ---- */

  function showCount() {
    const match = /(?:^|; )cart_count=(\d+)/.exec(document.cookie);
    const units = match ? Number(match[1]) : 0;
    for (const place of all("[data-cart-count]")) {
      place.hidden = units === 0;
      place.textContent = units > 999 ? "999+" : String(units);
    }
    for (const place of all("[data-cart-words]")) {
      place.hidden = units === 0;
      place.textContent = units === 1 ? "item" : "items";
    }
  }

  /* ---- A short note at the bottom, read out by screen readers ---- */

  let noteTimer = 0;
  function note(text, href, linkText) {
    const place = one("[data-note]");
    const line = document.createElement("p");
    line.append(text);
    if (href) {
      const link = document.createElement("a");
      link.href = href;
      link.textContent = linkText;
      line.append(link);
    }
    place.replaceChildren(line);
    clearTimeout(noteTimer);
    noteTimer = setTimeout(() => place.replaceChildren(), 8000);
  }

  /* ---- Buttons to count up and down ---- */

  function stepper(box) {
    const input = one("input", box);
    const button = (text, label, step) => {
      const made = document.createElement("button");
      made.type = "button";
      made.textContent = text;
      made.setAttribute("aria-label", label);
      made.addEventListener("click", () => {
        const least = Number(input.min) || 0;
        const most = Number(input.max) || 10000;
        input.value = String(Math.min(most, Math.max(least, (Number(input.value) || 0) + step)));
        input.dispatchEvent(new Event("change", { bubbles: true }));
      });
      return made;
    };
    box.prepend(button("−", "One less", -1));
    box.append(button("+", "One more", 1));
    box.classList.add("alive");
  }

  /* ---- A line of the cart is sent a moment after its quantity was changed ---- */

  function cartLine(form) {
    const update = one("[data-update]", form);
    let timer = 0;
    update.hidden = true;
    one("input[type=number]", form).addEventListener("change", (event) => {
      clearTimeout(timer);
      if (event.target.checkValidity()) timer = setTimeout(() => form.requestSubmit(update), 500);
      else update.hidden = false;
    });
  }

  /* ---- Choosing a variant: price, stock, picture and address follow ---- */

  function money(amount, currency) {
    const format = new Intl.NumberFormat("en", { style: "currency", currency, currencyDisplay: "narrowSymbol" });
    return format.format(amount / 10 ** format.resolvedOptions().maximumFractionDigits);
  }

  function gallery(place) {
    const row = one(".gallery-row", place);
    const thumbs = all(".thumbs a", place);
    const show = (thumb) => {
      const picture = one(thumb.getAttribute("href"), place);
      row.scrollTo({ left: picture.offsetLeft - row.offsetLeft });
      for (const other of thumbs) other.toggleAttribute("aria-current", false);
      thumb.setAttribute("aria-current", "true");
    };
    for (const thumb of thumbs)
      thumb.addEventListener("click", (event) => {
        event.preventDefault();
        show(thumb);
      });
    if (thumbs[0]) thumbs[0].setAttribute("aria-current", "true");
    return (url) => {
      const at = all(".gallery-row img", place).findIndex((image) => image.getAttribute("src") === url);
      if (at >= 0 && thumbs[at]) show(thumbs[at]);
    };
  }

  function chosenOptions(form, count) {
    const data = new FormData(form);
    return Array.from({ length: count }, (_, axis) => data.get(`option${axis + 1}`));
  }

  function showStock(variant) {
    const place = one("[data-stock]");
    const left = variant ? variant.left : undefined;
    const out = !variant || !variant.available;
    place.textContent = !variant ? "Not available"
      : out ? "Sold out"
      : variant.later ? "Ships later: we make it for you"
      : left ? `Only ${left} left` : "In stock";
    place.classList.toggle("out", out);
    place.classList.toggle("low", Boolean(left));
  }

  function showVariant(form, product, showPicture) {
    const options = chosenOptions(form, product.options.length);
    const fits = (wanted) => product.variants.find((v) => v.options.every((value, axis) => value === wanted[axis]));
    const variant = fits(options);
    const add = one("[data-add]", form);
    showStock(variant);
    add.disabled = !variant || !variant.available;
    add.textContent = !variant ? "Not available" : variant.available ? "Add to cart" : "Sold out";
    for (const input of all("input[type=radio]", form)) {
      const axis = Number(input.name.slice(6)) - 1;
      const other = fits(options.map((value, at) => (at === axis ? input.value : value)));
      const out = !other || !other.available;
      const label = one(`label[for="${input.id}"]`, form);
      label.classList.toggle("is-out", out);
      one("[data-out]", label).hidden = !out;
    }
    if (!variant) return;
    form.elements.item.value = variant.id;
    one("[data-price]").textContent = money(variant.price, product.currency);
    one("[data-was]").hidden = !variant.compare_at;
    if (variant.compare_at) one("[data-compare]").textContent = money(variant.compare_at, product.currency);
    const sku = one("[data-sku]");
    if (sku && variant.sku) sku.textContent = variant.sku;
    history.replaceState(null, "", `?variant=${encodeURIComponent(variant.id)}`);
    if (variant.picture !== undefined) showPicture(product.pictures[variant.picture]);
  }

  /* One click is one operation, however often it has to be sent: a UUID of version 7. */
  function stamp() {
    const time = Date.now().toString(16).padStart(12, "0");
    const digits = [...crypto.getRandomValues(new Uint8Array(9))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return `${time.slice(0, 8)}-${time.slice(8)}-7${digits.slice(0, 3)}-8${digits.slice(3, 6)}-${digits.slice(6)}`;
  }

  async function addToCart(form, event) {
    event.preventDefault();
    const add = one("[data-add]", form);
    const operation = document.createElement("input");
    Object.assign(operation, { type: "hidden", name: "operation", value: stamp() });
    form.append(operation);
    add.setAttribute("aria-disabled", "true");
    try {
      const answer = await fetch(form.action, {
        method: "POST",
        headers: { Accept: "application/json" },
        body: new URLSearchParams(new FormData(form)),
      });
      const body = await answer.json();
      if (answer.ok) note("Added to your cart.", "/cart", "View cart");
      else note(body.error.message);
      showCount();
    } catch {
      if (sendElsewhere) sendElsewhere(form);
      else form.submit();
    } finally {
      operation.remove();
      add.removeAttribute("aria-disabled");
    }
  }

  function productPage(form) {
    const showPicture = gallery(one("[data-gallery]"));
    let product = null;
    const load = async () => (product ??= await (await fetch(`/product/${form.dataset.buy}.json`)).json());
    form.addEventListener("change", async (event) => {
      if (event.target.name.startsWith("option")) showVariant(form, await load(), showPicture);
    });
    form.addEventListener("submit", (event) => {
      if (!event.submitter || event.submitter.matches("[data-add]")) addToCart(form, event);
    });
  }

  /* ---- Suggestions while typing ---- */

  function suggest(form) {
    const input = one("input[type=search]", form);
    const list = document.createElement("div");
    list.className = "hints";
    list.hidden = true;
    form.append(list);
    let timer = 0;
    let asked = "";
    const close = () => (list.hidden = true);
    const show = (products) => {
      list.replaceChildren(...products.map((product) => {
        const link = document.createElement("a");
        link.href = `/product/${encodeURIComponent(product.handle)}`;
        const image = document.createElement("img");
        Object.assign(image, { src: product.picture, alt: "", width: 44, height: 44 });
        const title = document.createElement("span");
        title.textContent = product.title;
        const price = document.createElement("span");
        price.className = "hint-price";
        price.textContent = product.price;
        link.append(...(product.picture ? [image] : []), title, price);
        return link;
      }));
      list.hidden = products.length === 0;
    };
    const ask = async () => {
      const words = input.value.trim();
      if (words.length < 2) return close();
      asked = words;
      const answer = await fetch(`/suggest?q=${encodeURIComponent(words)}`);
      if (answer.ok && asked === words && document.activeElement === input) show((await answer.json()).products);
    };
    input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(ask, 180);
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { close(); input.focus(); }
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
      const places = [input, ...all("a", list)];
      const next = places[places.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1)];
      if (next && !list.hidden) { event.preventDefault(); next.focus(); }
    });
    form.addEventListener("focusout", (event) => {
      if (!form.contains(event.relatedTarget)) close();
    });
  }

  /* ---- Lists: a change of sorting or stock is applied at once ---- */

  function filters(form) {
    form.addEventListener("change", (event) => {
      if (event.target.matches("select, input[type=checkbox]")) form.requestSubmit();
    });
    form.addEventListener("submit", () => {
      for (const input of all("input", form)) if (!input.value) input.disabled = true;
    });
  }

  /* ---- Pay once: the server sees to it, the button only says so ---- */

  function once(form) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "yes";
      const button = one("button[type=submit]", form);
      button.textContent = "Paying…";
      button.setAttribute("aria-disabled", "true");
    });
  }

  /* ---- The way back: before this server is asked, whether it is there; else the load manager
     knows another one. Only where shoppers come to their server's own address ---- */

  function wayBack(origin) {
    const LEAST = 400;
    const MOST = 3000;
    const FRESH = 250;
    /* How long an answer takes here, on a connection that stands: this page's own, then /livez's.
       A connection that is made anew takes three to four times that. */
    const page = performance.getEntriesByType("navigation")[0];
    let usual = page ? page.responseStart - page.requestStart : 0;
    let seen = -FRESH;
    let asking = null;
    const isFresh = () => performance.now() - seen < FRESH;
    const after = (time) => new Promise((resolve) => setTimeout(resolve, time, false));
    /* An answer that comes too late for this click still says how long answers take. */
    const answer = async () => {
      const begin = performance.now();
      try {
        if (!(await fetch("/livez", { cache: "no-store", signal: AbortSignal.timeout(2 * MOST) })).ok) return false;
      } catch {
        return false;
      }
      seen = performance.now();
      usual = seen - begin;
      return true;
    };
    const ask = () => (asking ??= Promise.race([answer(), after(Math.min(MOST, Math.max(LEAST, 4 * usual)))])
      .finally(() => (asking = null)));
    const elsewhere = (address) => {
      const url = new URL(address, location.href);
      return origin + url.pathname + url.search + url.hash;
    };
    const isOurs = (address) => new URL(address, location.href).origin === location.origin;
    const early = () => isFresh() || ask();
    addEventListener("pointerdown", early, true);
    /* Of the keys these two alone follow links and press buttons. */
    addEventListener("keydown", (event) => (event.key === "Enter" || event.key === " ") && early(), true);

    /* What the button itself says goes before what the form says. */
    const said = (form, button, name) => button?.getAttribute(`form${name}`) ?? form.getAttribute(name);
    function sendElsewhere(form, button) {
      form.setAttribute("action", elsewhere(said(form, button, "action") ?? location.href));
      form.setAttribute("method", said(form, button, "method") ?? "get");
      if (button?.name) {
        const field = document.createElement("input");
        Object.assign(field, { type: "hidden", name: button.name, value: button.value });
        form.append(field);
      }
      HTMLFormElement.prototype.submit.call(form);
    }

    addEventListener("click", async (event) => {
      const link = event.target.closest?.("a[href]");
      const other = event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
      if (!link || other || link.target || event.defaultPrevented || isFresh() || !isOurs(link.href)) return;
      if (link.getAttribute("href").startsWith("#")) return;
      event.preventDefault();
      location.assign((await ask()) ? link.href : elsewhere(link.href));
    });
    /* Before the form's own scripts, which come when it is sent again. */
    addEventListener("submit", async (event) => {
      const form = event.target;
      const button = event.submitter;
      if (isFresh() || !isOurs(said(form, button, "action") ?? location.href)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (await ask()) form.requestSubmit(button);
      else sendElsewhere(form, button);
    }, true);
    return sendElsewhere;
  }

  const back = one('meta[name="way-back"]');
  const sendElsewhere = back && back.content !== location.origin ? wayBack(back.content) : null;

  showCount();
  addEventListener("pageshow", showCount);
  all("[data-stepper]").forEach(stepper);
  all("[data-line]").forEach(cartLine);
  all("[data-buy]").forEach(productPage);
  all(".top .find").forEach(suggest);
  all("[data-filters]").forEach(filters);
  all("[data-once]").forEach(once);
  if (matchMedia("(max-width: 60rem)").matches)
    for (const fold of all(".checkout [data-fold], .list [data-fold]")) fold.open = false;
  const errors = one("[data-errors]");
  if (errors) errors.focus();
})();

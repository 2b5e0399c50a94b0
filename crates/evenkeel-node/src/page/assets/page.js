// Gives the page life: fetches itself every two seconds and swaps what changed. Everything is
// there without it. No request goes anywhere but to the node that served the page.
"use strict";
(() => {
  const EVERY_MS = 2000;
  const connection = document.getElementById("connection");
  let lastGood = Date.now();

  const openIds = (root) => new Set([...root.querySelectorAll("details[open][id]")].map((d) => d.id));

  const figures = (root) => [...root.querySelectorAll("[data-n]")].map((n) => n.textContent);

  // Marks what changed, when the same figures are there before and after.
  const markChanges = (before, root) => {
    const nodes = [...root.querySelectorAll("[data-n]")];
    if (before.length !== nodes.length) return;
    nodes.forEach((node, at) => {
      if (node.textContent !== before[at]) node.classList.add("changed");
    });
  };

  // What each section was before it was dressed, so that one that is the same is left alone.
  const source = new WeakMap();

  const swapSection = (now, next) => {
    const html = next.outerHTML;
    if (source.get(now) === html) return;
    const open = openIds(now);
    const focused = document.activeElement;
    const focusables = [...now.querySelectorAll("a, summary, [tabindex]")];
    const focusAt = now.contains(focused) ? focusables.indexOf(focused) : -1;
    const before = figures(now);
    for (const details of next.querySelectorAll("details[id]")) details.open = open.has(details.id);
    const fresh = document.importNode(next, true);
    source.set(fresh, html);
    now.replaceWith(fresh);
    dress(fresh);
    markChanges(before, fresh);
    if (focusAt >= 0) fresh.querySelectorAll("a, summary, [tabindex]")[focusAt]?.focus({ preventScroll: true });
  };

  // Spoken only when the state changes, not at every tick of a countdown.
  const speak = (before, after) => {
    if (before?.className === after?.className) return;
    document.getElementById("said").textContent = after?.querySelector("h1")?.textContent ?? "";
  };

  const swap = (text) => {
    const next = new DOMParser().parseFromString(text, "text/html");
    const main = document.getElementById("main");
    const nextMain = next.getElementById("main");
    if (!main || !nextMain) throw new Error("not the page");
    speak(main.querySelector(".headline"), nextMain.querySelector(".headline"));
    const now = [...main.children];
    const then = [...nextMain.children];
    const isSame = now.length === then.length && now.every((s, at) => s.id === then[at].id);
    if (isSame) now.forEach((section, at) => swapSection(section, then[at]));
    else swapSection(main, nextMain);
    document.title = next.title;
    const asof = next.getElementById("asof");
    if (asof) document.getElementById("asof").replaceWith(document.importNode(asof, true));
  };

  const seconds = () => Math.round((Date.now() - lastGood) / 1000);

  const say = (text) => {
    connection.hidden = text === "";
    connection.textContent = text;
    document.body.classList.toggle("stale", text !== "");
  };

  const isBusy = () => document.hidden || String(window.getSelection()) !== "";

  const refresh = async () => {
    if (isBusy()) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(5000) });
      if (!answer.ok) throw new Error(String(answer.status));
      swap(await answer.text());
      lastGood = Date.now();
      say("");
    } catch {
      say(`No connection to the node. What you see is ${seconds()} s old.`);
    }
  };

  // Ids and commands are copied by a click, or by Enter.
  const dress = (root) => {
    for (const code of root.querySelectorAll("[data-copy]")) {
      code.tabIndex = 0;
      code.setAttribute("role", "button");
      code.title = "Copy";
    }
  };

  const copy = async (code) => {
    try {
      await navigator.clipboard.writeText(code.dataset.copy);
      code.classList.add("copied");
      setTimeout(() => code.classList.remove("copied"), 1200);
    } catch {
      window.getSelection().selectAllChildren(code);
    }
  };

  document.addEventListener("click", (event) => {
    const code = event.target.closest("[data-copy]");
    if (code) copy(code);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.dataset?.copy !== undefined) copy(event.target);
  });
  document.addEventListener("visibilitychange", refresh);
  for (const section of document.getElementById("main").children) source.set(section, section.outerHTML);
  dress(document);
  const loop = async () => {
    await refresh();
    setTimeout(loop, EVERY_MS);
  };
  setTimeout(loop, EVERY_MS);
})();

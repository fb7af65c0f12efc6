// A headless Chromium, driven over a pair of pipes: the DevTools protocol, a message ends with a zero byte.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const FLAGS = [
  "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
  "--hide-scrollbars", "--force-color-profile=srgb",
];

export class Chromium {
  // Starts `program` with a profile of its own.
  constructor(program) {
    this.profile = mkdtempSync(join(tmpdir(), "mustdo-chromium-"));
    const flags = [...FLAGS, `--user-data-dir=${this.profile}`, "about:blank"];
    this.process = spawn(program, flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    this.ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.once("error", (error) => this.fail(error));
    this.process.once("exit", (code) => this.fail(new Error(`Chromium ended with ${code}`)));
    this.waiting = new Map();
    this.listeners = [];
    this.number = 0;
    let text = "";
    this.process.stdio[4].setEncoding("utf8").on("data", (part) => {
      const messages = (text + part).split("\0");
      text = messages.pop();
      for (const message of messages) this.receive(JSON.parse(message));
    });
    this.process.stdio[3].on("error", () => {});
  }

  fail(error) {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }

  receive(message) {
    if (message.id === undefined) return this.listeners.forEach((listener) => listener(message));
    const { resolve, reject, method } = this.waiting.get(message.id) ?? {};
    this.waiting.delete(message.id);
    if (message.error) reject?.(new Error(`${method}: ${message.error.message}`));
    else resolve?.(message.result);
  }

  send(method, params = {}, sessionId = undefined) {
    const id = ++this.number;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, method });
      this.process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  // A page at `address`, loaded; everything it complains about is kept.
  async open(address, { width = 1280, height = 900, scheme = "light", mobile = false } = {}) {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, targetId, sessionId);
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await page.send(`${domain}.enable`);
    // What the page's own thread computed, however busy the machine is with other things.
    await page.send("Performance.enable", { timeDomain: "threadTicks" });
    await page.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile });
    await page.media(scheme);
    await page.go(address);
    return page;
  }

  async close() {
    this.process.kill("SIGTERM");
    await this.ended;
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

class Page {
  constructor(browser, target, session) {
    Object.assign(this, { browser, target, session, complaints: [], requests: [] });
    browser.listeners.push(({ method, params, sessionId }) => {
      if (sessionId !== session) return;
      if (method === "Runtime.exceptionThrown") this.complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
      if (method === "Runtime.consoleAPICalled" && ["error", "warning"].includes(params.type))
        this.complaints.push(params.args.map((one) => one.value ?? one.description).join(" "));
      if (method === "Log.entryAdded") this.complaints.push(`${params.entry.level}: ${params.entry.text}`);
      if (method === "Network.requestWillBeSent") this.requests.push(params.request.url);
      if (method === "Page.loadEventFired") this.loaded?.();
    });
  }

  send(method, params) {
    return this.browser.send(method, params, this.session);
  }

  async go(address) {
    const loaded = new Promise((resolve) => { this.loaded = resolve; });
    await this.send("Page.navigate", { url: address });
    await loaded;
  }

  media(scheme, media = "") {
    return this.send("Emulation.setEmulatedMedia", { media, features: [{ name: "prefers-color-scheme", value: scheme }] });
  }

  // What an expression gives in the page; a promise is awaited.
  async value(expression) {
    const params = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", params);
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  // Milliseconds that the page's thread has computed so far: scripts, style, layout and paint.
  async computed() {
    const { metrics } = await this.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "TaskDuration").value * 1000;
  }

  async key(key, code = key, virtual = 0, text = undefined, modifiers = 0) {
    const params = { key, code, windowsVirtualKeyCode: virtual, text, modifiers };
    await this.send("Input.dispatchKeyEvent", { type: "keyDown", ...params });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", ...params });
  }

  async picture(whole = false) {
    const { data } = await this.send("Page.captureScreenshot", { format: "png", captureBeyondViewport: whole });
    return Buffer.from(data, "base64");
  }

  async paper() {
    const { data } = await this.send("Page.printToPDF", { printBackground: true });
    return Buffer.from(data, "base64");
  }

  close() {
    return this.browser.send("Target.closeTarget", { targetId: this.target });
  }
}

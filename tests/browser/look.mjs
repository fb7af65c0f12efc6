// Pictures of a page, to look at: node look.mjs CHROMIUM PAGE FOLDER
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Chromium } from "./chromium.mjs";

const [program, file, folder] = process.argv.slice(2);
const address = pathToFileURL(file).href;
const browser = new Chromium(program);
try {
  const keep = (name, bytes) => writeFileSync(join(folder, name), bytes);
  const shots = {
    "light.png": [{}, ""],
    "dark.png": [{ scheme: "dark" }, ""],
    "chinese.png": [{}, "document.getElementById('language').click()"],
    "phone.png": [{ width: 390, height: 844, mobile: true }, ""],
    "item.png": [{}, "{ const row = document.querySelector('.item:has(.s-failing)') ?? document.querySelector('.item'); row.querySelector('summary').click(); row.scrollIntoView(); }"],
  };
  for (const [name, [options, action]] of Object.entries(shots)) {
    const page = await browser.open(address, options);
    if (action) await page.value(`${action}; new Promise((resolve) => setTimeout(resolve, 150))`);
    keep(name, await page.picture());
    if (name === "light.png") keep("paper.pdf", await page.paper());
    console.log(name, page.complaints);
    await page.value("try { localStorage.clear() } catch {}");
    await page.close();
  }
} finally {
  await browser.close();
}

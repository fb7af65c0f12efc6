"use strict";
// What the script of every page begins with: words in two languages, of which the page's own decides which is seen, a
// search, and the buttons for language and colours.
function frame(words) {
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const word = (key) => words[key][root.lang === "zh" ? 1 : 0];
  // What has to stand in a text for it to be found.
  const wanted = (search) => search.value.toLowerCase().split(/\s+/).filter(Boolean);
  // A page from a file may not be allowed to remember.
  const remember = (key, value) => { try { localStorage.setItem(`mustdo.${key}`, value); } catch { /* nowhere to */ } };
  const remembered = (key) => { try { return localStorage.getItem(`mustdo.${key}`); } catch { return null; } };
  // Opens the page as it was left and lets its buttons work; `spoken` is called whenever the language is another.
  function start(spoken) {
    function speak(lang) {
      root.lang = lang;
      const other = lang === "zh" ? "en" : "zh";
      byId("language").lang = other;
      byId("language").textContent = other === "zh" ? "中文" : "English";
      for (const one of document.querySelectorAll("[data-label]")) one.setAttribute("aria-label", word(one.dataset.label));
      for (const one of document.querySelectorAll("[data-placeholder]")) one.placeholder = word(one.dataset.placeholder);
      for (const one of document.querySelectorAll("option[data-en]")) one.textContent = one.dataset[lang];
      spoken();
    }
    byId("language").addEventListener("click", () => { speak(root.lang === "zh" ? "en" : "zh"); remember("language", root.lang); });
    byId("theme").addEventListener("click", () => {
      const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      remember("theme", root.dataset.theme);
    });
    const theme = remembered("theme");
    if (theme === "dark" || theme === "light") root.dataset.theme = theme;
    const language = remembered("language");
    speak(language === "en" || language === "zh" ? language : root.lang);
  }
  root.classList.add("js");
  return { root, byId, word, wanted, start };
}

// What the page does with a script: files are sorted, and words looked up. It fetches nothing.
"use strict";

function element(name, text, ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function sortable(table) {
  const body = table.tBodies[0];
  const value = (row, i) => {
    const cell = row.cells[i];
    const isNumber = cell.classList.contains("n") || cell.querySelector(".n");
    return isNumber ? Number(cell.textContent.replaceAll(",", "")) : cell.textContent;
  };
  const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b));
  [...table.tHead.rows[0].cells].forEach((head, i) => {
    const button = element("button", head.textContent);
    button.type = "button";
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const numbers = typeof value(body.rows[0], i) === "number";
      const before = head.getAttribute("aria-sort");
      const down = before ? before === "ascending" : numbers; // the largest first
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].sort((a, b) => compare(value(a, i), value(b, i)));
      body.append(...(down ? rows.reverse() : rows));
    });
  });
}

function wordBox(box) {
  const sample = JSON.parse(document.getElementById("sample").textContent);
  const words = new Map(Object.entries(sample.words));
  const input = document.getElementById("word");
  const found = document.getElementById("found");

  const link = (word, text) => {
    const made = element("a", text);
    made.href = "#word=" + encodeURIComponent(word);
    return made;
  };
  // A use in its context; that of another word leads there.
  const shown = (use, leads) => {
    const place = sample.at[2 * use + 1];
    const tokens = sample.sentences[sample.at[2 * use]];
    if (place < 0) return [tokens.join(" ")];
    const word = tokens[place].toLowerCase();
    const there = leads && words.has(word) ? link(word, tokens[place]) : tokens[place];
    const before = tokens.slice(Math.max(0, place - 12), place).join(" ");
    const after = tokens.slice(place + 1, place + 13).join(" ");
    return [before + " ", element("mark", "", there), " " + after];
  };
  const neighbours = (numbers) => {
    const list = element("ul");
    for (let i = 0; i < numbers.length; i += 2) {
      const cosine = (numbers[i + 1] / 100).toFixed(2) + " ";
      list.append(element("li", cosine, ...shown(numbers[i], true)));
    }
    return list;
  };
  const look = (typed) => {
    const word = typed.trim().toLowerCase();
    found.replaceChildren();
    if (!word) return;
    if (!words.has(word)) {
      const like = [...words.keys()].filter((other) => other.startsWith(word)).slice(0, 12);
      const answer = element("p", like.length ? "Words that begin so: " : "Not in the sample.");
      like.forEach((other) => answer.append(link(other, other), " "));
      found.append(answer);
      return;
    }
    const [uses, ...some] = words.get(word);
    if (sample.kind !== "word") {
      const which = some.length < uses ? `, ${some.length} shown` : "";
      found.append(element("p", `${word}: ${uses} in the sample${which}`));
    }
    const list = element("ul");
    for (const use of some) {
      list.append(element("li", "", ...shown(use, false), neighbours(sample.near[use])));
    }
    found.append(list);
  };
  // The address names the word, so that it can be kept and sent.
  const follow = () => {
    const named = new URLSearchParams(location.hash.slice(1)).get("word");
    if (named === null) return;
    input.value = named;
    look(named);
  };
  input.addEventListener("input", () => {
    history.replaceState(null, "", "#word=" + encodeURIComponent(input.value));
    look(input.value);
  });
  for (const button of document.querySelectorAll("#named button")) {
    button.addEventListener("click", () => {
      location.hash = "#word=" + encodeURIComponent(button.textContent);
    });
  }
  addEventListener("hashchange", follow);
  box.hidden = false;
  document.getElementById("word-list").hidden = true;
  follow();
}

document.querySelectorAll("table.sortable").forEach(sortable);
const box = document.getElementById("word-box");
if (box) wordBox(box);

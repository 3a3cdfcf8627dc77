// SPDX-License-Identifier: Apache-2.0
// A floor is one stop of the Tab key; the arrows go through its chats, up and down from place to place.

import { mark } from "./elements.js";

export function offerArrows(section) {
  section.addEventListener("focusin", ({ target }) => target.matches(".chat") && stopAt(section, target));
  section.addEventListener("keydown", (event) => {
    const next = event.target.matches(".chat") && neighbour(section, event.target, event.key);
    if (!next) return;
    event.preventDefault();
    next.focus();
  });
}

/** Let Tab reach the floor: at the chat where the keyboard was last, else at its first one. */
export function keepReachable(section) {
  if (section.querySelector('.chat[tabindex="0"]')) return;
  const first = section.querySelector(".chat");
  if (first) mark(first, "tabindex", "0");
}

function stopAt(section, tile) {
  for (const other of section.querySelectorAll('.chat[tabindex="0"]')) mark(other, "tabindex", "-1");
  mark(tile, "tabindex", "0");
}

function neighbour(section, tile, key) {
  const tiles = [...section.querySelectorAll(".chat")];
  const at = tiles.indexOf(tile);
  const place = (each) => each.closest(".place");
  const firsts = tiles.filter((each, index) => !index || place(each) !== place(tiles[index - 1]));
  const atPlace = firsts.findIndex((each) => place(each) === place(tile));
  const goals = {
    ArrowLeft: tiles[at - 1],
    ArrowRight: tiles[at + 1],
    ArrowUp: firsts[atPlace - 1],
    ArrowDown: firsts[atPlace + 1],
    Home: tiles[0],
    End: tiles.at(-1),
  };
  return goals[key];
}

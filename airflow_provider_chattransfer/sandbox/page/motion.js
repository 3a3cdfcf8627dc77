// SPDX-License-Identifier: Apache-2.0
// Tiles that change their place are seen to move: first, last, invert, play.

const CALM = matchMedia("(prefers-reduced-motion: reduce)");
const FLIGHT = { duration: 800, easing: "cubic-bezier(.45,.05,.2,1)" };
const GLOW = { duration: 2500, easing: "steps(5)" }; // few repaints: there may be thousands of tiles
const MOST_FLIGHTS = 400;

/** Carry out `change`, and let `tiles` fly from where they were to where they then are. */
export function rearrange(tiles, change) {
  if (CALM.matches || tiles.size > MOST_FLIGHTS) return change();
  const before = new Map([...tiles].map((tile) => [tile, tile.getBoundingClientRect()]));
  change();
  const after = new Map([...tiles].map((tile) => [tile, tile.getBoundingClientRect()]));
  for (const [tile, from] of before) fly(tile, from, after.get(tile));
}

/** Let the eye find what has just moved. */
export function highlight(tile) {
  tile.animate([{ boxShadow: "0 0 0 3px var(--glow)" }, { boxShadow: "0 0 0 3px transparent" }], GLOW);
}

function fly(tile, from, to) {
  if (!tile.isConnected || (from.x === to.x && from.y === to.y)) return;
  if (!from.width) return tile.animate([{ opacity: 0, transform: "scale(.4)" }, {}], FLIGHT);
  tile.classList.add("flying");
  const start = `translate(${from.x - to.x}px, ${from.y - to.y}px)`;
  const landed = tile.animate([{ transform: start }, { transform: "none" }], FLIGHT);
  landed.onfinish = () => tile.classList.remove("flying");
}

// SPDX-License-Identifier: Apache-2.0
// One service's floor: its queues and desks with the tiles of their chats. Only what changed is touched.

import { element, mark, say } from "./elements.js";
import { highlight, rearrange } from "./motion.js";
import { Names, placesOf, presenceOf } from "./places.js";

const DENSITIES = [
  // up to so many open chats; a place with more than `wide` of them takes a whole row, and keeps it
  { most: 120, name: "cards", wide: 40 },
  { most: 600, name: "tags", wide: 60 },
  { most: Infinity, name: "dots", wide: 120 },
];
const NEIGHBOURS_UP_TO = 300; // with more tiles only those fly that change their place

export class Floor {
  #section;
  #places = new Map(); // by holder
  #tiles = new Map(); // by holder's part and chat: `home:101`, `rings:101`
  #drawn = new Map(); // by chat: what its tiles say
  #chats = new Map();
  #totals = new Map();
  names = new Names({ agents: [], queues: [] });

  constructor(section) {
    this.#section = section;
    for (const name of ["open", "waiting", "ringing", "closed", "requests"]) {
      const figure = element("dd", { "data-total": name });
      this.#section.querySelector(".totals").append(element("div", {}, element("dt", {}, name), figure));
      this.#totals.set(name, figure);
    }
  }

  clear() {
    for (const place of this.#places.values()) place.root.remove();
    for (const each of [this.#places, this.#tiles, this.#drawn, this.#chats]) each.clear();
  }

  chat(id) {
    return this.#chats.get(id);
  }

  tile(id) {
    return this.#tiles.get(`home:${id}`);
  }

  update({ agents, queues, chats }, requests) {
    this.names = new Names({ agents, queues });
    this.#chats = new Map(chats.map((chat) => [chat.id, chat]));
    for (const queue of queues) this.#place(`queue:${queue.id}`);
    for (const agent of [...agents].sort((one, other) => other.active - one.active)) {
      mark(this.#place(`agent:${agent.id}`).root, "data-presence", presenceOf(agent));
    }
    this.#move(chats.filter((chat) => this.#isNews(chat)));
    this.#count(chats, requests);
  }

  #place(holder) {
    let place = this.#places.get(holder);
    if (!place) {
      place = new Place(holder, this.names.short(holder));
      this.#places.set(holder, place);
      this.#section.querySelector(place.isQueue ? ".queues" : ".desks").append(place.root);
    }
    return place;
  }

  #isNews(chat) {
    const words = this.names.whereabouts(chat);
    const news = this.#drawn.get(chat.id) !== words;
    this.#drawn.set(chat.id, words);
    return news;
  }

  #move(chats) {
    const first = this.#tiles.size === 0;
    const moves = chats.flatMap((chat) => {
      const { home, rings } = placesOf(chat);
      return [this.#moveOf(chat, "home", home), this.#moveOf(chat, "rings", rings)].filter(Boolean);
    });
    if (first) return moves.forEach(carryOut);
    const focused = document.activeElement;
    rearrange(this.#affected(moves), () => moves.forEach(carryOut));
    for (const { tile, to } of moves) if (to) highlight(tile);
    if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
  }

  /** What happens to one of a chat's two tiles; nothing if there is none and is to be none. */
  #moveOf(chat, part, holder) {
    const key = `${part}:${chat.id}`;
    let tile = this.#tiles.get(key);
    if (!holder) {
      this.#tiles.delete(key);
      return tile && { tile, to: null };
    }
    if (!tile) {
      tile = element("button", { class: "chat", "data-chat": chat.id, tabindex: "-1" }, chat.id);
      this.#tiles.set(key, tile);
    }
    const words = `Chat ${chat.id}: ${this.names.whereabouts(chat)}`;
    mark(tile, "aria-label", words);
    mark(tile, "title", words);
    mark(tile, "data-offered", part === "home" ? chat.offered_to : null);
    const to = this.#place(holder)[part];
    return tile.parentNode !== to && { tile, to };
  }

  #affected(moves) {
    const tiles = new Set(moves.map(({ tile }) => tile));
    if (this.#tiles.size > NEIGHBOURS_UP_TO) return tiles;
    for (const { tile, to } of moves) {
      for (const part of [tile.parentNode, to]) for (const neighbour of part?.children ?? []) tiles.add(neighbour);
    }
    return tiles;
  }

  #count(chats, requests) {
    const totals = { open: 0, waiting: 0, ringing: 0, closed: 0, requests };
    for (const chat of chats) {
      totals[chat.state] += 1;
      if (chat.offered_to && chat.state !== "closed") totals.ringing += 1;
    }
    for (const [name, figure] of this.#totals) say(figure, totals[name].toLocaleString("en"));
    const density = DENSITIES.find(({ most }) => totals.open + totals.waiting <= most);
    mark(this.#section, "data-density", density.name);
    for (const place of this.#places.values()) place.count(density.wide);
  }
}

function carryOut({ tile, to }) {
  if (to) to.append(tile);
  else tile.remove();
}

/** A desk or a queue. */
class Place {
  constructor(holder, name) {
    const [kind, id] = holder.split(":");
    this.isQueue = kind === "queue";
    this.name = name;
    this.number = element("span", { class: "number" });
    this.ringing = element("span", { class: "ringing" });
    this.home = element("div", { class: "chats home", role: "group", "aria-label": `Chats of ${name}` });
    this.rings = element("div", { class: "chats ring", role: "group", "aria-label": `Ringing at ${name}` });
    this.root = element(
      "article",
      { class: "place", "data-holder": holder },
      element("h3", { title: name }, element("bdi", {}, name), element("small", {}, id)),
      this.number,
      element("p", { class: "presence" }),
      this.ringing,
      this.home,
      this.rings,
    );
  }

  count(wide) {
    const own = this.home.childElementCount;
    const offered = this.isQueue ? this.home.querySelectorAll("[data-offered]").length : this.rings.childElementCount;
    const presence = this.root.dataset.presence ?? "";
    say(this.number, own);
    say(this.ringing, offered ? `${offered} ringing` : "");
    say(this.root.querySelector(".presence"), this.isQueue ? "waiting" : presence);
    mark(this.root, "aria-label", [this.name, presence, `${own} chats`, `${offered} ringing`].filter(Boolean).join(", "));
    if (own > wide) this.root.classList.add("wide");
  }
}

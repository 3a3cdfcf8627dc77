// SPDX-License-Identifier: Apache-2.0
// The ledger as people read it: the last lines of all chats, and every line of one chat.

import { element, say } from "./elements.js";

const LAST_LINES = 60;

export class Records {
  #changes = [];
  #list = document.getElementById("ledger-changes");
  #count = document.getElementById("ledger-count");

  constructor(namesOf) {
    this.namesOf = namesOf;
  }

  start(changes) {
    this.#changes = [];
    this.#list.replaceChildren();
    this.add(changes);
  }

  add(changes) {
    for (const change of changes) this.#changes.push(change);
    const lines = changes.slice(-LAST_LINES).map((change) => this.#line(change));
    this.#list.prepend(...lines.reverse());
    while (this.#list.childElementCount > LAST_LINES) this.#list.lastElementChild.remove();
    say(this.#count, this.#changes.length ? `${this.#changes.length.toLocaleString("en")} changes` : "");
  }

  of(service, id) {
    return this.#changes.filter((change) => change.service === service && change.chat_id === id);
  }

  #line(change) {
    const chat = element("button", { class: "id", "data-service": change.service, "data-chat": change.chat_id });
    chat.append(change.chat_id);
    return element("li", { "data-change": change.change, "data-service": change.service }, ...this.words(change, chat, " "));
  }

  /** Time, verb, from, to and by whom, as nodes; in the strip with the chat they are about. */
  words(change, ...about) {
    const names = this.namesOf(change.service);
    const ends = [change.before, change.after].map((holder) => holder && element("bdi", {}, names.full(holder)));
    const way = element("span", { class: "way" });
    if (ends[0] || ends[1]) way.append(ends[0] ?? "–", " → ", ends[1] ?? "–");
    return [
      element("time", { datetime: change.at, title: change.at }, change.at.slice(11, 19)),
      " ",
      ...about,
      element("b", {}, change.change),
      way,
      element("span", { class: "by" }, "by ", element("bdi", {}, names.full(change.by))),
    ];
  }
}

// SPDX-License-Identifier: Apache-2.0
// The panel on one chat: where it is now, and everything that happened to it, by whom and by which method.

import { element, say } from "./elements.js";

export class History {
  #panel = document.getElementById("history");
  #title = document.getElementById("history-name");
  #now = document.getElementById("history-now");
  #list = document.getElementById("history-changes");
  #chosen = null;

  constructor(floors, records) {
    this.floors = floors;
    this.records = records;
    document.getElementById("history-close").addEventListener("click", () => this.close());
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
  }

  open(service, id) {
    this.#unmark();
    this.#chosen = { service, id };
    this.#list.replaceChildren();
    this.#panel.hidden = false;
    this.refresh();
    this.#title.focus({ preventScroll: true });
    this.#panel.scrollIntoView({ block: "nearest" });
  }

  close() {
    if (!this.#chosen) return;
    this.#unmark();
    const { service, id } = this.#chosen;
    this.#chosen = null;
    this.#panel.hidden = true;
    this.floors.get(service).tile(id)?.focus();
  }

  refresh() {
    if (!this.#chosen) return;
    const { service, id } = this.#chosen;
    const floor = this.floors.get(service);
    const chat = floor.chat(id);
    if (!chat) return this.close();
    floor.tile(id)?.classList.add("chosen");
    say(this.#title, `Chat ${id}, ${service === "bitrix24" ? "Bitrix24" : "SuperOffice"}`);
    say(this.#now, this.#summary(chat, floor.names));
    const changes = this.records.of(service, id).slice(this.#list.childElementCount);
    this.#list.append(...changes.map((change) => element("li", {}, ...this.records.words(change), asked(change))));
  }

  #summary(chat, names) {
    const queue = chat.state !== "waiting" ? `, ${names.full(`queue:${chat.queue}`)}` : "";
    const times = chat.transfers === 1 ? "once" : `${chat.transfers} times`;
    return `Now ${names.whereabouts(chat)}${queue}. Customer ${chat.customer}, ${chat.messages} messages, transferred ${times}.`;
  }

  #unmark() {
    for (const tile of document.querySelectorAll(".chosen")) tile.classList.remove("chosen");
  }
}

function asked({ method, request }) {
  const words = element("span", { class: "method" });
  if (method) words.append(element("code", {}, method), request ? ` in request ${request}` : "");
  return words;
}

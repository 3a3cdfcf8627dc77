// SPDX-License-Identifier: Apache-2.0
// Where a chat is drawn, and the words for it. Holders are written as in the ledger: `agent:7`, `queue:3`.

/**
 * A chat's tile is where it belongs, and an outline of it where it rings. On Bitrix24 a chat that is offered belongs to
 * nobody, so its tile is in the queue; on SuperOffice one that is being transferred still belongs to its sender.
 */
export function placesOf(chat) {
  if (chat.state === "closed") return { home: null, rings: null };
  return {
    home: chat.owner ? `agent:${chat.owner}` : `queue:${chat.queue}`,
    rings: chat.offered_to && `agent:${chat.offered_to}`,
  };
}

export function presenceOf(agent) {
  if (!agent.active) return "inactive";
  if (agent.paused) return "on a break";
  return agent.present ? "present" : "away";
}

/** The holders of one service by name; who is not in its lists is called by their number. */
export class Names {
  #names = new Map();

  constructor({ agents, queues }) {
    for (const agent of agents) this.#names.set(`agent:${agent.id}`, agent.name);
    for (const queue of queues) this.#names.set(`queue:${queue.id}`, queue.name);
  }

  short(holder) {
    const [kind, id] = holder.split(":");
    return this.#names.get(holder) ?? `${kind === "agent" ? "Agent" : "Queue"} ${id}`;
  }

  /** With the number, `Anna Adams (7)`. Other identities than holders and people stay as they are. */
  full(who) {
    const [kind, id] = who.split(":");
    const name = this.#names.get(kind === "person" ? `agent:${id}` : who);
    return name ? `${name} (${id})` : who;
  }

  /** A sentence on where a chat is. */
  whereabouts(chat) {
    if (chat.state === "closed") return "closed";
    const holder = chat.owner ? `with ${this.full(`agent:${chat.owner}`)}` : `waits in ${this.full(`queue:${chat.queue}`)}`;
    return chat.offered_to ? `${holder}, rings at ${this.full(`agent:${chat.offered_to}`)}` : holder;
  }
}

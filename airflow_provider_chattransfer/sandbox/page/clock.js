// SPDX-License-Identifier: Apache-2.0
// The sandbox's time, going on at its speed between two answers.

import { say } from "./elements.js";

export class Clock {
  #told = null;

  constructor() {
    setInterval(() => this.#show(), 200);
  }

  set({ time, speed }) {
    this.#told = { time: Date.parse(time), speed, at: performance.now() };
    say(document.getElementById("speed"), `speed ${speed.toLocaleString("en")}`);
    this.#show();
  }

  stop() {
    this.#told = null;
  }

  #show() {
    if (!this.#told) return;
    const { time, speed, at } = this.#told;
    const now = new Date(time + (performance.now() - at) * speed).toISOString();
    say(document.getElementById("date"), now.slice(0, 10));
    say(document.getElementById("time"), now.slice(11, 19));
  }
}

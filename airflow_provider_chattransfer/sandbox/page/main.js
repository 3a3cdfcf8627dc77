// SPDX-License-Identifier: Apache-2.0
// The page: what the feed tells goes to the floors, the ledger and the history; what a person does goes to the history.

import { Clock } from "./clock.js";
import { say } from "./elements.js";
import { follow } from "./feed.js";
import { offerFinding } from "./find.js";
import { Floor } from "./floor.js";
import { History } from "./history.js";
import { keepReachable, offerArrows } from "./keyboard.js";
import { Records } from "./records.js";

const SERVICES = ["bitrix24", "superoffice"];
const lost = document.getElementById("lost");
const clock = new Clock();
const floors = new Map(SERVICES.map((service) => [service, new Floor(document.getElementById(service))]));
const records = new Records((service) => floors.get(service).names);
const panel = new History(floors, records);

function show(which) {
  document.body.dataset.show = which;
  document.querySelector(`[name=show][value=${which}]`).checked = true;
}

function choose(service, id) {
  if (!["both", service].includes(document.body.dataset.show)) show("both");
  panel.open(service, id);
  floors.get(service).tile(id)?.scrollIntoView({ block: "nearest" });
}

function draw(state) {
  lost.hidden = true;
  document.body.classList.remove("stale");
  clock.set(state);
  for (const [service, floor] of floors) {
    floor.update(state[service], state.requests[service]);
    keepReachable(document.getElementById(service));
  }
}

const viewer = {
  start(state, changes) {
    for (const floor of floors.values()) floor.clear();
    panel.close();
    draw(state);
    records.start(changes);
  },
  update(state, changes) {
    draw(state);
    records.add(changes);
    panel.refresh();
  },
  lost() {
    if (!lost.hidden) return;
    clock.stop();
    document.body.classList.add("stale");
    say(lost, `No answer from the sandbox since ${new Date().toLocaleTimeString("en-GB")}. Trying again.`);
    lost.hidden = false;
  },
};

for (const service of SERVICES) {
  const section = document.getElementById(service);
  offerArrows(section);
  section.addEventListener("click", ({ target }) => target.matches(".chat") && choose(service, target.dataset.chat));
}
document.getElementById("ledger").addEventListener("click", ({ target: { dataset } }) => {
  if (dataset.chat) choose(dataset.service, dataset.chat);
});
document.querySelector(".show").addEventListener("change", ({ target }) => {
  show(target.value);
  history.replaceState(null, "", `#${target.value}`);
});
if (SERVICES.includes(location.hash.slice(1))) show(location.hash.slice(1));
offerFinding(floors, choose);
follow(viewer);

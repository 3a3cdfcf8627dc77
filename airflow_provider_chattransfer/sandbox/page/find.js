// SPDX-License-Identifier: Apache-2.0
// Finding a chat by its id. Both services may have one of that id: the next "Find" then goes to the other.

import { say } from "./elements.js";

export function offerFinding(floors, choose) {
  const form = document.getElementById("find");
  const field = document.getElementById("find-id");
  const found = document.getElementById("found");
  let turn = 0;
  field.addEventListener("input", () => {
    turn = 0;
    say(found, "");
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const id = field.value.trim();
    const services = [...floors.keys()].filter((service) => floors.get(service).chat(id));
    if (!id) return;
    if (!services.length) return say(found, `No chat ${id}`);
    const number = turn % services.length;
    turn += 1;
    choose(services[number], id);
    say(found, services.length > 1 ? `${number + 1} of ${services.length}` : "");
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target === field) return;
    event.preventDefault();
    field.select();
    field.focus();
  });
}

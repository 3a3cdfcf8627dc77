// SPDX-License-Identifier: Apache-2.0
// Elements from plain values. Text is only ever set as text: names come from scenarios.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function say(node, text) {
  if (node.textContent !== String(text)) node.textContent = text;
}

/** Set an attribute, or take it away when `value` is null. */
export function mark(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** A new element with our class; text is only ever set as text, never parsed. */
export function element(tag, name, attributes = {}) {
  const node = document.createElement(tag);
  if (name) node.className = `snakepit-${name}`;
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

// A run draws many times a second and little of it changes; untouched nodes cost no layout and keep a selection.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Set an attribute if it differs; null takes it away. */
export function setAttribute(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/** Give `parent` as many children as there are items, each drawn with its item. */
export function drawList(parent, items, make, draw) {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  while (parent.children.length < items.length) parent.append(make());
  items.forEach((item, i) => draw(parent.children[i], item));
}

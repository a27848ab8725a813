import { drawList, element, setText } from "./dom.js";

/** The run's numbers, large. Python has formatted them. */
export class Tiles {
  el = element("div", "tiles");

  draw(tiles) {
    this.el.hidden = tiles.length === 0;
    drawList(this.el, tiles, makeTile, drawTile);
  }
}

function makeTile() {
  const tile = element("div", "tile");
  tile.append(element("b", "value"), element("span", "label"));
  return tile;
}

function drawTile(tile, { label, value, note }) {
  const [number, name] = tile.children;
  setText(number, value);
  setText(name, note ? `${label} · ${note}` : label);
  keepWidth(number, value.length);
}

// A tile never gets narrower, or its neighbours would jump with every digit that comes and goes.
function keepWidth(node, length) {
  if (length <= Number(node.dataset.length ?? 0)) return;
  node.dataset.length = length;
  node.style.minWidth = `${length}ch`;
}

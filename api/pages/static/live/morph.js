// Makes one tree of elements like another one, and leaves alone whatever is the same already. So what a person is
// doing there goes on: the focus, a selection, an open <details>, a scrolled table, a field that is being filled.

const ROWS = new Set(["LI", "TR", "ARTICLE"]);
const THEIRS = new Set(["DETAILS", "DIALOG"]); // A person opens and closes them; the server does not know.

// Change `old`, in the document, into `fresh`, which is of another document.
export function morph(old, fresh) {
  if (old.isEqualNode(fresh) || "script" in (old.dataset ?? {})) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.data = fresh.data;
    return;
  }
  morphAttributes(old, fresh);
  morphChildren(old, fresh);
}

export function morphChildren(old, fresh) {
  let at = old.firstChild;
  for (const wanted of fresh.childNodes) {
    const match = found(at, wanted);
    if (!match) {
      old.insertBefore(document.importNode(wanted, true), at);
      continue;
    }
    while (at !== match && !isWantedLater(at, wanted)) at = removed(at);
    if (at === match) at = match.nextSibling;
    else old.insertBefore(match, at);
    morph(match, wanted);
  }
  while (at) at = removed(at);
}

// Return which of the old nodes, from `at` on, becomes the wanted one.
function found(at, wanted) {
  if (wanted.nodeType !== Node.ELEMENT_NODE) return at?.nodeType === wanted.nodeType ? at : null;
  const key = keyOf(wanted);
  let similar = null;
  for (let node = at; node; node = node.nextSibling) {
    if (node.isEqualNode(wanted)) return node;
    if (node.nodeName !== wanted.nodeName || keyOf(node) !== key) continue;
    if (key) return node;
    similar ??= node;
  }
  return similar && isWantedLater(similar, wanted) ? null : similar;
}

// Tell whether an old node will be needed for a sibling that comes after the wanted one.
function isWantedLater(node, wanted) {
  if (node.nodeType !== Node.ELEMENT_NODE) return false;
  const key = keyOf(node);
  for (let later = wanted.nextElementSibling; later; later = later.nextElementSibling) {
    if (later.isEqualNode(node) || (key && later.nodeName === node.nodeName && keyOf(later) === key)) return true;
  }
  return false;
}

// A row of a list is known by its id, or by where it leads.
function keyOf(element) {
  if (element.nodeType !== Node.ELEMENT_NODE) return "";
  const led = ROWS.has(element.nodeName) ? element.querySelector("a[href]") : element;
  return element.id || element.dataset.script || led?.getAttribute("href") || "";
}

function removed(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

function morphAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !isTheirs(old, name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !isTheirs(old, name)) old.setAttribute(name, value);
  }
}

function isTheirs(element, name) {
  return name === "open" && THEIRS.has(element.nodeName);
}

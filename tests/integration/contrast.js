// Every visible piece of text with the contrast of WCAG 2 between it and what it stands on.
() => {
  const parts = (colour) => colour.match(/[\d.]+/g).map(Number);
  const linear = (part) => (part <= 10.31475 ? part / 3294.6 : Math.pow((part / 255 + 0.055) / 1.055, 2.4));
  const light = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  const ground = (one) => {
    for (let each = one; each; each = each.parentElement) {
      const found = parts(getComputedStyle(each).backgroundColor);
      if (found.length === 3 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), one = walker.currentNode.parentElement;
    if (!text || !one.checkVisibility() || one.tagName === 'SCRIPT') continue;
    const [dark, bright] = [light(parts(getComputedStyle(one).color)), light(ground(one))].sort((a, b) => a - b);
    found.push({ text, ratio: (bright + 0.05) / (dark + 0.05) });
  }
  return found;
}

// Making elements. Whatever comes from an image goes through clean() and into textContent or an attribute
// that holds text: there is no other way in.

// Control bytes, bytes that are no UTF-8, and marks that turn or hide text, made visible.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;

function shownCode(c) {
	const code = c.codePointAt(0);
	if (code >= 0xdc80 && code <= 0xdcff)
		return '\\x' + (code - 0xdc00).toString(16);
	if (code < 0x100)
		return code === 9 ? '\\t' : code === 10 ? '\\n' : '\\x' + code.toString(16).padStart(2, '0');
	return '\\u' + code.toString(16).padStart(4, '0');
}

function clean(value) {
	return value === null || value === undefined ? '' : String(value).replace(UNSAFE, shownCode);
}

function fill(node, children) {
	for (const child of children.flat(Infinity)) {
		if (child === null || child === undefined || child === false)
			continue;
		node.append(child instanceof Node ? child : clean(child));
	}
	return node;
}

// h('td', {class: 'num'}, 'text', node): attributes are ours, never an image's.
function h(tag, attributes, ...children) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes || {})) {
		if (name.startsWith('on'))
			node.addEventListener(name.slice(2), value);
		else if (name === 'title' || name === 'aria-label')
			node.setAttribute(name, clean(value));
		else if (value !== null && value !== false)
			node.setAttribute(name, value === true ? '' : value);
	}
	return fill(node, children);
}

function svg(tag, attributes, ...children) {
	const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
	for (const [name, value] of Object.entries(attributes || {})) {
		if (name.startsWith('on'))
			node.addEventListener(name.slice(2), value);
		else
			node.setAttribute(name, name === 'aria-label' ? clean(value) : value);
	}
	return fill(node, children);
}

function button(text, title, run, more) {
	return h('button', { type: 'button', title, onclick: run, ...more }, text);
}

function replace(node, ...children) {
	node.replaceChildren();
	return fill(node, children);
}

// Numbers.
function bytesText(n) {
	if (n === null || n === undefined)
		return '';
	const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
	let i = 0;
	for (; n >= 1024 && i < 6; i++)
		n /= 1024;
	return (i === 0 || n >= 100 ? Math.round(n) : n.toFixed(1).replace(/\.0$/, '')) + ' ' + units[i];
}

function countText(n) {
	return n === null || n === undefined ? '' : n.toLocaleString('en-US').replace(/,/g, '\u2009');
}

function plural(n, word, words) {
	return countText(n) + ' ' + (n === 1 ? word : words || word + 's');
}

// Addresses of pages fit a double: their low 12 bits are zero.
function pageAddress(page) {
	return (BigInt(page) * 4096n).toString(16);
}

function basename(path) {
	const text = String(path || '');
	return text.slice(text.lastIndexOf('/') + 1) || text;
}

// The cut is in the middle: the ends of a path tell most.
function shorten(text, length) {
	text = clean(text);
	const left = Math.floor((length - 1) / 2);
	return text.length <= length ? text : text.slice(0, left) + '…' + text.slice(text.length - (length - 1 - left));
}

// Colours of the theme at hand, for canvases.
function colours() {
	const style = getComputedStyle(document.documentElement);
	return (name) => style.getPropertyValue('--' + name).trim();
}

const isNarrow = () => innerWidth < 700;

// One tooltip for all drawings.
const tip = {
	show(event, lines) {
		const node = document.getElementById('tip');
		replace(node, lines.map((line) => h('div', {}, line)));
		node.hidden = false;
		const box = node.getBoundingClientRect();
		const left = Math.min(event.clientX + 14, innerWidth - box.width - 6);
		const below = event.clientY + 18;
		const top = below + box.height > innerHeight - 6 ? event.clientY - box.height - 10 : below;
		node.style.left = Math.max(4, left) + 'px';
		node.style.top = Math.max(4, top) + 'px';
	},
	hide() {
		document.getElementById('tip').hidden = true;
	},
};

// Calls run at most once a frame.
function perFrame(run) {
	let asked = false;
	return () => {
		if (asked)
			return;
		asked = true;
		requestAnimationFrame(() => {
			asked = false;
			run();
		});
	};
}

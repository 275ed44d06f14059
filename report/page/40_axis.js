// The folded axis: addresses to scale, but for two things that would leave nothing else to see. Between
// areas lies a gap of a fixed width; a stretch that no image holds (zero, the file's, the kernel's) takes no more
// than a certain width. What is folded so is marked.

const KINDS = 'posfzlk'; // in the order in which they are stacked
const KIND_WORDS = {
	p: 'in this image', o: 'in a parent image', s: 'in a shared segment', f: 'as in the file', z: 'zero, never touched',
	l: 'lost', k: 'the kernel’s own',
};
const HELD = 'posl';
const GAP = KINDS.length; // the kind of what lies between areas
const CHANGES = '=cnd';   // between two images: same, changed, new, dropped
const CHANGE_WORDS = { c: 'changed', n: 'new', d: 'dropped' };

// "f12p3" → pairs of a letter and a number of pages.
function parseRuns(text) {
	const runs = [];
	for (const match of text.matchAll(/([^\d])(\d+)/g))
		runs.push([match[1], Number(match[2])]);
	return runs;
}

function pageOf(address) {
	return Number(BigInt(address) >> 12n);
}

// The runs of an area, cut where either the kind of bytes or the change differs: [kind, change, pages].
function areaRuns(process, i, area) {
	const pages = pageOf(area.end) - pageOf(area.start);
	// Without runs (there were too many) the area counts as one.
	const kinds = parseRuns(process.space.pages[i] || (area.bytes_in_image > 0 ? 'p' : 'z') + pages);
	const changes = (process.changes && process.changes[i]) || [];
	const out = [];
	let k = 0, c = 0, kindLeft = kinds.length ? kinds[0][1] : 0, changeLeft = changes.length ? changes[0][1] : 0;
	while (k < kinds.length) {
		const n = c < changes.length ? Math.min(kindLeft, changeLeft) : kindLeft;
		if (n > 0)
			out.push([Math.max(0, KINDS.indexOf(kinds[k][0])), c < changes.length ? Math.max(0, CHANGES.indexOf(changes[c][0])) : 0, n]);
		kindLeft -= n;
		changeLeft -= n;
		if (kindLeft <= 0)
			kindLeft = ++k < kinds.length ? kinds[k][1] : 0;
		if (changeLeft <= 0 && c < changes.length)
			changeLeft = ++c < changes.length ? changes[c][1] : 0;
	}
	return out;
}

// Segments: from is where each begins on the axis, page its first page, pages how many, kind, change, area.
class Axis {
	constructor(process, withGaps) {
		changeRuns(process);
		const areas = areasOf(process);
		const raw = areas.map((area, i) => areaRuns(process, i, area));
		let held = 0, seen = 0;
		for (const runs of raw)
			for (const [kind, , pages] of runs)
				held += HELD.includes(KINDS[kind]) ? pages : 0;
		this.cap = Math.max(64, Math.round(held / 6));
		for (const runs of raw)
			for (const [kind, change, pages] of runs)
				seen += this.width(kind, change, pages);
		this.gap = withGaps ? Math.max(2, Math.round(seen / 150)) : 0;
		this.segments = [];
		this.areaFrom = new Float64Array(areas.length);
		this.areaTo = new Float64Array(areas.length);
		this.total = 0;
		this.areas = areas;
		let end = null;
		areas.forEach((area, i) => {
			let page = pageOf(area.start);
			if (end !== null && page > end && withGaps)
				this.add(GAP, 0, end, page - end, Math.min(this.gap, page - end), i);
			this.areaFrom[i] = this.total;
			for (const [kind, change, pages] of raw[i]) {
				this.add(kind, change, page, pages, this.width(kind, change, pages), i);
				page += pages;
			}
			this.areaTo[i] = this.total;
			end = page;
		});
	}

	width(kind, change, pages) {
		return HELD.includes(KINDS[kind]) || change !== 0 ? pages : Math.min(pages, this.cap);
	}

	add(kind, change, page, pages, width, area) {
		this.segments.push({ kind, change, page, pages, from: this.total, width, area });
		this.total += width;
	}

	// Index of the segment at this place of the axis.
	find(at) {
		let low = 0, high = this.segments.length - 1;
		while (low < high) {
			const middle = (low + high + 1) >> 1;
			if (this.segments[middle].from <= at)
				low = middle;
			else
				high = middle - 1;
		}
		return low;
	}

	// Where the page is that is drawn here; of a folded stretch its first.
	pageAt(segment, at) {
		return segment.width < segment.pages ? segment.page : segment.page + Math.floor(at - segment.from);
	}

	// Calls visit(segment, from, to) for the pieces within [from, to).
	each(from, to, visit) {
		for (let i = this.find(from); i < this.segments.length && this.segments[i].from < to; i++) {
			const s = this.segments[i];
			const a = Math.max(from, s.from), b = Math.min(to, s.from + s.width);
			if (b > a)
				visit(s, a, b);
		}
	}

	// What a tooltip says of the piece [from, to).
	describe(from, to) {
		const counts = new Map(), changed = new Map();
		let first = null, last = null, area = null, more = 0;
		this.each(from, to, (s, a, b) => {
			const isFolded = s.width < s.pages;
			const n = isFolded ? s.pages : Math.max(1, Math.round(b - a));
			const page = isFolded ? s.page : s.page + Math.floor(a - s.from);
			first = first === null ? page : first;
			last = page + n;
			counts.set(s.kind, (counts.get(s.kind) || 0) + n);
			if (s.change !== 0)
				changed.set(s.change, (changed.get(s.change) || 0) + n);
			if (s.kind !== GAP && (area === null || area !== s.area)) {
				more += area === null ? 0 : 1;
				area = area === null ? s.area : area;
			}
		});
		if (first === null)
			return [];
		const out = [pageAddress(first) + '–' + pageAddress(last) + '  ' + bytesText((last - first) * 4096)];
		if (area === null)
			return [...out, 'nothing is mapped here'];
		out.push(this.areas[area].permissions + '  ' + shorten(areaName(this.areas[area]), 64)
			+ (more > 0 ? ' and ' + plural(more, 'area') + ' more' : ''));
		out.push([...counts].filter(([kind]) => kind !== GAP)
			.map(([kind, n]) => plural(n, 'page') + ' ' + KIND_WORDS[KINDS[kind]]).join(', '));
		if (changed.size > 0)
			out.push([...changed].map(([change, n]) => plural(n, 'page') + ' ' + CHANGE_WORDS[CHANGES[change]]).join(', '));
		return out;
	}
}

// A canvas that is drawn again when its size or the theme changes.
class Drawing {
	constructor(cls, label, height) {
		this.height = height;
		this.canvas = h('canvas', { class: cls, tabindex: '0', role: 'img', 'aria-label': label });
		this.redraw = perFrame(() => this.paint());
		new ResizeObserver(() => this.redraw()).observe(this.canvas);
		Drawing.live.add(new WeakRef(this));
	}

	paint() {
		const width = this.canvas.clientWidth;
		if (width === 0 || !this.canvas.isConnected)
			return;
		const ratio = Math.min(3, devicePixelRatio || 1);
		this.width = width;
		this.canvas.width = Math.round(width * ratio);
		this.canvas.height = Math.round(this.height * ratio);
		this.canvas.style.height = this.height + 'px';
		const context = this.canvas.getContext('2d');
		context.setTransform(ratio, 0, 0, ratio, 0, 0);
		context.clearRect(0, 0, width, this.height);
		this.draw(context, width, this.height, colours());
	}
}

Drawing.live = new Set();
Drawing.redrawAll = function () {
	for (const ref of Drawing.live) {
		const drawing = ref.deref();
		if (drawing === undefined || !drawing.canvas.isConnected)
			Drawing.live.delete(ref);
		else
			drawing.paint();
	}
};

function kindColours(colour) {
	return [...KINDS].map((kind) => colour('kind-' + kind));
}

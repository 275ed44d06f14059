// The address-space map: one strip along the folded axis. Lanes from the top: overview (when zoomed), pages by
// kind (columns that hold several kinds are stacked), what changed, permissions, names, addresses.

const STRIP = { overview: 3, pages: 12, pagesHeight: 60, change: 74, rights: 80, names: 87, ticks: 103, height: 120 };

class Strip extends Drawing {
	constructor(process, axis, onpick) {
		super('strip', 'Address space of ' + process.pid + ': arrows move, + and - zoom, n and p choose a mapping', STRIP.height);
		Object.assign(this, { axis, onpick, from: 0, to: Math.max(1, axis.total), picked: -1 });
		this.groups = groupsOf(axis);
		this.listen();
	}

	listen() {
		const c = this.canvas;
		const fingers = new Map();
		let start = null;
		c.addEventListener('pointerdown', (event) => {
			fingers.set(event.pointerId, event.offsetX);
			start = { x: event.offsetX, from: this.from, to: this.to, moved: false };
			c.setPointerCapture(event.pointerId);
		});
		c.addEventListener('pointermove', (event) => {
			if (fingers.has(event.pointerId) && start !== null) {
				this.drag(fingers, event, start);
				return;
			}
			tip.show(event, this.describe(event.offsetX, event.offsetY));
		});
		const end = (event) => {
			fingers.delete(event.pointerId);
			if (event.type === 'pointerup' && start !== null && !start.moved)
				this.click(event);
			start = null;
		};
		c.addEventListener('pointerup', end);
		c.addEventListener('pointercancel', end);
		c.addEventListener('pointerleave', () => tip.hide());
		c.addEventListener('dblclick', (event) => this.zoom(0.25, this.at(event.offsetX)));
		c.addEventListener('wheel', (event) => {
			if (document.activeElement !== c && !event.ctrlKey)
				return;
			event.preventDefault();
			if (Math.abs(event.deltaX) > Math.abs(event.deltaY))
				this.pan(event.deltaX / this.width);
			else
				this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.at(event.offsetX));
		}, { passive: false });
		c.addEventListener('keydown', (event) => this.onKey(event));
	}

	onKey(event) {
		const keys = {
			ArrowLeft: () => this.pan(-0.15), ArrowRight: () => this.pan(0.15),
			'+': () => this.zoom(0.5), '=': () => this.zoom(0.5), '-': () => this.zoom(2), 0: () => this.zoom(Infinity),
			n: () => this.step(1), p: () => this.step(-1),
		};
		if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey)
			return;
		event.preventDefault();
		event.stopPropagation();
		keys[event.key]();
	}

	drag(fingers, event, start) {
		if (fingers.size > 1) { // two fingers: the distance is the scale
			const before = Math.max(...fingers.values()) - Math.min(...fingers.values());
			fingers.set(event.pointerId, event.offsetX);
			const now = Math.max(...fingers.values()) - Math.min(...fingers.values());
			start.moved = true;
			if (now > 8 && before > 8)
				this.zoom(before / now, this.at((Math.max(...fingers.values()) + Math.min(...fingers.values())) / 2));
			return;
		}
		const shift = start.x - event.offsetX;
		if (Math.abs(shift) < 4 && !start.moved)
			return;
		start.moved = true;
		tip.hide();
		this.show(start.from + shift / this.width * (start.to - start.from), start.to - start.from);
	}

	at(x) {
		return this.from + x / this.width * (this.to - this.from);
	}

	show(from, span) {
		span = Math.min(Math.max(span, 8), Math.max(8, this.axis.total));
		from = Math.max(0, Math.min(from, this.axis.total - span));
		Object.assign(this, { from, to: from + span });
		this.redraw();
	}

	zoom(factor, around) {
		const span = this.to - this.from;
		const middle = around === undefined ? (this.from + this.to) / 2 : around;
		const wanted = Math.min(Math.max(span * factor, 8), Math.max(8, this.axis.total));
		this.show(middle - (middle - this.from) / span * wanted, wanted);
	}

	pan(part) {
		const span = this.to - this.from;
		this.show(this.from + part * span, span);
	}

	step(way) {
		const next = Math.max(0, Math.min(this.axis.areas.length - 1, this.picked + way));
		if (this.axis.areas.length > 0)
			this.onpick(next);
	}

	// Shows an area; zooms when it is too small to see.
	pick(i) {
		this.picked = i;
		const a = this.axis.areaFrom[i], b = this.axis.areaTo[i];
		const pixels = (b - a) / (this.to - this.from) * (this.width || 800);
		if (a < this.from || b > this.to || pixels < 3)
			this.show(a - 3 * (b - a), Math.max(7 * (b - a), 32));
		this.redraw();
	}

	click(event) {
		if (event.offsetY < STRIP.pages - 4) { // the overview: go there
			const span = this.to - this.from;
			this.show(event.offsetX / this.width * this.axis.total - span / 2, span);
			return;
		}
		const segment = this.axis.segments[this.axis.find(this.at(event.offsetX))];
		if (segment !== undefined && segment.kind !== GAP)
			this.onpick(segment.area);
	}

	describe(x) {
		const step = (this.to - this.from) / this.width;
		return this.axis.describe(this.at(x), this.at(x) + Math.max(step, 0.001));
	}

	draw(g, width, height, colour) {
		const scale = width / (this.to - this.from);
		const x = (at) => (at - this.from) * scale;
		g.fillStyle = colour('hollow');
		g.fillRect(0, STRIP.pages, width, STRIP.pagesHeight);
		this.drawPages(g, width, colour, scale);
		this.drawRights(g, width, colour, x);
		this.drawNames(g, width, colour, x);
		this.drawTicks(g, width, colour, x);
		this.drawOverview(g, width, colour);
		if (this.picked >= 0) {
			const a = x(this.axis.areaFrom[this.picked]), b = x(this.axis.areaTo[this.picked]);
			g.strokeStyle = colour('ink');
			g.lineWidth = 2;
			g.strokeRect(a, STRIP.pages - 2, Math.max(2, b - a), STRIP.rights + 6 - STRIP.pages);
		}
	}

	// Each column of pixels shows how much of it is what.
	drawPages(g, width, colour, scale) {
		const kinds = KINDS.length, n = Math.ceil(width);
		const sums = new Float32Array(n * kinds), changes = new Float32Array(n);
		this.axis.each(this.from, this.to, (s, a, b) => {
			if (s.kind === GAP)
				return;
			const x0 = (a - this.from) * scale, x1 = Math.min(n, (b - this.from) * scale);
			for (let px = Math.floor(x0); px < x1; px++) {
				const part = Math.min(px + 1, x1) - Math.max(px, x0);
				sums[px * kinds + s.kind] += part;
				changes[px] += s.change !== 0 ? part : 0;
			}
		});
		const fills = kindColours(colour);
		for (let px = 0; px < n; px++) {
			let all = 0, y = STRIP.pages + STRIP.pagesHeight;
			for (let k = 0; k < kinds; k++)
				all += sums[px * kinds + k];
			for (let k = 0; k < kinds && all > 0.02; k++) {
				if (sums[px * kinds + k] === 0)
					continue;
				const high = Math.max(HELD.includes(KINDS[k]) ? 4 : 1, sums[px * kinds + k] / all * STRIP.pagesHeight);
				g.fillStyle = fills[k];
				y = Math.max(STRIP.pages, y - high);
				g.fillRect(px, y, 1, high);
			}
			if (changes[px] > 0) {
				g.fillStyle = colour('changed');
				g.fillRect(px, STRIP.change, 1, 4);
			}
		}
		this.drawFolds(g, colour, scale);
	}

	// A thin zigzag through what is folded, where there is room for it.
	drawFolds(g, colour, scale) {
		g.strokeStyle = colour('fold');
		g.lineWidth = 1;
		g.beginPath();
		this.axis.each(this.from, this.to, (s, a, b) => {
			if (s.kind === GAP || s.width >= s.pages || (b - a) * scale < 7)
				return;
			const middle = ((a + b) / 2 - this.from) * scale;
			g.moveTo(middle, STRIP.pages);
			for (let y = 4, way = 2; y <= STRIP.pagesHeight; y += 4, way = -way)
				g.lineTo(middle + way, STRIP.pages + y);
		});
		g.stroke();
	}

	drawRights(g, width, colour, x) {
		const { areas, areaFrom } = this.axis;
		let last = -1;
		for (let i = 0; i < areas.length; i++) {
			const a = x(areaFrom[i]), b = x(this.axis.areaTo[i]);
			if (b < 0 || a > width || (b - a < 1 && Math.floor(a) === last))
				continue;
			last = Math.floor(a);
			g.fillStyle = colour(rightsName(areas[i].permissions));
			g.fillRect(a, STRIP.rights, Math.max(1, b - a - (b - a > 3 ? 1 : 0)), 4);
		}
	}

	drawNames(g, width, colour, x) {
		g.font = '11px ' + colour('font');
		g.textBaseline = 'top';
		g.fillStyle = colour('dim');
		let free = 0;
		for (const group of this.groups) {
			const a = Math.max(0, x(group.from)), b = Math.min(width, x(group.to));
			if (b - a < 24 || a < free - 1)
				continue;
			const room = Math.floor((b - a) / 6.4);
			if (room < Math.min(9, group.name.length) || group.name === '')
				continue;
			const text = shorten(group.name, room);
			g.fillText(text, a + 1, STRIP.names, b - a);
			free = a + g.measureText(text).width + 8;
		}
	}

	drawTicks(g, width, colour, x) {
		g.font = '10px ' + colour('mono-font');
		g.fillStyle = colour('dim');
		let free = 0;
		const tick = (at, page) => {
			const a = x(at);
			const text = pageAddress(page);
			const w = g.measureText(text).width;
			if (a < free || a + w > width)
				return;
			g.fillRect(a, STRIP.ticks - 1, 1, 4);
			g.fillText(text, a + 2, STRIP.ticks + 3);
			free = a + w + 12;
		};
		this.axis.each(this.from, this.to, (s, a) => {
			if (s.kind !== GAP && a === this.from)
				tick(a, this.axis.pageAt(s, a));
		});
		for (const cluster of this.groups)
			if (cluster.afterGap && cluster.from >= this.from && cluster.from <= this.to)
				tick(cluster.from, cluster.page);
	}

	drawOverview(g, width, colour) {
		if (this.to - this.from >= this.axis.total * 0.999)
			return;
		g.fillStyle = colour('line');
		g.fillRect(0, STRIP.overview, width, 4);
		g.fillStyle = colour('accent');
		g.fillRect(this.from / this.axis.total * width, STRIP.overview - 1,
			Math.max(4, (this.to - this.from) / this.axis.total * width), 6);
	}
}

function rightsName(permissions) {
	return permissions[2] === 'x' ? permissions[1] === 'w' ? 'right-wx' : 'right-x'
		: permissions[1] === 'w' ? 'right-w' : permissions[0] === 'r' ? 'right-r' : 'right-none';
}

// Neighbours of one name, as a library's areas are.
function groupsOf(axis) {
	const groups = [];
	let end = null;
	axis.areas.forEach((area, i) => {
		const name = basename(areaName(area)).replace(/^private memory$/, '');
		const page = pageOf(area.start);
		const last = groups[groups.length - 1];
		const touches = end === page;
		if (last !== undefined && touches && last.name === name)
			last.to = axis.areaTo[i];
		else
			groups.push({ name, page, from: axis.areaFrom[i], to: axis.areaTo[i], afterGap: !touches });
		end = pageOf(area.end);
	});
	return groups;
}

// The heat map of pages: a field of cells in the order of addresses, each a number of pages, coloured by what they
// are; with two images, by how much of them changed. Zooming halves the number of pages a cell stands for.

const CELL = 8;      // pixels, with the space around it
const HEAT_ROWS = 26;

function rgb(text) {
	const n = parseInt(text.slice(1), 16);
	return [n >> 16, n >> 8 & 255, n & 255];
}

class Heat extends Drawing {
	constructor(process, axis, onpick) {
		super('heat', 'Pages of ' + process.pid + ': arrows move, + and - zoom, Enter chooses the mapping', 10);
		Object.assign(this, { axis, onpick, zoomed: 0, top: 0, picked: -1, cursor: -1 });
		this.canvas.addEventListener('pointermove', (event) => this.hover(event));
		this.canvas.addEventListener('pointerleave', () => tip.hide());
		this.canvas.addEventListener('click', (event) => this.click(event));
		this.canvas.addEventListener('dblclick', (event) => this.zoom(1, this.cellAt(event)));
		this.canvas.addEventListener('wheel', (event) => this.onWheel(event), { passive: false });
		this.canvas.addEventListener('keydown', (event) => this.onKey(event));
	}

	// Columns, and pages a cell at this zoom.
	layout(width) {
		this.gutter = width > 600 ? 92 : 0;
		this.columns = Math.max(8, Math.floor((width - this.gutter) / CELL));
		this.coarse = Math.max(0, Math.ceil(Math.log2(Math.max(1, this.axis.total / (this.columns * HEAT_ROWS)))));
		this.zoomed = Math.max(0, Math.min(this.coarse, this.zoomed));
		this.perCell = 2 ** (this.coarse - this.zoomed);
		this.rows = Math.ceil(Math.ceil(this.axis.total / this.perCell) / this.columns);
		this.shown = Math.max(1, Math.min(HEAT_ROWS, this.rows));
		this.top = Math.max(0, Math.min(this.rows - this.shown, this.top));
	}

	cellAt(event) {
		const column = Math.floor((event.offsetX - this.gutter) / CELL), row = Math.floor(event.offsetY / CELL);
		return column < 0 || column >= this.columns ? -1 : (this.top + row) * this.columns + column;
	}

	span(cell) {
		return [cell * this.perCell, Math.min(this.axis.total, (cell + 1) * this.perCell)];
	}

	hover(event) {
		const [from, to] = this.span(this.cellAt(event));
		if (from < 0 || from >= this.axis.total)
			tip.hide();
		else
			tip.show(event, this.axis.describe(from, to));
	}

	click(event) {
		const cell = this.cellAt(event);
		const [from] = this.span(cell);
		if (cell >= 0 && from < this.axis.total) {
			this.cursor = from;
			this.onpick(this.axis.segments[this.axis.find(from)].area);
			this.tell();
		}
	}

	tell() {
		const [from, to] = this.span(Math.floor(this.cursor / this.perCell));
		if (this.status)
			replace(this.status, this.axis.describe(from, to).join('  ·  '));
	}

	zoom(steps, cell) {
		const middle = cell >= 0 && cell !== undefined ? cell * this.perCell
			: this.cursor >= 0 ? this.cursor : (this.top + this.shown / 2) * this.columns * this.perCell;
		this.zoomed = steps === -Infinity ? 0 : this.zoomed + steps;
		this.layout(this.width);
		this.top = Math.round(middle / this.perCell / this.columns - this.shown / 2);
		this.layout(this.width);
		this.onzoom();
		this.redraw();
	}

	scroll(rows) {
		this.top += rows;
		this.redraw();
	}

	onWheel(event) {
		if (event.ctrlKey || (document.activeElement === this.canvas && this.rows > this.shown)) {
			event.preventDefault();
			if (event.ctrlKey)
				this.zoom(event.deltaY > 0 ? -1 : 1, this.cellAt(event));
			else
				this.scroll(Math.sign(event.deltaY) * 2);
		}
	}

	onKey(event) {
		const move = (cells) => {
			this.cursor = Math.max(0, Math.min(this.axis.total - 1, Math.max(0, this.cursor) + cells * this.perCell));
			const row = Math.floor(this.cursor / this.perCell / this.columns);
			this.top = row < this.top ? row : row >= this.top + this.shown ? row - this.shown + 1 : this.top;
			this.tell();
			this.redraw();
		};
		const keys = {
			ArrowLeft: () => move(-1), ArrowRight: () => move(1), ArrowUp: () => move(-this.columns),
			ArrowDown: () => move(this.columns), PageUp: () => move(-this.columns * this.shown),
			PageDown: () => move(this.columns * this.shown), '+': () => this.zoom(1), '=': () => this.zoom(1),
			'-': () => this.zoom(-1), 0: () => this.zoom(-Infinity),
			Enter: () => this.cursor >= 0 && this.onpick(this.axis.segments[this.axis.find(this.cursor)].area),
		};
		if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey)
			return;
		event.preventDefault();
		event.stopPropagation();
		keys[event.key]();
	}

	pick(i) {
		this.picked = i;
		if (this.width) {
			const from = Math.floor(this.axis.areaFrom[i] / this.perCell / this.columns);
			if (from < this.top || from >= this.top + this.shown)
				this.top = from - 2;
		}
		this.redraw();
	}

	paint() {
		this.layout(this.canvas.clientWidth || 600);
		this.height = this.shown * CELL + 4;
		super.paint();
	}

	draw(g, width, height, colour) {
		const kinds = kindColours(colour).map(rgb), changed = rgb(colour('changed'));
		const first = this.top * this.columns;
		const sums = new Float32Array(this.shown * this.columns * (KINDS.length + 1));
		this.gather(sums, first);
		for (let i = 0; i < this.shown * this.columns; i++)
			this.drawCell(g, i, sums.subarray(i * (KINDS.length + 1), (i + 1) * (KINDS.length + 1)), kinds, changed);
		this.drawGutter(g, colour);
		this.drawPicked(g, colour);
	}

	// Of each cell in sight, how much is of which kind, and how much changed.
	gather(sums, first) {
		const n = KINDS.length + 1, from = first * this.perCell;
		this.axis.each(from, from + this.shown * this.columns * this.perCell, (s, a, b) => {
			for (let cell = Math.floor(a / this.perCell); cell * this.perCell < b; cell++) {
				const part = Math.min(b, (cell + 1) * this.perCell) - Math.max(a, cell * this.perCell);
				const at = (cell - first) * n;
				if (at >= sums.length)
					return;
				sums[at + s.kind] += part;
				sums[at + n - 1] += s.change !== 0 ? part : 0;
			}
		});
	}

	drawCell(g, i, sums, kinds, changed) {
		let all = 0;
		const mix = [0, 0, 0];
		for (let k = 0; k < KINDS.length; k++)
			all += sums[k];
		if (all === 0)
			return;
		// What the image holds stays in sight among much that it does not.
		let held = 0;
		for (let k = 0; k < KINDS.length; k++)
			held += HELD.includes(KINDS[k]) ? sums[k] : 0;
		const least = held > 0 ? Math.max(0.3, held / all) : 0;
		for (let k = 0; k < KINDS.length; k++) {
			const isHeld = HELD.includes(KINDS[k]);
			const part = isHeld ? least * sums[k] / (held || 1) : (1 - least) * sums[k] / (all - held || 1);
			for (let c = 0; c < 3; c++)
				mix[c] += kinds[k][c] * part;
		}
		const heat = sums[KINDS.length] > 0 ? 0.35 + 0.65 * sums[KINDS.length] / all : 0;
		for (let c = 0; c < 3; c++)
			mix[c] = Math.round(mix[c] + (changed[c] - mix[c]) * heat);
		g.fillStyle = 'rgb(' + mix.join(',') + ')';
		g.fillRect(this.gutter + i % this.columns * CELL, Math.floor(i / this.columns) * CELL, CELL - 1, CELL - 1);
	}

	drawGutter(g, colour) {
		g.font = '10px ' + colour('mono-font');
		g.textBaseline = 'top';
		g.fillStyle = colour('dim');
		for (let row = 0; row < this.shown && this.gutter > 0; row += 2) {
			const at = (this.top + row) * this.columns * this.perCell;
			if (at < this.axis.total)
				g.fillText(pageAddress(this.axis.pageAt(this.axis.segments[this.axis.find(at)], at)), 0, row * CELL + 1);
		}
	}

	// A line around the cells of the area that is chosen, and the cursor.
	drawPicked(g, colour) {
		const frame = (cell, size, name) => {
			const row = Math.floor(cell / this.columns) - this.top;
			if (row < 0 || row >= this.shown)
				return;
			g.fillStyle = colour(name);
			g.fillRect(this.gutter + cell % this.columns * CELL - 0.5, row * CELL + CELL - 2, size, 2);
		};
		if (this.picked >= 0) {
			const from = Math.floor(this.axis.areaFrom[this.picked] / this.perCell);
			const to = Math.ceil(this.axis.areaTo[this.picked] / this.perCell);
			const least = Math.max(from, this.top * this.columns), most = Math.min(to, (this.top + this.shown) * this.columns);
			for (let cell = least; cell < most; cell++)
				frame(cell, CELL, 'ink');
		}
		if (this.cursor >= 0) {
			const cell = Math.floor(this.cursor / this.perCell), row = Math.floor(cell / this.columns) - this.top;
			g.strokeStyle = colour('ink');
			g.lineWidth = 2;
			g.strokeRect(this.gutter + cell % this.columns * CELL - 0.5, row * CELL - 0.5, CELL, CELL);
		}
	}
}

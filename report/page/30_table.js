// Tables of any length: only the rows in sight are elements. Sorted by a click on a title, narrowed by
// the search above, walked with the arrow keys.
//
// A column: title, get(row) for sorting and searching; if the cell shows something else, text(row) or
// node(row); width in characters; num, mono, grow; cls(row); wide: left out on narrow screens.

const ROW_PIXELS = 24;
const PRINTED_ROWS = 400;

class Table {
	constructor(options) {
		Object.assign(this, { rows: [], visible: 14, unit: 'row' }, options);
		this.columns = this.columns.filter((column) => column !== null && !(column.wide && isNarrow()));
		this.sort = { column: -1, down: false };
		this.current = -1;  // place in order
		this.picked = null; // row
		this.words = new Array(this.rows.length);
		this.order = [...this.rows.keys()];
		this.build();
		this.render();
		Table.live.add(new WeakRef(this));
	}

	build() {
		this.search = h('input', {
			type: 'search', placeholder: 'Search', 'aria-label': 'Search ' + this.name,
			oninput: () => this.arrange(),
			onkeydown: (event) => event.key === 'ArrowDown' && this.scroller.focus(),
		});
		this.count = h('span', { class: 'count', 'aria-live': 'polite' });
		this.heads = this.columns.map((column, i) =>
			h('th', { class: column.num ? 'num' : null, scope: 'col' },
				button(column.title, 'Sort by ' + column.title, () => this.sortBy(i), { tabindex: '-1' })));
		this.body = h('tbody');
		const widths = this.columns.map((column) => {
			const col = h('col');
			col.style.width = column.grow ? 'auto' : (column.width || 10) + 'ch';
			return col;
		});
		this.table = h('table', { role: 'grid', 'aria-label': this.name },
			h('colgroup', {}, widths), h('thead', {}, h('tr', {}, this.heads)), this.body);
		const least = this.columns.reduce((sum, column) => sum + (column.width || 10), 0);
		this.table.style.minWidth = least + 'ch';
		this.scroller = h('div', {
			class: 'scroll', tabindex: '0', role: 'group', 'aria-label': this.name,
			onscroll: perFrame(() => this.render()), onkeydown: (event) => this.onKey(event),
		}, this.table);
		this.fit();
		this.note = h('p', { class: 'more' });
		this.node = h('div', { class: 'table' },
			this.rows.length > 6 ? h('div', { class: 'bar' }, this.search, this.count) : null,
			this.scroller, this.note);
		this.body.addEventListener('click', (event) => {
			const row = event.target.closest('tr[data-at]');
			if (row !== null)
				this.go(Number(row.dataset.at), true);
		});
	}

	fit() {
		this.scroller.style.maxHeight = (Math.min(this.visible, this.order.length) + 1.25) * ROW_PIXELS + 12 + 'px';
	}

	value(column, row) {
		return column.get(row);
	}

	text(column, row) {
		return column.text ? column.text(row) : this.value(column, row);
	}

	// All that can be searched for in a row, in small letters.
	hay(i) {
		if (this.words[i] === undefined)
			this.words[i] = this.columns.map((column) => {
				const value = this.value(column, this.rows[i]), text = this.text(column, this.rows[i]);
				return clean(text) + (value !== text ? ' ' + clean(value) : '');
			}).join('\n').toLowerCase();
		return this.words[i];
	}

	arrange() {
		const wanted = this.search.value.toLowerCase().split(/\s+/).filter((word) => word !== '');
		this.order = [...this.rows.keys()].filter((i) => wanted.every((word) => this.hay(i).includes(word)));
		const column = this.columns[this.sort.column];
		if (column !== undefined) {
			const keys = this.rows.map((row) => this.value(column, row));
			const way = this.sort.down ? -1 : 1;
			this.order.sort((a, b) => way * compare(keys[a], keys[b]) || a - b);
		}
		this.current = this.order.indexOf(this.rows.indexOf(this.picked));
		this.scroller.scrollTop = 0;
		this.fit();
		this.render();
	}

	sortBy(i) {
		this.sort = { column: i, down: this.sort.column === i && !this.sort.down };
		this.heads.forEach((head, k) => {
			head.setAttribute('aria-sort', k !== i ? 'none' : this.sort.down ? 'descending' : 'ascending');
		});
		this.arrange();
	}

	onKey(event) {
		const page = Math.max(1, Math.floor(this.scroller.clientHeight / ROW_PIXELS) - 2);
		const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
		if (event.target !== this.scroller || event.ctrlKey || event.metaKey || event.altKey)
			return;
		if (event.key in steps)
			this.go(Math.max(0, Math.min(this.order.length - 1, this.current + steps[event.key])), true);
		else
			return;
		event.preventDefault();
	}

	// Makes the row at this place the current one and shows it.
	go(at, tell) {
		if (at < 0 || at >= this.order.length)
			return;
		this.current = at;
		this.picked = this.rows[this.order[at]];
		const top = at * ROW_PIXELS, seen = this.scroller.clientHeight - 2 * ROW_PIXELS;
		if (top < this.scroller.scrollTop)
			this.scroller.scrollTop = top;
		else if (top > this.scroller.scrollTop + seen)
			this.scroller.scrollTop = top - seen;
		this.render();
		if (tell && this.onpick)
			this.onpick(this.picked);
	}

	pick(row) {
		let at = this.order.indexOf(this.rows.indexOf(row));
		if (at < 0 && this.search.value !== '') {
			this.search.value = '';
			this.arrange();
			at = this.order.indexOf(this.rows.indexOf(row));
		}
		this.go(at, false);
	}

	cell(column, row) {
		const node = column.node ? column.node(row) : null;
		const text = node === null ? clean(this.text(column, row)) : '';
		const cls = [column.num ? 'num' : '', column.mono ? 'mono' : '', column.cls ? column.cls(row) : '']
			.filter(Boolean).join(' ');
		return h('td', { class: cls || null, title: text.length > 12 ? text : null }, node === null ? text : node);
	}

	row(at) {
		const row = this.rows[this.order[at]];
		const chosen = this.picked === row;
		return h('tr', {
			'data-at': at, class: (at % 2 ? 'odd' : '') + (chosen ? ' picked' : ''),
			'aria-selected': chosen ? 'true' : null, 'aria-rowindex': at + 1,
		}, this.columns.map((column) => this.cell(column, row)));
	}

	spacer(rows) {
		const node = h('tr', { class: 'spacer', 'aria-hidden': 'true' }, h('td', { colspan: this.columns.length }));
		node.firstChild.style.height = rows * ROW_PIXELS + 'px';
		return rows > 0 ? node : null;
	}

	render() {
		const total = this.order.length;
		const first = this.printing ? 0 : Math.max(0, Math.floor(this.scroller.scrollTop / ROW_PIXELS) - 4);
		const last = this.printing ? Math.min(total, PRINTED_ROWS) : Math.min(total, first + this.visible + 10);
		const rows = [];
		for (let at = first; at < last; at++)
			rows.push(this.row(at));
		replace(this.body, this.spacer(first), rows, this.printing ? null : this.spacer(total - last));
		this.table.setAttribute('aria-rowcount', total);
		replace(this.count, total === this.rows.length ? plural(total, this.unit, this.units)
			: countText(total) + ' of ' + plural(this.rows.length, this.unit, this.units));
		replace(this.note, this.printing && last < total ? 'and ' + countText(total - last) + ' more' : '');
	}

	print(on) {
		this.printing = on;
		this.render();
	}
}

// All tables in the page, for printing.
Table.live = new Set();
Table.printAll = function (on) {
	for (const ref of Table.live) {
		const table = ref.deref();
		if (table === undefined || !table.node.isConnected)
			Table.live.delete(ref);
		else
			table.print(on);
	}
};

// Numbers before texts, nothing last.
function compare(a, b) {
	const none = (x) => x === null || x === undefined || x === '';
	if (none(a) || none(b))
		return none(a) - none(b);
	if (typeof a !== typeof b)
		return typeof a === 'number' ? -1 : 1;
	return a < b ? -1 : a > b ? 1 : 0;
}

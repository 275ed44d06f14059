// What changed between two images, as `crimg diff --json` tells it, put to the processes and mappings of each.

const GROUPS = ['processes', 'credentials', 'threads', 'mappings', 'pages', 'shared_memory', 'files', 'sockets', 'signals', 'timers',
	'limits', 'registers'];
const SIGNS = { added: '+', new: '+', gone: '−', dropped: '−' };

function loadChanges(before, after) {
	const diff = block('diff');
	if (diff === null)
		return null;
	const rank = new Map(GROUPS.map((group, i) => [group, i]));
	const order = new Map(after.processes.map((process, i) => [process.pid, i]));
	const place = (change) => (change.process === null ? 1e9 : order.has(change.process.b) ? order.get(change.process.b) : 1e8);
	const weight = (change) => (rank.has(change.group) ? rank.get(change.group) : GROUPS.length);
	const rows = diff.changes.map((change, i) => [place(change), weight(change), i, change]);
	rows.sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
	diff.rows = rows.map((row) => row[3]);
	for (const [image, side] of [[before, 'a'], [after, 'b']])
		putChanges(image, side, diff.rows);
	for (const change of diff.rows)
		if (change.process !== null && change.process.a !== null && change.process.b !== null) {
			const old = before.byPid.get(change.process.a), now = after.byPid.get(change.process.b);
			if (old !== undefined && now !== undefined)
				now.before = old;
		}
	return diff;
}

// What a process of this side has to show for it.
function putChanges(image, side, rows) {
	for (const process of image.processes)
		Object.assign(process, { changed: [], pageRanges: [], before: null });
	for (const change of rows) {
		const process = change.process === null ? undefined : image.byPid.get(change.process[side]);
		if (process === undefined)
			continue;
		process.changed.push(change);
		if (change.group === 'pages')
			process.pageRanges.push(...rangesOf(change, side));
	}
	putSegments(image, side, rows);
	for (const process of image.processes) {
		process.notes = new Map(process.changed.filter((change) => change.subject && !change.thread)
			.map((change) => [change.subject, noteOf(change)]));
		process.pageRanges.sort((a, b) => a[0] - b[0]);
	}
}

// Pages of shared segments change in every area that shows them.
function putSegments(image, side, rows) {
	const ranges = new Map();
	let left = 1 << 20; // many areas of one segment with many changes are a product
	for (const change of rows)
		if (change.segment !== undefined)
			got(ranges, change.segment[side], () => []).push(...rangesOf(change, side));
	for (const process of ranges.size > 0 ? image.processes : [])
		for (const [i, , segment] of process.space.shared) {
			const area = areasOf(process)[i];
			if (area === undefined)
				continue;
			const shift = pageOf(area.start) - pageOf(area.offset);
			const least = pageOf(area.start), most = pageOf(area.end);
			for (const [from, to, letter] of ranges.get(segment) || [])
				if (to + shift > least && from + shift < most && left-- > 0)
					process.pageRanges.push([Math.max(least, from + shift), Math.min(most, to + shift), letter]);
		}
}

// [first page, page behind the last, letter] as this side sees it: new pages are not in the first image, dropped ones
// not in the second.
function rangesOf(change, side) {
	const start = pageOf(change.start), pages = change.pages;
	if (change.what === 'changed')
		return [[start, start + pages, 'c']];
	if (change.what === 'moved' && side === 'a')
		return [[pageOf(change.from), pageOf(change.from) + pages, 'd']];
	if (side === 'a')
		return change.what === 'dropped' ? [[start, start + pages, 'd']] : [];
	return change.what === 'new' || change.what === 'moved' ? [[start, start + pages, 'n']]
		: change.what === 'dropped' ? [[start, start + pages, 'd']] : [];
}

// Runs of changes over the pages of each area, as 40_axis.js takes them; and how many pages changed in each.
function changeRuns(process) {
	if (process.changes !== undefined || process.pageRanges === undefined)
		return;
	const ranges = process.pageRanges;
	let r = 0;
	process.changedPages = new Map();
	process.changes = areasOf(process).map((area) => {
		const end = pageOf(area.end), runs = [];
		let at = pageOf(area.start), n = 0;
		while (r < ranges.length && ranges[r][1] <= at)
			r++;
		for (let k = r; k < ranges.length && ranges[k][0] < end; k++) {
			const from = Math.max(at, ranges[k][0]), to = Math.min(end, ranges[k][1]);
			if (to <= from)
				continue;
			runs.push(['=', from - at], [ranges[k][2], to - from]);
			n += to - from;
			at = to;
		}
		process.changedPages.set(area, n);
		return runs;
	});
}

function valueText(value) {
	return value === null || value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function noteOf(change) {
	const values = [valueText(change.a), valueText(change.b)].filter((text) => text !== '').join(' → ');
	const both = values !== '' && change.what !== 'added' && change.what !== 'gone';
	return change.what + (change.field ? ': ' + change.field : '') + (both ? ' ' + values : '');
}

// "7", or "7 → 9" when it has another number now.
function numbers(pair) {
	return pair.a !== null && pair.b !== null && pair.a !== pair.b ? pair.a + ' → ' + pair.b : pair.b === null ? pair.a : pair.b;
}

function changedProcess(change) {
	const p = change.process, t = change.thread;
	if (p === null)
		return '';
	const isLeader = !t || t.a === p.a || t.b === p.b;
	return numbers(p) + ' ' + p.name + (isLeader ? '' : ' thread ' + numbers(t));
}

function changedWhat(change) {
	if (change.start !== undefined)
		return change.start.slice(2) + '–' + change.end.slice(2) + (change.name ? ' of ' + change.name : '');
	return [change.subject, change.field, change.name].filter(Boolean).join('  ');
}

function changeClass(change) {
	return { '+': 'added-text', '−': 'gone-text' }[SIGNS[change.what]] || 'changed-text';
}

function changeTable(name, rows, withProcess, onpick) {
	const where = (change, side) => valueText(change[side]) + (change[side + '_where'] ? ' ' + change[side + '_where'] : '');
	return new Table({
		name, rows, unit: 'change', visible: withProcess ? 16 : 10, onpick,
		columns: [
			withProcess ? { title: 'Process', get: changedProcess, width: 17 } : null,
			{ title: 'About', get: (change) => change.group.replace('_', ' '), width: 13, wide: withProcess },
			{ title: 'How', get: (change) => (SIGNS[change.what] || '~') + ' ' + change.what, width: 11, cls: changeClass },
			{ title: 'What', get: changedWhat, grow: true, width: 28, mono: true },
			{ title: 'Before', get: (change) => where(change, 'a'), width: 20 },
			{ title: 'After', get: (change) => (change.pages !== undefined ? plural(change.pages, 'page')
				+ (change.from ? ' from ' + change.from.slice(2) : '') : where(change, 'b')), width: 20 },
		],
	}).node;
}

function totalsText(diff) {
	const parts = [];
	for (const [group, counts] of Object.entries(diff.totals)) {
		const words = typeof counts !== 'object' ? []
			: Object.entries(counts).filter(([what, n]) => n > 0 && what !== 'same' && what !== 'untold');
		if (words.length > 0)
			parts.push([group.replace('_', ' '), words.map(([what, n]) => countText(n) + ' ' + what).join(', ')]);
	}
	return parts;
}

function changeSection(diff) {
	const parts = totalsText(diff);
	return section('changes', 'Changes',
		h('p', { class: 'verdict ' + (diff.same ? 'good' : 'differs') }, h('b', {}, diff.same ? 'Nothing changed' : 'What changed'),
		h('span', {}, 'from ', h('code', {}, diff.a.image), ' to ', h('code', {}, diff.b.image)),
		diff.error ? h('span', { class: 'told' }, diff.error) : null),
		parts.length > 0 ? lines(parts) : null,
		diff.totals.folded > 0 ? h('p', { class: 'dim' }, plural(diff.totals.folded, 'time or number', 'times and numbers')
			+ ' made anew with each checkpoint, not shown') : null,
		diff.rows.length > 0 ? changeTable('Changes', diff.rows, true, (change) => showChange(change)) : null);
}

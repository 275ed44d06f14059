// Any part of the views that has no drawing of its own: objects as lines, lists as tables, what is nested folded.

const COLUMNS_SHOWN = 12;

function isFlat(value) {
	return value === null || typeof value !== 'object'
		|| (Array.isArray(value) && value.length <= 64 && value.every((item) => item === null || typeof item !== 'object'));
}

function flatText(value) {
	return value === null || value === undefined ? '' : value === true ? 'yes' : value === false ? 'no'
		: Array.isArray(value) ? value.join(' ') : typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function keyTitle(key) {
	return key.replace(/_/g, ' ');
}

function keyUnit(key, value) {
	return typeof value === 'number' && /(^|_)bytes(_|$)/.test(key) ? bytesText(value) : flatText(value);
}

function isEmpty(value) {
	return value === null || value === '' || (typeof value === 'object' && Object.keys(value).length === 0);
}

// [key, value] pairs as a list of lines.
function lines(pairs) {
	return h('dl', { class: 'lines' }, pairs.filter(([, value]) => value !== null && value !== '' && value !== undefined)
		.map(([key, value]) => [h('dt', {}, key), h('dd', {}, value instanceof Node ? value : clean(value))]));
}

// Something long, made when it is opened.
function folded(title, make, open) {
	const node = h('details', { open: open ? true : null }, h('summary', {}, title));
	const fillOnce = () => {
		if (node.open && node.childElementCount === 1)
			fill(node, [make()].flat());
	};
	node.addEventListener('toggle', fillOnce);
	fillOnce();
	return node;
}

function jsonTable(name, list) {
	const keys = [...new Set(list.slice(0, 200).flatMap((item) => Object.keys(item)))].slice(0, COLUMNS_SHOWN);
	const columns = keys.map((key) => {
		const longest = list.slice(0, 200).reduce((n, item) => Math.max(n, keyUnit(key, item[key]).length), 0);
		return {
			title: keyTitle(key), get: (row) => (isFlat(row[key]) && !Array.isArray(row[key]) ? row[key] : flatText(row[key])),
			text: (row) => keyUnit(key, row[key]),
			num: list.every((item) => typeof item[key] === 'number'),
			width: Math.min(48, Math.max(longest, key.length) + 3),
		};
	});
	return new Table({ name, columns, rows: list, visible: 12 }).node;
}

// Several objects of the same few numbers and texts, as limits are.
function isTable(list) {
	const keys = (item) => (item === null || typeof item !== 'object' || Array.isArray(item) ? '' : Object.keys(item).join(' '));
	return list.length > 2 && list.every((item) => keys(item) !== '' && keys(item) === keys(list[0])
		&& Object.values(item).every((field) => isFlat(field)));
}

function jsonView(name, value, depth) {
	if (isFlat(value))
		return h('p', {}, flatText(value));
	if (Array.isArray(value) && value.every((item) => item !== null && typeof item === 'object' && !Array.isArray(item)
	    && Object.values(item).every((field) => isFlat(field))))
		return jsonTable(name, value);
	if (!Array.isArray(value) && isTable(Object.values(value)))
		return jsonTable(name, Object.entries(value).map(([key, item]) => ({ name: keyTitle(key), ...item })));
	const entries = Array.isArray(value) ? value.map((item, i) => [itemName(item, i), item]) : Object.entries(value);
	const flat = entries.filter(([, item]) => isFlat(item) && !isEmpty(item));
	const deep = entries.filter(([, item]) => !isFlat(item) && !isEmpty(item)).slice(0, 500);
	return h('div', { class: 'json' }, flat.length === 0 ? null
		: lines(flat.map(([key, item]) => [keyTitle(String(key)), keyUnit(String(key), item)])),
	deep.map(([key, item]) => folded(keyTitle(String(key)) + (Array.isArray(item) ? ' (' + item.length + ')' : ''),
		() => jsonView(String(key), item, depth + 1), depth < 1 && deep.length === 1)));
}

// Members of lists by what they say of themselves.
function itemName(item, i) {
	if (item === null || typeof item !== 'object')
		return i;
	if (item.pid !== undefined)
		return item.pid + ' ' + (item.comm || '');
	if (item.tid !== undefined)
		return item.tid + ' ' + (item.comm || '');
	return [item.type, item.name, item.kind, item.id].filter((part) => part !== undefined && part !== null).join(' ') || i;
}

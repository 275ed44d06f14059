// The data of one image: the blocks of JSON, and what is found by pid. Nothing is copied that need not be.

const NOT_DRAWN = { pages: [], shared: [], environment: null };

function block(name) {
	const node = document.getElementById(name);
	return node === null ? null : JSON.parse(node.textContent);
}

function byPid(list) {
	const map = new Map();
	for (const item of list || [])
		map.set(item.pid, item);
	return map;
}

function loadImage(side) {
	const inspect = block('inspect-' + side);
	if (inspect === null)
		return null;
	const image = { side, inspect, findings: block('findings-' + side) };
	const spaces = byPid(block('spaces-' + side).processes);
	const parts = {};
	for (const name of ['fds', 'maps', 'regs', 'stack', 'signals', 'creds', 'timers'])
		parts[name] = byPid(inspect[name]);
	const depths = new Map();
	image.processes = (inspect.tree || []).map((row) => {
		const depth = depths.has(row.ppid) ? depths.get(row.ppid) + 1 : 0;
		depths.set(row.pid, depth);
		const process = { row, pid: row.pid, comm: row.comm, depth, space: spaces.get(row.pid) || NOT_DRAWN };
		for (const name of Object.keys(parts))
			process[name] = parts[name].get(row.pid) || null;
		return process;
	});
	image.byPid = byPid(image.processes);
	image.files = new Map((inspect.files || []).map((file) => [file.id, file]));
	return image;
}

function commandText(row) {
	return row.command === null || row.command === undefined ? ''
		: row.command.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : "'" + word + "'")).join(' ');
}

// "9486 fd 3" and the like, taken apart.
function userOf(text) {
	const match = /^(\d+) (fd|cwd|root|exe|map)(?: (\d+))?$/.exec(text);
	return match === null ? null : { pid: Number(match[1]), use: match[2], fd: match[3] };
}

function areasOf(process) {
	return process.maps === null ? [] : process.maps.areas;
}

// What an area is called: its file, "[heap]", or what kind of memory it is.
function areaName(area) {
	if (area.name !== null && area.name !== undefined && area.name !== '')
		return area.name;
	return area.permissions[3] === 's' ? 'shared memory' : 'private memory';
}

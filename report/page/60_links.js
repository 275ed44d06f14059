// Who is connected to whom: pipes, sockets, shared memory, and open files that several processes hold.
//
// A link: kind, name, ends ([{pid, way, what}] by pid; way r, w or rw), outside (the far end that is not in
// the image, or null).

const LINK_KINDS = {
	pipe: 'Pipes', unix: 'Unix sockets', inet: 'Internet', memory: 'Shared memory', listen: 'Listening', open: 'Shared open files',
};

class Link {
	constructor(kind, name) {
		Object.assign(this, { kind, name, ends: new Map(), outside: null });
	}

	add(pid, way, what) {
		const end = this.ends.get(pid) || { pid, way: '', what: [] };
		for (const c of way)
			end.way += end.way.includes(c) ? '' : c;
		end.what.push(what);
		this.ends.set(pid, end);
	}

	addUsers(users, way) {
		for (const user of (users || []).map(userOf))
			if (user !== null && user.use === 'fd')
				this.add(user.pid, way, 'fd ' + user.fd);
	}
}

function wayOf(flags) {
	return flags.includes('O_WRONLY') ? 'w' : flags.includes('O_RDWR') ? 'rw' : 'r';
}

function got(map, key, make) {
	if (!map.has(key))
		map.set(key, make());
	return map.get(key);
}

function fileLinks(image) {
	const links = new Map();
	for (const file of image.inspect.files || []) {
		const isPipe = file.type === 'pipe' || file.type === 'fifo';
		if (/^(unix|inet|netlink|packet)/.test(file.type) || (!isPipe && file.users.length < 2))
			continue;
		const key = isPipe ? file.type + ' ' + file.name : 'file ' + file.id;
		got(links, key, () => new Link(isPipe ? 'pipe' : 'open', file.name)).addUsers(file.users, wayOf(file.flags));
	}
	return [...links.values()].filter((link) => link.ends.size > (link.kind === 'open' ? 1 : 0));
}

function unixLinks(image) {
	const rows = (image.inspect.sockets || {}).unix || [];
	const byInode = new Map(rows.map((row) => [row.inode, row]));
	const links = new Map();
	for (const row of rows) {
		const listens = row.state === 'LISTEN';
		const known = row.peer_inode !== 0 && byInode.has(row.peer_inode);
		const key = known ? [row.inode, row.peer_inode].sort((a, b) => a - b).join(' ') : String(row.inode);
		const link = got(links, key, () => new Link(listens ? 'listen' : 'unix', row.type + ' ' + row.local));
		if (!row.local.startsWith('['))
			link.name = row.type + ' ' + row.local;
		link.addUsers(row.users, 'rw');
		if (known && byInode.get(row.peer_inode).peer_inode !== row.inode) // its peer does not name it
			link.addUsers(byInode.get(row.peer_inode).users, 'rw');
		if (row.peer_inode !== 0 && !known)
			link.outside = row.peer;
	}
	return [...links.values()].filter((link) => link.kind === 'listen' || link.outside !== null || link.ends.size > 1
		|| [...link.ends.values()].some((end) => end.what.length > 1));
}

function inetLinks(image) {
	const rows = (image.inspect.sockets || {}).inet || [];
	const pairs = new Set(rows.map((row) => row.proto + ' ' + row.local + ' ' + row.peer));
	const links = new Map();
	for (const row of rows) {
		const known = row.peer !== null && pairs.has(row.proto + ' ' + row.peer + ' ' + row.local);
		const key = row.proto + ' ' + (known ? [row.local, row.peer].sort().join(' ') : row.local + ' ' + row.inode);
		const link = got(links, key, () => new Link(row.peer === null ? 'listen' : 'inet', row.proto + ' ' + row.local));
		link.addUsers(row.users, 'rw');
		if (row.peer !== null && !known)
			link.outside = row.peer;
	}
	return [...links.values()];
}

function memoryLinks(image) {
	const links = new Map();
	for (const process of image.processes)
		for (const [i, key] of process.space.shared) {
			const area = areasOf(process)[i];
			if (area !== undefined)
				got(links, key, () => new Link('memory', areaName(area)))
					.add(process.pid, area.permissions[1] === 'w' ? 'rw' : 'r', area.start);
		}
	return [...links.values()].filter((link) => link.ends.size > 1);
}

function linksOf(image) {
	if (image.links === undefined)
		image.links = [...fileLinks(image), ...unixLinks(image), ...inetLinks(image), ...memoryLinks(image)]
			.filter((link) => link.ends.size > 0);
	return image.links;
}

// Links that join the same processes in the same way are drawn as one.
function linkGroups(links) {
	const groups = new Map();
	for (const link of links) {
		const ends = [...link.ends.values()].sort((a, b) => a.pid - b.pid);
		const key = link.kind + '|' + ends.map((end) => end.pid + end.way).join(' ') + '|' + (link.outside || '');
		got(groups, key, () => ({ kind: link.kind, ends, outside: link.outside, links: [] })).links.push(link);
	}
	return [...groups.values()];
}

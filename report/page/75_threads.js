// Threads: what each is doing, and of one that is chosen all registers and the stack.

function frameText(frame) {
	const module = frame.module === null ? '' : basename(frame.module);
	const line = frame.file === null ? '' : ' at ' + basename(frame.file) + ':' + frame.line;
	if (frame.function !== null)
		return frame.function + (frame.offset !== null && frame.offset !== '0x0' ? '+' + frame.offset : '')
			+ (module ? ' (' + module + ')' : '') + line;
	return module === '' ? frame.address : module + '+' + frame.module_offset;
}

// Of every thread what the views tell of it, side by side.
function threadRows(process) {
	const of = (part) => new Map(((part || {}).threads || []).map((thread) => [thread.tid, thread]));
	const regs = of(process.regs), stack = of(process.stack), signals = of(process.signals);
	return (process.row.threads || []).map(({ tid, comm }) => ({
		tid, comm, regs: regs.get(tid) || null, stack: stack.get(tid) || null, signals: signals.get(tid) || null,
	}));
}

function doing(thread) {
	const call = thread.regs && thread.regs.syscall;
	return call ? call.text || call.name : thread.regs ? 'user code' : '';
}

function topFrame(thread) {
	const frames = thread.stack ? thread.stack.frames : [];
	return frames.length ? frameText(frames[0]) : '';
}

function registerGrid(thread, before) {
	const old = before && before.regs ? before.regs.registers : {};
	return h('dl', { class: 'registers' }, Object.entries(thread.regs.registers || {}).map(([name, register]) => {
		const more = register.string || register.where || '';
		const was = old[name] && old[name].value !== register.value ? old[name].value : null;
		return h('div', { class: was ? 'changed-text' : null, title: was ? 'was ' + was : null },
			h('dt', {}, name),
			h('dd', {}, h('code', {}, register.value), more ? h('span', { class: 'dim' }, ' ' + shorten(more, 40)) : null));
	}));
}

function stackList(stack) {
	return [h('ol', { class: 'stack', start: '0' }, stack.frames.map((frame) =>
		h('li', { class: frame.guess ? 'guess' : null, title: frame.how + (frame.guess ? ', a guess' : '') },
			h('code', {}, frame.address.slice(2).padStart(12, '0')), ' ', frameText(frame), frame.signal ? ' (signal)' : ''))),
	stack.ended ? h('p', { class: 'dim' }, stack.ended) : null];
}

function threadDetail(thread, before) {
	const { registers, syscall, tid, comm, ...rest } = thread.regs || {};
	return h('div', { class: 'columns' },
		h('div', {}, h('h3', {}, 'Registers of ' + thread.tid),
			thread.regs === null ? h('p', { class: 'dim' }, 'not in the image') : registerGrid(thread, before),
			thread.regs === null ? null : folded('Flags, segments, x87, vectors', () => jsonView('Registers', rest, 0))),
		h('div', {}, h('h3', {}, 'Stack of ' + thread.tid),
			thread.stack === null ? h('p', { class: 'dim' }, 'not in the image') : stackList(thread.stack)));
}

function threadSection(process, beforeProcess) {
	const rows = threadRows(process);
	if (rows.length === 0)
		return section('threads', 'Threads', h('p', { class: 'dim' }, 'none'));
	const old = beforeProcess ? threadRows(beforeProcess) : [];
	const renumbered = beforeProcess && beforeProcess.pid !== process.pid; // then by their order
	const before = (thread) => (renumbered ? old[rows.indexOf(thread)] : old.find((one) => one.tid === thread.tid));
	const changes = new Set((process.changed || []).filter((change) => change.group === 'registers').map((change) => change.thread.b));
	const detail = h('div', { class: 'detail' });
	const table = new Table({
		name: 'Threads', rows, unit: 'thread', visible: 8,
		columns: [
			{ title: 'Tid', get: (thread) => thread.tid, num: true, width: 9 },
			{ title: 'Name', get: (thread) => thread.comm, width: 17 },
			{ title: 'Doing', get: doing, mono: true, grow: true, width: 30 },
			{ title: 'At', wide: true, get: topFrame, mono: true, width: 30 },
			changes.size > 0
				? { title: 'Change', get: (thread) => (changes.has(thread.tid) ? 'registers' : ''), width: 11, cls: () => 'changed-text' } : null,
			{ title: 'Blocks', wide: true, get: (thread) => (thread.signals ? thread.signals.blocked : ''), width: 20 },
		],
		onpick: (thread) => replace(detail, threadDetail(thread, before(thread))),
	});
	table.go(0, true);
	return section('threads', 'Threads', table.node, detail);
}

// Network devices. (Routes and rules are text and messages of the kernel: raw objects.)
#include "readers/cpt_records.h"

#define IFF_LOOPBACK_FLAG 0x8u
#define ETHERNET_BYTES 6u
#define NAME_BYTES 16u

static const struct {
	enum crimg_cpt_object kind;
	NdType type;
} kinds[] = {
	{CRIMG_CPT_OBJ_NET_VETH, ND_TYPE__VETH},
	{CRIMG_CPT_OBJ_NET_TUNTAP, ND_TYPE__TUN},
	{CRIMG_CPT_OBJ_NET_BR, ND_TYPE__BRIDGE},
	{CRIMG_CPT_OBJ_NET_IPIP_TUNNEL, ND_TYPE__SIT},
};

static NdType type_of(const struct cpt *c, const struct cpt_object *o, const char *name)
{
	if ((cpt_get(c, o, CRIMG_CPT_NET_DEVICE_FLAGS) & IFF_LOOPBACK_FLAG) != 0)
		return ND_TYPE__LOOPBACK;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (cpt_child(c, o, NULL, kinds[i].kind) != NULL)
			return kinds[i].type;
	return strncmp(name, "venet", 5) == 0 ? ND_TYPE__VENET : ND_TYPE__EXTLINK;
}

// The driver's own flags, and those that user space gives it.
static const struct {
	uint32_t driver, user;
} tun_flags[] = {
	{0x1, 0x1}, {0x2, 0x2}, {0x40, 0x1000}, {0x80, 0x2000}, {0x100, 0x800}, {0x200, 0x4000},
};

static TunLinkEntry *tun_link(struct cpt_image *m, const struct cpt_object *tun, struct crimg_err *err)
{
	enum { HEADER_BYTES = 10 }; // of what may stand before a packet, unless somebody asked for more
	TunLinkEntry *e = cpt_make(m, 1, sizeof *e, err);
	uint64_t flags = cpt_get(&m->c, tun, CRIMG_CPT_NET_TUNTAP_FLAGS);
	if (e == NULL)
		return NULL;
	tun_link_entry__init(e);
	for (size_t i = 0; i < sizeof tun_flags / sizeof tun_flags[0]; i++)
		if ((flags & tun_flags[i].driver) != 0)
			e->flags |= tun_flags[i].user;
	e->owner = (int32_t)cpt_get(&m->c, tun, CRIMG_CPT_NET_TUNTAP_OWNER);
	e->group = -1; // the format has none
	e->vnethdr = HEADER_BYTES;
	e->sndbuf = INT32_MAX;
	return e;
}

const struct cpt_object *cpt_tun_of(const struct cpt_image *m, const struct cpt_object *file)
{
	const struct cpt *c = &m->c;
	for (size_t i = 0; i < cpt_count(c, CRIMG_CPT_OBJ_NET_DEVICE); i++) {
		const struct cpt_object *o = cpt_nth(c, CRIMG_CPT_OBJ_NET_DEVICE, i);
		const struct cpt_object *tun = cpt_child(c, o, NULL, CRIMG_CPT_OBJ_NET_TUNTAP);
		if (tun != NULL && cpt_ref(c, tun, CRIMG_CPT_NET_TUNTAP_BINDFILE) == file)
			return o;
	}
	return NULL;
}

char *cpt_device_name(struct cpt_image *m, const struct cpt_object *device, struct crimg_err *err)
{
	const char *name = (const char *)cpt_bytes(&m->c, device, CRIMG_CPT_NET_DEVICE_NAME);
	char *text = crimg_arena_text(&m->arena, name, strnlen(name, NAME_BYTES));
	if (text == NULL)
		crimg_fail_nomem(err, NAME_BYTES);
	return text;
}

CPT_ENTRY(cpt_put_netdev)
{
	const struct cpt *c = &m->c;
	NetDeviceEntry e = NET_DEVICE_ENTRY__INIT;
	(void)object;
	if (index >= cpt_count(c, CRIMG_CPT_OBJ_NET_DEVICE))
		return 0;
	const struct cpt_object *o = cpt_nth(c, CRIMG_CPT_OBJ_NET_DEVICE, (size_t)index);
	const struct cpt_object *hw = cpt_child(c, o, NULL, CRIMG_CPT_OBJ_NET_HWADDR);
	const struct cpt_object *tun = cpt_child(c, o, NULL, CRIMG_CPT_OBJ_NET_TUNTAP);
	crimg_arena_reset(&m->arena);
	e.address.len = hw != NULL ? ETHERNET_BYTES : 0;
	e.has_address = hw != NULL;
	e.address.data = cpt_make(m, ETHERNET_BYTES, 1, err);
	if (e.address.data == NULL || (e.name = cpt_device_name(m, o, err)) == NULL
	    || (tun != NULL && (e.tun = tun_link(m, tun, err)) == NULL))
		return -1;
	if (hw != NULL)
		memcpy(e.address.data, cpt_bytes(c, hw, CRIMG_CPT_NET_HWADDR_DEV_ADDR),
		       ETHERNET_BYTES);
	e.type = type_of(c, o, e.name);
	e.ifindex = cpt_u32(c, o, CRIMG_CPT_NET_DEVICE_INDEX);
	e.flags = cpt_u32(c, o, CRIMG_CPT_NET_DEVICE_FLAGS);
	e.mtu = cpt_u32(c, o, CRIMG_CPT_NET_DEVICE_MTU);
	cpt_from(out, o);
	return model_encode(&e.base, out, err);
}

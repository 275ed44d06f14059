// Network devices. (Routes and rules are text and messages of the kernel: raw objects.)
#include "readers/cpt_records.h"

#define IFF_LOOPBACK_FLAG 0x8u
#define ETHERNET_BYTES 6u

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

CPT_ENTRY(cpt_put_netdev)
{
	const struct cpt *c = &m->c;
	NetDeviceEntry e = NET_DEVICE_ENTRY__INIT;
	(void)object;
	if (index >= cpt_count(c, CRIMG_CPT_OBJ_NET_DEVICE))
		return 0;
	const struct cpt_object *o = cpt_nth(c, CRIMG_CPT_OBJ_NET_DEVICE, (size_t)index);
	const struct cpt_object *hw = cpt_child(c, o, NULL, CRIMG_CPT_OBJ_NET_HWADDR);
	const char *name = (const char *)cpt_bytes(c, o, CRIMG_CPT_NET_DEVICE_NAME);
	crimg_arena_reset(&m->arena);
	e.name = crimg_arena_text(&m->arena, name, strnlen(name, 16));
	e.address.len = hw != NULL ? ETHERNET_BYTES : 0;
	e.has_address = hw != NULL;
	e.address.data = cpt_make(m, ETHERNET_BYTES, 1, err);
	if (e.name == NULL || e.address.data == NULL)
		return crimg_fail_nomem(err, 16);
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

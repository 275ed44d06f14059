// Network devices, those of the first network namespace; without any the one that every container has.
#include <string.h>

#include "format/checked.h"
#include "writers/cptmake_net.h"

#define LOOPBACK_FLAGS 0x49u // up, loopback, running
#define LOOPBACK_MTU 65536u
#define ETHERNET_BYTES 6u

// Flags that user space gives the driver, and its own.
static const struct {
	uint32_t user, driver;
} tun_flags[] = {
	{0x1, 0x1}, {0x2, 0x2}, {0x1000, 0x40}, {0x2000, 0x80}, {0x800, 0x100}, {0x4000, 0x200},
};

static struct cptmake_object device(uint32_t index, uint32_t flags, uint32_t mtu, const char *name)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_NET_DEVICE, CRIMG_CPT_CONTENT_ARRAY);
	cptmake_set(&o, CRIMG_CPT_NET_DEVICE_INDEX, index);
	cptmake_set(&o, CRIMG_CPT_NET_DEVICE_FLAGS, flags);
	cptmake_set(&o, CRIMG_CPT_NET_DEVICE_MTU, mtu);
	cptmake_set_bytes(&o, CRIMG_CPT_NET_DEVICE_NAME, name, strlen(name));
	return o;
}

// The open file that a device is bound to.
static uint64_t holder_of(const struct cptmake *k, const char *name)
{
	for (size_t i = 0; i < k->files.count; i++) {
		const struct crimg_file *f = &k->files.list[i];
		const TunfileEntry *t = f->type == FD_TYPES__TUNF ? f->message : NULL;
		if (t != NULL && t->netdev != NULL && strcmp(t->netdev, name) == 0)
			return cptmake_at(&k->opened, f->id);
	}
	return CRIMG_CPT_NONE;
}

static int put_tun(struct cptmake *k, const NetDeviceEntry *e, struct crimg_err *err)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_NET_TUNTAP, CRIMG_CPT_CONTENT_ARRAY);
	uint32_t flags = 0;
	for (size_t i = 0; i < sizeof tun_flags / sizeof tun_flags[0]; i++)
		if ((e->tun->flags & tun_flags[i].user) != 0)
			flags |= tun_flags[i].driver;
	cptmake_set(&o, CRIMG_CPT_NET_TUNTAP_FLAGS, flags);
	cptmake_set(&o, CRIMG_CPT_NET_TUNTAP_OWNER, (uint32_t)e->tun->owner);
	cptmake_set(&o, CRIMG_CPT_NET_TUNTAP_BINDFILE, holder_of(k, e->name));
	cptmake_set(&o, CRIMG_CPT_NET_TUNTAP_IF_FLAGS, e->flags);
	if (e->has_address)
		cptmake_set_bytes(&o, CRIMG_CPT_NET_TUNTAP_DEV_ADDR, e->address.data, e->address.len);
	return cptmake_put(k, &o, NULL, 0, err);
}

static int put_kind(struct cptmake *k, const NetDeviceEntry *e, struct crimg_err *err)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_NET_VETH, CRIMG_CPT_CONTENT_VOID);
	switch (e->type) {
	case ND_TYPE__LOOPBACK:
	case ND_TYPE__VENET:
		return 0;
	case ND_TYPE__VETH:
		return cptmake_put(k, &o, NULL, 0, err);
	case ND_TYPE__TUN:
		if (e->tun != NULL)
			return put_tun(k, e, err);
		break;
	default:
		break;
	}
	return cptmake_lose(k, CRIMG_KIND_NETDEV, 0, "type", "what a device is beside its name is left out", err);
}

static int put_device(struct cptmake *k, const NetDeviceEntry *e, struct crimg_err *err)
{
	struct cptmake_object o = device(e->ifindex, e->flags, e->mtu, e->name);
	struct cptmake_object hw = cptmake_new(CRIMG_CPT_OBJ_NET_HWADDR, CRIMG_CPT_CONTENT_VOID);
	struct cptmake_mark mark;
	if (cptmake_begin(k, &o, &mark, err) < 0 || put_kind(k, e, err) < 0)
		return -1;
	if (e->has_address && e->address.len == ETHERNET_BYTES) {
		cptmake_set_bytes(&hw, CRIMG_CPT_NET_HWADDR_DEV_ADDR, e->address.data, e->address.len);
		if (cptmake_put(k, &hw, NULL, 0, err) < 0)
			return -1;
	}
	return cptmake_end(k, mark, err);
}

int cptmake_devices(struct cptmake *k, struct crimg_err *err)
{
	struct crimg_image_object *ns = crimg_image_first(k->image, CRIMG_KIND_NETDEV);
	struct cptmake_object lo = device(1, LOOPBACK_FLAGS, LOOPBACK_MTU, "lo");
	if (cptmake_section(k, CRIMG_CPT_SECT_NET_DEVICE, err) < 0)
		return -1;
	if ((ns == NULL || ns->count == 0) && cptmake_put(k, &lo, NULL, 0, err) < 0)
		return -1;
	for (size_t i = 0; ns != NULL && i < ns->count; i++) {
		const NetDeviceEntry *e = crimg_image_message(k->image, ns, i, err);
		if (e == NULL || put_device(k, e, err) < 0)
			return -1;
	}
	return cptmake_section_end(k, err);
}

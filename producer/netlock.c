// The table of a lock: two sets of connections, and two chains that drop what is in them.
#include "producer/netlock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "producer/nftables.h"

#define CRIU_MARK 0xC114u // of packets that criu makes up when it restores
#define NETWORK_BASE NFT_PAYLOAD_NETWORK_HEADER
#define TRANSPORT_BASE NFT_PAYLOAD_TRANSPORT_HEADER
#define AT_ONCE 256u      // connections that one message tells
#define KEY_MAX_BYTES 40u

#ifndef NFT_TABLE_F_OWNER
#define NFT_TABLE_F_OWNER 2
#endif

// The sort of one address family: how a packet's addresses are found, and the set that they are looked for in.
static const struct family {
	const char *set;
	uint8_t number;
	uint32_t id, address_bytes, source_at, target_at;
	uint32_t key_type; // for nft(8): address . port . address . port
} families[] = {
	{"conns4", NFPROTO_IPV4, 1, 4, 12, 16, 7u << 18 | 13u << 12 | 7u << 6 | 13u},
	{"conns6", NFPROTO_IPV6, 2, 16, 8, 24, 8u << 18 | 13u << 12 | 8u << 6 | 13u},
};

static const struct chain {
	const char *name;
	uint32_t hook;
} chains[] = {{"input", NF_INET_LOCAL_IN}, {"output", NF_INET_LOCAL_OUT}};

bool crimg_connection_meets(const struct crimg_connection *a, const struct crimg_connection *b)
{
	return a->v6 == b->v6 && a->source_port == b->target_port && a->target_port == b->source_port
	       && memcmp(a->source, b->target, sizeof a->source) == 0
	       && memcmp(a->target, b->source, sizeof a->target) == 0;
}

int crimg_connection_order(const struct crimg_connection *a, const struct crimg_connection *b)
{
	int c = memcmp(a->source, b->source, sizeof a->source);
	if (c == 0)
		c = memcmp(a->target, b->target, sizeof a->target);
	if (c == 0)
		c = (a->source_port > b->source_port) - (a->source_port < b->source_port);
	if (c == 0)
		c = (a->target_port > b->target_port) - (a->target_port < b->target_port);
	return c != 0 ? c : a->v6 - b->v6;
}

static uint32_t key_bytes(const struct family *f)
{
	return 2 * (f->address_bytes + 4);
}

static void put_set(struct crimg_nft *n, const char *table, const struct family *f)
{
	crimg_nft_message(n, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK);
	crimg_nft_text(n, NFTA_SET_TABLE, table);
	crimg_nft_text(n, NFTA_SET_NAME, f->set);
	crimg_nft_number(n, NFTA_SET_FLAGS, 0);
	crimg_nft_number(n, NFTA_SET_KEY_TYPE, f->key_type);
	crimg_nft_number(n, NFTA_SET_KEY_LEN, key_bytes(f));
	crimg_nft_number(n, NFTA_SET_ID, f->id);
}

static void put_chain(struct crimg_nft *n, const char *table, const struct chain *c)
{
	crimg_nft_message(n, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_ACK);
	crimg_nft_text(n, NFTA_CHAIN_TABLE, table);
	crimg_nft_text(n, NFTA_CHAIN_NAME, c->name);
	crimg_nft_open(n, NFTA_CHAIN_HOOK);
	crimg_nft_number(n, NFTA_HOOK_HOOKNUM, c->hook);
	crimg_nft_number(n, NFTA_HOOK_PRIORITY, 0);
	crimg_nft_close(n);
	crimg_nft_number(n, NFTA_CHAIN_POLICY, NF_ACCEPT);
	crimg_nft_text(n, NFTA_CHAIN_TYPE, "filter");
}

static void open_rule(struct crimg_nft *n, const char *table, const char *chain)
{
	crimg_nft_message(n, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK);
	crimg_nft_text(n, NFTA_RULE_TABLE, table);
	crimg_nft_text(n, NFTA_RULE_CHAIN, chain);
	crimg_nft_open(n, NFTA_RULE_EXPRESSIONS);
}

static void load_meta(struct crimg_nft *n, uint32_t key)
{
	crimg_nft_expression(n, "meta", (const uint32_t[8]){NFTA_META_DREG, NFT_REG_1, NFTA_META_KEY, key});
}

static void put_mark_rule(struct crimg_nft *n, const char *table, const char *chain)
{
	const uint32_t mark = CRIU_MARK;
	open_rule(n, table, chain);
	load_meta(n, NFT_META_MARK);
	crimg_nft_compare(n, NFT_REG_1, &mark, sizeof mark);
	crimg_nft_verdict(n, NF_ACCEPT);
	crimg_nft_close(n);
}

// Into registers of four bytes each, from *reg on.
static void load(struct crimg_nft *n, uint32_t base, uint32_t at, uint32_t length, uint32_t *reg)
{
	crimg_nft_expression(n, "payload", (const uint32_t[8]){
		NFTA_PAYLOAD_DREG, *reg, NFTA_PAYLOAD_BASE, base, NFTA_PAYLOAD_OFFSET, at,
		NFTA_PAYLOAD_LEN, length});
	*reg += (length + 3) / 4;
}

static void put_drop_rule(struct crimg_nft *n, const char *table, const char *chain, const struct family *f)
{
	const uint8_t tcp = IPPROTO_TCP;
	uint32_t reg = NFT_REG32_00;
	open_rule(n, table, chain);
	load_meta(n, NFT_META_NFPROTO);
	crimg_nft_compare(n, NFT_REG_1, &f->number, 1);
	load_meta(n, NFT_META_L4PROTO);
	crimg_nft_compare(n, NFT_REG_1, &tcp, 1);
	load(n, NETWORK_BASE, f->source_at, f->address_bytes, &reg);
	load(n, TRANSPORT_BASE, 0, 2, &reg);
	load(n, NETWORK_BASE, f->target_at, f->address_bytes, &reg);
	load(n, TRANSPORT_BASE, 2, 2, &reg);
	crimg_nft_open(n, NFTA_LIST_ELEM);
	crimg_nft_text(n, NFTA_EXPR_NAME, "lookup");
	crimg_nft_open(n, NFTA_EXPR_DATA);
	crimg_nft_text(n, NFTA_LOOKUP_SET, f->set);
	crimg_nft_number(n, NFTA_LOOKUP_SREG, NFT_REG32_00);
	crimg_nft_number(n, NFTA_LOOKUP_SET_ID, f->id);
	crimg_nft_close(n);
	crimg_nft_close(n);
	crimg_nft_verdict(n, NF_DROP);
	crimg_nft_close(n);
}

static int make_table(struct crimg_netlock *l, bool owned, struct crimg_err *err)
{
	struct crimg_nft n;
	crimg_nft_begin(&n, &l->buf, l->serial);
	crimg_nft_message(&n, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK);
	crimg_nft_text(&n, NFTA_TABLE_NAME, l->name);
	crimg_nft_number(&n, NFTA_TABLE_FLAGS, owned ? NFT_TABLE_F_OWNER : 0);
	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
		put_set(&n, l->name, &families[i]);
	for (size_t c = 0; c < sizeof chains / sizeof chains[0]; c++) {
		put_chain(&n, l->name, &chains[c]);
		put_mark_rule(&n, l->name, chains[c].name);
		for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
			put_drop_rule(&n, l->name, chains[c].name, &families[i]);
	}
	int rc = crimg_nft_send(&n, l->fd, err);
	l->serial = n.serial;
	return rc;
}

static int open_netfilter(struct crimg_err *err)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	return fd >= 0 ? fd : crimg_fail_sys(err, errno, NULL, "no socket of netfilter can be made");
}

int crimg_netlock_open(struct crimg_netlock *l, const char *name, bool owned, struct crimg_err *err)
{
	*l = (struct crimg_netlock)CRIMG_NETLOCK_INIT;
	snprintf(l->name, sizeof l->name, "%s", name);
	l->fd = open_netfilter(err);
	if (l->fd < 0)
		return -1;
	if (make_table(l, owned, err) == 0)
		return 0;
	crimg_netlock_close(l);
	return -1;
}

// Source and target, or the other way round, as a packet has them.
static void put_key(struct crimg_nft *n, const struct family *f, const struct crimg_connection *c, bool back)
{
	uint8_t key[KEY_MAX_BYTES] = {0};
	uint32_t a = f->address_bytes;
	uint16_t source_port = htons(back ? c->target_port : c->source_port);
	uint16_t target_port = htons(back ? c->source_port : c->target_port);
	memcpy(key, back ? c->target : c->source, a);
	memcpy(key + a, &source_port, 2);
	memcpy(key + a + 4, back ? c->source : c->target, a);
	memcpy(key + 2 * a + 4, &target_port, 2);
	crimg_nft_open(n, NFTA_LIST_ELEM);
	crimg_nft_open(n, NFTA_SET_ELEM_KEY);
	crimg_nft_bytes(n, NFTA_DATA_VALUE, key, key_bytes(f));
	crimg_nft_close(n);
	crimg_nft_close(n);
}

static int add_some(struct crimg_netlock *l, const struct family *f, const struct crimg_connection *list,
		    size_t count, struct crimg_err *err)
{
	struct crimg_nft n;
	size_t added = 0;
	crimg_nft_begin(&n, &l->buf, l->serial);
	crimg_nft_message(&n, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_ACK);
	crimg_nft_text(&n, NFTA_SET_ELEM_LIST_TABLE, l->name);
	crimg_nft_text(&n, NFTA_SET_ELEM_LIST_SET, f->set);
	crimg_nft_open(&n, NFTA_SET_ELEM_LIST_ELEMENTS);
	for (size_t i = 0; i < count; i++)
		if (list[i].v6 == (f->number == NFPROTO_IPV6)) {
			put_key(&n, f, &list[i], false);
			put_key(&n, f, &list[i], true);
			added++;
		}
	crimg_nft_close(&n);
	int rc = added == 0 ? 0 : crimg_nft_send(&n, l->fd, err);
	l->serial = n.serial;
	return rc;
}

int crimg_netlock_add(struct crimg_netlock *l, const struct crimg_connection *list, size_t count,
		      struct crimg_err *err)
{
	for (size_t at = 0; at < count; at += AT_ONCE)
		for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
			if (add_some(l, &families[i], list + at, count - at < AT_ONCE ? count - at : AT_ONCE,
				     err) < 0)
				return -1;
	return 0;
}

void crimg_netlock_close(struct crimg_netlock *l)
{
	if (l->fd >= 0)
		close(l->fd);
	crimg_buf_fini(&l->buf);
	*l = (struct crimg_netlock)CRIMG_NETLOCK_INIT;
}

int crimg_netlock_remove(const char *name, bool *there, struct crimg_err *err)
{
	struct crimg_err why = CRIMG_ERR_INIT;
	struct crimg_buf buf = CRIMG_BUF_INIT;
	struct crimg_nft n;
	int fd = open_netfilter(err);
	if (fd < 0)
		return -1;
	crimg_nft_begin(&n, &buf, 0);
	crimg_nft_message(&n, NFT_MSG_DELTABLE, NLM_F_ACK);
	crimg_nft_text(&n, NFTA_TABLE_NAME, name);
	int rc = crimg_nft_send(&n, fd, &why);
	close(fd);
	crimg_buf_fini(&buf);
	*there = rc == 0;
	if (rc == 0 || why.sys_errno == ENOENT)
		return 0;
	*err = why;
	return -1;
}

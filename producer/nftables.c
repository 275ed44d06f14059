// Making messages of nf_tables, and asking the kernel to follow them.
#include "producer/nftables.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWER_BYTES 4096u

static size_t append(struct crimg_nft *n, const void *data, size_t length)
{
	static const uint8_t zeros[NLMSG_ALIGNTO];
	struct crimg_err ignored = CRIMG_ERR_INIT;
	size_t at = n->buf->length, pad = NLMSG_ALIGN(length) - length;
	if (n->failed || crimg_buf_append(n->buf, data, length, &ignored) < 0
	    || crimg_buf_append(n->buf, zeros, pad, &ignored) < 0) {
		n->failed = true;
		return 0;
	}
	return at;
}

static void end_message(struct crimg_nft *n)
{
	uint32_t length = (uint32_t)(n->buf->length - n->message);
	if (!n->failed && length > 0)
		memcpy(n->buf->data + n->message, &length, sizeof length);
}

static void begin_message(struct crimg_nft *n, uint16_t type, uint16_t flags, const struct nfgenmsg *head)
{
	struct nlmsghdr h = {.nlmsg_type = type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)};
	end_message(n);
	h.nlmsg_seq = n->serial++;
	n->message = n->buf->length;
	append(n, &h, sizeof h);
	append(n, head, sizeof *head);
}

void crimg_nft_begin(struct crimg_nft *n, struct crimg_buf *buf, uint32_t serial)
{
	*n = (struct crimg_nft){.buf = buf, .serial = serial};
	buf->length = 0;
	begin_message(n, NFNL_MSG_BATCH_BEGIN, 0, &(struct nfgenmsg){.res_id = htons(NFNL_SUBSYS_NFTABLES)});
}

void crimg_nft_message(struct crimg_nft *n, uint16_t type, uint16_t flags)
{
	begin_message(n, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags,
		      &(struct nfgenmsg){.nfgen_family = NFPROTO_INET});
}

void crimg_nft_bytes(struct crimg_nft *n, uint16_t type, const void *data, size_t length)
{
	struct nlattr a = {.nla_type = type, .nla_len = (uint16_t)(sizeof a + length)};
	append(n, &a, sizeof a);
	append(n, data, length);
}

void crimg_nft_text(struct crimg_nft *n, uint16_t type, const char *text)
{
	crimg_nft_bytes(n, type, text, strlen(text) + 1);
}

void crimg_nft_number(struct crimg_nft *n, uint16_t type, uint32_t value)
{
	uint32_t wire = htonl(value);
	crimg_nft_bytes(n, type, &wire, sizeof wire);
}

void crimg_nft_open(struct crimg_nft *n, uint16_t type)
{
	struct nlattr a = {.nla_type = type | NLA_F_NESTED, .nla_len = sizeof a};
	n->nests[n->depth++] = append(n, &a, sizeof a);
}

void crimg_nft_close(struct crimg_nft *n)
{
	size_t at = n->nests[--n->depth];
	uint16_t length = (uint16_t)(n->buf->length - at);
	if (!n->failed)
		memcpy(n->buf->data + at, &length, sizeof length);
}

static void open_expression(struct crimg_nft *n, const char *name)
{
	crimg_nft_open(n, NFTA_LIST_ELEM);
	crimg_nft_text(n, NFTA_EXPR_NAME, name);
	crimg_nft_open(n, NFTA_EXPR_DATA);
}

static void close_expression(struct crimg_nft *n)
{
	crimg_nft_close(n);
	crimg_nft_close(n);
}

void crimg_nft_expression(struct crimg_nft *n, const char *name, const uint32_t numbers[8])
{
	open_expression(n, name);
	for (size_t i = 0; i < 8 && numbers[i] != 0; i += 2)
		crimg_nft_number(n, (uint16_t)numbers[i], numbers[i + 1]);
	close_expression(n);
}

void crimg_nft_compare(struct crimg_nft *n, uint32_t reg, const void *data, size_t length)
{
	open_expression(n, "cmp");
	crimg_nft_number(n, NFTA_CMP_SREG, reg);
	crimg_nft_number(n, NFTA_CMP_OP, NFT_CMP_EQ);
	crimg_nft_open(n, NFTA_CMP_DATA);
	crimg_nft_bytes(n, NFTA_DATA_VALUE, data, length);
	crimg_nft_close(n);
	close_expression(n);
}

void crimg_nft_verdict(struct crimg_nft *n, uint32_t code)
{
	open_expression(n, "immediate");
	crimg_nft_number(n, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	crimg_nft_open(n, NFTA_IMMEDIATE_DATA);
	crimg_nft_open(n, NFTA_DATA_VERDICT);
	crimg_nft_number(n, NFTA_VERDICT_CODE, code);
	crimg_nft_close(n);
	crimg_nft_close(n);
	close_expression(n);
}

// All answers are there when the kernel has taken the batch: the first error, or 0.
static int first_error(int fd)
{
	uint64_t space[ANSWER_BYTES / 8];
	int first = 0;
	for (ssize_t got; (got = recv(fd, space, sizeof space, MSG_DONTWAIT)) > 0;) {
		const uint8_t *at = (const uint8_t *)space;
		while ((size_t)got >= sizeof(struct nlmsghdr) + sizeof(int)) {
			struct nlmsghdr h;
			int error;
			memcpy(&h, at, sizeof h);
			memcpy(&error, at + sizeof h, sizeof error);
			if (h.nlmsg_type == NLMSG_ERROR && error < 0 && first == 0)
				first = -error;
			if (h.nlmsg_len < sizeof h || NLMSG_ALIGN(h.nlmsg_len) >= (size_t)got)
				break;
			at += NLMSG_ALIGN(h.nlmsg_len);
			got -= (ssize_t)NLMSG_ALIGN(h.nlmsg_len);
		}
	}
	return first;
}

int crimg_nft_send(struct crimg_nft *n, int fd, struct crimg_err *err)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	begin_message(n, NFNL_MSG_BATCH_END, 0, &(struct nfgenmsg){.res_id = htons(NFNL_SUBSYS_NFTABLES)});
	end_message(n);
	if (n->failed)
		return crimg_fail_nomem(err, n->buf->length);
	if (sendto(fd, n->buf->data, n->buf->length, 0, (const struct sockaddr *)&kernel, sizeof kernel) < 0)
		return crimg_fail_sys(err, errno, NULL, "nf_tables cannot be told");
	int error = first_error(fd);
	return error == 0 ? 0 : crimg_fail_sys(err, error, NULL, "nf_tables");
}

// What is asked for of sockets when a tree is taken. One of this process, as live.h has it; set before a tree is.
#ifndef CRIMG_PRODUCER_NET_POLICY_H
#define CRIMG_PRODUCER_NET_POLICY_H

#include <stdbool.h>

struct crimg_net_policy {
	bool inside_only;    // connections of TCP with an end outside the tree are refused
	bool skip_in_flight; // connections that nobody has accepted are dropped
	bool without_lock;   // connections are not locked
};

void crimg_net_policy_set(struct crimg_net_policy policy);
const struct crimg_net_policy *crimg_net_policy(void);

#endif

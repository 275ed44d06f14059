// The policy of this process.
#include "producer/net_policy.h"

static struct crimg_net_policy current;

void crimg_net_policy_set(struct crimg_net_policy policy)
{
	current = policy;
}

const struct crimg_net_policy *crimg_net_policy(void)
{
	return &current;
}

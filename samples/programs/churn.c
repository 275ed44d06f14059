// Eight threads that take memory, fill it, check it and give it back all the time, some of it to each other,
// while they are caught: not a byte of any block may change, and no lock of the allocator may be left held.
//   churn [THREADS]
#include "prove.h"

#include <pthread.h>
#include <stdint.h>

#define BLOCKS 200
#define LARGEST 40000
#define THREADS_MAX 64

struct block {
	size_t size;
	uint64_t seed;
	unsigned char data[];
};

static struct block *_Atomic passed[THREADS_MAX]; // from a thread to the next
static volatile int over;
static long threads = 8;

static uint64_t next(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

static struct block *take(uint64_t *random)
{
	size_t size = next(random) % (next(random) % 8 == 0 ? LARGEST : 500);
	struct block *b = malloc(sizeof *b + size);
	PROVE(b != NULL);
	b->size = size;
	b->seed = next(random);
	for (size_t i = 0; i < size; i++)
		b->data[i] = (unsigned char)(b->seed * (i | 1) >> 3);
	return b;
}

static void give_back(struct block *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < b->size; i++)
		PROVE(b->data[i] == (unsigned char)(b->seed * (i | 1) >> 3));
	free(b);
}

static void *run(void *number)
{
	struct block *own[BLOCKS] = { NULL };
	long me = (long)number;
	uint64_t random = (uint64_t)me + 1, rounds = 0;
	for (; !over; rounds++) {
		size_t at = next(&random) % BLOCKS;
		give_back(own[at]);
		own[at] = take(&random);
		if (rounds % 16 == 0) // what the next one has not taken comes back
			give_back(__atomic_exchange_n(&passed[(me + 1) % threads], take(&random),
			                              __ATOMIC_SEQ_CST));
		if (rounds % 16 == 8)
			give_back(__atomic_exchange_n(&passed[me], NULL, __ATOMIC_SEQ_CST));
		if (rounds % 64 == 0)
			usleep(500); // others are to run, too
	}
	for (size_t i = 0; i < BLOCKS; i++)
		give_back(own[i]);
	PROVE(rounds > 0);
	return number;
}

int main(int argc, char **argv)
{
	pthread_t ids[THREADS_MAX];
	threads = argc > 1 ? strtol(argv[1], NULL, 10) : threads;
	PROVE(threads > 1 && threads <= THREADS_MAX);
	for (long i = 0; i < threads; i++)
		PROVE(pthread_create(&ids[i], NULL, run, (void *)i) == 0);
	ready();
	wait_for_go();
	over = 1;
	for (long i = 0; i < threads; i++) {
		void *result;
		PROVE(pthread_join(ids[i], &result) == 0 && result == (void *)i);
	}
	for (long i = 0; i < threads; i++)
		give_back(passed[i]);
	return 0;
}

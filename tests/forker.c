// A tree that forks all the time, and tells of each round by a byte in the file "beats". Every
// child must end as it was told to. Ends with 0 when a file called "go" is there.
#include "../samples/programs/prove.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static void round_of(int n, int beats)
{
	int status;
	pid_t child = fork();
	PROVE(child >= 0);
	if (child == 0) {
		pid_t grandchild = fork();
		_exit(grandchild < 0 ? 99 : grandchild == 0 ? 50 : n);
	}
	for (int left = 2; left > 0; left--) {
		pid_t pid = wait(&status); // the grandchild is ours once its parent has ended
		PROVE(pid > 0 && WIFEXITED(status)
		      && WEXITSTATUS(status) == (pid == child ? n : 50));
	}
	PROVE(write(beats, ".", 1) == 1);
}

int main(void)
{
	int beats = open("beats", O_WRONLY | O_CREAT | O_APPEND, 0600);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	ready();
	for (int n = 0; access("go", F_OK) != 0; n = (n + 1) % 40)
		round_of(n, beats);
	return 0;
}

// Pseudo-terminals in which something waits unread: lines and the beginning of one, every character there is where
// none is special, output longer than a reader's buffer, in packet mode; one that is exclusive, locked, and has a speed
// of its own. "plain": as CRIU keeps it, without the beginning of a line, packets and speeds.
#include "prove.h"

#include <asm/termbits.h>
#include <fcntl.h>

int ioctl(int fd, unsigned long request, ...);
#include <asm/ioctls.h>

#define SHOWN 3000

struct pair {
	int master, slave;
};

static struct pair make(void)
{
	int none = 0, master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	PROVE(master >= 0 && ioctl(master, TIOCSPTLCK, &none) == 0);
	int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	PROVE(slave >= 0);
	return (struct pair){ master, slave };
}

static void set(struct pair p, tcflag_t lflag, int min)
{
	struct termios2 t;
	PROVE(ioctl(p.slave, TCGETS2, &t) == 0);
	t.c_lflag = lflag;
	t.c_iflag = (lflag & ICANON) != 0 ? ICRNL : 0;
	t.c_cc[VMIN] = (cc_t)min;
	PROVE(ioctl(p.slave, TCSETS2, &t) == 0);
}

static void reads(int fd, const void *data, size_t length)
{
	char found[8192];
	size_t n = 0;
	while (n < length) {
		ssize_t got = read(fd, found + n, length - n);
		PROVE(got > 0);
		n += (size_t)got;
	}
	PROVE(memcmp(found, data, length) == 0);
}

static int waits(int fd)
{
	int n = -1;
	PROVE(ioctl(fd, FIONREAD, &n) == 0);
	return n;
}

int main(int argc, char **argv)
{
	int plain = argc > 1 && strcmp(argv[1], "plain") == 0, yes = 1, flag = 0;
	struct pair lines = make(), raw = make(), own = make();
	unsigned char all[255];
	char shown[SHOWN], line[64];
	struct termios2 t, locked;
	memset(shown, 'x', sizeof shown);
	for (int i = 0; i < 255; i++)
		all[i] = (unsigned char)i;

	set(lines, ICANON | ISIG | ECHO | ECHOE | IEXTEN, 1);
	PROVE(write(lines.master, "first\nsecond\n", 13) == 13);
	PROVE(plain || write(lines.master, "thi", 3) == 3);
	reads(lines.master, plain ? "first\r\nsecond\r\n" : "first\r\nsecond\r\nthi", plain ? 15 : 18);
	PROVE(write(lines.slave, shown, SHOWN) == SHOWN);
	PROVE(plain || ioctl(lines.master, TIOCPKT, &yes) == 0);
	set(raw, 0, 5);
	PROVE(write(raw.master, all + 1, 3) == 3); // fewer than anybody would be given
	usleep(20000);
	if (!plain) {
		PROVE(write(raw.master, all, sizeof all) == sizeof all);
		set(own, ICANON, 1);
		PROVE(ioctl(own.slave, TCGETS2, &t) == 0);
		t.c_cflag = (t.c_cflag & ~(tcflag_t)CBAUD) | BOTHER;
		t.c_ospeed = t.c_ispeed = 12345;
		memset(&locked, 0, sizeof locked);
		locked.c_lflag = ECHO;
		PROVE(ioctl(own.slave, TCSETS2, &t) == 0 && ioctl(own.master, TIOCSLCKTRMIOS, &locked) == 0);
		PROVE(ioctl(own.slave, TIOCEXCL) == 0);
	}
	ready();
	wait_for_go();

	PROVE(ioctl(lines.slave, TCGETS2, &t) == 0 && (t.c_lflag & (ICANON | ECHO | ISIG)) == (ICANON | ECHO | ISIG));
	PROVE(waits(lines.slave) == 13);
	PROVE(read(lines.slave, line, sizeof line) == 6 && memcmp(line, "first\n", 6) == 0);
	if (plain) {
		reads(lines.master, shown, SHOWN);
	} else {
		PROVE(ioctl(lines.master, TIOCGPKT, &flag) == 0 && flag != 0);
		size_t n = 0;
		while (n < SHOWN) {
			char piece[512];
			ssize_t got = read(lines.master, piece, sizeof piece);
			PROVE(got > 0 && piece[0] == TIOCPKT_DATA);
			n += (size_t)got - 1;
			PROVE(memcmp(piece + 1, shown, (size_t)got - 1) == 0);
		}
		PROVE(n == SHOWN);
		flag = 0;
		PROVE(ioctl(lines.master, TIOCPKT, &flag) == 0);
		PROVE(write(lines.master, "xrd\n", 1) == 1 && write(lines.master, "\177rd\n", 4) == 4);
	}
	PROVE(read(lines.slave, line, sizeof line) == 7 && memcmp(line, "second\n", 7) == 0);
	if (!plain)
		PROVE(read(lines.slave, line, sizeof line) == 6 && memcmp(line, "third\n", 6) == 0);
	PROVE(ioctl(raw.slave, TCGETS2, &t) == 0 && t.c_lflag == 0 && t.c_cc[VMIN] == 5);
	PROVE(write(raw.master, "more", 4) == 4);
	reads(raw.slave, all + 1, 3);
	if (!plain) {
		reads(raw.slave, all, sizeof all);
		PROVE(ioctl(own.slave, TCGETS2, &t) == 0 && (t.c_cflag & CBAUD) == BOTHER && t.c_ospeed == 12345);
		PROVE(ioctl(own.master, TIOCGLCKTRMIOS, &locked) == 0 && locked.c_lflag == ECHO);
		PROVE(ioctl(own.slave, TIOCGEXCL, &flag) == 0 && flag != 0);
	}
	reads(raw.slave, "more", 4);
	return 0;
}

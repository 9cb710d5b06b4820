// The floor of what answering over UDP costs: receives in batches and sends each query back with an A record behind it,
// without reading a word of it. With NAP it sleeps for so many nanoseconds before each receive that does not follow upon a
// large one, so that queries gather. cc -O2 -o floor floor.c && ./floor PORT [PROCESSES [NAP]]
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64
#define QUERY 1232
#define ENOUGH 24
#define RECORD "\xc0\x0c\0\1\0\1\0\0\0\74\0\4\177\0\0\1"

static unsigned char octets[BATCH][QUERY + sizeof RECORD];
static struct sockaddr_in senders[BATCH];
static struct iovec pieces[BATCH];
static struct mmsghdr messages[BATCH];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

int main(int count, char **words) {
  if (count < 2) {
    fprintf(stderr, "floor PORT [PROCESSES [NAP]]\n");
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  for (int more = count < 3 ? 0 : atoi(words[2]) - 1; more > 0; more--)
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGTERM);
      break;
    }
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) fail("socket");
  int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
  int size = 4 << 20;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(atoi(words[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(fd, (struct sockaddr *)&own, sizeof own) < 0) fail("bind");
  for (int i = 0; i < BATCH; i++) {
    pieces[i].iov_base = octets[i];
    messages[i].msg_hdr = (struct msghdr){.msg_name = &senders[i], .msg_namelen = sizeof senders[i], .msg_iov = &pieces[i], .msg_iovlen = 1};
  }
  struct timespec nap = {.tv_nsec = count < 4 ? 0 : atol(words[3])};
  int received = 0;
  for (;;) {
    if (nap.tv_nsec > 0 && received < ENOUGH) nanosleep(&nap, NULL);
    for (int i = 0; i < BATCH; i++) pieces[i].iov_len = QUERY;
    received = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
    if (received < 0) continue;
    for (int i = 0; i < received; i++) {
      unsigned char *message = octets[i];
      unsigned length = messages[i].msg_len;
      message[2] = 0x84;
      message[3] = 0;
      message[7] = 1;
      memcpy(message + length, RECORD, sizeof RECORD - 1);
      pieces[i].iov_len = length + sizeof RECORD - 1;
    }
    for (int sent = 0; sent < received;) {
      int more = sendmmsg(fd, messages + sent, received - sent, 0);
      if (more < 0) break;
      sent += more;
    }
  }
}

// The floor of what a burst costs: passes the request of whoever asks first for a path to the origin, as it is, and what comes from
// there, as it is, to all who ask for the same path, from its first octet on: a write each, and nothing is looked into but the path.
// It knows one path at a time, and no end of an answer.
// cc -O2 -o burst-floor burst-floor.c && ./burst-floor PORT ORIGIN
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 4096
#define BATCH 64

static char path[1024], answer[1 << 16], octets[1 << 16];
static int length, waiters[MOST], waiting, queue;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static struct sockaddr_in at_port(const char *port) {
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int make_socket(void) {
  int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return fd;
}

static void watch(int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(queue, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
}

static void give(int fd, const char *from, int size) {
  if (send(fd, from, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) return;
}

static void take_request(int fd, int origin) {
  char asked[1024];
  int size = recv(fd, octets, sizeof octets - 1, MSG_DONTWAIT);
  if (size <= 0) {
    for (int at = 0; at < waiting; at++)
      if (waiters[at] == fd) waiters[at--] = waiters[--waiting];
    close(fd);
    return;
  }
  octets[size] = 0;
  if (sscanf(octets, "GET %1023s", asked) != 1) return;
  if (strcmp(asked, path) != 0) {
    strcpy(path, asked);
    length = waiting = 0;
    give(origin, octets, size);
  }
  if (waiting < MOST) waiters[waiting++] = fd;
  if (length > 0) give(fd, answer, length);
}

static void take_answer(int origin) {
  int size = recv(origin, answer + length, sizeof answer - length, MSG_DONTWAIT);
  if (size <= 0) exit(0);
  for (int at = 0; at < waiting; at++) give(waiters[at], answer + length, size);
  length += size;
}

int main(int count, char **words) {
  if (count < 3) {
    fprintf(stderr, "burst-floor PORT ORIGIN\n");
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  int listener = make_socket(), origin = make_socket();
  struct sockaddr_in own = at_port(words[1]), its = at_port(words[2]);
  if (bind(listener, (struct sockaddr *)&own, sizeof own) < 0 || listen(listener, 1024) < 0) fail("listen");
  if (connect(origin, (struct sockaddr *)&its, sizeof its) < 0) fail("connect");
  if ((queue = epoll_create1(EPOLL_CLOEXEC)) < 0) fail("epoll_create1");
  watch(listener);
  watch(origin);
  struct epoll_event events[BATCH];
  for (;;) {
    int ready = epoll_wait(queue, events, BATCH, -1);
    for (int at = 0; at < ready; at++) {
      int fd = events[at].data.fd;
      if (fd == listener) {
        int taken = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (taken >= 0) {
          int yes = 1;
          setsockopt(taken, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
          watch(taken);
        }
      } else if (fd == origin) take_answer(origin);
      else take_request(fd, origin);
    }
  }
}

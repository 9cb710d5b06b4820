// The clients of a burst: many connections to one server, which ask at once; each answer costs them two system calls at most, so
// that what is measured is the server. Reads commands, a line each, and answers each with a line:
//   open COUNT              opens so many more connections: "opened"
//   ask FIRST COUNT PATH    has that many ask from that one on, and waits until each has the first octet of the body or is cut off:
//                           when they were about to ask, how many answers were wrong, and for each client, in the order of asking,
//                           when the first octet of its answer and that of its body were there to be read. CLOCK_MONOTONIC, ns;
//                           0 where none came.
// cc -O2 -o burst-client burst-client.c && ./burst-client PORT HOST
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define MOST 4096
#define HELD 4096
#define BATCH 64
// While answers come it does not sleep, where there are cores enough: to wake it would cost the server more than to send. Nanoseconds.
#define SPIN 5000000
#define EXPECTED "HTTP/1.1 200 "

struct client {
  int fd;
  int waits;
  unsigned length;
  long long head, body;
  char octets[HELD];
};

static struct client clients[MOST];
static int opened, waiting, wrong, queue, may_spin;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void open_more(int count, int port) {
  struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int yes = 1;
  for (; count > 0 && opened < MOST; count--) {
    struct client *client = &clients[opened];
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&server, sizeof server) < 0) fail("connect");
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = opened++};
    if (epoll_ctl(queue, EPOLL_CTL_ADD, client->fd, &event) < 0) fail("epoll_ctl");
  }
  puts("opened");
}

static void settle(struct client *client, int is_right) {
  client->waits = 0;
  waiting--;
  if (!is_right) wrong++;
}

/** The first octet of the content, behind the head and the size of a chunk; NULL while it is not there. */
static const char *content_of(const struct client *client) {
  const char *end = client->octets + client->length;
  const char *head = memmem(client->octets, client->length, "\r\n\r\n", 4);
  if (head == NULL || (head += 4) == end) return NULL;
  if (*head == 'x') return head;
  const char *size = memmem(head, end - head, "\r\n", 2);
  return size == NULL || size + 2 == end ? NULL : size + 2;
}

static void take(struct client *client, long long when) {
  if (!client->waits) return;
  ssize_t got = recv(client->fd, client->octets + client->length, HELD - client->length, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) return settle(client, 0);
  if (client->length == 0) client->head = when;
  client->length += got;
  const char *content = content_of(client);
  if (content != NULL) {
    client->body = when;
    settle(client, *content == 'x' && memcmp(client->octets, EXPECTED, sizeof EXPECTED - 1) == 0);
  } else if (client->length == HELD) settle(client, 0);
}

static void ask(int first, int count, const char *path, const char *host) {
  char request[1024];
  int size = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host);
  struct epoll_event events[BATCH];
  if (first < 0 || count < 1 || first + count > opened) count = 0;
  waiting = count;
  wrong = 0;
  long long from = now();
  for (int at = first; at < first + count; at++) {
    struct client *client = &clients[at];
    client->waits = 1;
    client->length = 0;
    client->head = client->body = 0;
    if (send(client->fd, request, size, MSG_NOSIGNAL) != size) settle(client, 0);
  }
  long long heard = 0;
  while (waiting > 0) {
    int ready = epoll_wait(queue, events, BATCH, heard == 0 ? -1 : 0);
    // All that the kernel tells of now was there by now.
    long long when = now();
    if (ready > 0 && may_spin) heard = when;
    else if (when - heard > SPIN) heard = 0;
    for (int at = 0; at < ready; at++) take(&clients[events[at].data.u32], when);
  }
  printf("%lld %d", from, wrong);
  for (int at = first; at < first + count; at++) printf(" %lld %lld", clients[at].head, clients[at].body);
  puts("");
}

int main(int count, char **words) {
  char line[512], path[400];
  int first, many;
  if (count < 3) {
    fprintf(stderr, "burst-client PORT HOST\n");
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  if ((queue = epoll_create1(EPOLL_CLOEXEC)) < 0) fail("epoll_create1");
  may_spin = sysconf(_SC_NPROCESSORS_ONLN) > 1;
  setvbuf(stdout, NULL, _IOFBF, 1 << 17);
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (sscanf(line, "open %d", &many) == 1) open_more(many, atoi(words[1]));
    else if (sscanf(line, "ask %d %d %399s", &first, &many, path) == 3) ask(first, many, path, words[2]);
    else return 2;
    fflush(stdout);
  }
}

/* Strangers at a server's door: connections from many addresses of 127.0.0.0/8, as fast as they
 * come.
 *
 * storm PORT CONNECTIONS PER_SECOND FILE... keeps so many connections open; when one ends, another
 * begins, at most PER_SECOND of them (0: as fast as may be). To each thing that the server says a
 * connection answers with the next FILE's bytes; to the one behind the last it closes. Without
 * files it closes as soon as it is connected. A FILE "-" waits until the server closes. Each end of
 * line on standard input is answered with the number of connections made so far. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { STEPS_MAX = 8, BYTES_MAX = 4096, CONNECTIONS_MAX = 4096, BATCH = 64, CATCH_UP_MAX = 64 };

struct step {
    char bytes[BYTES_MAX];
    size_t n;
    int waits; /* for the end */
};

struct guest {
    int fd;
    int step;
};

static struct step steps[STEPS_MAX];
static struct guest guests[CONNECTIONS_MAX];
static struct guest *idle[CONNECTIONS_MAX];
static int step_n, idle_n, epoll;
static uint16_t port;
static uint32_t address;
static unsigned long made;

static double now_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void leave(struct guest *g)
{
    /* Without a last word: a socket in TIME_WAIT for each would use up the ports. */
    struct linger now = {1, 0};
    setsockopt(g->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(g->fd);
    idle[idle_n++] = g;
}

/* From 127.1.0.0 to 127.127.255.255, each in turn. */
static struct sockaddr_in next_address(void)
{
    address = (address + 1) % (127u << 16);
    struct sockaddr_in a = {.sin_family = AF_INET};
    a.sin_addr.s_addr = htonl((127u << 24) + (1u << 16) + address);
    return a;
}

static void come(struct guest *g)
{
    struct sockaddr_in from = next_address(), to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    g->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    g->step = 0;
    made++;
    if (bind(g->fd, (struct sockaddr *)&from, sizeof from) < 0 ||
        (connect(g->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) ||
        step_n == 0) {
        leave(g);
        return;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = g};
    epoll_ctl(epoll, EPOLL_CTL_ADD, g->fd, &event);
}

static void go_on(struct guest *g)
{
    static char said[65536];
    const struct step *s = &steps[g->step];
    if (recv(g->fd, said, sizeof said, 0) <= 0 || g->step == step_n) {
        leave(g);
    } else if (!s->waits) {
        if (send(g->fd, s->bytes, s->n, MSG_NOSIGNAL) < 0)
            leave(g);
        else
            g->step++;
    }
}

static void read_step(const char *path)
{
    struct step *s = &steps[step_n++];
    s->waits = strcmp(path, "-") == 0;
    FILE *file = s->waits ? NULL : fopen(path, "rb");
    if (file)
        s->n = fread(s->bytes, 1, sizeof s->bytes, file);
    else if (!s->waits)
        exit(1);
}

static void answer_parent(void)
{
    static char line[64];
    struct pollfd p = {.fd = 0, .events = POLLIN};
    if (poll(&p, 1, 0) != 1)
        return;
    if (read(0, line, sizeof line) <= 0)
        exit(0);
    printf("%lu\n", made);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc < 4 || argc - 4 > STEPS_MAX)
        return 1;
    port = (uint16_t)atoi(argv[1]);
    int count = atoi(argv[2]);
    double per_second = atof(argv[3]), began = now_s(), due = 0;
    for (int i = 4; i < argc; i++)
        read_step(argv[i]);
    address = (uint32_t)getpid() * 7919u;
    epoll = epoll_create1(0);
    while (idle_n < count && idle_n < CONNECTIONS_MAX) {
        idle[idle_n] = &guests[idle_n];
        idle_n++;
    }
    for (;;) {
        struct epoll_event events[BATCH];
        due = per_second > 0 ? (now_s() - began) * per_second : (double)made + CATCH_UP_MAX;
        if (due > (double)made + CATCH_UP_MAX) {
            began += (due - (double)made - CATCH_UP_MAX) / per_second;
            due = (double)made + CATCH_UP_MAX;
        }
        for (int n = 0; n < CATCH_UP_MAX && idle_n && (double)made < due; n++)
            come(idle[--idle_n]);
        int n = epoll_wait(epoll, events, BATCH, idle_n && per_second <= 0 ? 0 : 1);
        for (int i = 0; i < n; i++)
            go_on(events[i].data.ptr);
        answer_parent();
    }
}

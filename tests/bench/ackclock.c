/* Plays the part of a source whose commits wait: sends transactions over a socket and takes
 * the time from the first byte sent to the ACK read.
 *
 * The arguments are the socket's descriptor and a file of ready-made transactions, each with its
 * length before it (4 bytes, little endian), the last event of each flagged. Each line on standard
 * input, "COUNT PAUSE_US", asks for so many, with that pause after each ACK; the answer is a line
 * with the microseconds of each. Exits 1 when the peer goes or does not answer in ten seconds. */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEADER = 4, TIMEOUT_MS = 10000, PACKET_MAX = 1024, TRANSACTION_MAX = 1 << 20 };

static int peer;

static double now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int read_all(unsigned char *dst, size_t n)
{
    while (n > 0) {
        struct pollfd p = {.fd = peer, .events = POLLIN};
        ssize_t got = poll(&p, 1, TIMEOUT_MS) == 1 ? recv(peer, dst, n, 0) : -1;
        if (got <= 0)
            return -1;
        dst += got;
        n -= (size_t)got;
    }
    return 0;
}

static int read_packet(void)
{
    unsigned char bytes[PACKET_MAX];
    if (read_all(bytes, HEADER) < 0)
        return -1;
    size_t n = bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16;
    return n <= sizeof(bytes) && read_all(bytes, n) == 0 ? 0 : -1;
}

static int send_all(const unsigned char *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(peer, p, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return -1;
        p += sent;
        n -= (size_t)sent;
    }
    return 0;
}

/* Microseconds of the next transaction, negative when there is none or no answer. */
static double one_commit(FILE *file)
{
    static unsigned char bytes[TRANSACTION_MAX];
    unsigned char head[4];
    if (fread(head, sizeof(head), 1, file) != 1)
        return -1;
    size_t n = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16;
    if (n > sizeof(bytes) || fread(bytes, n, 1, file) != 1)
        return -1;
    double began = now_us();
    if (send_all(bytes, n) < 0 || read_packet() < 0)
        return -1;
    return now_us() - began;
}

int main(int argc, char **argv)
{
    FILE *file = argc > 2 ? fopen(argv[2], "rb") : NULL;
    long count, pause_us;
    peer = file ? atoi(argv[1]) : -1;
    while (file && scanf("%ld %ld", &count, &pause_us) == 2) {
        for (long i = 0; i < count; i++) {
            double us = one_commit(file);
            if (us < 0)
                return 1;
            printf("%.0f ", us);
            if (pause_us)
                usleep((useconds_t)pause_us);
        }
        printf("\n");
        fflush(stdout);
    }
    return file ? 0 : 1;
}

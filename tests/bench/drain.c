/* Reads a binlog dump from standard input, a socket, and throws it away: how fast can the source
 * send? It only follows the packet headers, to see the EOF or ERR packet that ends a dump that
 * does not wait. With a number of bytes as argument a dump that waits is over when so many bytes
 * of events have come. Prints the bytes; exits 1 when the source ended with an error. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BUFFER_SIZE = 1 << 20, HEADER_SIZE = 4 };

static unsigned char buffer[BUFFER_SIZE];

struct walk {
    unsigned char head[HEADER_SIZE + 1]; /* packet header and first payload byte */
    size_t have;                         /* bytes collected in head */
    size_t skip;                         /* bytes of the present packet still to come */
    uint64_t total;                      /* bytes of events */
    uint64_t goal;                       /* 0: until the EOF packet */
};

/* Looks at a complete head: 0 when a packet of events follows, 1 for EOF, -1 for ERR. */
static int walk_head(struct walk *walk)
{
    uint32_t length = walk->head[0] | (uint32_t)walk->head[1] << 8 | (uint32_t)walk->head[2] << 16;
    if (walk->head[4] == 0xff)
        return -1;
    if (walk->head[4] == 0xfe && length < 9)
        return 1;
    walk->total += length - 1;
    walk->skip = length - 1;
    walk->have = 0;
    return walk->goal && walk->total >= walk->goal ? 1 : 0;
}

/* Takes what was read: 0 while the dump goes on, 1 after EOF, -1 after ERR. */
static int walk_feed(struct walk *walk, const unsigned char *data, size_t size)
{
    while (size > 0) {
        size_t step = size < walk->skip ? size : walk->skip;
        data += step;
        size -= step;
        walk->skip -= step;
        while (size > 0 && walk->have <= HEADER_SIZE) {
            walk->head[walk->have++] = *data++;
            size--;
        }
        int end = walk->have > HEADER_SIZE ? walk_head(walk) : 0;
        if (end != 0)
            return end;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct walk walk = {.goal = argc > 1 ? strtoull(argv[1], NULL, 10) : 0};
    int end = 0;
    while (end == 0) {
        ssize_t got = read(STDIN_FILENO, buffer, sizeof(buffer));
        if (got <= 0)
            return 1;
        end = walk_feed(&walk, buffer, (size_t)got);
    }
    printf("%llu\n", (unsigned long long)walk.total);
    return end == 1 ? 0 : 1;
}

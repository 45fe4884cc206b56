/* Command line: options and subcommand. */
#include "app/app.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_CONFIG "/etc/binlogd/binlogd.ini"

static void print_help(FILE *to)
{
    fputs("binlogd: copies a MySQL source's binary logs and acknowledges what is on disk\n"
          "\n"
          "  binlogd [-c FILE]        run in the foreground\n"
          "  binlogd check [-c FILE]  check the configuration and print the values that hold\n"
          "\n"
          "  -c FILE  configuration, " DEFAULT_CONFIG " by default\n"
          "  -V       version\n"
          "  -h       this text\n"
          "\n"
          "Exit codes: 0 stopped cleanly, 1 error, 2 usage or configuration, 3 storage failed,\n"
          "4 the source's history diverged, 5 stored files are damaged\n",
          to);
}

/* Secrets must not be read from a core or through ptrace by others of the same account. */
static void protect_process(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, BINLOGD_DUMPABLE);
    umask(0027);
}

/* Each replica takes two descriptors, and the usual soft limit of 1024 is for programs that use
 * select. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    const char *config = DEFAULT_CONFIG;
    int opt;
    while ((opt = getopt(argc, argv, "c:Vh")) != -1) {
        switch (opt) {
        case 'c':
            config = optarg;
            break;
        case 'V':
            printf("binlogd %s\n", app_version());
            return APP_OK;
        case 'h':
            print_help(stdout);
            return APP_OK;
        default:
            print_help(stderr);
            return APP_USAGE;
        }
    }
    protect_process();
    raise_descriptor_limit();
    if (optind == argc)
        return (int)app_run(config);
    if (optind + 1 == argc && strcmp(argv[optind], "check") == 0)
        return (int)app_check(config);
    fprintf(stderr, "binlogd: unknown command %s\n\n", argv[optind]);
    print_help(stderr);
    return APP_USAGE;
}

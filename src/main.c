/* Command line: options and subcommand. */
#include "app/app.h"

#include <getopt.h>
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
          "  binlogd purge [-c FILE]  remove files, with no daemon running: by [storage]'s rules, "
          "or\n"
          "      --to NAME            those before the file NAME, or\n"
          "      --before TIME        those that end before \"YYYY-MM-DD hh:mm:ss\", local time\n"
          "      --dry-run            only say which; a daemon may be running\n"
          "  binlogd status [-c FILE] [--json] [--watch]\n"
          "                           whether the data is safe; exit code 0 when it is, else 1\n"
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

struct options {
    const char *config;
    struct app_purge purge;
    enum app_status_form form;
    enum app_status_times times;
    bool for_purge; /* one of its own was given */
    bool for_status;
};

/* -1 when there is a command to run, else the exit code. */
static int parse(struct options *o, int argc, char **argv)
{
    static const struct option table[] = {
        {"to", required_argument, NULL, 't'}, {"before", required_argument, NULL, 'b'},
        {"dry-run", no_argument, NULL, 'n'},  {"json", no_argument, NULL, 'j'},
        {"watch", no_argument, NULL, 'w'},    {NULL, 0, NULL, 0}};
    int opt;
    while ((opt = getopt_long(argc, argv, "c:Vh", table, NULL)) != -1) {
        o->for_purge |= opt == 't' || opt == 'b' || opt == 'n';
        o->for_status |= opt == 'j' || opt == 'w';
        switch (opt) {
        case 'j':
            o->form = APP_STATUS_JSON;
            break;
        case 'w':
            o->times = APP_STATUS_WATCH;
            break;
        case 'c':
            o->config = optarg;
            break;
        case 't':
            o->purge.to = optarg;
            break;
        case 'b':
            o->purge.before = optarg;
            break;
        case 'n':
            o->purge.dry_run = true;
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
    return -1;
}

int main(int argc, char **argv)
{
    struct options o = {.config = DEFAULT_CONFIG};
    int code = parse(&o, argc, argv);
    if (code >= 0)
        return code;
    protect_process();
    raise_descriptor_limit();
    const char *command = optind + 1 == argc ? argv[optind] : "";
    if (strcmp(command, "purge") == 0 && !(o.purge.to && o.purge.before))
        return (int)app_purge(o.config, &o.purge);
    if (o.for_purge) {
        fputs("binlogd: --to or --before, and --dry-run, go with the command purge\n", stderr);
        return APP_USAGE;
    }
    if (strcmp(command, "status") == 0)
        return (int)app_status(o.config, o.form, o.times);
    if (o.for_status) {
        fputs("binlogd: --json and --watch go with the command status\n", stderr);
        return APP_USAGE;
    }
    if (optind == argc)
        return (int)app_run(o.config);
    if (strcmp(command, "check") == 0)
        return (int)app_check(o.config);
    fprintf(stderr, "binlogd: unknown command %s\n\n", argv[optind]);
    print_help(stderr);
    return APP_USAGE;
}

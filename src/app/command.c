/* The commands of the program, a table. */
#include "app/command.h"

#include "app/app.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_CONFIG "/etc/binlogd/binlogd.ini"

struct options {
    const char *config;
    struct app_purge purge;
    enum app_status_form form;
    enum app_status_times times;
};

static enum app_exit run_daemon(const struct options *o)
{
    return app_run(o->config);
}

static enum app_exit run_check(const struct options *o)
{
    return app_check(o->config);
}

static enum app_exit run_purge(const struct options *o)
{
    if (!o->purge.to || !o->purge.before)
        return app_purge(o->config, &o->purge);
    fputs("binlogd: --to or --before, not both\n", stderr);
    return APP_USAGE;
}

static enum app_exit run_status(const struct options *o)
{
    return app_status(o->config, o->form, o->times);
}

static const struct command {
    const char *name;
    const char *own; /* the letters of the options that only some commands have */
    enum app_exit (*run)(const struct options *o);
} commands[] = {
    {"", "", run_daemon},
    {"check", "", run_check},
    {"purge", "tbn", run_purge},
    {"status", "jw", run_status},
};

static const struct option own_options[] = {
    {"to", required_argument, NULL, 't'}, {"before", required_argument, NULL, 'b'},
    {"dry-run", no_argument, NULL, 'n'},  {"json", no_argument, NULL, 'j'},
    {"watch", no_argument, NULL, 'w'},    {NULL, 0, NULL, 0},
};

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

/* Takes an option that only some commands have. */
static void take_own(struct options *o, int letter)
{
    switch (letter) {
    case 't':
        o->purge.to = optarg;
        break;
    case 'b':
        o->purge.before = optarg;
        break;
    case 'n':
        o->purge.dry_run = true;
        break;
    case 'j':
        o->form = APP_STATUS_JSON;
        break;
    case 'w':
        o->times = APP_STATUS_WATCH;
        break;
    }
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    fprintf(stderr, "binlogd: unknown command %s\n\n", name);
    return NULL;
}

/* Whether the command has all the options that were given. */
static bool has_options(const struct command *c, const char *given)
{
    const char *odd = given + strspn(given, c->own);
    if (!*odd)
        return true;
    for (const struct option *o = own_options; o->name; o++)
        if (o->val == *odd)
            fprintf(stderr, "binlogd: --%s does not go with %s\n\n", o->name,
                    *c->name ? c->name : "running the daemon");
    return false;
}

/* The command of the arguments behind the options; NULL when it cannot be. */
static const struct command *command_of(int argc, char **argv)
{
    if (optind + 1 < argc) {
        fprintf(stderr, "binlogd: one command, not also %s\n\n", argv[optind + 1]);
        return NULL;
    }
    return find_command(optind < argc ? argv[optind] : "");
}

static int usage(void)
{
    print_help(stderr);
    return APP_USAGE;
}

int command_run(int argc, char **argv)
{
    struct options o = {.config = DEFAULT_CONFIG};
    char given[sizeof own_options / sizeof *own_options] = "";
    size_t n = 0;
    int letter;
    while ((letter = getopt_long(argc, argv, "c:Vh", own_options, NULL)) != -1) {
        switch (letter) {
        case 'c':
            o.config = optarg;
            break;
        case 'V':
            printf("binlogd %s\n", app_version());
            return APP_OK;
        case 'h':
            print_help(stdout);
            return APP_OK;
        case '?':
            return usage();
        default:
            take_own(&o, letter);
            if (!strchr(given, letter))
                given[n++] = (char)letter;
            break;
        }
    }
    const struct command *c = command_of(argc, argv);
    return c && has_options(c, given) ? (int)c->run(&o) : usage();
}

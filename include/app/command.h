/* The command line: which command, with which options. */
#ifndef BINLOGD_APP_COMMAND_H
#define BINLOGD_APP_COMMAND_H

/* Runs what the command line says; the exit code, one of enum app_exit. */
int command_run(int argc, char **argv);

#endif

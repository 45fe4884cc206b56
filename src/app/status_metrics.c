/* The facts as metrics: a table of what is one number, and the few that are more. */
#include "app/app.h"
#include "base/mem.h"
#include "metrics/exposition.h"
#include "status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define US_PER_S 1000000

/* -1 for what is unknown at present; the family then has no sample. */
typedef int64_t (*value_fn)(const struct facts *f);

#define VALUE(name, expression)                                                                    \
    static int64_t name(const struct facts *f)                                                     \
    {                                                                                              \
        return (int64_t)(expression);                                                              \
    }

/* The number of a file, which grows; a label for the name would be a new series each time. */
static int64_t file_number(const char *file)
{
    struct binfile_name name;
    struct err ignored;
    return binfile_name_parse(&name, bytes_str(file), &ignored) < 0 ? -1 : (int64_t)name.number;
}

VALUE(connected, f->dumper.connected)
VALUE(connects, f->dumper.connects)
VALUE(source_file, file_number(f->dumper.source->file.text))
VALUE(source_pos, *f->dumper.source->file.text ? (int64_t)f->dumper.source->pos : -1)
VALUE(semi_sync, (int)f->dumper.source->semi_sync - (int)MONITOR_OFF)
VALUE(lossless, f->dumper.connected ? !*f->dumper.unsafe : -1)
VALUE(received_file, file_number(f->received.file))
VALUE(received_pos, *f->received.file ? (int64_t)f->received.pos : -1)
VALUE(durable_file, file_number(f->durable.file))
VALUE(durable_pos, *f->durable.file ? (int64_t)f->durable.pos : -1)
VALUE(seconds_behind, f->dumper.seconds_behind)
VALUE(bytes_behind, f->dumper.bytes_behind)
VALUE(events, f->dumper.total_events)
VALUE(event_bytes, f->dumper.total_bytes)
VALUE(transactions, f->dumper.total_transactions)
VALUE(acks, f->dumper.acks)
VALUE(queue, f->journal.queue)
VALUE(queue_size, f->journal.capacity)
VALUE(replicas, f->replica_n)
VALUE(chain, f->dumper.downstream == DOWNSTREAM_OFF ? -1 : f->dumper.downstream == DOWNSTREAM_ON)
VALUE(chain_wanted, f->dumper.downstream == DOWNSTREAM_OFF
                        ? -1
                        : (int64_t)f->from->config->server.wait_for_replicas)
VALUE(chain_replicas, f->dumper.downstream == DOWNSTREAM_OFF ? -1 : (int64_t)f->hub.semi_sync)
VALUE(degraded, f->dumper.degraded_times)
VALUE(connections, f->hub.connected)
VALUE(connections_made, f->hub.connections)
VALUE(refused, f->hub.refused)
VALUE(files, f->files)
VALUE(bytes, f->bytes)
VALUE(disk_free, f->disk_free)
VALUE(disk_size, f->disk_size)
VALUE(purged, f->purged.files)
VALUE(oldest, f->oldest_s ? (int64_t)f->oldest_s : -1)
VALUE(newest, f->newest_s ? (int64_t)f->newest_s : -1)

static const struct {
    const char *name;
    enum exposition_kind kind;
    value_fn value;
    const char *help;
} table[] = {
    {"binlogd_source_connected", EXPOSITION_GAUGE, connected,
     "Whether a dump from the source runs."},
    {"binlogd_source_connects_total", EXPOSITION_COUNTER, connects, "Dumps begun."},
    {"binlogd_source_semi_sync_on", EXPOSITION_GAUGE, semi_sync,
     "Whether commits on the source wait for ACKs at present; absent when unknown."},
    {"binlogd_source_settings_lossless", EXPOSITION_GAUGE, lossless,
     "Whether no setting of the source lets commits be lost; absent without a connection."},
    {"binlogd_source_file_number", EXPOSITION_GAUGE, source_file,
     "Number of the source's newest file; absent when unknown."},
    {"binlogd_source_position_bytes", EXPOSITION_GAUGE, source_pos,
     "End of the source's log in its newest file; absent when unknown."},
    {"binlogd_received_file_number", EXPOSITION_GAUGE, received_file,
     "Number of the file that is being received."},
    {"binlogd_received_position_bytes", EXPOSITION_GAUGE, received_pos,
     "End of the last whole event received, in its file."},
    {"binlogd_durable_file_number", EXPOSITION_GAUGE, durable_file,
     "Number of the file that holds the durable end."},
    {"binlogd_durable_position_bytes", EXPOSITION_GAUGE, durable_pos,
     "End of the last complete transaction on disk, in its file."},
    {"binlogd_source_lag_seconds", EXPOSITION_GAUGE, seconds_behind,
     "Age of the last event while catching up, 0 when up to date; absent without a connection."},
    {"binlogd_source_lag_bytes", EXPOSITION_GAUGE, bytes_behind,
     "Bytes the source had when the dump began and that have not come yet; absent when unknown."},
    {"binlogd_received_events_total", EXPOSITION_COUNTER, events, "Events received."},
    {"binlogd_received_bytes_total", EXPOSITION_COUNTER, event_bytes, "Bytes of events received."},
    {"binlogd_received_transactions_total", EXPOSITION_COUNTER, transactions,
     "Transactions received whole."},
    {"binlogd_acks_sent_total", EXPOSITION_COUNTER, acks, "Semi-sync ACKs sent to the source."},
    {"binlogd_journal_queue_bytes", EXPOSITION_GAUGE, queue, "Bytes received and not yet durable."},
    {"binlogd_journal_capacity_bytes", EXPOSITION_GAUGE, queue_size,
     "Bytes that can be received and not yet durable."},
    {"binlogd_replicas", EXPOSITION_GAUGE, replicas,
     "Replicas and other readers being sent a dump."},
    {"binlogd_chain_on", EXPOSITION_GAUGE, chain,
     "Whether ACKs wait for replicas at present; absent when they are not to."},
    {"binlogd_chain_replicas_wanted", EXPOSITION_GAUGE, chain_wanted,
     "How many replicas ACKs are to wait for; absent when none."},
    {"binlogd_chain_replicas", EXPOSITION_GAUGE, chain_replicas,
     "Replicas being sent a dump that acknowledge it; absent when none is to be waited for."},
    {"binlogd_chain_degraded_total", EXPOSITION_COUNTER, degraded,
     "How often the replicas were not waited for any more."},
    {"binlogd_connections", EXPOSITION_GAUGE, connections, "Open connections of clients."},
    {"binlogd_connections_total", EXPOSITION_COUNTER, connections_made,
     "Connections of clients accepted."},
    {"binlogd_logins_refused_total", EXPOSITION_COUNTER, refused, "Logins of clients that failed."},
    {"binlogd_files", EXPOSITION_GAUGE, files, "Stored files of the present epoch."},
    {"binlogd_files_bytes", EXPOSITION_GAUGE, bytes, "Size of these files."},
    {"binlogd_purged_files_total", EXPOSITION_COUNTER, purged, "Files removed by retention."},
    {"binlogd_disk_free_bytes", EXPOSITION_GAUGE, disk_free,
     "Room on the data directory's file system."},
    {"binlogd_disk_size_bytes", EXPOSITION_GAUGE, disk_size,
     "Size of the data directory's file system."},
    {"binlogd_oldest_event_timestamp_seconds", EXPOSITION_GAUGE, oldest,
     "When the first stored file was begun, by the source's clock."},
    {"binlogd_newest_event_timestamp_seconds", EXPOSITION_GAUGE, newest,
     "Timestamp of the newest event received, by the source's clock."},
};

static void put_table(struct exposition *e, const struct facts *f)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int64_t value = table[i].value(f);
        exposition_begin(e, table[i].name, table[i].kind, table[i].help);
        if (value >= 0)
            exposition_value(e, NULL, (uint64_t)value);
    }
}

/* All states, so that a query for one of them has data whatever the state is. */
static void put_state(struct exposition *e, const struct facts *f)
{
    exposition_begin(e, "binlogd_state", EXPOSITION_GAUGE, "1 for the state that it is in.");
    for (unsigned i = DUMPER_CONNECTING; i <= DUMPER_STOPPED; i++) {
        const char *name = dumper_state_name((enum dumper_state)i);
        struct exposition_label labels[] = {{"state", name}, {NULL, NULL}};
        exposition_value(e, labels, strcmp(name, f->state) == 0);
    }
    struct exposition_label serving[] = {{"state", "SERVING"}, {NULL, NULL}};
    exposition_value(e, serving, strcmp("SERVING", f->state) == 0);
    exposition_begin(e, "binlogd_state_since_timestamp_seconds", EXPOSITION_GAUGE,
                     "When this state was entered.");
    exposition_seconds(e, NULL, (uint64_t)f->dumper.state_since_us);
}

static void put_infos(struct exposition *e, const struct facts *f)
{
    struct exposition_label build[] = {{"version", app_version()}, {NULL, NULL}};
    exposition_begin(e, "binlogd_build_info", EXPOSITION_GAUGE, "The version, as a label.");
    exposition_value(e, build, 1);
    exposition_begin(e, "process_start_time_seconds", EXPOSITION_GAUGE, "When it was started.");
    exposition_seconds(e, NULL, (uint64_t)f->started_us);
    struct exposition_label source[] = {{"address", f->source},
                                        {"version", f->dumper.version},
                                        {"uuid", f->dumper.source_uuid},
                                        {NULL, NULL}};
    exposition_begin(e, "binlogd_source_info", EXPOSITION_GAUGE, "The source, as labels.");
    if (*f->source)
        exposition_value(e, source, 1);
}

static void put_chain(struct exposition *e, const struct facts *f)
{
    static const struct exposition_label with[] = {{"replicas", "with"}, {NULL, NULL}};
    static const struct exposition_label without[] = {{"replicas", "without"}, {NULL, NULL}};
    exposition_begin(e, "binlogd_chain_transactions_total", EXPOSITION_COUNTER,
                     "Transactions acknowledged while replicas were to be waited for: those that "
                     "enough of them had, and the others.");
    exposition_value(e, with, f->dumper.transactions_with);
    exposition_value(e, without, f->dumper.transactions_without);
    exposition_begin(e, "binlogd_chain_held_seconds", EXPOSITION_GAUGE,
                     "How long an ACK has been waiting for replicas alone.");
    exposition_seconds(e, NULL, f->dumper.held_us);
}

static void put_counts_by_label(struct exposition *e, const struct facts *f)
{
    exposition_begin(e, "binlogd_errors_total", EXPOSITION_COUNTER,
                     "Connections to the source that ended by an error, by its kind.");
    for (size_t i = 0; facts_error_kind(i); i++) {
        struct exposition_label labels[] = {{"kind", facts_error_kind(i)}, {NULL, NULL}};
        exposition_value(e, labels, facts_errors(f, i));
    }
    exposition_begin(e, "binlogd_log_messages_total", EXPOSITION_COUNTER,
                     "Warnings and errors logged, written or not.");
    for (int level = LOG_ERROR; level <= LOG_WARN; level++) {
        const char *name = log_level_name((enum log_level)level);
        struct exposition_label labels[] = {{"level", name}, {NULL, NULL}};
        exposition_value(e, labels, log_total((enum log_level)level));
    }
}

static int by_identity(const void *a, const void *b)
{
    const struct facts_replica *const *l = a, *const *r = b;
    if ((*l)->server_id != (*r)->server_id)
        return (*l)->server_id < (*r)->server_id ? -1 : 1;
    int c = strcmp((*l)->host, (*r)->host);
    return c ? c
             : ((*l)->bytes_behind < (*r)->bytes_behind) -
                   ((*l)->bytes_behind > (*r)->bytes_behind);
}

/* Of several with the same labels, which mysqlbinlog makes, the one that is farthest behind. */
static void put_replicas(struct exposition *e, const struct facts *f)
{
    exposition_begin(e, "binlogd_replica_lag_bytes", EXPOSITION_GAUGE,
                     "Durable bytes that were not yet read for the replica.");
    if (!f->replica_n)
        return;
    const struct facts_replica **sorted = mem_alloc(f->replica_n * sizeof *sorted);
    for (size_t i = 0; i < f->replica_n; i++)
        sorted[i] = &f->replicas[i];
    qsort(sorted, f->replica_n, sizeof *sorted, by_identity);
    for (size_t i = 0; i < f->replica_n; i++) {
        const struct facts_replica *r = sorted[i];
        if (r->bytes_behind < 0 || (i && sorted[i - 1]->server_id == r->server_id &&
                                    strcmp(sorted[i - 1]->host, r->host) == 0))
            continue;
        char id[16];
        snprintf(id, sizeof id, "%u", r->server_id);
        struct exposition_label labels[] = {{"server_id", id}, {"host", r->host}, {NULL, NULL}};
        exposition_value(e, labels, (uint64_t)r->bytes_behind);
    }
    free(sorted);
}

void status_metrics(struct buf *out, const struct facts *f)
{
    struct exposition e = {.out = out};
    put_infos(&e, f);
    put_state(&e, f);
    put_table(&e, f);
    exposition_begin(&e, "binlogd_fdatasync_duration_seconds", EXPOSITION_HISTOGRAM,
                     "Duration of fdatasync.");
    exposition_histogram(&e, &f->journal.syncs);
    exposition_begin(&e, "binlogd_ack_duration_seconds", EXPOSITION_HISTOGRAM,
                     "From receiving an event that asks for an ACK to sending it.");
    exposition_histogram(&e, &f->dumper.ack_time);
    put_counts_by_label(&e, f);
    put_chain(&e, f);
    put_replicas(&e, f);
}

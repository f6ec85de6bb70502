/*
 * davit-cni: runs the plugins of a container's networks (Container Network Interface). davitd's
 * spawner runs it with a job (network/cni_job.h) as standard input, the report as standard output
 * and the container's record as descriptor 3. Not for people.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/build.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "cni.h"

#define JOB_MAX_BYTES (1 << 20)
#define RECORD_FD 3

/* True if `wanted`, an address without a prefix, is among those that the plugins gave. */
static bool has_address(const struct cni_attached *attached, const char *wanted)
{
    size_t length = strlen(wanted);

    for (size_t i = 0; i < attached->addresses.count; i++) {
        const char *one = attached->addresses.items[i].address;

        if (strncmp(one, wanted, length) == 0 && (one[length] == '/' || one[length] == '\0'))
            return true;
    }
    return false;
}

/* The MAC of the interface in the container; the result may list interfaces of the host, too. */
static const char *find_mac(const struct json *result, const char *interface)
{
    const struct json *interfaces = json_get(result, "interfaces");

    for (size_t i = 0;
         interfaces != NULL && interfaces->type == JSON_ARRAY && i < interfaces->count; i++) {
        const char *name = json_get_string(&interfaces->items[i], "name");
        const char *sandbox = json_get_string(&interfaces->items[i], "sandbox");

        if (name != NULL && strcmp(name, interface) == 0 && sandbox != NULL && sandbox[0] != '\0')
            return json_get_string(&interfaces->items[i], "mac");
    }
    return NULL;
}

static int describe_attached(struct arena *arena, const struct cni_network *network,
                             const struct json *result, struct cni_attached *attached,
                             struct error *err)
{
    const struct json *ips = json_get(result, "ips");
    size_t count = ips != NULL && ips->type == JSON_ARRAY ? ips->count : 0;

    attached->mac = find_mac(result, network->interface);
    attached->addresses.items = arena_new(arena, count, sizeof(*attached->addresses.items));
    for (size_t i = 0; i < count; i++) {
        struct cni_address *address = &attached->addresses.items[attached->addresses.count];

        address->address = json_get_string(&ips->items[i], "address");
        address->gateway = json_get_string(&ips->items[i], "gateway");
        attached->addresses.count += address->address != NULL;
    }
    if (network->address != NULL && !has_address(attached, network->address))
        return error_set(err, ERROR_INVALID, EADDRNOTAVAIL,
                         "the plugins gave another address than %s", network->address);
    return 0;
}

static int add_one(struct arena *arena, const struct cni_network *network, struct plugin_call *call,
                   struct cni_attached *attached, struct error *err)
{
    struct cni_config config;
    const struct json *made = NULL;
    int result = cni_config_read(arena, network->config, &config, err);

    if (result == 0)
        result = record_append_network(RECORD_FD, network, &config, err);
    if (result == 0)
        result = chain_add(arena, &config, network, call, &made, err);
    if (result == 0)
        result = record_append_result(RECORD_FD, made, err);
    return result < 0 ? result : describe_attached(arena, network, made, attached, err);
}

/* Removes the networks of the record, the last one first. After a failure the record stays as it is
 * for the next removal. */
static int remove_all(struct arena *arena, struct plugin_call *call, struct error *err)
{
    struct record *record = arena_new(arena, 1, sizeof(*record));
    int result = record_read(arena, RECORD_FD, record, err);
    int first = result;

    for (size_t i = record->count; i > 0; i--) {
        const struct record_entry *entry = &record->entries[i - 1];

        result = chain_remove(arena, &entry->config, &entry->network, call, entry->result,
                              first == 0 ? err : &(struct error){0});
        first = first == 0 ? result : first;
    }
    return first < 0 ? first : record_clear(RECORD_FD, err);
}

static int add_all(struct arena *arena, const struct cni_job *job, struct plugin_call *call,
                   struct cni_report *report, struct error *err)
{
    int result;

    /* What an earlier start has left comes first. */
    call->netns = "";
    result = remove_all(arena, call, err);
    call->netns = job->netns;
    report->networks.items = arena_new(arena, job->networks.count, sizeof(*report->networks.items));
    for (size_t i = 0; result == 0 && i < job->networks.count; i++)
        result = add_one(arena, &job->networks.items[i], call,
                         &report->networks.items[report->networks.count++], err);
    if (result < 0)
        remove_all(arena, call, &(struct error){0});
    return result;
}

static int run_cni_job(struct arena *arena, struct cni_report *report, struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    struct cni_job job = {0};
    struct plugin_call call = {.netns = ""};
    int result = file_read(AT_FDCWD, "/proc/self/fd/0", JOB_MAX_BYTES, &text, err);

    if (result == 0)
        result = json_decode_text(arena, buffer_text(&text), text.length, &cni_job_type, &job, err);
    if (result == 0)
        result = record_lock(RECORD_FD, err);
    if (result < 0)
        return result;
    call.container = job.container;
    call.directories = &job.plugin_directories;
    return job.is_removal ? remove_all(arena, &call, err)
                          : add_all(arena, &job, &call, report, err);
}

int main(int argc, char **argv)
{
    cleanup_arena struct arena arena = {0};
    struct cni_report report = {0};
    struct json_writer *writer;
    struct error err = {0};

    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("davit-cni version %s\n", davit_version);
        return 0;
    }
    /* SIGPIPE is ignored: davitd may be gone, and we go on to the end all the same. */
    signal(SIGPIPE, SIG_IGN);
    fcntl(RECORD_FD, F_SETFD, FD_CLOEXEC);
    if (run_cni_job(&arena, &report, &err) < 0)
        report = (struct cni_report){.error = err.message};
    writer = json_writer_new(false);
    json_encode(writer, &cni_report_type, &report);
    printf("%s\n", json_writer_text(writer));
    json_writer_free(writer);
    return fflush(stdout) == 0 && report.error == NULL ? 0 : 1;
}

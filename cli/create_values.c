/* Values of options of create, run and update: see create_values.h. */
#include "create_values.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "base/size.h"

/* Of a profile: davitd takes requests of 4 MiB. */
#define SECCOMP_MAX_BYTES (4 << 20)
#define EXPOSED_MAX 4096 /* davitd takes no more */

static struct request_value *place_of(const struct option_reader *reader)
{
    return request_at(reader->request, reader->object, reader->row->member);
}

static struct request_value *new_item(const struct option_reader *reader)
{
    return request_append(reader->request, place_of(reader));
}

static void put_text(const struct option_reader *reader, struct request_value *object,
                     const char *path, const char *text)
{
    request_set_text(reader->request, request_at(reader->request, object, path), text);
}

static void put_integer(const struct option_reader *reader, struct request_value *object,
                        const char *path, int64_t value)
{
    request_set_integer(request_at(reader->request, object, path), value);
}

static int refuse(const struct option_reader *reader, const char *text, const char *expected)
{
    return error_set(&reader->cli->err, ERROR_INVALID, EINVAL, "--%s: \"%.64s\" is not %s",
                     reader->row->name, text, expected);
}

int read_cpus(const struct option_reader *reader, const char *text)
{
    char *end;
    double cpus = strtod(text, &end);

    if (end == text || *end != '\0' || !(cpus >= 0 && cpus <= 100000))
        return refuse(reader, text, "a number of CPUs like 1.5");
    request_set_integer(place_of(reader), (int64_t)(cpus * 1e9));
    return 0;
}

int read_restart(const struct option_reader *reader, const char *text)
{
    size_t length = strcspn(text, ":");
    cleanup_free char *name = memory_printf("%.*s", (int)length, text);
    struct request_value *policy = place_of(reader);
    int64_t count = 0;

    if (text[length] == ':' && !number_parse(text + length + 1, 0, INT32_MAX, &count))
        return refuse(reader, text, reader->row->value);
    request_set_object(policy);
    put_text(reader, policy, "Name", name);
    put_integer(reader, policy, "MaximumRetryCount", count);
    return 0;
}

int read_pull(const struct option_reader *reader, const char *text)
{
    static const char *const names[] = {"missing", "always", "never"};
    struct create_options *options = reader->values;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(names[i], text) == 0) {
            options->pulls = (enum pull_when)i;
            return 0;
        }
    }
    return refuse(reader, text, "one of always, missing, never");
}

int read_env(const struct option_reader *reader, const char *text)
{
    const char *value = strchr(text, '=') == NULL ? getenv(text) : NULL;
    cleanup_free char *pair = value != NULL ? memory_printf("%s=%s", text, value) : NULL;

    request_set_text(reader->request, new_item(reader), pair != NULL ? pair : text);
    return 0;
}

/* A stream in any case of letters, once. */
int read_attach(const struct option_reader *reader, const char *text)
{
    static const char *const streams[] = {"stdin", "stdout", "stderr"};
    struct string_list *attached =
        (struct string_list *)((char *)reader->values + reader->row->offset);

    for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
        if (strcasecmp(streams[i], text) != 0)
            continue;
        if (!string_list_has(attached, streams[i]))
            string_list_append(&reader->request->arena, attached, streams[i]);
        return 0;
    }
    return refuse(reader, text, "one of stdin, stdout, stderr");
}

/* "80", "80-90/udp" */
int read_expose(const struct option_reader *reader, const char *text)
{
    static const char *const protocols[] = {"tcp", "udp", "sctp"};
    const char *end = text;
    const char *protocol = NULL;
    uint64_t first;
    uint64_t last;
    bool is_range = number_take_range(&end, UINT16_MAX, &first, &last) && first > 0;

    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        if (strcmp(end, "") == 0 || (end[0] == '/' && strcmp(end + 1, protocols[i]) == 0))
            protocol = *end == '\0' ? "tcp" : protocols[i];
    }
    if (!is_range || protocol == NULL)
        return refuse(reader, text, reader->row->value);
    if (last - first >= EXPOSED_MAX)
        return error_set(&reader->cli->err, ERROR_INVALID, E2BIG,
                         "--expose: \"%.64s\" are more than the %d ports that a container can have",
                         text, EXPOSED_MAX);
    for (uint64_t port = first; port <= last; port++) {
        cleanup_free char *name = memory_printf("%u/%s", (unsigned int)port, protocol);

        request_set_object(request_member(reader->request, place_of(reader), name));
    }
    return 0;
}

int read_entrypoint(const struct option_reader *reader, const char *text)
{
    request_set_array(place_of(reader));
    request_set_text(reader->request, new_item(reader), text);
    return 0;
}

int read_health_command(const struct option_reader *reader, const char *text)
{
    request_set_array(place_of(reader));
    request_set_text(reader->request, new_item(reader), "CMD-SHELL");
    request_set_text(reader->request, new_item(reader), text);
    return 0;
}

/* "SOURCE:TARGET[:MODE]", a path that is relative to our working directory being made absolute, or
 * "TARGET": an anonymous volume. */
int read_volume(const struct option_reader *reader, const char *text)
{
    struct request *request = reader->request;
    cleanup_free char *directory = text[0] == '.' ? getcwd(NULL, 0) : NULL;
    cleanup_free char *bind = directory != NULL ? memory_printf("%s/%s", directory, text) : NULL;

    if (strchr(text, ':') == NULL)
        request_set_object(request_member(request, request_at(request, NULL, "Volumes"), text));
    else
        request_set_text(request,
                         request_append(request, request_at(request, NULL, "HostConfig.Binds")),
                         bind != NULL ? bind : text);
    return 0;
}

int read_tmpfs(const struct option_reader *reader, const char *text)
{
    size_t length = strcspn(text, ":");
    cleanup_free char *target = memory_printf("%.*s", (int)length, text);

    request_set_text(reader->request, request_member(reader->request, place_of(reader), target),
                     text[length] == ':' ? text + length + 1 : "");
    return 0;
}

/* A seccomp profile is a file here and its content in the request. */
int read_security(const struct option_reader *reader, const char *text)
{
    cleanup_buffer struct buffer profile = {0};
    struct error *err = &reader->cli->err;

    if (strncmp(text, "seccomp=", 8) == 0 && strcmp(text + 8, "unconfined") != 0) {
        buffer_append_string(&profile, "seccomp=");
        if (file_read_any(text + 8, SECCOMP_MAX_BYTES, &profile, err) < 0)
            return error_prefix(err, "--security-opt seccomp");
    }
    request_set_text(reader->request, new_item(reader),
                     profile.length > 0 ? buffer_text(&profile) : text);
    return 0;
}

static int read_device_number(const struct option_reader *reader, const char *text,
                              const char *member)
{
    const char *colon = strrchr(text, ':');
    cleanup_free char *path = memory_printf("%.*s", colon != NULL ? (int)(colon - text) : 0, text);
    struct request_value *limit;
    int64_t number = 0;

    if (colon == NULL || size_parse(colon + 1, &number) < 0 || number < 0)
        return refuse(reader, text, "DEVICE:NUMBER");
    limit = new_item(reader);
    put_text(reader, limit, "Path", path);
    put_integer(reader, limit, member, number);
    return 0;
}

int read_device_rate(const struct option_reader *reader, const char *text)
{
    return read_device_number(reader, text, "Rate");
}

int read_device_weight(const struct option_reader *reader, const char *text)
{
    return read_device_number(reader, text, "Weight");
}

/* "nofile=1024:2048" */
int read_ulimit(const struct option_reader *reader, const char *text)
{
    size_t length = strcspn(text, "=");
    cleanup_free char *name = memory_printf("%.*s", (int)length, text);
    cleanup_free char *soft_text = NULL;
    const char *colon = strchr(text, ':');
    int64_t soft;
    int64_t hard;
    struct request_value *limit;

    if (text[length] == '\0')
        return refuse(reader, text, reader->row->value);
    soft_text = memory_strdup(text + length + 1);
    soft_text[strcspn(soft_text, ":")] = '\0';
    /* -1 is "no limit". */
    if (!number_parse(soft_text, -1, INT64_MAX, &soft) ||
        !number_parse(colon != NULL ? colon + 1 : soft_text, -1, INT64_MAX, &hard))
        return refuse(reader, text, reader->row->value);
    limit = new_item(reader);
    put_text(reader, limit, "Name", name);
    put_integer(reader, limit, "Soft", soft);
    put_integer(reader, limit, "Hard", hard);
    return 0;
}

/* "none" allows nothing, and goes with other rules as nothing more; "learn" notes what other rules
 * do not allow. */
int read_egress(const struct option_reader *reader, const char *text)
{
    struct request *request = reader->request;

    if (strcmp(text, "learn") == 0)
        request_set_boolean(request_at(request, NULL, "HostConfig.Egress.Learn"), true);
    else if (strcmp(text, "none") != 0)
        request_set_text(reader->request, new_item(reader), text);
    else if (!request_has(reader->request, reader->row->member))
        request_set_array(place_of(reader));
    return 0;
}

int put_healthcheck(struct cli *cli, struct create_options *options)
{
    struct request *request = &options->request;
    struct request_value *test;

    if (!options->has_no_healthcheck)
        return 0;
    if (request_has(request, "Healthcheck"))
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "--no-healthcheck does not go with other options of --health-*");
    test = request_at(request, NULL, "Healthcheck.Test");
    request_set_text(request, request_append(request, test), "NONE");
    return 0;
}

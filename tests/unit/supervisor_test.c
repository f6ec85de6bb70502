/* supervisor and cli: log lines, create requests, filters, the database, stream frames. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "cli/stream.h"
#include "supervisor/definition/definition.h"
#include "supervisor/http/filters.h"
#include "supervisor/images/changes.h"
#include "supervisor/monitor/log_writer.h"
#include "supervisor/monitor/protocol.h"
#include "supervisor/monitor/streams.h"
#include "supervisor/store/database.h"

static char *written_log(struct log_writer *log)
{
    static char text[200000];
    ssize_t length = pread(log->fd, text, sizeof(text) - 1, 0);

    text[length > 0 ? length : 0] = '\0';
    return text;
}

static struct log_writer open_log(void)
{
    char template[] = "/tmp/davit-unit.XXXXXX";
    struct log_writer log = {.fd = mkstemp(template)};

    unlink(template);
    return log;
}

static size_t count(const char *text, const char *what)
{
    size_t found = 0;

    for (const char *p = strstr(text, what); p != NULL; p = strstr(p + 1, what))
        found++;
    return found;
}

static void lines_become_entries_and_partial_lines_wait(void **state)
{
    struct log_writer log = open_log();

    (void)state;
    assert_int_equal(log_writer_append(&log, 1, "one\ntw", 6), 0);
    assert_int_equal(count(written_log(&log), "\n"), 1);
    assert_int_equal(log_writer_append(&log, 2, "err\n", 4), 0);
    assert_int_equal(log_writer_append(&log, 1, "o\n", 2), 0);
    assert_non_null(strstr(written_log(&log), "{\"log\":\"two\\n\",\"stream\":\"stdout\""));
    assert_non_null(strstr(written_log(&log), "{\"log\":\"err\\n\",\"stream\":\"stderr\""));
    assert_int_equal(log_writer_append(&log, 1, "rest", 4), 0);
    assert_int_equal(log_writer_finish(&log), 0);
    assert_non_null(strstr(written_log(&log), "{\"log\":\"rest\",\"stream\":\"stdout\""));
    log_writer_release(&log);
}

static void every_byte_makes_valid_json(void **state)
{
    struct log_writer log = open_log();
    cleanup_arena struct arena arena = {0};
    const struct json *json;
    char bytes[256];
    char *text;

    (void)state;
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)(i == '\n' ? 'n' : i);
    assert_int_equal(log_writer_append(&log, 1, bytes + 1, 255), 0);
    assert_int_equal(log_writer_append(&log, 1, "\xe2\x82\xac\n", 4), 0);
    text = written_log(&log);
    assert_int_equal(
        json_parse(&arena, text, strcspn(text, "\n"), &json_default_limits, &json, NULL), 0);
    assert_non_null(strstr(json_get_string(json, "log"), "\xe2\x82\xac\n"));
    log_writer_release(&log);
}

static void overlong_lines_are_cut_between_characters(void **state)
{
    struct log_writer log = open_log();
    char *line = malloc(60000);

    (void)state;
    for (int i = 0; i < 20000; i++)
        memcpy(line + 3 * i, "\xe2\x82\xac", 3);
    assert_int_equal(log_writer_append(&log, 1, line, 60000), 0);
    assert_int_equal(log_writer_append(&log, 1, "\n", 1), 0);
    assert_int_equal(count(written_log(&log), "\xe2\x82\xac"), 20000);
    assert_int_equal(count(written_log(&log), "\xef\xbf\xbd"), 0);
    assert_int_equal(count(written_log(&log), "\n"), 4);
    free(line);
    log_writer_release(&log);
}

static int parse(struct arena *arena, const char *text, struct definition *definition,
                 struct error *err)
{
    memset(definition, 0, sizeof(*definition));
    return definition_parse(arena, text, strlen(text), &(struct docker_log_config){0}, definition,
                            err);
}

static void what_is_not_supported_is_refused_by_name(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"{}", "Image: required"},
        {"{\"Image\":\"x\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"npipe\",\"Target\":\"/x\"}]}}",
         "HostConfig.Mounts[0]: Type: \"npipe\""},
        {"{\"Image\":\"x\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/\","
         "\"Target\":\"/x\",\"BindOptions\":{\"Propagation\":\"sideways\"}}]}}",
         "BindOptions.Propagation"},
        {"{\"Image\":\"x\",\"Healthcheck\":{\"Test\":[\"CMD\"]}}", "Healthcheck.Test"},
        {"{\"Image\":\"x\",\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],\"Timeout\":1000}}",
         "Timeout in Healthcheck cannot be less than 1ms"},
        {"{\"Image\":\"x\",\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],\"Http\":{\"Port\":1}}}",
         "Healthcheck.Http"},
        {"{\"Image\":\"x\",\"Typo\":1}", "Typo: unknown option"},
        {"{\"Image\":\"x\",\"HostConfig\":{\"Privileged\":true,\"UsernsMode\":\"auto\"}}",
         "can be neither privileged"},
        {"{\"Image\":\"x\",\"HostConfig\":{\"PidMode\":\"private\"}}", "HostConfig.PidMode"},
        {"{\"Image\":\"x\",\"HostConfig\":{\"Runtime\":\"runsc\"}}", "HostConfig.Runtime"},
        {"{\"Image\":\"x\",\"HostConfig\":{\"RestartPolicy\":{\"Name\":\"sometimes\"}}}",
         "invalid restart policy 'sometimes'"},
        {"{\"Image\":\"x\",\"HostConfig\":{\"RestartPolicy\":{\"Name\":\"always\","
         "\"MaximumRetryCount\":3}}}",
         "maximum retry count"},
        {"{\"Image\":\"x\",\"HostConfig\":{\"UsernsMode\":\"private\"}}", "HostConfig.UsernsMode"},
        {"{\"Image\":\"x\",\"HostConfig\":{\"UsernsMode\":\"auto\",\"NetworkMode\":\"host\"}}",
         "cannot have the host's network"},
        {"{\"Image\":\"x\",\"HostConfig\":{\"StorageOpt\":{\"inodes\":\"5\"}}}",
         "HostConfig.StorageOpt.inodes"},
        {"{\"Image\":\"x\",\"HostConfig\":{\"StorageOpt\":{\"size\":\"5k\"}}}",
         "HostConfig.StorageOpt.size"},
        {"{\"Image\":\"x\",\"HostConfig\":{\"LogConfig\":{\"Type\":\"gelf\"}}}",
         "HostConfig.LogConfig.Type"},
        {"{\"Image\":\"x\",\"HostConfig\":{\"Memory\":1024}}", "minimum memory limit"},
        {"{\"Image\":\"x\",\"HostConfig\":{\"Memory\":\"1g\"}}", "HostConfig.Memory: expected"},
        {"{\"Image\":\"x\",\"HostConfig\":{\"NanoCpus\":1,\"CpuQuota\":1}}", "conflicts"},
        {"{\"Image\":\"x\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Target\":\"/x\","
         "\"VolumeOptions\":{\"NoCopy\":true}}]}}",
         "HostConfig.Mounts[0]: VolumeOptions"},
        {"{\"Image\":\"x\",\"NetworkingConfig\":{\"EndpointsConfig\":{\"n\":{\"IPAMConfig\":{"
         "\"LinkLocalIPs\":[\"169.254.1.1\"]}}}}}",
         "NetworkingConfig.EndpointsConfig.n.IPAMConfig.LinkLocalIPs"},
        {"{\"Image\":\"x\",\"HostConfig\":{\"CgroupParent\":\"/a\"}}", "is absolute"},
        {"{\"Image\":\"x\",\"HostConfig\":{\"CgroupParent\":\"a/../b\"}}", "no relative path"},
        {"{\"Image\":\"x\",\"HostConfig\":{\"CgroupParent\":\"a/\"}}", "no relative path"},
        {"{\"Image\":\"x\",\"HostConfig\":{\"CgroupParent\":\"cgroup.procs\"}}",
         "no relative path"},
        {"{\"Image\":\"x\",\"HostConfig\":{\"VolumeDriver\":\"nfs\"}}", "use local"},
        {"{\"Image\":\"x\",\"HostConfig\":{\"Isolation\":\"hyperv\"}}", "use default"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        cleanup_arena struct arena arena = {0};
        struct definition definition;
        struct error err = {0};

        if (parse(&arena, cases[i].text, &definition, &err) == 0)
            fail_msg("accepted: %s", cases[i].text);
        assert_error_contains(err, cases[i].message);
    }
}

static void zero_values_of_real_clients_are_accepted(void **state)
{
    static const char text[] =
        "{\"Hostname\":\"\",\"Domainname\":\"\",\"User\":\"\",\"Tty\":false,\"Env\":null,\"Cmd\":["
        "\"a\"],"
        "\"Image\":\"x\",\"Volumes\":{},\"WorkingDir\":\"\",\"Entrypoint\":null,\"OnBuild\":null,"
        "\"Labels\":{},\"HostConfig\":{\"Binds\":null,\"ContainerIDFile\":\"\",\"NetworkMode\":"
        "\"default\",\"PortBindings\":{},\"RestartPolicy\":{\"Name\":\"no\",\"MaximumRetryCount\":"
        "0},"
        "\"AutoRemove\":true,\"ConsoleSize\":[24,80],\"CapAdd\":null,\"Dns\":[],"
        "\"MemorySwappiness\":-1,"
        "\"Devices\":[],\"PidsLimit\":0,\"Ulimits\":[],\"Init\":null,\"MaskedPaths\":null},"
        "\"NetworkingConfig\":{\"EndpointsConfig\":{\"default\":{\"IPAMConfig\":null,\"Links\":"
        "null,"
        "\"Aliases\":null,\"MacAddress\":\"\",\"DriverOpts\":null,\"IPPrefixLen\":0}}}}";
    cleanup_arena struct arena arena = {0};
    struct definition definition;
    struct error err = {0};

    (void)state;
    if (parse(&arena, text, &definition, &err) < 0)
        fail_msg("%s", err.message);
    assert_true(definition.host_config.is_auto_removed);
}

static void the_image_fills_what_the_request_leaves_open(void **state)
{
    const char *entrypoint[] = {"/entry"};
    const char *cmd[] = {"arg"};
    const char *env[] = {"A=image", "B=image"};
    const struct image_process image = {
        .entrypoint = {entrypoint, 1}, .cmd = {cmd, 1}, .env = {env, 2}, .user = "u"};
    cleanup_arena struct arena arena = {0};
    struct definition definition;

    (void)state;
    assert_int_equal(parse(&arena, "{\"Image\":\"x\",\"Env\":[\"A=mine\"]}", &definition, NULL), 0);
    definition_apply_image(&arena, &definition, &image);
    assert_string_equal(definition.config.entrypoint.items[0], "/entry");
    assert_string_equal(definition.config.cmd.items[0], "arg");
    assert_string_equal(env_get(&definition.config.env, "A"), "mine");
    assert_string_equal(env_get(&definition.config.env, "B"), "image");
    assert_string_equal(definition.config.user, "u");
    assert_int_equal(parse(&arena, "{\"Image\":\"x\",\"Entrypoint\":[\"\"],\"Cmd\":[\"only\"]}",
                           &definition, NULL),
                     0);
    definition_apply_image(&arena, &definition, &image);
    assert_int_equal(definition.config.entrypoint.count, 0);
    assert_string_equal(definition.config.cmd.items[0], "only");
}

static void filters_come_in_two_shapes(void **state)
{
    static const char *const texts[] = {"{\"label\":[\"a=b\",\"c\"]}",
                                        "{\"label\":{\"a=b\":true,\"c\":true}}"};
    static const char *const known[] = {"label", NULL};
    struct string_pair pairs[] = {{"a", "b"}, {"c", "d"}};
    struct string_pair other[] = {{"a", "x"}, {"c", "d"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        cleanup_arena struct arena arena = {0};
        struct filters filters;

        assert_int_equal(filters_parse(&arena, texts[i], known, &filters, NULL), 0);
        assert_true(filters_match_labels(&filters, &(struct string_map){pairs, 2}));
        assert_false(filters_match_labels(&filters, &(struct string_map){other, 2}));
    }
    {
        cleanup_arena struct arena arena = {0};
        struct filters filters;
        struct error err;

        assert_true(filters_parse(&arena, "{\"bogus\":[\"x\"]}", known, &filters, &err) < 0);
        assert_error_contains(err, "bogus");
        assert_true(filters_parse(&arena, "[]", known, &filters, &err) < 0);
    }
}

static int count_container(void *context, const char *id, const char *definition, const char *state,
                           struct error *err)
{
    (void)err;
    assert_string_equal(id, "a");
    assert_string_equal(definition, "{\"d\":1}");
    assert_string_equal(state, "{\"s\":2}");
    (*(int *)context)++;
    return 0;
}

static void the_database_keeps_what_was_acknowledged(void **state)
{
    char template[] = "/tmp/davit-unit.XXXXXX";
    struct database *database;
    struct error err;
    int found = 0;

    (void)state;
    assert_non_null(mkdtemp(template));
    assert_int_equal(database_open(template, &database, &err), 0);
    assert_int_equal(database_insert_container(database, "a", "", "n", "{\"d\":1}", "{}", &err), 0);
    assert_true(database_insert_container(database, "b", "", "n", "{}", "{}", &err) < 0);
    assert_int_equal(database_update_state(database, "a", "{\"s\":2}", true, &err), 0);
    database_close(database);
    assert_int_equal(database_open(template, &database, &err), 0);
    assert_int_equal(database_each_container(database, count_container, &found, &err), 0);
    assert_int_equal(found, 1);
    assert_int_equal(database_delete_container(database, "a", true, &err), 0);
    assert_int_equal(database_each_container(database, count_container, &found, &err), 0);
    assert_int_equal(found, 1);
    database_close(database);
    path_remove_tree(AT_FDCWD, template, NULL);
}

static void poll_streams_once(struct streams *streams)
{
    struct pollfd events[16];
    size_t number = streams_prepare(streams, events);

    assert_true(number <= ARRAY_SIZE(events));
    poll(events, number, 0);
    streams_handle(streams, events);
}

/* What a process writes comes out of `output`, what its client gets out of client[1]. */
static void open_streams(struct streams *streams, int output[2], int client[2])
{
    streams_init(streams);
    assert_int_equal(pipe2(output, O_NONBLOCK), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, client), 0);
}

static void close_streams(struct streams *streams, int output[2], int client[2])
{
    fd_close(&output[1]);
    streams_release(streams);
    fd_close(&client[1]);
}

static void output_is_framed_for_every_client(void **state)
{
    struct streams streams;
    unsigned char bytes[64];
    int output[2];
    int client[2];

    (void)state;
    open_streams(&streams, output, client);
    streams.output_fd[1] = output[0];
    streams_attach(&streams, client[0], MONITOR_STDOUT | MONITOR_STDERR, NULL, 0);
    assert_int_equal(write(output[1], "oops", 4), 4);
    poll_streams_once(&streams);
    assert_int_equal(recv(client[1], bytes, sizeof(bytes), 0), 12);
    assert_memory_equal(bytes, "\2\0\0\0\0\0\0\4oops", 12);
    fd_close(&output[1]);
    poll_streams_once(&streams);
    assert_true(streams_are_done(&streams));
    close_streams(&streams, output, client);
}

/* Docker's Python SDK reads the head through a buffer and would lose what came along with it. */
static void output_waits_until_the_head_has_been_read(void **state)
{
    struct streams streams;
    char bytes[64];
    int output[2];
    int client[2];

    (void)state;
    open_streams(&streams, output, client);
    streams.output_fd[0] = output[0];
    assert_int_equal(send(client[0], "head", 4, 0), 4);
    streams_attach(&streams, client[0], MONITOR_STDOUT | MONITOR_RAW, NULL, 0);
    streams.clients[0].head_until_us = UINT64_MAX;
    assert_int_equal(write(output[1], "body", 4), 4);
    poll_streams_once(&streams);
    assert_int_equal(streams_timeout(&streams), 1);
    assert_int_equal(recv(client[1], bytes, sizeof(bytes), 0), 4);
    assert_memory_equal(bytes, "head", 4);
    poll_streams_once(&streams);
    assert_int_equal(recv(client[1], bytes, sizeof(bytes), 0), 4);
    assert_memory_equal(bytes, "body", 4);
    close_streams(&streams, output, client);
}

/* When the container's process ends while another still has the pipe open, what it has written
 * arrives, and nobody waits for the other. */
static void the_end_leaves_nothing_and_waits_for_nobody(void **state)
{
    struct streams streams;
    char bytes[64];
    int output[2];
    int client[2];

    (void)state;
    open_streams(&streams, output, client);
    streams.output_fd[0] = output[0];
    streams_attach(&streams, client[0], MONITOR_STDOUT | MONITOR_RAW, NULL, 0);
    assert_int_equal(write(output[1], "last", 4), 4);
    streams_end(&streams);
    assert_true(streams_are_done(&streams));
    assert_int_equal(recv(client[1], bytes, sizeof(bytes), 0), 4);
    assert_memory_equal(bytes, "last", 4);
    close_streams(&streams, output, client);
}

/* A reader that does not read stops the process from being read, instead of losing bytes or growing
 * without bound. */
static void a_slow_reader_causes_backpressure(void **state)
{
    struct streams streams;
    char block[4096] = {0};
    size_t sent = 0;
    size_t received = 0;
    int output[2];
    int client[2];
    ssize_t length;

    (void)state;
    open_streams(&streams, output, client);
    streams.output_fd[0] = output[0];
    streams_attach(&streams, client[0], MONITOR_STDOUT | MONITOR_RAW, NULL, 0);
    for (int i = 0; i < 2000; i++) {
        while ((length = write(output[1], block, sizeof(block))) > 0)
            sent += (size_t)length;
        poll_streams_once(&streams);
    }
    assert_true(streams.clients[0].out.length < STREAMS_BACKLOG_MAX + 65536);
    assert_true(sent < 4 << 20);
    fd_close(&output[1]);
    for (int i = 0; i < 4000 && received < sent; i++) {
        while ((length = recv(client[1], block, sizeof(block), MSG_DONTWAIT)) > 0)
            received += (size_t)length;
        poll_streams_once(&streams);
    }
    assert_int_equal(received, sent);
    close_streams(&streams, output, client);
}

static void frames_are_cut_apart_wherever_they_break(void **state)
{
    static const char stream[] =
        "\1\0\0\0\0\0\0\3abc\2\0\0\0\0\0\0\2de\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\1f";
    struct demultiplexer demultiplexer = {0};
    char text[16] = "";
    int pipes[2];
    int saved[2] = {dup(STDOUT_FILENO), dup(STDERR_FILENO)};

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    fflush(stdout);
    dup2(pipes[1], STDOUT_FILENO);
    dup2(pipes[1], STDERR_FILENO);
    for (size_t i = 0; i < sizeof(stream) - 1; i++)
        demultiplex(&demultiplexer, stream + i, 1);
    dup2(saved[0], STDOUT_FILENO);
    dup2(saved[1], STDERR_FILENO);
    assert_int_equal(read(pipes[0], text, sizeof(text) - 1), 6);
    assert_string_equal(text, "abcdef");
    for (int i = 0; i < 2; i++) {
        close(pipes[i]);
        close(saved[i]);
    }
}

static void instructions_change_a_configuration(void **state)
{
    cleanup_arena struct arena arena = {0};
    struct image_process process = {0};
    struct error err = {0};

    (void)state;
    assert_int_equal(image_change(&arena, "ENV A=1 B='2 3' C=\"x\\\"y\"", &process, &err), 0);
    assert_int_equal(image_change(&arena, "env A 4 5", &process, &err), 0);
    assert_int_equal(process.env.count, 3);
    assert_string_equal(process.env.items[0], "A=4 5");
    assert_string_equal(process.env.items[1], "B=2 3");
    assert_string_equal(process.env.items[2], "C=x\"y");
    assert_int_equal(image_change(&arena, "CMD echo $A", &process, &err), 0);
    assert_int_equal(process.cmd.count, 3);
    assert_string_equal(process.cmd.items[2], "echo $A");
    assert_int_equal(image_change(&arena, "ENTRYPOINT [\"/x\", \"y z\"]", &process, &err), 0);
    assert_int_equal(process.entrypoint.count, 2);
    assert_string_equal(process.entrypoint.items[1], "y z");
    assert_int_equal(process.cmd.count, 0);
    assert_int_equal(image_change(&arena, "LABEL a=b a=c", &process, &err), 0);
    assert_string_equal(string_map_get(&process.labels, "a"), "c");
    assert_int_equal(image_change(&arena, "EXPOSE 80 53/udp", &process, &err), 0);
    assert_int_equal(image_change(&arena, "EXPOSE 80/tcp 81", &process, &err), 0);
    assert_int_equal(process.exposed_ports->count, 3);
    assert_int_equal(image_change(&arena, "WORKDIR /a", &process, &err), 0);
    assert_int_equal(image_change(&arena, "WORKDIR b", &process, &err), 0);
    assert_string_equal(process.working_dir, "/a/b");
    assert_int_equal(image_change(&arena, "VOLUME [\"/data\"]", &process, &err), 0);
    assert_string_equal(process.volumes->members[0].name, "/data");
}

static void instructions_that_cannot_be_followed_are_refused(void **state)
{
    static const char *const wrong[] = {"",
                                        "ONBUILD RUN x",
                                        "FROM x",
                                        "CMD",
                                        "ENV",
                                        "ENV =1",
                                        "ENV A=1 B",
                                        "EXPOSE http",
                                        "EXPOSE 80/x",
                                        "VOLUME x",
                                        "STOPSIGNAL NO",
                                        "CMDS true",
                                        "EXPOSE /tcp",
                                        "LABEL",
                                        "VOLUME [\"x\"]"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        cleanup_arena struct arena arena = {0};
        struct image_process process = {0};
        struct error err = {0};

        if (image_change(&arena, wrong[i], &process, &err) == 0)
            fail_msg("\"%s\" was taken", wrong[i]);
        assert_true(err.message[0] != '\0');
    }
}

static void failures_count_after_the_start_period(void **state)
{
    const struct probe_definition definition = {.start_period_ns = 100, .retries = 2};
    struct probe_record record = {0};

    (void)state;
    assert_false(probe_judge(&definition, &record, false, 50));
    assert_int_equal(record.failing_streak, 0);
    assert_false(probe_judge(&definition, &record, false, 100));
    assert_true(probe_judge(&definition, &record, false, 101));
    assert_int_equal(record.status, PROBE_UNHEALTHY);
    assert_true(probe_judge(&definition, &record, true, 102));
    assert_int_equal(record.failing_streak, 0);
    /* Once it was healthy the start is over. */
    assert_false(probe_judge(&definition, &record, false, 50));
    assert_int_equal(record.failing_streak, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instructions_change_a_configuration),
        cmocka_unit_test(instructions_that_cannot_be_followed_are_refused),
        cmocka_unit_test(lines_become_entries_and_partial_lines_wait),
        cmocka_unit_test(every_byte_makes_valid_json),
        cmocka_unit_test(overlong_lines_are_cut_between_characters),
        cmocka_unit_test(what_is_not_supported_is_refused_by_name),
        cmocka_unit_test(zero_values_of_real_clients_are_accepted),
        cmocka_unit_test(the_image_fills_what_the_request_leaves_open),
        cmocka_unit_test(filters_come_in_two_shapes),
        cmocka_unit_test(failures_count_after_the_start_period),
        cmocka_unit_test(the_database_keeps_what_was_acknowledged),
        cmocka_unit_test(output_is_framed_for_every_client),
        cmocka_unit_test(output_waits_until_the_head_has_been_read),
        cmocka_unit_test(the_end_leaves_nothing_and_waits_for_nobody),
        cmocka_unit_test(a_slow_reader_causes_backpressure),
        cmocka_unit_test(frames_are_cut_apart_wherever_they_break),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* run, create, start, attach, exec: what connects to a container's streams. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli.h"
#include "create_options.h"
#include "create_values.h"
#include "options.h"
#include "stream.h"

static void print_warnings(const struct json *answer)
{
    const struct json *warnings = json_get(answer, "Warnings");

    for (size_t i = 0; warnings != NULL && i < warnings->count; i++)
        fprintf(stderr, "WARNING: %s\n", warnings->items[i].text);
}

static void append_parameter(struct buffer *path, const char *name, const char *value)
{
    if (value == NULL)
        return;
    buffer_append_string(path, name);
    http_encode(path, value);
}

static int create(struct cli *cli, const struct create_options *options, char **id)
{
    cleanup_arena struct arena arena = {0};
    cleanup_buffer struct buffer path = {0};
    const struct json *json;
    const char *text;
    int result;

    buffer_append_string(&path, "/containers/create?");
    append_parameter(&path, "name=", options->name);
    append_parameter(&path, "&platform=", options->platform);
    result = client_call_json(&cli->client, "POST", buffer_text(&path), options->body, &arena,
                              &json, &cli->err);
    if (result < 0)
        return result;
    text = json_get_string(json, "Id");
    if (text == NULL)
        return error_set(&cli->err, ERROR_INTERNAL, EPROTO, "davitd's answer has no Id");
    *id = memory_strdup(text);
    print_warnings(json);
    return 0;
}

/* Makes the container, of an image that comes from its registry if it is not here. What the pull
 * has to say is no output of the container's: it goes to standard error. */
static int create_pulling(struct cli *cli, const struct create_options *options, char **id)
{
    int result =
        options->pulls == PULL_ALWAYS
            ? cli_pull_image(cli, options->image, options->platform, stderr, options->is_quiet)
            : 0;

    if (result == 0)
        result = create(cli, options, id);
    if (result >= 0 || options->pulls != PULL_MISSING || cli->err.code != ERROR_IMAGE_NOT_FOUND)
        return result;
    if (!options->is_quiet)
        fprintf(stderr, "Unable to find image '%s' locally\n", options->image);
    result = cli_pull_image(cli, options->image, options->platform, stderr, options->is_quiet);
    return result < 0 ? result : create(cli, options, id);
}

/* Makes the container, and the file that gets its id. */
static int create_with_id_file(struct cli *cli, const struct create_options *options, char **id)
{
    int fd = -1;
    int result;

    if (options->id_file == NULL)
        return create_pulling(cli, options, id);
    result = create_id_file_open(cli, options->id_file, &fd);
    if (result < 0)
        return result;
    result = create_pulling(cli, options, id);
    if (result < 0)
        create_id_file_close(cli, options->id_file, fd, NULL);
    else
        result = create_id_file_close(cli, options->id_file, fd, *id);
    return result;
}

/* docker's statuses: a program that is not there or cannot be run is the user's affair, anything
 * else is ours. */
static int status_of_start_failure(const struct error *err)
{
    return err->code == ERROR_COMMAND_NOT_FOUND ? EXIT_NOT_FOUND
           : err->code == ERROR_NOT_EXECUTABLE  ? EXIT_NOT_EXECUTABLE
                                                : EXIT_DAVIT_FAILED;
}

static int post(struct cli *cli, const char *id, const char *verb)
{
    cleanup_free char *path = client_path("/containers/", id, verb);
    int status;

    return client_call(&cli->client, "POST", path, NULL, &status, NULL, &cli->err);
}

/* Asks for the exit status ahead of the start, so that a short-lived container is not missed. */
static int begin_wait(struct cli *cli, const char *id, const char *condition,
                      struct exchange *exchange)
{
    cleanup_free char *path = client_path("/containers/", id, condition);
    const struct client_request request = {.method = "POST", .path = path, .body_fd = -1};
    int status;
    int result = client_send(&cli->client, &request, exchange, &cli->err);

    return result < 0 ? result : exchange_read_headers(exchange, &status, &cli->err);
}

static int end_wait(struct cli *cli, struct exchange *exchange)
{
    cleanup_arena struct arena arena = {0};
    const struct json *json = NULL;
    const struct json *code;
    int64_t status = 0;
    int result = exchange_read_body(exchange, &cli->err);

    if (result == 0)
        result = json_parse(&arena, buffer_text(&exchange->body), exchange->body.length,
                            &json_default_limits, &json, &cli->err);
    if (result < 0)
        return result;
    code = json_get(json, "StatusCode");
    if (code == NULL || json_to_int64(code, &status) < 0)
        return error_set(&cli->err, ERROR_INTERNAL, EPROTO, "davitd's answer has no StatusCode");
    return (int)(status & 0xff);
}

/* Which streams of a container are connected to ours, and how. */
struct connection {
    bool has_terminal;
    bool is_interactive; /* standard input is one of them */
    bool has_no_output;
    bool has_no_errors;
    bool is_auto_removed; /* the container goes when it ends */
    bool has_no_signal_proxy;
};

static int open_attach(struct cli *cli, const char *id, const struct connection *connection,
                       struct exchange *exchange)
{
    cleanup_free char *query = memory_printf(
        "/attach?stream=1%s%s%s", connection->is_interactive ? "&stdin=1" : "",
        connection->has_no_output ? "" : "&stdout=1", connection->has_no_errors ? "" : "&stderr=1");
    cleanup_free char *path = client_path("/containers/", id, query);

    return stream_open(cli, path, NULL, exchange);
}

static int relay(struct cli *cli, const char *id, const struct connection *connection,
                 struct exchange *attach)
{
    cleanup_free char *resize_path = client_path("/containers/", id, "/resize");
    cleanup_free char *kill_path = client_path("/containers/", id, "/kill");
    struct stream_session session = {
        .cli = cli,
        .fd = attach->fd,
        .has_terminal = connection->has_terminal,
        .is_interactive = connection->is_interactive,
        .resize_path = resize_path,
        .kill_path = connection->has_no_signal_proxy ? NULL : kill_path,
    };

    return stream_relay(&session, &attach->leftover);
}

/* Attach, wait, start, relay, status: in this order nothing of a container's life is missed. */
static int start_attached(struct cli *cli, const char *id, const struct connection *connection)
{
    struct exchange attach = {.fd = -1};
    struct exchange wait = {.fd = -1};
    int result = open_attach(cli, id, connection, &attach);

    if (result == 0)
        result = begin_wait(cli, id,
                            connection->is_auto_removed ? "/wait?condition=removed"
                                                        : "/wait?condition=next-exit",
                            &wait);
    if (result == 0) {
        result = post(cli, id, "/start");
        if (result < 0) {
            cli_print_error(cli);
            result = status_of_start_failure(&cli->err);
        } else {
            result = relay(cli, id, connection, &attach);
            result = result == 1 ? 0 : result == 0 ? end_wait(cli, &wait) : result;
        }
    }
    exchange_close(&attach);
    exchange_close(&wait);
    return result;
}

static int run_created(struct cli *cli, const struct create_options *options, const char *id)
{
    const struct connection connection = {
        .has_terminal = options->has_terminal,
        .is_interactive = options->is_interactive && create_attaches(options, "stdin"),
        .has_no_output = !create_attaches(options, "stdout"),
        .has_no_errors = !create_attaches(options, "stderr"),
        .is_auto_removed = options->is_auto_removed,
        .has_no_signal_proxy = options->has_no_signal_proxy,
    };

    if (!options->is_detached)
        return start_attached(cli, id, &connection);
    if (post(cli, id, "/start") < 0) {
        cli_print_error(cli);
        return status_of_start_failure(&cli->err);
    }
    puts(id);
    return 0;
}

int cli_run(struct cli *cli, int argc, char **argv)
{
    struct create_options options = {0};
    cleanup_free char *id = NULL;
    int result = create_options_parse(cli, &options, true, argc, argv);

    if (result == 0)
        result = stream_check_terminal(cli, options.has_terminal && !options.is_detached,
                                       options.is_interactive);
    if (result == 0)
        result = create_with_id_file(cli, &options, &id);
    if (result == 0)
        result = run_created(cli, &options, id);
    create_options_release(&options);
    return result;
}

int cli_create(struct cli *cli, int argc, char **argv)
{
    struct create_options options = {0};
    cleanup_free char *id = NULL;
    int result = create_options_parse(cli, &options, false, argc, argv);

    if (result == 0)
        result = create_with_id_file(cli, &options, &id);
    if (result == 0)
        puts(id);
    create_options_release(&options);
    return result;
}

/* What an attached client has to know of a container. */
struct stream_facts {
    bool has_terminal;
    bool has_open_stdin;
    bool is_running;
    bool is_auto_removed;
};

static bool is_true(const struct json *value)
{
    return value != NULL && value->type == JSON_BOOLEAN && value->boolean;
}

static int get_facts(struct cli *cli, const char *name, struct stream_facts *facts)
{
    cleanup_arena struct arena arena = {0};
    cleanup_free char *path = client_path("/containers/", name, "/json");
    const struct json *json;
    int result = client_call_json(&cli->client, "GET", path, NULL, &arena, &json, &cli->err);

    if (result < 0)
        return result;
    facts->has_terminal = is_true(json_get(json_get(json, "Config"), "Tty"));
    facts->has_open_stdin = is_true(json_get(json_get(json, "Config"), "OpenStdin"));
    facts->is_running = is_true(json_get(json_get(json, "State"), "Running"));
    facts->is_auto_removed = is_true(json_get(json_get(json, "HostConfig"), "AutoRemove"));
    return 0;
}

struct start_options {
    bool is_attached;
    bool is_interactive;
};

int cli_start(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"attach", 'a', OPTION_FLAG, .offset = offsetof(struct start_options, is_attached),
         .help = "connect to its output"},
        {"interactive", 'i', OPTION_FLAG, .offset = offsetof(struct start_options, is_interactive),
         .help = "connect to its input too"},
        {"checkpoint", 0, OPTION_REFUSED, "NAME", .help = NO_CHECKPOINTS},
        {"checkpoint-dir", 0, OPTION_REFUSED, "DIRECTORY", .help = NO_CHECKPOINTS},
        {0},
    };
    struct start_options options = {0};
    const struct option_set set = {.tables = {{rows, NULL}, {stream_detach_rows, NULL}},
                                   .usage = "CONTAINER...",
                                   .values = &options};
    struct stream_facts facts;
    bool is_attached;
    int result = options_read(cli, argc, argv, &set);

    if (result < 0)
        return result;
    is_attached = options.is_attached || options.is_interactive;
    if (is_attached && argc - optind != 1)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "start: one container alone can be attached to");
    if (is_attached) {
        result = get_facts(cli, argv[optind], &facts);
        return result < 0 ? result
                          : start_attached(cli, argv[optind],
                                           &(struct connection){
                                               .has_terminal = facts.has_terminal,
                                               .is_interactive =
                                                   options.is_interactive && facts.has_open_stdin,
                                               .is_auto_removed = facts.is_auto_removed,
                                           });
    }
    for (int i = optind; result == 0 && i < argc; i++) {
        result = post(cli, argv[i], "/start");
        if (result == 0)
            puts(argv[i]);
    }
    return result;
}

struct attach_options {
    bool has_no_stdin;
    bool has_no_signal_proxy;
};

int cli_attach(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"no-stdin", 0, OPTION_FLAG, .offset = offsetof(struct attach_options, has_no_stdin),
         .help = "its output alone"},
        {"sig-proxy", 0, OPTION_READ, .read = option_read_off,
         .offset = offsetof(struct attach_options, has_no_signal_proxy),
         .help = "hand signals on to it (default); =false: do not"},
        {0},
    };
    struct attach_options options = {0};
    const struct option_set set = {.tables = {{rows, NULL}, {stream_detach_rows, NULL}},
                                   .usage = "CONTAINER",
                                   .values = &options};
    struct connection connection = {0};
    struct exchange attach = {.fd = -1};
    struct exchange wait = {.fd = -1};
    struct stream_facts facts;
    int result = options_read(cli, argc, argv, &set);

    if (result < 0)
        return result;
    result = get_facts(cli, argv[optind], &facts);
    if (result == 0 && !facts.is_running)
        result = error_set(&cli->err, ERROR_CONFLICT, ESRCH,
                           "cannot attach to a stopped container, start it first");
    if (result == 0) {
        connection.has_terminal = facts.has_terminal;
        connection.is_interactive = facts.has_open_stdin && !options.has_no_stdin;
        connection.has_no_signal_proxy = options.has_no_signal_proxy;
        result = open_attach(cli, argv[optind], &connection, &attach);
    }
    if (result == 0)
        result = begin_wait(cli, argv[optind], "/wait", &wait);
    if (result == 0) {
        result = relay(cli, argv[optind], &connection, &attach);
        result = result == 1 ? 0 : result == 0 ? end_wait(cli, &wait) : result;
    }
    exchange_close(&attach);
    exchange_close(&wait);
    return result;
}

struct exec_options {
    struct request request;
    bool is_detached;
    bool is_interactive;
    bool has_terminal;
};

static const struct option_row exec_rows[] = {
    {"detach", 'd', OPTION_FLAG, .offset = offsetof(struct exec_options, is_detached),
     .help = "do not wait for it"},
    {"interactive", 'i', OPTION_FLAG, .offset = offsetof(struct exec_options, is_interactive),
     .help = "keep its standard input open"},
    {"tty", 't', OPTION_FLAG, .offset = offsetof(struct exec_options, has_terminal),
     .help = "give it a terminal"},
    {"env", 'e', OPTION_READ, "NAME[=VALUE]", .member = "Env", .read = read_env,
     .help = "set a variable, or pass ours on"},
    {"env-file", 0, OPTION_READ, "FILE", .member = "Env", .read = read_env_file,
     .help = "set the variables of a file's lines"},
    {"user", 'u', OPTION_TEXT, "USER[:GROUP]", .member = "User", .help = "whom it runs as"},
    {"workdir", 'w', OPTION_TEXT, "DIR", .member = "WorkingDir", .help = "its working directory"},
    {"privileged", 0, OPTION_FLAG, .member = "Privileged", .help = "with all capabilities"},
    {0},
};

static int parse_exec_options(struct cli *cli, struct exec_options *options, int argc, char **argv)
{
    const struct option_set set = {
        .tables = {{exec_rows, NULL}, {stream_detach_rows, NULL}},
        .usage = "CONTAINER COMMAND [ARGUMENT...]",
        .request = &options->request,
        .values = options,
        .ends_at_argument = true,
    };
    int result = options_read(cli, argc, argv, &set);

    if (result < 0)
        return result;
    return stream_check_terminal(cli, options->has_terminal && !options->is_detached,
                                 options->is_interactive);
}

static char *make_exec_request(struct exec_options *options, int argc, char **argv)
{
    struct request *request = &options->request;
    struct request_value *cmd = request_at(request, NULL, "Cmd");

    request_set_boolean(request_at(request, NULL, "Tty"), options->has_terminal);
    request_set_boolean(request_at(request, NULL, "AttachStdin"),
                        options->is_interactive && !options->is_detached);
    request_set_boolean(request_at(request, NULL, "AttachStdout"), !options->is_detached);
    request_set_boolean(request_at(request, NULL, "AttachStderr"), !options->is_detached);
    for (int i = 0; i < argc; i++)
        request_set_text(request, request_append(request, cmd), argv[i]);
    return request_body(request);
}

static int exec_exit_status(struct cli *cli, const char *id)
{
    cleanup_arena struct arena arena = {0};
    cleanup_free char *path = client_path("/exec/", id, "/json");
    const struct json *json;
    const struct json *code;
    int64_t status;
    int result = client_call_json(&cli->client, "GET", path, NULL, &arena, &json, &cli->err);

    if (result < 0)
        return result;
    code = json_get(json, "ExitCode");
    return code != NULL && json_to_int64(code, &status) == 0 ? (int)(status & 0xff) : 0;
}

static int exec_attached(struct cli *cli, const struct exec_options *options, const char *id)
{
    cleanup_free char *start_path = client_path("/exec/", id, "/start");
    cleanup_free char *resize_path = client_path("/exec/", id, "/resize");
    struct exchange exchange = {.fd = -1};
    struct stream_session session = {
        .cli = cli,
        .has_terminal = options->has_terminal,
        .is_interactive = options->is_interactive,
        .resize_path = resize_path,
    };
    int result = stream_open(cli, start_path,
                             options->has_terminal ? "{\"Detach\":false,\"Tty\":true}"
                                                   : "{\"Detach\":false,\"Tty\":false}",
                             &exchange);

    if (result == 0) {
        session.fd = exchange.fd;
        result = stream_relay(&session, &exchange.leftover);
        result = result == 1 ? 0 : result == 0 ? exec_exit_status(cli, id) : result;
    }
    exchange_close(&exchange);
    return result;
}

static int exec_created(struct cli *cli, const struct exec_options *options, const char *id)
{
    cleanup_free char *path = client_path("/exec/", id, "/start");
    int status;

    if (!options->is_detached)
        return exec_attached(cli, options, id);
    return client_call(&cli->client, "POST", path, "{\"Detach\":true}", &status, NULL, &cli->err);
}

int cli_exec(struct cli *cli, int argc, char **argv)
{
    cleanup_arena struct arena arena = {0};
    struct exec_options options = {0};
    const struct json *json;
    const char *id;
    int result = parse_exec_options(cli, &options, argc, argv);

    if (result == 0) {
        cleanup_free char *body = make_exec_request(&options, argc - optind - 1, argv + optind + 1);
        cleanup_free char *path = client_path("/containers/", argv[optind], "/exec");

        result = client_call_json(&cli->client, "POST", path, body, &arena, &json, &cli->err);
    }
    if (result == 0) {
        id = json_get_string(json, "Id");
        result = id != NULL
                     ? exec_created(cli, &options, id)
                     : error_set(&cli->err, ERROR_INTERNAL, EPROTO, "davitd's answer has no Id");
    }
    request_release(&options.request);
    return result;
}

/* run, create, start, attach, exec: what connects to a container's streams. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli.h"

static void print_warnings(const struct json *answer)
{
    const struct json *warnings = json_get(answer, "Warnings");

    for (size_t i = 0; warnings != NULL && i < warnings->count; i++)
        fprintf(stderr, "WARNING: %s\n", warnings->items[i].text);
}

static int create(struct cli *cli, const struct create_options *options, char **id)
{
    cleanup_arena struct arena arena = {0};
    cleanup_free char *path = options->name != NULL
                                  ? client_path("/containers/create?name=", options->name, "")
                                  : memory_strdup("/containers/create");
    const struct json *json;
    const char *text;
    int result =
        client_call_json(&cli->client, "POST", path, options->body, &arena, &json, &cli->err);

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
        options->pulls == PULL_ALWAYS ? pull_image(cli, options->image, NULL, stderr, false) : 0;

    if (result == 0)
        result = create(cli, options, id);
    if (result >= 0 || options->pulls != PULL_MISSING ||
        strncmp(cli->err.message, "No such image", strlen("No such image")) != 0)
        return result;
    fprintf(stderr, "Unable to find image '%s' locally\n", options->image);
    result = pull_image(cli, options->image, NULL, stderr, false);
    return result < 0 ? result : create(cli, options, id);
}

/* docker's statuses, by what the message says: a program that is not there or cannot be run is the
 * user's affair, anything else is ours. */
static int status_of_start_failure(const struct error *err)
{
    static const struct {
        const char *fragment;
        int status;
    } table[] = {
        {"executable file not found", EXIT_NOT_FOUND},
        {"no such file or directory", EXIT_NOT_FOUND},
        {"permission denied", EXIT_NOT_EXECUTABLE},
        {"exec format error", EXIT_NOT_EXECUTABLE},
        {"is a directory", EXIT_NOT_EXECUTABLE},
    };

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (strstr(err->message, table[i].fragment) != NULL)
            return table[i].status;
    }
    return EXIT_DAVIT_FAILED;
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

static int open_attach(struct cli *cli, const char *id, bool is_interactive,
                       struct exchange *exchange)
{
    cleanup_free char *path =
        client_path("/containers/", id,
                    is_interactive ? "/attach?stream=1&stdin=1&stdout=1&stderr=1"
                                   : "/attach?stream=1&stdout=1&stderr=1");

    return stream_open(cli, path, NULL, exchange);
}

static int relay(struct cli *cli, const char *id, bool has_terminal, bool is_interactive,
                 struct exchange *attach)
{
    cleanup_free char *resize_path = client_path("/containers/", id, "/resize");
    cleanup_free char *kill_path = client_path("/containers/", id, "/kill");
    struct stream_session session = {
        .cli = cli,
        .fd = attach->fd,
        .has_terminal = has_terminal,
        .is_interactive = is_interactive,
        .resize_path = resize_path,
        .kill_path = kill_path,
    };

    return stream_relay(&session, &attach->leftover);
}

/* Attach, wait, start, relay, status: in this order nothing of a container's life is missed. */
static int start_attached(struct cli *cli, const char *id, bool has_terminal, bool is_interactive,
                          bool is_auto_removed)
{
    struct exchange attach = {.fd = -1};
    struct exchange wait = {.fd = -1};
    int result = open_attach(cli, id, is_interactive, &attach);

    if (result == 0)
        result = begin_wait(
            cli, id, is_auto_removed ? "/wait?condition=removed" : "/wait?condition=next-exit",
            &wait);
    if (result == 0) {
        result = post(cli, id, "/start");
        if (result < 0) {
            fprintf(stderr, "davit: %s\n", cli->err.message);
            result = status_of_start_failure(&cli->err);
        } else {
            result = relay(cli, id, has_terminal, is_interactive, &attach);
            result = result == 1 ? 0 : result == 0 ? end_wait(cli, &wait) : result;
        }
    }
    exchange_close(&attach);
    exchange_close(&wait);
    return result;
}

static int run_created(struct cli *cli, const struct create_options *options, const char *id)
{
    if (!options->is_detached)
        return start_attached(cli, id, options->has_terminal, options->is_interactive,
                              options->is_auto_removed);
    if (post(cli, id, "/start") < 0) {
        fprintf(stderr, "davit: %s\n", cli->err.message);
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
        result = create_pulling(cli, &options, &id);
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
        result = create_pulling(cli, &options, &id);
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

int cli_start(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {{"attach", no_argument, NULL, 'a'},
                                            {"interactive", no_argument, NULL, 'i'},
                                            {"detach-keys", required_argument, NULL, 'K'},
                                            {NULL, 0, NULL, 0}};
    struct stream_facts facts;
    bool is_attached = false;
    bool is_interactive = false;
    int option;
    int result = 0;

    while ((option = cli_next_option(cli, argc, argv, "ai", options)) != -1) {
        if (option == '?')
            return cli_usage_error(cli, argv,
                                   "[--attach] [--interactive] [--detach-keys KEYS] CONTAINER...");
        if (option == 'K' && stream_set_detach_keys(cli, optarg) < 0)
            return -cli->err.errnum;
        is_attached = is_attached || option == 'a';
        is_interactive = is_interactive || option == 'i';
    }
    if (optind == argc || ((is_attached || is_interactive) && argc - optind != 1))
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "start: containers are expected, and only one with --attach");
    if (is_attached || is_interactive) {
        result = get_facts(cli, argv[optind], &facts);
        return result < 0
                   ? result
                   : start_attached(cli, argv[optind], facts.has_terminal,
                                    is_interactive && facts.has_open_stdin, facts.is_auto_removed);
    }
    for (int i = optind; result == 0 && i < argc; i++) {
        result = post(cli, argv[i], "/start");
        if (result == 0)
            puts(argv[i]);
    }
    return result;
}

int cli_attach(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {{"no-stdin", no_argument, NULL, 'n'},
                                            {"detach-keys", required_argument, NULL, 'K'},
                                            {NULL, 0, NULL, 0}};
    struct exchange attach = {.fd = -1};
    struct exchange wait = {.fd = -1};
    struct stream_facts facts;
    bool has_no_stdin = false;
    int option;
    int result;

    while ((option = cli_next_option(cli, argc, argv, "", options)) != -1) {
        if (option == '?')
            return cli_usage_error(cli, argv, "[--no-stdin] [--detach-keys KEYS] CONTAINER");
        if (option == 'K' && stream_set_detach_keys(cli, optarg) < 0)
            return -cli->err.errnum;
        has_no_stdin = has_no_stdin || option == 'n';
    }
    if (argc - optind != 1)
        return error_set(&cli->err, ERROR_INVALID, EINVAL, "attach: one container is expected");
    result = get_facts(cli, argv[optind], &facts);
    if (result == 0 && !facts.is_running)
        result = error_set(&cli->err, ERROR_CONFLICT, ESRCH,
                           "cannot attach to a stopped container, start it first");
    if (result == 0)
        result = open_attach(cli, argv[optind], facts.has_open_stdin && !has_no_stdin, &attach);
    if (result == 0)
        result = begin_wait(cli, argv[optind], "/wait", &wait);
    if (result == 0) {
        result = relay(cli, argv[optind], facts.has_terminal, facts.has_open_stdin && !has_no_stdin,
                       &attach);
        result = result == 1 ? 0 : result == 0 ? end_wait(cli, &wait) : result;
    }
    exchange_close(&attach);
    exchange_close(&wait);
    return result;
}

struct exec_options {
    struct arena arena;
    struct string_list env;
    const char *user;
    const char *workdir;
    bool is_detached;
    bool is_interactive;
    bool has_terminal;
    bool is_privileged;
};

static int parse_exec_options(struct cli *cli, struct exec_options *options, int argc, char **argv)
{
    static const struct option table[] = {
        {"detach", no_argument, NULL, 'd'},
        {"interactive", no_argument, NULL, 'i'},
        {"tty", no_argument, NULL, 't'},
        {"env", required_argument, NULL, 'e'},
        {"user", required_argument, NULL, 'u'},
        {"workdir", required_argument, NULL, 'w'},
        {"privileged", no_argument, NULL, 'p'},
        {"detach-keys", required_argument, NULL, 'K'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = cli_next_option(cli, argc, argv, "+dite:u:w:", table)) != -1) {
        switch (option) {
        case 'd':
            options->is_detached = true;
            break;
        case 'i':
            options->is_interactive = true;
            break;
        case 't':
            options->has_terminal = true;
            break;
        case 'e':
            cli_add_env(&options->arena, &options->env, optarg);
            break;
        case 'u':
            options->user = optarg;
            break;
        case 'w':
            options->workdir = optarg;
            break;
        case 'p':
            options->is_privileged = true;
            break;
        case 'K':
            if (stream_set_detach_keys(cli, optarg) < 0)
                return -cli->err.errnum;
            break;
        default:
            return cli_usage_error(cli, argv,
                                   "[--detach] [--interactive] [--tty] [--env NAME[=VALUE]] "
                                   "[--privileged] [--detach-keys KEYS] "
                                   "[--user USER] [--workdir DIR] CONTAINER COMMAND [ARGUMENT...]");
        }
    }
    if (argc - optind < 2)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "exec: a container and a command are expected");
    return stream_check_terminal(cli, options->has_terminal && !options->is_detached,
                                 options->is_interactive);
}

static char *make_exec_request(const struct exec_options *options, int argc, char **argv)
{
    struct json_writer *writer = json_writer_new(false);
    char *body;

    json_object_open(writer);
    json_member_boolean(writer, "Tty", options->has_terminal);
    json_member_boolean(writer, "AttachStdin", options->is_interactive && !options->is_detached);
    json_member_boolean(writer, "AttachStdout", !options->is_detached);
    json_member_boolean(writer, "AttachStderr", !options->is_detached);
    json_member_boolean(writer, "Privileged", options->is_privileged);
    json_member_string(writer, "User", options->user);
    json_member_string(writer, "WorkingDir", options->workdir);
    json_member_strings(writer, "Env", &options->env);
    json_key(writer, "Cmd");
    json_array_open(writer);
    for (int i = 0; i < argc; i++)
        json_string(writer, argv[i]);
    json_array_close(writer);
    json_object_close(writer);
    body = memory_strdup(json_writer_text(writer));
    json_writer_free(writer);
    return body;
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
    arena_release(&options.arena);
    return result;
}

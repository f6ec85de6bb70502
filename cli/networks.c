/* network create, ls, inspect, rm, connect, disconnect; port. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli.h"
#include "list.h"

struct network_options {
    struct arena arena;
    struct string_list labels;
    struct string_list options;
    const char *driver;
    struct string_list subnets;
    struct string_list ranges;
    struct string_list gateways;
    bool is_internal;
    bool has_ipv6;
};

/* The first of that family; NULL if there is none. */
static const char *first_of(const struct string_list *list, bool is_ipv6)
{
    for (size_t i = 0; i < list->count; i++) {
        if ((strchr(list->items[i], ':') != NULL) == is_ipv6)
            return list->items[i];
    }
    return NULL;
}

static void write_pool(struct json_writer *writer, const struct network_options *options,
                       bool is_ipv6)
{
    const char *subnet = first_of(&options->subnets, is_ipv6);
    const char *gateway = first_of(&options->gateways, is_ipv6);
    const char *range = first_of(&options->ranges, is_ipv6);

    if (subnet == NULL && gateway == NULL && range == NULL)
        return;
    json_object_open(writer);
    json_member_string(writer, "Subnet", subnet);
    json_member_string(writer, "Gateway", gateway);
    json_member_string(writer, "IPRange", range);
    json_object_close(writer);
}

/* One subnet of each family is possible, and davitd would not see a second. */
static int check_pools(struct cli *cli, const struct network_options *options)
{
    const struct string_list *const lists[] = {&options->subnets, &options->gateways,
                                               &options->ranges};

    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        for (size_t j = 0; j < lists[i]->count; j++) {
            const char *text = lists[i]->items[j];

            if (first_of(lists[i], strchr(text, ':') != NULL) != text)
                return error_set(&cli->err, ERROR_INVALID, EINVAL,
                                 "network create: %s: one of each family is possible", text);
        }
    }
    return 0;
}

static int parse_create(struct cli *cli, struct network_options *options, int argc, char **argv)
{
    static const struct option table[] = {{"driver", required_argument, NULL, 'd'},
                                          {"gateway", required_argument, NULL, 'g'},
                                          {"internal", no_argument, NULL, 'i'},
                                          {"ip-range", required_argument, NULL, 'r'},
                                          {"label", required_argument, NULL, 'l'},
                                          {"opt", required_argument, NULL, 'o'},
                                          {"subnet", required_argument, NULL, 's'},
                                          {"ipv6", no_argument, NULL, '6'},
                                          {NULL, 0, NULL, 0}};
    int option;

    while ((option = cli_next_option(cli, argc, argv, "d:o:", table)) != -1) {
        switch (option) {
        case 'd':
            options->driver = optarg;
            break;
        case 'g':
            string_list_append(&options->arena, &options->gateways, optarg);
            break;
        case 'i':
            options->is_internal = true;
            break;
        case 'r':
            string_list_append(&options->arena, &options->ranges, optarg);
            break;
        case 'l':
            string_list_append(&options->arena, &options->labels, optarg);
            break;
        case 'o':
            string_list_append(&options->arena, &options->options, optarg);
            break;
        case 's':
            string_list_append(&options->arena, &options->subnets, optarg);
            break;
        case '6':
            options->has_ipv6 = true;
            break;
        default:
            return cli_usage_error(
                cli, argv,
                "[--driver bridge|macvlan|ipvlan|cni] [--ipv6] "
                "[--subnet SUBNET]... [--gateway ADDRESS]... [--ip-range SUBNET]... [--internal] "
                "[--label NAME=VALUE]... [--opt NAME=VALUE]... NAME");
        }
    }
    if (argc - optind != 1)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "network create: exactly one name is expected");
    return check_pools(cli, options);
}

static struct json_writer *make_request(const struct network_options *options, const char *name)
{
    struct json_writer *writer = json_writer_new(false);

    json_object_open(writer);
    json_member_string(writer, "Name", name);
    json_member_string(writer, "Driver", options->driver);
    json_member_boolean(writer, "Internal", options->is_internal);
    json_member_boolean(writer, "EnableIPv6", options->has_ipv6);
    cli_write_pairs(writer, "Labels", &options->labels, '=');
    cli_write_pairs(writer, "Options", &options->options, '=');
    json_key(writer, "IPAM");
    json_object_open(writer);
    json_key(writer, "Config");
    json_array_open(writer);
    write_pool(writer, options, false);
    write_pool(writer, options, true);
    json_array_close(writer);
    json_object_close(writer);
    json_object_close(writer);
    return writer;
}

int cli_network_create(struct cli *cli, int argc, char **argv)
{
    struct network_options options = {0};
    const struct json *answer;
    int result = parse_create(cli, &options, argc, argv);

    if (result == 0) {
        struct json_writer *writer = make_request(&options, argv[optind]);

        result = client_call_json(&cli->client, "POST", "/networks/create",
                                  json_writer_text(writer), &options.arena, &answer, &cli->err);
        json_writer_free(writer);
    }
    if (result == 0)
        puts(json_get_string(answer, "Id"));
    arena_release(&options.arena);
    return result;
}

static void print_head(void)
{
    printf("%-12s   %-24s %-8s %s\n", "NETWORK ID", "NAME", "DRIVER", "SCOPE");
}

static const char *text_of(const struct json *network, const char *member)
{
    const char *text = json_get_string(network, member);

    return text != NULL ? text : "";
}

static void print_network(const struct json *network)
{
    printf("%-12.12s   %-24s %-8s %s\n", text_of(network, "Id"), text_of(network, "Name"),
           text_of(network, "Driver"), text_of(network, "Scope"));
}

static void print_id(const struct json *network)
{
    printf("%.12s\n", text_of(network, "Id"));
}

int cli_network_ls(struct cli *cli, int argc, char **argv)
{
    static const struct list_command command = {"/networks", NULL, print_head, print_network,
                                                print_id};

    return list_run(cli, &command, argc, argv);
}

int cli_network_inspect(struct cli *cli, int argc, char **argv)
{
    struct json_writer *writer;
    int result = cli_no_options(cli, argc, argv, "NETWORK...");

    if (result < 0)
        return result;
    if (optind == argc)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "network inspect: at least one network is expected");
    writer = json_writer_new(true);
    json_array_open(writer);
    for (int i = optind; result == 0 && i < argc; i++) {
        cleanup_arena struct arena arena = {0};
        cleanup_free char *path = client_path("/networks/", argv[i], "");
        const struct json *network;

        result = client_call_json(&cli->client, "GET", path, NULL, &arena, &network, &cli->err);
        if (result == 0)
            json_value(writer, network);
    }
    json_array_close(writer);
    if (result == 0)
        puts(json_writer_text(writer));
    json_writer_free(writer);
    return result;
}

int cli_network_rm(struct cli *cli, int argc, char **argv)
{
    int result = cli_no_options(cli, argc, argv, "NETWORK...");

    if (result == 0 && optind == argc)
        result = error_set(&cli->err, ERROR_INVALID, EINVAL,
                           "network rm: at least one network is expected");
    for (int i = optind; result == 0 && i < argc; i++) {
        cleanup_free char *path = client_path("/networks/", argv[i], "");
        int status;

        result = client_call(&cli->client, "DELETE", path, NULL, &status, NULL, &cli->err);
        if (result == 0)
            puts(argv[i]);
    }
    return result;
}

static int call_membership(struct cli *cli, const char *network, const char *verb,
                           struct json_writer *writer)
{
    cleanup_free char *path = client_path("/networks/", network, verb);
    int status;
    int result =
        client_call(&cli->client, "POST", path, json_writer_text(writer), &status, NULL, &cli->err);

    json_writer_free(writer);
    return result;
}

int cli_network_connect(struct cli *cli, int argc, char **argv)
{
    static const struct option table[] = {{"alias", required_argument, NULL, 'a'},
                                          {"ip", required_argument, NULL, 'i'},
                                          {"ip6", required_argument, NULL, '6'},
                                          {NULL, 0, NULL, 0}};
    cleanup_arena struct arena arena = {0};
    struct string_list aliases = {0};
    const char *address = NULL;
    const char *address6 = NULL;
    struct json_writer *writer;
    int option;

    while ((option = cli_next_option(cli, argc, argv, "", table)) != -1) {
        if (option == '?')
            return cli_usage_error(
                cli, argv, "[--ip ADDRESS] [--ip6 ADDRESS] [--alias NAME]... NETWORK CONTAINER");
        if (option == 'a')
            string_list_append(&arena, &aliases, optarg);
        else if (option == '6')
            address6 = optarg;
        else
            address = optarg;
    }
    if (argc - optind != 2)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "network connect: a network and a container are expected");
    writer = json_writer_new(false);
    json_object_open(writer);
    json_member_string(writer, "Container", argv[optind + 1]);
    json_key(writer, "EndpointConfig");
    json_object_open(writer);
    json_member_strings(writer, "Aliases", &aliases);
    json_key(writer, "IPAMConfig");
    json_object_open(writer);
    json_member_string(writer, "IPv4Address", address);
    json_member_string(writer, "IPv6Address", address6);
    json_object_close(writer);
    json_object_close(writer);
    json_object_close(writer);
    return call_membership(cli, argv[optind], "/connect", writer);
}

int cli_network_disconnect(struct cli *cli, int argc, char **argv)
{
    struct json_writer *writer;
    int result = cli_no_options(cli, argc, argv, "NETWORK CONTAINER");

    if (result < 0)
        return result;
    if (argc - optind != 2)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "network disconnect: a network and a container are expected");
    writer = json_writer_new(false);
    json_object_open(writer);
    json_member_string(writer, "Container", argv[optind + 1]);
    json_object_close(writer);
    return call_membership(cli, argv[optind], "/disconnect", writer);
}

/* "80/tcp -> 0.0.0.0:8080", or what stands right of the arrow. */
static void print_bindings(const struct json_member *port, bool has_name)
{
    const struct json *bindings = &port->value;

    for (size_t i = 0; bindings->type == JSON_ARRAY && i < bindings->count; i++) {
        cleanup_free char *host = cli_format_socket(text_of(&bindings->items[i], "HostIp"),
                                                    text_of(&bindings->items[i], "HostPort"));

        printf("%s%s%s\n", has_name ? port->name : "", has_name ? " -> " : "", host);
    }
}

static int print_port(struct cli *cli, const struct json *ports, const char *wanted)
{
    cleanup_free char *name =
        memory_printf("%s%s", wanted, strchr(wanted, '/') != NULL ? "" : "/tcp");

    for (size_t i = 0; ports != NULL && ports->type == JSON_OBJECT && i < ports->count; i++) {
        if (strcmp(ports->members[i].name, name) == 0) {
            print_bindings(&ports->members[i], false);
            return 0;
        }
    }
    return error_set(&cli->err, ERROR_NOT_FOUND, ENOENT, "No public port '%s' published", name);
}

int cli_port(struct cli *cli, int argc, char **argv)
{
    cleanup_arena struct arena arena = {0};
    cleanup_free char *path = NULL;
    const struct json *container;
    const struct json *ports;
    int result = cli_no_options(cli, argc, argv, "CONTAINER [PORT[/PROTOCOL]]");

    if (result < 0)
        return result;
    if (argc - optind != 1 && argc - optind != 2)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "port: a container and perhaps one port are expected");
    path = client_path("/containers/", argv[optind], "/json");
    result = client_call_json(&cli->client, "GET", path, NULL, &arena, &container, &cli->err);
    if (result < 0)
        return result;
    ports = json_get(json_get(container, "NetworkSettings"), "Ports");
    if (argc - optind == 2)
        return print_port(cli, ports, argv[optind + 1]);
    for (size_t i = 0; ports != NULL && ports->type == JSON_OBJECT && i < ports->count; i++)
        print_bindings(&ports->members[i], true);
    return 0;
}

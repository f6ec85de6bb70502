/* network create, ls, inspect, rm, connect, disconnect; port. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli.h"
#include "create_values.h"
#include "each.h"
#include "inspect.h"
#include "list.h"
#include "options.h"

struct network_options {
    struct request request;
    struct string_list subnets;
    struct string_list ranges;
    struct string_list gateways;
    struct string_list groups;
    struct string_list reserved; /* "NAME=ADDRESS" */
};

/* The list's first address or subnet of IPv4 or IPv6; NULL if there is none. */
static const char *first_of(const struct string_list *list, bool is_ipv6)
{
    for (size_t i = 0; i < list->count; i++) {
        if ((strchr(list->items[i], ':') != NULL) == is_ipv6)
            return list->items[i];
    }
    return NULL;
}

static void put_pool(struct network_options *options, bool is_ipv6)
{
    const char *subnet = first_of(&options->subnets, is_ipv6);
    const char *gateway = first_of(&options->gateways, is_ipv6);
    const char *range = first_of(&options->ranges, is_ipv6);
    struct request *request = &options->request;
    struct request_value *pool;

    if (subnet == NULL && gateway == NULL && range == NULL &&
        first_of(&options->reserved, is_ipv6) == NULL)
        return;
    pool = request_append(request, request_at(request, NULL, "IPAM.Config"));
    request_set_text(request, request_at(request, pool, "Subnet"), subnet);
    request_set_text(request, request_at(request, pool, "Gateway"), gateway);
    request_set_text(request, request_at(request, pool, "IPRange"), range);
    for (size_t i = 0; i < options->reserved.count; i++) {
        const char *text = options->reserved.items[i];
        const char *address = strchr(text, '=') + 1;

        if ((strchr(address, ':') != NULL) == is_ipv6)
            request_set_text(
                request,
                request_member(request, request_at(request, pool, "AuxiliaryAddresses"),
                               arena_strndup(&request->arena, text, (size_t)(address - text - 1))),
                address);
    }
}

/* "NAME=RULE,RULE", or "NAME", whom nobody reaches. */
static void put_group(struct request *request, const char *text)
{
    const char *rules = strchr(text, '=');
    size_t length = rules != NULL ? (size_t)(rules - text) : strlen(text);
    const char *name =
        arena_printf(&request->arena, "io.davit.network.group.%.*s", (int)length, text);

    request_set_text(request, request_member(request, request_at(request, NULL, "Options"), name),
                     rules != NULL ? rules + 1 : "");
}

static int check_reserved(struct cli *cli, const struct string_list *reserved)
{
    for (size_t i = 0; i < reserved->count; i++) {
        const char *equals = strchr(reserved->items[i], '=');

        if (equals == NULL || equals == reserved->items[i])
            return error_set(&cli->err, ERROR_INVALID, EINVAL,
                             "--aux-address \"%.64s\": NAME=ADDRESS is expected",
                             reserved->items[i]);
    }
    return 0;
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

static const struct option_row create_rows[] = {
    {"driver", 'd', OPTION_TEXT, "bridge|macvlan|ipvlan|cni", .member = "Driver",
     .help = "what joins its containers"},
    {"gateway", 0, OPTION_LIST, "ADDRESS", .offset = offsetof(struct network_options, gateways),
     .help = "the host's address on it, one of each family"},
    {"group", 0, OPTION_LIST, "NAME[=FROM[:PORT],...]",
     .offset = offsetof(struct network_options, groups),
     .help = "a group of members, and who reaches them"},
    {"internal", 0, OPTION_FLAG, .member = "Internal", .help = "it leads nowhere else"},
    {"ip-range", 0, OPTION_LIST, "SUBNET", .offset = offsetof(struct network_options, ranges),
     .help = "where addresses are taken from, one of each family"},
    {"label", 0, OPTION_PAIRS, "NAME=VALUE", .member = "Labels", .help = "add a label"},
    {"opt", 'o', OPTION_PAIRS, "NAME=VALUE", .member = "Options",
     .help = "an option of the driver"},
    {"subnet", 0, OPTION_LIST, "SUBNET", .offset = offsetof(struct network_options, subnets),
     .help = "its addresses, one of each family"},
    {"ipv6", 0, OPTION_FLAG, .member = "EnableIPv6", .help = "IPv6 too"},
    {"ipv4", 0, OPTION_FLAG, .member = "EnableIPv4", .help = "IPv4 (default)"},
    {"attachable", 0, OPTION_FLAG, .member = "Attachable",
     .help = "containers may join it by hand, as all networks of one host"},
    {"ipam-driver", 0, OPTION_TEXT, "default", .member = "IPAM.Driver",
     .help = "who gives addresses"},
    {"scope", 0, OPTION_TEXT, "local", .member = "Scope", .help = "this host"},
    {"aux-address", 0, OPTION_LIST, "NAME=ADDRESS",
     .offset = offsetof(struct network_options, reserved),
     .help = "an address that no container gets, and what has it"},
    {"ipam-opt", 0, OPTION_REFUSED, "NAME=VALUE", .help = "davitd's own IPAM has no options"},
    {"config-from", 0, OPTION_REFUSED, "NETWORK",
     .help = "of a swarm, which is not in this version"},
    {"config-only", 0, OPTION_REFUSED, .help = "of a swarm, which is not in this version"},
    {"ingress", 0, OPTION_REFUSED, .help = "of a swarm, which is not in this version"},
    {0},
};

int cli_network_create(struct cli *cli, int argc, char **argv)
{
    struct network_options options = {0};
    struct request *request = &options.request;
    const struct option_set set = {
        .tables = {{create_rows, NULL}}, .usage = "NAME", .request = request, .values = &options};
    const struct json *answer;
    int result = options_read(cli, argc, argv, &set);

    if (result == 0)
        result = check_pools(cli, &options);
    if (result == 0)
        result = check_reserved(cli, &options.reserved);
    if (result == 0) {
        cleanup_free char *body = NULL;

        request_set_text(request, request_at(request, NULL, "Name"), argv[optind]);
        put_pool(&options, false);
        put_pool(&options, true);
        for (size_t i = 0; i < options.groups.count; i++)
            put_group(request, options.groups.items[i]);
        body = request_body(request);
        result = client_call_json(&cli->client, "POST", "/networks/create", body, &request->arena,
                                  &answer, &cli->err);
    }
    if (result == 0)
        puts(json_get_string(answer, "Id"));
    request_release(request);
    return result;
}

static void add_network(struct list *list, const struct json *network)
{
    struct json_writer *writer = json_writer_new(false);
    const struct json *is_internal = json_get(network, "Internal");
    const struct json *has_ipv6 = json_get(network, "EnableIPv6");
    int64_t created_ns = 0;

    clock_parse_rfc3339(list_text_of(network, "Created"), &created_ns);
    json_object_open(writer);
    list_write_time(writer, created_ns, NULL);
    json_member_string(writer, "Driver", list_text_of(network, "Driver"));
    list_write_id(writer, list, "ID", list_text_of(network, "Id"));
    json_member_string(writer, "IPv4", "true");
    json_member_string(writer, "IPv6", has_ipv6 != NULL && has_ipv6->boolean ? "true" : "false");
    json_member_string(writer, "Internal",
                       is_internal != NULL && is_internal->boolean ? "true" : "false");
    list_write_labels(writer, json_get(network, "Labels"));
    json_member_string(writer, "Name", list_text_of(network, "Name"));
    json_member_string(writer, "Scope", list_text_of(network, "Scope"));
    json_object_close(writer);
    list_add(list, writer);
}

int cli_network_ls(struct cli *cli, int argc, char **argv)
{
    static const struct table_header headers[] = {{"ID", "NETWORK ID"}, {0}};
    static const struct list_command command = {
        .add = add_network,
        .columns = "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
        .quiet = "{{.ID}}",
        .headers = headers,
    };
    struct list_style style = {0};
    static const struct list_options list_options = {
        .usage = "",
        .has_filters = true,
        .has_truncation = true,
    };
    int result = list_read(cli, argc, argv, &list_options, &style);

    return result < 0 ? result : list_print(cli, &style, "/networks", &command);
}

int cli_network_inspect(struct cli *cli, int argc, char **argv)
{
    static const struct inspect_kind kinds[] = {{"network", "/networks/", "", NULL}, {0}};

    return inspect_run(cli, argc, argv, kinds, "NETWORK...");
}

int cli_network_rm(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"force", 'f', OPTION_FLAG, .help = "it is no failure if there is none"},
        {0},
    };
    bool is_forced = false;
    const struct option_set set = {
        .tables = {{rows, NULL}}, .usage = "NETWORK...", .values = &is_forced};
    int result = options_read(cli, argc, argv, &set);

    return result < 0 ? result
                      : each_argument(cli,
                                      &(struct each_call){.method = "DELETE",
                                                          .prefix = "/networks/",
                                                          .suffix = "",
                                                          .takes_missing = is_forced},
                                      argc, argv);
}

static int call_membership(struct cli *cli, const char *verb, struct request *request, char **argv)
{
    cleanup_free char *path = NULL;
    cleanup_free char *body = NULL;
    int status;

    path = client_path("/networks/", argv[optind], verb);
    request_set_text(request, request_at(request, NULL, "Container"), argv[optind + 1]);
    body = request_body(request);
    return client_call(&cli->client, "POST", path, body, &status, NULL, &cli->err);
}

struct connect_options {
    struct request request;
    struct string_list groups;
};

int cli_network_connect(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"group", 0, OPTION_LIST, "NAME", .offset = offsetof(struct connect_options, groups),
         .help = "a group of the network that it is in"},
        {"alias", 0, OPTION_LIST, "NAME", .member = "EndpointConfig.Aliases",
         .help = "one more name for it on the network"},
        {"ip", 0, OPTION_TEXT, "ADDRESS", .member = "EndpointConfig.IPAMConfig.IPv4Address",
         .help = "its IPv4 address on the network"},
        {"ip6", 0, OPTION_TEXT, "ADDRESS", .member = "EndpointConfig.IPAMConfig.IPv6Address",
         .help = "its IPv6 address on the network"},
        {"mac-address", 0, OPTION_TEXT, "ADDRESS", .member = "EndpointConfig.MacAddress",
         .help = "the address of its device"},
        {"driver-opt", 0, OPTION_PAIRS, "NAME=VALUE", .member = "EndpointConfig.DriverOpts",
         .help = "an option of its endpoint"},
        {"gw-priority", 0, OPTION_INTEGER, "N", .member = "EndpointConfig.GwPriority",
         .help = "of all its networks, the highest has its default route"},
        {"link", 0, OPTION_LIST, "CONTAINER[:ALIAS]", .member = "EndpointConfig.Links",
         .help = "a name that it alone has for another container"},
        {"link-local-ip", 0, OPTION_REFUSED, "ADDRESS",
         .help = "link-local addresses cannot be chosen"},
        {0},
    };
    struct connect_options options = {0};
    struct request *request = &options.request;
    const struct option_set set = {.tables = {{rows, NULL}},
                                   .usage = "NETWORK CONTAINER",
                                   .request = request,
                                   .values = &options};
    int result = options_read(cli, argc, argv, &set);

    if (result == 0 && options.groups.count > 0)
        request_set_groups(request, request_at(request, NULL, "EndpointConfig"), &options.groups);
    if (result == 0)
        result = call_membership(cli, "/connect", request, argv);
    request_release(request);
    return result;
}

int cli_network_disconnect(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"force", 'f', OPTION_FLAG, .member = "Force", .help = "whatever the container does"},
        {0},
    };
    struct request request = {0};
    const struct option_set set = {
        .tables = {{rows, NULL}}, .usage = "NETWORK CONTAINER", .request = &request};
    int result = options_read(cli, argc, argv, &set);

    if (result == 0)
        result = call_membership(cli, "/disconnect", &request, argv);
    request_release(&request);
    return result;
}

/* "80/tcp -> 0.0.0.0:8080", or what stands right of the arrow. */
static void print_bindings(const struct json_member *port, bool has_name)
{
    const struct json *bindings = &port->value;

    for (size_t i = 0; bindings->type == JSON_ARRAY && i < bindings->count; i++) {
        cleanup_free char *host = cli_format_socket(list_text_of(&bindings->items[i], "HostIp"),
                                                    list_text_of(&bindings->items[i], "HostPort"));

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
    int result = options_read_none(cli, argc, argv, "CONTAINER [PORT[/PROTOCOL]]");

    if (result < 0)
        return result;
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

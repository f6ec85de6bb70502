/* --network NAME or name=NAME,FIELD=VALUE,..., and the options about the first network. See
 * create_values.h. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "create_values.h"

struct network_option {
    const char *name;
};

static const struct option_row fields[] = {
    {"name", 0, OPTION_TEXT, .offset = offsetof(struct network_option, name)},
    {"ip", 0, OPTION_TEXT, .member = "IPAMConfig.IPv4Address"},
    {"ip6", 0, OPTION_TEXT, .member = "IPAMConfig.IPv6Address"},
    {"alias", 0, OPTION_LIST, .member = "Aliases"},
    {"mac-address", 0, OPTION_TEXT, .member = "MacAddress"},
    {"driver-opt", 0, OPTION_PAIRS, .member = "DriverOpts"},
    {"gw-priority", 0, OPTION_INTEGER, .member = "GwPriority"},
    {"link-local-ip", 0, OPTION_REFUSED, .help = "link-local addresses cannot be chosen"},
};

static int take_field(struct cli *cli, struct request *request, struct request_value *endpoint,
                      struct network_option *option, char *field)
{
    struct option_reader reader = {
        .cli = cli, .request = request, .object = endpoint, .values = option};
    char *value = strchr(field, '=');

    if (value == NULL)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "--network: field \"%.32s\" has no value; FIELD=VALUE,... is expected",
                         field);
    *value++ = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        if (strcmp(fields[i].name, field) != 0)
            continue;
        reader.row = &fields[i];
        return option_take(&reader, value) < 0 ? error_prefix(&cli->err, "--network") : 0;
    }
    return error_set(&cli->err, ERROR_INVALID, EINVAL,
                     "--network: unknown field \"%.32s\"; there are name, ip, ip6, alias, "
                     "mac-address, driver-opt and gw-priority",
                     field);
}

/* "ns:/run/netns/a=b" is a mode, though it has a "=". */
static bool has_fields(const char *text)
{
    const char *mark = strpbrk(text, ":/=");

    return mark != NULL && *mark == '=';
}

/* NULL: there is none. */
static const char *name_of(struct request *request, const char *text)
{
    char *rest = arena_strdup(&request->arena, text);
    const char *name = NULL;

    if (!has_fields(text))
        return text;
    for (char *field = strsep(&rest, ","); field != NULL; field = strsep(&rest, ",")) {
        if (strncmp(field, "name=", 5) == 0)
            name = field + 5;
    }
    return name;
}

static int read_network(struct cli *cli, struct request *request, const char *text,
                        struct request_value *endpoint)
{
    struct network_option option;
    char *rest = arena_strdup(&request->arena, text);
    int result = 0;

    for (char *field = has_fields(text) ? strsep(&rest, ",") : NULL; result == 0 && field != NULL;
         field = strsep(&rest, ","))
        result = take_field(cli, request, endpoint, &option, field);
    return result;
}

void request_set_groups(struct request *request, struct request_value *endpoint,
                        const struct string_list *groups)
{
    if (groups->count > 0)
        request_set_text(request,
                         request_member(request, request_at(request, endpoint, "DriverOpts"),
                                        "io.davit.network.groups"),
                         string_list_join(&request->arena, groups, ","));
}

/* The options that say something of the first network. */
static void put_first(struct create_options *options, struct request_value *endpoint)
{
    struct request *request = &options->request;

    for (size_t i = 0; i < options->network_aliases.count; i++)
        request_set_text(request, request_append(request, request_at(request, endpoint, "Aliases")),
                         options->network_aliases.items[i]);
    request_set_groups(request, endpoint, &options->network_groups);
    if (options->address != NULL)
        request_set_text(request, request_at(request, endpoint, "IPAMConfig.IPv4Address"),
                         options->address);
    if (options->address6 != NULL)
        request_set_text(request, request_at(request, endpoint, "IPAMConfig.IPv6Address"),
                         options->address6);
    if (options->mac_address != NULL)
        request_set_text(request, request_at(request, endpoint, "MacAddress"),
                         options->mac_address);
}

int put_networks(struct cli *cli, struct create_options *options)
{
    struct request *request = &options->request;
    struct request_value *endpoints = request_at(request, NULL, "NetworkingConfig.EndpointsConfig");
    struct request_value *endpoint;
    const char *first = "default";
    int result = 0;

    for (size_t i = 0; result == 0 && i < options->networks.count; i++) {
        const char *text = options->networks.items[i];
        const char *name = name_of(request, text);

        if (name == NULL)
            return error_set(&cli->err, ERROR_INVALID, EINVAL,
                             "--network: \"%.64s\" has no name=NETWORK", text);
        if (request_find(endpoints, name))
            return error_set(&cli->err, ERROR_INVALID, EINVAL, "--network: %.64s is there twice",
                             name);
        first = i == 0 ? name : first;
        /* Also without a word about it, it is one of the container's. */
        endpoint = request_member(request, endpoints, name);
        if (options->networks.count > 1)
            request_set_object(endpoint);
        result = read_network(cli, request, text, endpoint);
    }
    request_set_text(request, request_at(request, NULL, "HostConfig.NetworkMode"), first);
    if (result == 0)
        put_first(options, request_member(request, endpoints, first));
    return result;
}

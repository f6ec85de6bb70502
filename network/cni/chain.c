/* All plugins of a network: CNI specification, sections 3 and 4. See cni.h. */
#include <errno.h>
#include <string.h>

#include "cni.h"

static void write_ports(struct json_writer *writer, const struct cni_network *network)
{
    json_key(writer, "portMappings");
    json_array_open(writer);
    for (size_t i = 0; i < network->ports.count; i++) {
        const struct cni_port *port = &network->ports.items[i];

        json_object_open(writer);
        json_member_unsigned(writer, "hostPort", port->host_port);
        json_member_unsigned(writer, "containerPort", port->container_port);
        json_member_string(writer, "protocol", port->protocol);
        if (port->host != NULL)
            json_member_string(writer, "hostIP", port->host);
        json_object_close(writer);
    }
    json_array_close(writer);
}

/* Writes runtimeConfig for a plugin: only what the plugin has a capability for. */
static void write_runtime_config(struct json_writer *writer, const struct json *plugin,
                                 const struct cni_network *network)
{
    bool has_ports = network->ports.count > 0 && cni_plugin_has(plugin, "portMappings");
    bool has_address = network->address != NULL && cni_plugin_has(plugin, "ips");

    if (!has_ports && !has_address)
        return;
    json_key(writer, "runtimeConfig");
    json_object_open(writer);
    if (has_ports)
        write_ports(writer, network);
    if (has_address) {
        json_key(writer, "ips");
        json_array_open(writer);
        json_string(writer, network->address);
        json_array_close(writer);
    }
    json_object_close(writer);
}

/* "Deriving request configuration". */
static struct json_writer *derive(const struct cni_config *config, const struct json *plugin,
                                  const struct cni_network *network, const struct json *previous)
{
    struct json_writer *writer = json_writer_new(false);

    json_object_open(writer);
    json_member_string(writer, "cniVersion", config->version);
    json_member_string(writer, "name", config->name);
    for (size_t i = 0; i < plugin->count; i++) {
        const struct json_member *member = &plugin->members[i];

        if (strcmp(member->name, "capabilities") == 0 || strcmp(member->name, "cniVersion") == 0 ||
            strcmp(member->name, "name") == 0)
            continue;
        json_key(writer, member->name);
        json_value(writer, &member->value);
    }
    write_runtime_config(writer, plugin, network);
    if (previous != NULL) {
        json_key(writer, "prevResult");
        json_value(writer, previous);
    }
    json_object_close(writer);
    return writer;
}

static int run_one(struct arena *arena, const struct cni_config *config, size_t index,
                   const struct cni_network *network, const struct plugin_call *call,
                   const struct json *previous, const struct json **output, struct error *err)
{
    const struct json *plugin = config->plugins[index];
    const char *type = json_get_string(plugin, "type");
    struct json_writer *writer = derive(config, plugin, network, previous);
    int result = plugin_run(arena, type, json_writer_text(writer), call, output, err);

    json_writer_free(writer);
    return result < 0 ? error_prefix(err, "plugin %s (%s)", type, call->command) : 0;
}

/* Host-local and other plugins without the capability "ips" take the wanted address from
 * CNI_ARGS. */
static void set_arguments(struct arena *arena, const struct cni_network *network,
                          struct plugin_call *call)
{
    call->interface = network->interface;
    call->arguments = network->address != NULL
                          ? arena_printf(arena, "IgnoreUnknown=1;IP=%s", network->address)
                          : "IgnoreUnknown=1";
}

static bool publishes_ports(const struct cni_config *config)
{
    for (size_t i = 0; i < config->plugin_count; i++) {
        if (cni_plugin_has(config->plugins[i], "portMappings"))
            return true;
    }
    return false;
}

int chain_add(struct arena *arena, const struct cni_config *config,
              const struct cni_network *network, struct plugin_call *call,
              const struct json **result, struct error *err)
{
    *result = NULL;
    if (network->ports.count > 0 && !publishes_ports(config))
        return error_set(err, ERROR_INVALID, ENOTSUP,
                         "no plugin of network %s publishes ports (capability portMappings)",
                         config->name);
    call->command = "ADD";
    set_arguments(arena, network, call);
    for (size_t i = 0; i < config->plugin_count; i++) {
        int outcome = run_one(arena, config, i, network, call, *result, result, err);

        if (outcome < 0)
            return outcome;
        if (*result == NULL || (*result)->type != JSON_OBJECT)
            return error_set(err, ERROR_INTERNAL, EPROTO, "plugin %s: it printed no result",
                             json_get_string(config->plugins[i], "type"));
    }
    return 0;
}

int chain_remove(struct arena *arena, const struct cni_config *config,
                 const struct cni_network *network, struct plugin_call *call,
                 const struct json *result, struct error *err)
{
    int first = 0;

    call->command = "DEL";
    set_arguments(arena, network, call);
    for (size_t i = config->plugin_count; i > 0; i--) {
        const struct json *unused;
        struct error problem = {0};
        int outcome = run_one(arena, config, i - 1, network, call, result, &unused, &problem);

        if (outcome < 0 && first == 0) {
            first = outcome;
            *err = problem;
        }
    }
    return first;
}

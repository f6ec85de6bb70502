/* Groups of members: see groups.h. */
#include "groups.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "network/egress.h"

static bool is_group_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t length = strlen(name);

    /* Rules would take digits alone for an address. */
    return length > 0 && length < FIREWALL_GROUP_SIZE && strspn(name, allowed) == length &&
           strspn(name, "0123456789") < length;
}

static struct firewall_group *find_group(const struct network *network, const char *name)
{
    for (size_t i = 0; i < network->groups.count; i++) {
        if (strcmp(network->groups.items[i].name, name) == 0)
            return &network->groups.items[i];
    }
    return NULL;
}

bool network_has_groups(const struct network *network)
{
    return network->groups.count > 0;
}

bool network_keeps_apart(const struct network *network)
{
    return network->is_isolated || network_has_groups(network);
}

/* The next part of a list with commas, or NULL. */
static char *next_part(struct arena *arena, const char **list)
{
    size_t length = strcspn(*list, ",");
    char *part = length > 0 ? arena_strndup(arena, *list, length) : NULL;

    *list += length;
    *list += **list == ',';
    return part;
}

/* As an egress rule, whose name is a group's. */
static int add_rule(struct network *network, struct firewall_group *group, const char *text,
                    struct error *err)
{
    struct egress_rule rule;

    if (egress_rule_parse(text, &rule, NULL) < 0 || rule.within.address.family != 0 ||
        (strcmp(rule.name, "*") != 0 && find_group(network, rule.name) == NULL))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "Options." GROUP_OPTION "%s: \"%.64s\" is not a group of this network, or "
                         "*, with [:PORT[-PORT]] and [/tcp|udp|sctp]",
                         group->name, text);
    group->rules = arena_grow(&network->arena, group->rules, group->rule_count, sizeof(rule));
    group->rules[group->rule_count++] = rule;
    return 0;
}

static size_t count_rules(const struct network *network)
{
    size_t count = 0;

    for (size_t i = 0; i < network->groups.count; i++)
        count += network->groups.items[i].rule_count;
    return count;
}

static int read_rules(struct network *network, struct firewall_group *group, const char *list,
                      struct error *err)
{
    char *part;

    while (*list != '\0') {
        part = next_part(&network->arena, &list);
        if (part == NULL || count_rules(network) == GROUP_RULES_MAX)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "Options." GROUP_OPTION
                             "%s: an empty rule, or more than %d of all groups",
                             group->name, GROUP_RULES_MAX);
        if (add_rule(network, group, part, err) < 0)
            return -err->errnum;
    }
    return 0;
}

/* The names first: rules may name groups that stand behind. */
int network_groups_read(struct network *network, struct error *err)
{
    size_t skipped = strlen(GROUP_OPTION);
    int result = 0;

    for (size_t i = 0; i < network->options.count; i++) {
        const char *name = network->options.items[i].name;

        if (strncmp(name, GROUP_OPTION, skipped) != 0)
            continue;
        if (!is_group_name(name + skipped) || network->groups.count == GROUPS_MAX)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "Options.%.96s: not a name of up to %d characters of [a-z0-9_-], not "
                             "digits alone, or more than %d groups",
                             name, FIREWALL_GROUP_SIZE - 1, GROUPS_MAX);
        network->groups.items = arena_grow(&network->arena, network->groups.items,
                                           network->groups.count, sizeof(struct firewall_group));
        network->groups.items[network->groups.count++] =
            (struct firewall_group){.name = name + skipped};
    }
    for (size_t i = 0; result == 0 && i < network->options.count; i++) {
        const struct string_pair *option = &network->options.items[i];

        if (strncmp(option->name, GROUP_OPTION, skipped) == 0)
            result = read_rules(network, find_group(network, option->name + skipped), option->value,
                                err);
    }
    return result;
}

static int take_names(struct arena *arena, const struct network *network, const char *list,
                      struct string_list *groups, struct error *err)
{
    while (*list != '\0') {
        const char *name = next_part(arena, &list);

        if (name == NULL || find_group(network, name) == NULL)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "DriverOpts." GROUPS_OPTION ": network %s has no group \"%.64s\"",
                             network->name, name != NULL ? name : "");
        if (!string_list_has(groups, name))
            string_list_append(arena, groups, name);
    }
    return 0;
}

int endpoint_take_groups(struct arena *arena, const struct network *network,
                         struct endpoint *endpoint, struct error *err)
{
    for (size_t i = 0; i < endpoint->driver_opts.count; i++) {
        const struct string_pair *option = &endpoint->driver_opts.items[i];

        if (strcmp(option->name, GROUPS_OPTION) != 0)
            return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                             "DriverOpts.%.64s: not supported by this version of davit",
                             option->name);
        if (take_names(arena, network, option->value, &endpoint->groups, err) < 0)
            return -err->errnum;
    }
    endpoint->driver_opts.count = 0;
    return 0;
}

/* docker's management commands: `davit container ls` and the like. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli.h"
#include "nearest.h"

static const struct subcommand {
    const char *group;
    const char *name;
    int (*run)(struct cli *cli, int argc, char **argv);
} subcommands[] = {
    {"container", "attach", cli_attach},
    {"container", "commit", cli_commit},
    {"container", "cp", cli_cp},
    {"container", "create", cli_create},
    {"container", "diff", cli_diff},
    {"container", "exec", cli_exec},
    {"container", "export", cli_export},
    {"container", "inspect", cli_inspect},
    {"container", "kill", cli_kill},
    {"container", "list", cli_ps},
    {"container", "logs", cli_logs},
    {"container", "ls", cli_ps},
    {"container", "pause", cli_pause},
    {"container", "port", cli_port},
    {"container", "prune", cli_container_prune},
    {"container", "ps", cli_ps},
    {"container", "remove", cli_rm},
    {"container", "rename", cli_rename},
    {"container", "restart", cli_restart},
    {"container", "rm", cli_rm},
    {"container", "run", cli_run},
    {"container", "start", cli_start},
    {"container", "stats", cli_stats},
    {"container", "stop", cli_stop},
    {"container", "top", cli_top},
    {"container", "unpause", cli_unpause},
    {"container", "update", cli_update},
    {"container", "wait", cli_wait},
    {"context", "create", cli_context_create},
    {"context", "inspect", cli_context_inspect},
    {"context", "list", cli_context_ls},
    {"context", "ls", cli_context_ls},
    {"context", "remove", cli_context_rm},
    {"context", "rm", cli_context_rm},
    {"context", "show", cli_context_show},
    {"context", "update", cli_context_update},
    {"context", "use", cli_context_use},
    {"image", "history", cli_history},
    {"image", "import", cli_import},
    {"image", "inspect", cli_inspect},
    {"image", "list", cli_images},
    {"image", "load", cli_load},
    {"image", "ls", cli_images},
    {"image", "prune", cli_image_prune},
    {"image", "pull", cli_pull},
    {"image", "push", cli_push},
    {"image", "remove", cli_rmi},
    {"image", "rm", cli_rmi},
    {"image", "save", cli_save},
    {"image", "tag", cli_tag},
    {"manifest", "annotate", cli_manifest_annotate},
    {"manifest", "create", cli_manifest_create},
    {"manifest", "inspect", cli_manifest_inspect},
    {"manifest", "push", cli_manifest_push},
    {"manifest", "rm", cli_manifest_rm},
    {"network", "connect", cli_network_connect},
    {"network", "create", cli_network_create},
    {"network", "disconnect", cli_network_disconnect},
    {"network", "inspect", cli_network_inspect},
    {"network", "list", cli_network_ls},
    {"network", "ls", cli_network_ls},
    {"network", "prune", cli_network_prune},
    {"network", "remove", cli_network_rm},
    {"network", "rm", cli_network_rm},
    {"system", "check", cli_system_check},
    {"system", "df", cli_system_df},
    {"system", "dial-stdio", cli_system_dial_stdio},
    {"system", "events", cli_events},
    {"system", "info", cli_info},
    {"system", "prune", cli_system_prune},
    {"system", "repair", cli_system_repair},
    {"volume", "create", cli_volume_create},
    {"volume", "inspect", cli_volume_inspect},
    {"volume", "list", cli_volume_ls},
    {"volume", "ls", cli_volume_ls},
    {"volume", "prune", cli_volume_prune},
    {"volume", "remove", cli_volume_rm},
    {"volume", "rm", cli_volume_rm},
};

void cli_print_subcommands(const char *group)
{
    for (size_t i = 0; i < ARRAY_SIZE(subcommands); i++) {
        if (strcmp(subcommands[i].group, group) == 0)
            puts(subcommands[i].name);
    }
}

/* docker's that are none here, and why. */
static const struct {
    const char *group;
    const char *name;
    const char *reason;
} refused_subcommands[] = {
    {"image", "build", NO_BUILD},
    {"volume", "update", "it changes volumes of a swarm, which is not in this version"},
    {"context", "export", "contexts are one file: contexts-davit.json beside the logins"},
    {"context", "import", "contexts are one file: contexts-davit.json beside the logins"},
};

static int refuse_subcommand(struct cli *cli, char **argv, const char *names)
{
    struct nearest nearest = nearest_to(argv[1]);

    for (size_t i = 0; i < ARRAY_SIZE(refused_subcommands); i++) {
        if (strcmp(refused_subcommands[i].group, argv[0]) == 0 &&
            strcmp(refused_subcommands[i].name, argv[1]) == 0)
            return error_set(&cli->err, ERROR_UNSUPPORTED, ENOTSUP, "%s %s: %s", argv[0], argv[1],
                             refused_subcommands[i].reason);
    }
    for (size_t i = 0; i < ARRAY_SIZE(subcommands); i++) {
        if (strcmp(subcommands[i].group, argv[0]) == 0)
            nearest_try(&nearest, argv[1], subcommands[i].name);
    }
    if (nearest.word != NULL)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "%s has no command \"%.64s\": is %s meant?", argv[0], argv[1],
                         nearest.word);
    return error_set(&cli->err, ERROR_INVALID, EINVAL, "%s has no command \"%.64s\"; it has %s",
                     argv[0], argv[1], names);
}

int cli_group(struct cli *cli, int argc, char **argv)
{
    cleanup_buffer struct buffer names = {0};

    for (size_t i = 0; i < ARRAY_SIZE(subcommands); i++) {
        const struct subcommand *one = &subcommands[i];

        if (strcmp(one->group, argv[0]) != 0)
            continue;
        if (argc > 1 && strcmp(one->name, argv[1]) == 0) {
            cli->group = argv[0];
            return one->run(cli, argc - 1, argv + 1);
        }
        buffer_printf(&names, "%s%s", names.length > 0 ? ", " : "", one->name);
    }
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: davit %s COMMAND\n\ncommands: %s\n", argv[0], buffer_text(&names));
        return 0;
    }
    if (argc == 1)
        return error_set(&cli->err, ERROR_INVALID, EINVAL, "%s: one of these is expected: %s",
                         argv[0], buffer_text(&names));
    return refuse_subcommand(cli, argv, buffer_text(&names));
}
